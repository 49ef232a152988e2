/* Locks, always in this order: the gate (held shared during each transaction, alone while the map is replaced or the
 * file reopened), then for writers the writers' lock of this process, that of all processes (file.h), and LMDB's own.
 */
#include "catalog/env.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <apr_strings.h>

#include "base/log.h"
#include "catalog/resident.h"

enum {
    SPARE_TXNS = 64,                 /* read transactions kept for the next reader */
    MAX_ATTEMPTS = 40,               /* enough to double the map up to all address space */
    LOOK_SECONDS = 1,                /* how often we see whether the file was replaced */
    QUIET_SECONDS = 60,              /* the same error is logged once in that time */
    MAX_RESIDENT = 32 * 1024 * 1024, /* bytes by which reading may make this process grow: see resident.h */
    MAX_SET_ASIDE = 3                /* files that one process gives up on for damage met while running */
};

/* A read transaction and the cursor that it opened, if it did. */
typedef struct {
    MDB_txn *txn;
    MDB_cursor *hash_cursor;
} kept_txn;

struct cat_env {
    const char *directory;
    const char *data_name;
    pid_t pid;
    pthread_rwlock_t gate;
    cat_file file;       /* changed only with the gate held alone */
    unsigned generation; /* likewise: of `file` and its map */
    int set_aside_count; /* likewise */
    pthread_mutex_t writers;
    pthread_mutex_t spare_lock;
    kept_txn spare[SPARE_TXNS];
    int spare_count;
    atomic_llong next_look; /* seconds of the monotonic clock */
    atomic_llong quiet_full, quiet_error;
    atomic_int bad_value_noted;
    atomic_llong resident; /* bytes, when last dropped */
};

static long long seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return now.tv_sec;
}

/* True at most once in `every` seconds, among all threads. */
static int is_time(atomic_llong *next, long long every)
{
    long long now = seconds_now(), due = atomic_load_explicit(next, memory_order_relaxed);

    return now >= due && atomic_compare_exchange_strong(next, &due, now + every);
}

/* --- spare read transactions: beginning one anew would take a lock that all processes share ----------------------- */

static kept_txn spare_take(cat_env *env)
{
    kept_txn kept = {NULL, NULL};

    pthread_mutex_lock(&env->spare_lock);
    if (env->spare_count > 0)
        kept = env->spare[--env->spare_count];
    pthread_mutex_unlock(&env->spare_lock);
    return kept;
}

static void kept_free(kept_txn *kept)
{
    if (kept->hash_cursor)
        mdb_cursor_close(kept->hash_cursor);
    mdb_txn_abort(kept->txn);
}

static void spare_put(cat_env *env, kept_txn *kept)
{
    int full;

    mdb_txn_reset(kept->txn);
    pthread_mutex_lock(&env->spare_lock);
    full = env->spare_count == SPARE_TXNS;
    if (!full)
        env->spare[env->spare_count++] = *kept;
    pthread_mutex_unlock(&env->spare_lock);
    if (full)
        kept_free(kept);
}

static void spare_drop_all(cat_env *env)
{
    kept_txn kept;

    while ((kept = spare_take(env)).txn != NULL)
        kept_free(&kept);
}

static int begin_read(cat_env *env, kept_txn *kept)
{
    int rc, stale;

    *kept = spare_take(env);
    if (kept->txn) {
        if ((rc = mdb_txn_renew(kept->txn)) != 0)
            kept_free(kept);
        return rc;
    }
    rc = mdb_txn_begin(env->file.mdb, NULL, MDB_RDONLY, &kept->txn);
    if (rc == MDB_READERS_FULL && mdb_reader_check(env->file.mdb, &stale) == 0 && stale > 0)
        rc = mdb_txn_begin(env->file.mdb, NULL, MDB_RDONLY, &kept->txn);
    return rc;
}

/* --- what needs the gate alone ------------------------------------------------------------------------------------ */

/* Opens the file again, after it was found replaced or damaged. */
static void reopen(cat_env *env, cat_open_reason reason)
{
    spare_drop_all(env);
    cat_file_close(&env->file);
    env->generation++;
    if (reason == CAT_OPEN_DAMAGED && env->set_aside_count++ >= MAX_SET_ASIDE)
        bt_log(BT_LOG_ERR, 108, APR_EGENERAL,
               "the catalogue %s was damaged %d times: this process does without it from now on", env->data_name,
               env->set_aside_count);
    else if (cat_file_open(&env->file, env->directory, reason) != 0)
        atomic_store(&env->next_look, seconds_now() + QUIET_SECONDS);
}

/* Could that much be mapped? LMDB unmaps the old before it maps the new, and cannot go back. */
static int can_map(MDB_env *mdb, apr_size_t size)
{
    void *probe;
    int fd;

    if (mdb_env_get_fd(mdb, &fd) != 0)
        return 0;
    probe = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    return probe != MAP_FAILED && munmap(probe, size) == 0;
}

