#include "catalog/file.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "catalog/catalog.h"
#include "catalog/mark.h"
#include "catalog/verify.h"

enum {
    MAP_START = 64 * 1024 * 1024, /* bytes of address space, not of disk */
    MAX_READERS = 4096,           /* transactions at once, all children together: 64 bytes each in the lock file */
    KEEP_BAD = 3,                 /* files set aside */
    LOCK_SIZE = (MAX_READERS + 64) * 64,
    BYTE_OPENING = 0, /* of catalog.lock: held while one process looks at, renames or makes the file */
    BYTE_IN_USE = 1,  /* held, shared, by each process that has it open */
    BYTE_WRITING = 2  /* held during each change, and while the mark (mark.h) in catalog.lock is written */
};

typedef struct {
    char magic[8];
    apr_uint32_t version;
    apr_uint32_t zero;
} layout_mark;

/* Version 3: see cat_db and record.c. */
static const layout_mark our_layout = {"bthcatl", 3, 0};

typedef struct {
    char data[PATH_MAX], lmdb_lock[PATH_MAX], lock[PATH_MAX];
} file_names;

static int names_of(file_names *names, const char *directory)
{
    int length = snprintf(names->lmdb_lock, sizeof names->lmdb_lock, "%s/catalog.mdb-lock", directory);

    if (length < 0 || (apr_size_t)length >= sizeof names->lmdb_lock)
        return ENAMETOOLONG;
    snprintf(names->data, sizeof names->data, "%s/catalog.mdb", directory);
    snprintf(names->lock, sizeof names->lock, "%s/catalog.lock", directory);
    return 0;
}

int cat_is_damage(int rc)
{
    switch (rc) {
    case MDB_PAGE_NOTFOUND:
    case MDB_CORRUPTED:
    case MDB_VERSION_MISMATCH:
    case MDB_INVALID:
    case MDB_CURSOR_FULL:
    case MDB_PAGE_FULL:
    case MDB_INCOMPATIBLE:
    case MDB_BAD_VALSIZE:
    case MDB_BAD_TXN: /* LMDB hides the error of a first look at a table, and then says only this */
        return 1;
    default:
        return 0;
    }
}

apr_size_t cat_map_size_for(apr_size_t used)
{
    apr_size_t size = MAP_START;

    while (size - size / 4 < used && size <= APR_SIZE_MAX / 2)
        size *= 2;
    return size;
}

/* --- locks: of the open file description, so that threads of one process exclude each other too ------------------- */

static int lock_byte(int fd, int byte, short kind, int wait)
{
    struct flock range = {.l_type = kind, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

    while (fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &range) != 0)
        if (errno != EINTR)
            return errno;
    return 0;
}

/* --- setting aside ------------------------------------------------------------------------------------------------ */

/* Removes the oldest of the files set aside but the newest few, so that a failing disk does not fill up as well. What
 * is no file is left. */
static void remove_oldest_bad(const file_names *names)
{
    char pattern[PATH_MAX + 8];
    glob_t found;

    /* A directory's name may hold what glob takes for a pattern: then nothing is found, and nothing removed. */
    snprintf(pattern, sizeof pattern, "%s.bad-*", names->data);
    if (glob(pattern, 0, NULL, &found) != 0)
        return;
    for (size_t i = 0; i + KEEP_BAD < found.gl_pathc; i++)
        unlink(found.gl_pathv[i]); /* sorted by name, which is by time */
    globfree(&found);
}

