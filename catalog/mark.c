#include "catalog/mark.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/stamp.h"
#include "catalog/record.h"

enum {
    TRUST_MAX = 3, /* openings in a row without a look at all pages, if nobody closed the file properly in between */
    BOOT_ID_SIZE = 36
};

typedef enum {
    STATE_CLEAN = 1, /* nobody changed it since it was last closed and synced */
    STATE_STILL = 2, /* the last change is complete */
    STATE_WRITING = 3
} mark_state;

typedef struct {
    char magic[8];
    apr_uint32_t state;
    apr_uint32_t doubt; /* somebody else wrote to it */
    apr_uint32_t trusted;
    char boot[BOOT_ID_SIZE];
    apr_uint64_t inode;
    apr_int64_t size, mtime_ns, ctime_ns;
    apr_uint64_t txn;
    apr_uint64_t sum; /* of all before */
} mark;

static const char mark_magic[8] = "bthmark1";

_Static_assert(sizeof(mark) == 104, "the layout of the mark is fixed: a change needs a new magic");

/* --- its parts ---------------------------------------------------------------------------------------------------- */

/* Another one after each boot; stays zero where there is none. */
static char this_boot[BOOT_ID_SIZE];

static void read_boot_id(void)
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return;
    if (read(fd, this_boot, sizeof this_boot) != sizeof this_boot)
        memset(this_boot, 0, sizeof this_boot);
    close(fd);
}

static void set_boot(mark *m)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, read_boot_id);
    memcpy(m->boot, this_boot, sizeof m->boot);
}

static int is_of_this_boot(const mark *m)
{
    mark now;

    set_boot(&now);
    return now.boot[0] != '\0' && memcmp(now.boot, m->boot, sizeof now.boot) == 0;
}

static int set_stamp(mark *m, int data)
{
    bt_stamp stamp;

    if (bt_stamp_fd(data, &stamp) != APR_SUCCESS)
        return 0;
    m->inode = stamp.inode;
    m->size = stamp.size;
    m->mtime_ns = stamp.mtime_ns;
    m->ctime_ns = stamp.ctime_ns;
    return 1;
}

static int has_stamp(const mark *m, const bt_stamp *stamp)
{
    return m->inode == stamp->inode && m->size == stamp->size && m->mtime_ns == stamp->mtime_ns &&
           m->ctime_ns == stamp->ctime_ns;
}

/* --- reading and writing ------------------------------------------------------------------------------------------ */

/* @return 0 if there is none: everything is zero then */
static int read_mark(int lock, mark *m)
{
    if (pread(lock, m, sizeof *m, 0) == sizeof *m && memcmp(m->magic, mark_magic, sizeof m->magic) == 0 &&
        m->sum == cat_sum(m, offsetof(mark, sum)))
        return 1;
    memset(m, 0, sizeof *m);
    return 0;
}

/* What cannot be written is taken away, which needs no room: the file is looked through next time. */
static int write_mark(int lock, mark *m)
{
    memcpy(m->magic, mark_magic, sizeof m->magic);
    m->sum = cat_sum(m, offsetof(mark, sum));
    if (pwrite(lock, m, sizeof *m, 0) == sizeof *m)
        return 0;
    return ftruncate(lock, 0) == 0 ? 0 : errno;
}

static void write_new(int lock, int data, apr_uint64_t txn, apr_uint32_t trusted)
{
    mark m;

    memset(&m, 0, sizeof m);
    m.state = STATE_STILL;
    m.trusted = trusted;
    m.txn = txn;
    set_boot(&m);
    if (set_stamp(&m, data))
        write_mark(lock, &m);
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

static int is_as_left(const mark *m, const bt_stamp *stamp, apr_uint64_t txn)
{
    if (m->doubt || m->inode != stamp->inode)
        return 0;
    if (m->state == STATE_CLEAN || (m->state == STATE_STILL && is_of_this_boot(m)))
        return has_stamp(m, stamp) && m->txn == txn;
    /* Killed in the middle of a change. LMDB's file never gets shorter, nor its states older. */
    return m->state == STATE_WRITING && is_of_this_boot(m) && stamp->size >= m->size && txn >= m->txn;
}

int cat_mark_trusts(int lock, int data, apr_uint64_t txn)
{
    bt_stamp stamp;
    mark m;

    if (!read_mark(lock, &m) || bt_stamp_fd(data, &stamp) != APR_SUCCESS || !is_as_left(&m, &stamp, txn) ||
        m.trusted >= TRUST_MAX)
        return 0;
    if (m.state != STATE_CLEAN) {
        write_new(lock, data, txn, m.trusted + 1);
    } else {
        m.trusted++;
        write_mark(lock, &m);
    }
    return 1;
}

void cat_mark_sound(int lock, int data, apr_uint64_t txn)
{
    write_new(lock, data, txn, 0);
}

/* --- changes ------------------------------------------------------------------------------------------------------ */

int cat_mark_begin(int lock, int data)
{
    bt_stamp stamp;
    int rc, was_clean;
    mark m;

    if (bt_stamp_fd(data, &stamp) != APR_SUCCESS)
        return errno;
    if (!read_mark(lock, &m)) {
        m.doubt = 1;
        m.inode = stamp.inode;
        m.size = stamp.size;
    } else if (m.inode != stamp.inode) {
        return 0; /* the file with the name is another one by now, which it describes */
    } else if (m.state != STATE_WRITING && !has_stamp(&m, &stamp)) {
        m.doubt = 1;
    }
    was_clean = m.state == STATE_CLEAN;
    m.state = STATE_WRITING;
    set_boot(&m);
    if ((rc = write_mark(lock, &m)) != 0)
        return rc;
    return was_clean && fdatasync(lock) != 0 ? errno : 0;
}

void cat_mark_end(int lock, int data, apr_uint64_t txn)
{
    struct stat info;
    mark m;

    if (fstat(data, &info) != 0 || !read_mark(lock, &m) || m.inode != info.st_ino || m.state != STATE_WRITING)
        return;
    m.state = STATE_STILL;
    m.txn = txn;
    if (set_stamp(&m, data))
        write_mark(lock, &m);
}

void cat_mark_close(int lock, int data, apr_uint64_t txn)
{
    apr_uint32_t trusted;
    bt_stamp stamp;
    mark m;

    if (!read_mark(lock, &m) || bt_stamp_fd(data, &stamp) != APR_SUCCESS || !is_as_left(&m, &stamp, txn) ||
        m.state == STATE_WRITING)
        return;
    trusted = m.trusted;
    m.trusted = 0;
    if (m.state == STATE_CLEAN) {
        if (trusted > 0)
            write_mark(lock, &m);
        return;
    }
    if (fsync(data) != 0 || !set_stamp(&m, data))
        return;
    m.state = STATE_CLEAN;
    m.txn = txn;
    if (write_mark(lock, &m) == 0)
        fdatasync(lock);
}