/* Fits the map to what other processes made of the file, and beyond if our own change did not fit. */
static int resize(cat_env *env, int full)
{
    MDB_envinfo info;
    MDB_stat stat;
    apr_size_t size;
    int rc, stale;

    if (full && mdb_reader_check(env->file.mdb, &stale) == 0 && stale > 0)
        return 0; /* the dead kept old pages from being used again */
    if ((rc = mdb_env_info(env->file.mdb, &info)) != 0 || (rc = mdb_env_stat(env->file.mdb, &stat)) != 0)
        return rc;
    size = cat_map_size_for((info.me_last_pgno + 1) * stat.ms_psize);
    if (full && size <= info.me_mapsize)
        size = info.me_mapsize <= APR_SIZE_MAX / 2 ? info.me_mapsize * 2 : 0;
    if (size <= info.me_mapsize)
        return full ? ENOMEM : 0;
    if (!can_map(env->file.mdb, size))
        return ENOMEM;
    env->generation++;
    if ((rc = mdb_env_set_mapsize(env->file.mdb, size)) != 0) {
        reopen(env, CAT_OPEN_AGAIN);
        return rc;
    }
    bt_log(BT_LOG_DEBUG, 106, APR_SUCCESS, "the catalogue's map is now %llu MiB", (unsigned long long)size >> 20);
    return 0;
}

/* After a transaction of `generation` failed with rc: mends what can be mended. @return 0 if it is worth another try */
static int mend(cat_env *env, int rc, unsigned generation)
{
    int result = rc;

    if (rc != MDB_MAP_FULL && rc != MDB_MAP_RESIZED && rc != MDB_PANIC && !cat_is_damage(rc))
        return rc;
    pthread_rwlock_wrlock(&env->gate);
    if (env->generation != generation) {
        result = env->file.mdb ? 0 : rc; /* another thread was here first */
    } else if (rc == MDB_MAP_FULL || rc == MDB_MAP_RESIZED) {
        result = resize(env, rc == MDB_MAP_FULL);
    } else {
        bt_log(BT_LOG_ERR, 105, APR_EGENERAL, "the catalogue %s is opened anew: %s", env->data_name, mdb_strerror(rc));
        reopen(env, rc == MDB_PANIC ? CAT_OPEN_AGAIN : CAT_OPEN_DAMAGED);
        result = env->file.mdb ? 0 : rc;
    }
    pthread_rwlock_unlock(&env->gate);
    return result;
}

/* Is the file that bears the name still the one that we have open? Gate held, shared will do. */
static int is_replaced(const cat_env *env)
{
    struct stat info;

    if (!env->file.mdb)
        return env->set_aside_count <= MAX_SET_ASIDE;
    return lstat(env->data_name, &info) != 0 || info.st_ino != env->file.inode || info.st_dev != env->file.device;
}

/* Gate held, shared will do. */
static void stay_small(cat_env *env)
{
    if (!env->file.mdb || cat_resident_bytes() <= atomic_load(&env->resident) + MAX_RESIDENT)
        return;
    cat_resident_drop(env->file.mdb);
    atomic_store(&env->resident, cat_resident_bytes());
}

/* Somebody may have set the file aside, or removed it, while we hold the old one. */
static void look_after_itself(cat_env *env)
{
    int replaced;

    if (!is_time(&env->next_look, LOOK_SECONDS))
        return;
    pthread_rwlock_rdlock(&env->gate);
    replaced = is_replaced(env);
    if (!replaced)
        stay_small(env);
    pthread_rwlock_unlock(&env->gate);
    if (!replaced)
        return;
    pthread_rwlock_wrlock(&env->gate);
    if (is_replaced(env))
        reopen(env, CAT_OPEN_AGAIN);
    pthread_rwlock_unlock(&env->gate);
}

/* --- running a transaction ---------------------------------------------------------------------------------------- */

static int write_once(cat_env *env, cat_txn *txn, cat_work *work, void *baton)
{
    int rc;

    pthread_mutex_lock(&env->writers);
    if ((rc = cat_file_begin_change(&env->file)) == 0) {
        if ((rc = mdb_txn_begin(env->file.mdb, NULL, 0, &txn->txn)) == 0) {
            rc = work(txn, baton);
            if (rc == 0)
                rc = mdb_txn_commit(txn->txn);
            else
                mdb_txn_abort(txn->txn);
        }
        cat_file_end_change(&env->file);
    }
    pthread_mutex_unlock(&env->writers);
    return rc;
}