/* Renames whatever has the catalogue's name. The lock file goes too: it counts the transactions of the old file. */
static int set_aside(const file_names *names, const char *why)
{
    char bad[PATH_MAX + 64];
    struct stat info;
    int n = 0;

    do
        snprintf(bad, sizeof bad, n ? "%s.bad-%lld-%d" : "%s.bad-%lld", names->data, (long long)time(NULL), n);
    while (n++ < INT_MAX - 1 && lstat(bad, &info) == 0);
    if (rename(names->data, bad) != 0) {
        int rc = errno;
        bt_log(BT_LOG_ERR, 101, rc, "the catalogue %s cannot be used (%s), nor renamed to %s", names->data, why, bad);
        return rc;
    }
    bt_log(BT_LOG_WARNING, 100, APR_SUCCESS,
           "the catalogue %s cannot be used (%s): it was renamed to %s, and a new one is made as files are asked for",
           names->data, why, bad);
    remove_oldest_bad(names);
    return 0;
}

/* The LMDB lock file says who reads; with nobody there it is refuse, whatever it is. The new one gets its disk space at
 * once: LMDB only maps it, and would die of SIGBUS on a full disk. */
static int renew_lmdb_lock(const file_names *names)
{
    char bad[PATH_MAX + 64];
    int fd, rc;

    if (unlink(names->lmdb_lock) != 0 && errno != ENOENT) {
        snprintf(bad, sizeof bad, "%s.bad-%lld", names->lmdb_lock, (long long)time(NULL));
        if (rename(names->lmdb_lock, bad) != 0)
            return errno;
    }
    if ((fd = open(names->lmdb_lock, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) < 0)
        return errno;
    rc = posix_fallocate(fd, 0, LOCK_SIZE);
    close(fd);
    if (rc != 0)
        unlink(names->lmdb_lock);
    return rc;
}

/* What is wrong with what lies there? *missing says that nothing does, *looked that every page was seen. */
static int look_at(const file_names *names, int alone_with, int *missing, int *looked, const char **why)
{
    apr_uint64_t txn = 0;
    struct stat info;
    int fd;

    *why = NULL;
    *looked = 0;
    *missing = lstat(names->data, &info) != 0;
    if (*missing)
        return errno == ENOENT ? 0 : errno;
    if (!S_ISREG(info.st_mode)) {
        *why = "not a regular file";
        return 0;
    }
    if ((fd = open(names->data, O_RDWR | O_CLOEXEC | O_NOFOLLOW)) < 0)
        return errno;
    *why = cat_verify_head(fd, &txn);
    if (!*why && alone_with >= 0 && !cat_mark_trusts(alone_with, fd, txn)) {
        *why = cat_verify_pages(fd);
        *looked = 1;
    }
    close(fd);
    return 0;
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    unsigned flags;
} databases[CAT_DB_COUNT] = {
    [CAT_DB_LAYOUT] = {"layout", 0},     [CAT_DB_PATH] = {"path", 0},       [CAT_DB_HASH] = {"hash", 0},
    [CAT_DB_TORRENT] = {"torrent", 0},   [CAT_DB_LAYER] = {"layer", 0},     [CAT_DB_GONE] = {"gone", 0},
    [CAT_DB_GONE_AGE] = {"gone-age", 0}, [CAT_DB_MEMBERS] = {"members", 0}, [CAT_DB_NEWEST] = {"newest", 0},
    [CAT_DB_PREVIOUS] = {"previous", 0}, [CAT_DB_OBFUSCATED] = {"obfuscated", 0},
};

/* @return MDB_VERSION_MISMATCH if the file is another layout's */
static int open_databases(MDB_txn *txn, MDB_dbi db[CAT_DB_COUNT])
{
    MDB_val key = {6, (void *)(apr_uintptr_t) "layout"}, value;
    MDB_stat stat;
    MDB_dbi root;
    int rc;

    if ((rc = mdb_dbi_open(txn, NULL, 0, &root)) != 0 || (rc = mdb_stat(txn, root, &stat)) != 0)
        return rc;
    if (stat.ms_entries > 0) { /* not a new file: it must be one of ours before it is touched */
        rc = mdb_dbi_open(txn, databases[CAT_DB_LAYOUT].name, 0, &db[CAT_DB_LAYOUT]);
        if (rc == 0)
            rc = mdb_get(txn, db[CAT_DB_LAYOUT], &key, &value);
        if (rc == MDB_NOTFOUND)
            return MDB_VERSION_MISMATCH;
        if (rc != 0)
            return rc;
        if (value.mv_size != sizeof our_layout || memcmp(value.mv_data, &our_layout, sizeof our_layout) != 0)
            return MDB_VERSION_MISMATCH;
    }
    for (int i = 0; i < CAT_DB_COUNT; i++)
        if ((rc = mdb_dbi_open(txn, databases[i].name, databases[i].flags | MDB_CREATE, &db[i])) != 0)
            return rc;
    if (stat.ms_entries > 0)
        return 0;
    value.mv_size = sizeof our_layout;
    value.mv_data = (void *)(apr_uintptr_t)&our_layout;
    return mdb_put(txn, db[CAT_DB_LAYOUT], &key, &value, 0);
}

static int note_identity(cat_file *file)
{
    struct stat info;
    int fd, rc;

    if ((rc = mdb_env_get_fd(file->mdb, &fd)) != 0)
        return rc;
    if (fstat(fd, &info) != 0)
        return errno;
    file->device = info.st_dev;
    file->inode = info.st_ino;
    return 0;
}

/* Opens what is there now. On failure file->mdb is NULL. */
static int open_lmdb(cat_file *file, const file_names *names)
{
    /* MDB_NOMETASYNC: one fdatasync a commit. A power loss may undo the last commit, and never harms the file. */
    const unsigned flags = MDB_NOSUBDIR | MDB_NOTLS | MDB_NOMETASYNC;
    MDB_env *mdb;
    MDB_txn *txn;
    struct stat info;
    int rc, stale;
    apr_size_t size = lstat(names->data, &info) == 0 ? (apr_size_t)info.st_size : 0;

    if ((rc = mdb_env_create(&mdb)) != 0)
        return rc;
    if ((rc = mdb_env_set_maxdbs(mdb, CAT_DB_COUNT)) == 0 && (rc = mdb_env_set_maxreaders(mdb, MAX_READERS)) == 0 &&
        (rc = mdb_env_set_mapsize(mdb, cat_map_size_for(size))) == 0 &&
        (rc = mdb_env_open(mdb, names->data, flags, 0600)) == 0 && (rc = mdb_reader_check(mdb, &stale)) == 0 &&
        (rc = mdb_txn_begin(mdb, NULL, 0, &txn)) == 0) {
        rc = open_databases(txn, file->db);
        if (rc == 0)
            rc = mdb_txn_commit(txn);
        else
            mdb_txn_abort(txn);
    }
    file->mdb = mdb;
    if (rc == 0)
        rc = note_identity(file);
    if (rc != 0) {
        mdb_env_close(mdb);
        file->mdb = NULL;
    }
    return rc;
}

static const char *phrase_for(int rc)
{
    return rc == MDB_VERSION_MISMATCH ? "its layout is another version's" : mdb_strerror(rc);
}

static int same_file(const file_names *names, const cat_file *file)
{
    struct stat info;

    return lstat(names->data, &info) == 0 && info.st_dev == file->device && info.st_ino == file->inode;
}

static apr_uint64_t newest_state(MDB_env *mdb)
{
    MDB_envinfo info;

    return mdb_env_info(mdb, &info) == 0 ? info.me_last_txnid : 0;
}

/* The file was looked through, or is new. */
static void mark_sound(const cat_file *file)
{
    int fd;

    if (mdb_env_get_fd(file->mdb, &fd) != 0 || lock_byte(file->use_fd, BYTE_WRITING, F_WRLCK, 1) != 0)
        return;
    cat_mark_sound(file->use_fd, fd, newest_state(file->mdb));
    lock_byte(file->use_fd, BYTE_WRITING, F_UNLCK, 0);
}

/* Under BYTE_OPENING. */
static int open_locked(cat_file *file, const file_names *names, cat_open_reason reason, int alone)
{
    const char *why;
    int missing, looked, rc;

    if (reason == CAT_OPEN_DAMAGED && same_file(names, file) && (rc = set_aside(names, "damage was met")) != 0)
        return rc;
    for (int attempt = 0;; attempt++) {
        if ((rc = look_at(names, alone ? file->use_fd : -1, &missing, &looked, &why)) != 0)
            return rc;
        if (why) {
            if ((rc = set_aside(names, why)) != 0)
                return rc;
            missing = 1;
        }
        if ((missing || alone) && (rc = renew_lmdb_lock(names)) != 0)
            return rc;
        rc = open_lmdb(file, names);
        if (rc == 0 && (missing || looked))
            mark_sound(file);
        if (rc != 0 && missing)
            unlink(names->data); /* half made, as on a full disk */
        if (!cat_is_damage(rc) || attempt > 0 || (rc == MDB_VERSION_MISMATCH && reason != CAT_OPEN_FIRST))
            return rc;
        if ((rc = set_aside(names, phrase_for(rc))) != 0)
            return rc;
    }
}

int cat_file_open(cat_file *file, const char *directory, cat_open_reason reason)
{
    file_names names;
    int rc, alone;

    if ((rc = names_of(&names, directory)) != 0)
        return rc;
    if ((file->use_fd = open(names.lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)) < 0) {
        rc = errno;
    } else if ((rc = lock_byte(file->use_fd, BYTE_OPENING, F_WRLCK, 1)) == 0) {
        alone = lock_byte(file->use_fd, BYTE_IN_USE, F_WRLCK, 0) == 0;
        rc = open_locked(file, &names, reason, alone);
        if (rc == 0 && (rc = lock_byte(file->use_fd, BYTE_IN_USE, F_RDLCK, 1)) == 0)
            rc = lock_byte(file->use_fd, BYTE_OPENING, F_UNLCK, 0);
    }
    if (rc == 0)
        return 0;
    bt_log(BT_LOG_ERR, 102, rc > 0 ? rc : APR_EGENERAL, "the catalogue %s cannot be opened: %s", names.data,
           phrase_for(rc));
    cat_file_close(file);
    return rc;
}

/* --- changes ------------------------------------------------------------------------------------------------------ */

int cat_file_begin_change(cat_file *file)
{
    int fd, rc = mdb_env_get_fd(file->mdb, &fd);

    if (rc != 0 || (rc = lock_byte(file->use_fd, BYTE_WRITING, F_WRLCK, 1)) != 0)
        return rc;
    if ((rc = cat_mark_begin(file->use_fd, fd)) != 0)
        lock_byte(file->use_fd, BYTE_WRITING, F_UNLCK, 0);
    return rc;
}

void cat_file_end_change(cat_file *file)
{
    int fd;

    if (mdb_env_get_fd(file->mdb, &fd) == 0)
        cat_mark_end(file->use_fd, fd, newest_state(file->mdb));
    lock_byte(file->use_fd, BYTE_WRITING, F_UNLCK, 0);
}

/* The last one to have it marks it as good for whoever comes next. Waits for those only who open or close it too:
 * nobody looks through it while we have it. */
static void mark_closed(const cat_file *file)
{
    int fd;

    if (mdb_env_get_fd(file->mdb, &fd) == 0 && lock_byte(file->use_fd, BYTE_OPENING, F_WRLCK, 1) == 0 &&
        lock_byte(file->use_fd, BYTE_IN_USE, F_WRLCK, 0) == 0 && lock_byte(file->use_fd, BYTE_WRITING, F_WRLCK, 0) == 0)
        cat_mark_close(file->use_fd, fd, newest_state(file->mdb));
}

void cat_file_close(cat_file *file)
{
    if (file->mdb) {
        mark_closed(file);
        mdb_env_close(file->mdb);
    }
    file->mdb = NULL;
    if (file->use_fd >= 0)
        close(file->use_fd);
    file->use_fd = -1;
}
