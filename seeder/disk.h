/* How files are read: what is in the page cache at once, all else where somebody may wait for it. A seam: tests put a disk
 * here that does not answer. */
#ifndef SEED_DISK_H
#define SEED_DISK_H

#include <sys/types.h>
#include <sys/uio.h>

#include <apr_errno.h>

typedef struct seed_disk {
    /* As preadv2(2) with RWF_NOWAIT: reads what is in the page cache, and never waits. */
    ssize_t (*peek)(void *baton, int file, const struct iovec *to, int count, apr_int64_t offset);
    /* Brings bytes into the page cache, as far as the file has them, and waits for it. Any thread. */
    apr_status_t (*fetch)(void *baton, int file, apr_int64_t offset, apr_size_t length);
    void *baton;
} seed_disk;

/** The kernel's own. */
extern const seed_disk seed_disk_kernel;

/** Is the file in memory anyhow (tmpfs), so that reading it never waits? */
int seed_disk_is_memory(int file);

#endif
