#include "seeder/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

static ssize_t peek(void *baton, int file, const struct iovec *to, int count, apr_int64_t offset)
{
    (void)baton;
    return preadv2(file, to, count, (off_t)offset, RWF_NOWAIT);
}

/* All of it is asked for at once; reading is how to learn that it came, and whether it could be read. */
static apr_status_t fetch(void *baton, int file, apr_int64_t offset, apr_size_t length)
{
    enum { AT_ONCE = 64 * 1024 };
    char bytes[AT_ONCE];
    ssize_t n = 1;

    (void)baton;
    posix_fadvise(file, (off_t)offset, (off_t)length, POSIX_FADV_WILLNEED);
    while (length > 0 && n != 0) {
        n = pread(file, bytes, length < AT_ONCE ? length : AT_ONCE, (off_t)offset);
        if (n < 0 && errno != EINTR)
            return errno;
        if (n > 0) {
            offset += n;
            length -= (apr_size_t)n;
        }
    }
    return APR_SUCCESS;
}

const seed_disk seed_disk_kernel = {peek, fetch, NULL};

int seed_disk_is_memory(int file)
{
    struct statfs info;

    return fstatfs(file, &info) == 0 &&
           (info.f_type == TMPFS_MAGIC || info.f_type == RAMFS_MAGIC || info.f_type == HUGETLBFS_MAGIC);
}