static int run_once(cat_env *env, int write, cat_work *work, void *baton, unsigned *generation)
{
    cat_txn txn = {env, NULL, env->file.db, NULL};
    kept_txn kept;
    int rc;

    pthread_rwlock_rdlock(&env->gate);
    *generation = env->generation;
    if (!env->file.mdb) {
        rc = ENODEV;
    } else if (!write) {
        if ((rc = begin_read(env, &kept)) == 0) {
            txn.txn = kept.txn;
            txn.hash_cursor = &kept.hash_cursor;
            rc = work(&txn, baton);
            spare_put(env, &kept);
        }
    } else {
        rc = write_once(env, &txn, work, baton);
    }
    pthread_rwlock_unlock(&env->gate);
    return rc;
}

/* EFBIG: the limit on file sizes is this process's full disk. */
static int is_full(int rc)
{
    return rc == ENOSPC || rc == EDQUOT || rc == EFBIG;
}

static apr_status_t status_of(cat_env *env, int rc, int write)
{
    if (rc == MDB_NOTFOUND)
        return APR_NOTFOUND;
    if (is_full(rc) || (write && rc == EIO)) { /* EIO is all that LMDB says when a write was cut short */
        if (is_time(&env->quiet_full, QUIET_SECONDS))
            bt_log(
                BT_LOG_ERR, 104, rc,
                "the catalogue %s cannot be written, as the disk or a quota is full (or the disk fails): nothing new "
                "is published until there is room",
                env->data_name);
        return APR_ENOSPC;
    }
    if (rc == 0 || rc >= APR_OS_START_ERROR || rc == EINVAL)
        return rc;
    if (is_time(&env->quiet_error, QUIET_SECONDS))
        bt_log(BT_LOG_ERR, 107, rc > 0 ? rc : APR_EGENERAL, "the catalogue %s cannot be %s: %s", env->data_name,
               write ? "written" : "read", mdb_strerror(rc));
    return rc > 0 ? rc : APR_EGENERAL;
}

static apr_status_t run(cat_env *env, int write, cat_work *work, void *baton)
{
    unsigned generation;
    int rc = 0;

    look_after_itself(env);
    for (int attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
        rc = run_once(env, write, work, baton, &generation);
        if (rc == 0 || mend(env, rc, generation) != 0)
            break;
    }
    return status_of(env, rc, write);
}

apr_uint64_t cat_env_version(cat_env *env)
{
    MDB_envinfo info;
    apr_uint64_t version;

    look_after_itself(env);
    pthread_rwlock_rdlock(&env->gate);
    version = (apr_uint64_t)env->generation << 40;
    if (env->file.mdb && mdb_env_info(env->file.mdb, &info) == 0)
        version += info.me_last_txnid;
    pthread_rwlock_unlock(&env->gate);
    return version;
}

apr_status_t cat_env_read(cat_env *env, cat_work *work, void *baton)
{
    return run(env, 0, work, baton);
}

apr_status_t cat_env_write(cat_env *env, cat_work *work, void *baton)
{
    return run(env, 1, work, baton);
}

void cat_env_note_bad_value(cat_env *env, const char *what)
{
    if (atomic_exchange(&env->bad_value_noted, 1) == 0)
        bt_log(BT_LOG_WARNING, 103, APR_SUCCESS,
               "the catalogue %s holds a %s that is damaged: it counts as not there, and is made again when asked for",
               env->data_name, what);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static apr_status_t cleanup(void *data)
{
    cat_env *env = data;

    if (env->pid != getpid())
        return APR_SUCCESS; /* a fork's copy: closing it would free the readers of the real one */
    spare_drop_all(env);
    cat_file_close(&env->file);
    pthread_mutex_destroy(&env->spare_lock);
    pthread_mutex_destroy(&env->writers);
    pthread_rwlock_destroy(&env->gate);
    return APR_SUCCESS;
}

apr_status_t cat_env_open(cat_env **result, const char *directory, apr_pool_t *pool)
{
    cat_env *env = apr_pcalloc(pool, sizeof *env);
    pthread_rwlockattr_t attr;
    int rc;

    env->directory = apr_pstrdup(pool, directory);
    env->data_name = apr_pstrcat(pool, directory, "/catalog.mdb", NULL);
    env->pid = getpid();
    env->next_look = seconds_now() + LOOK_SECONDS;
    env->file.use_fd = -1;
    if ((rc = cat_file_open(&env->file, directory, CAT_OPEN_FIRST)) != 0)
        return is_full(rc) || rc == EIO ? APR_ENOSPC : rc > 0 ? rc : APR_EGENERAL;
    pthread_rwlockattr_init(&attr);
    /* Or a stream of readers would keep the map from ever growing. */
    pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&env->gate, &attr);
    pthread_rwlockattr_destroy(&attr);
    pthread_mutex_init(&env->spare_lock, NULL);
    pthread_mutex_init(&env->writers, NULL);
    atomic_store(&env->resident, cat_resident_bytes());
    apr_pool_cleanup_register(pool, env, cleanup, apr_pool_cleanup_null);
    *result = env;
    return APR_SUCCESS;
}
