#include "base/stamp.h"

#include <errno.h>
#include <sys/stat.h>

/* Wraps beyond the year 2262 (anybody may set such a time): still a number that changes when the time does. */
static apr_int64_t nanoseconds(const struct timespec *time)
{
    return (apr_int64_t)((apr_uint64_t)time->tv_sec * 1000000000u + (apr_uint64_t)time->tv_nsec);
}

apr_status_t bt_stamp_stat(const struct stat *info, bt_stamp *stamp)
{
    if (!S_ISREG(info->st_mode))
        return APR_EINVAL;
    stamp->size = info->st_size;
    stamp->mtime_ns = nanoseconds(&info->st_mtim);
    stamp->ctime_ns = nanoseconds(&info->st_ctim);
    stamp->device = info->st_dev;
    stamp->inode = info->st_ino;
    return APR_SUCCESS;
}

apr_status_t bt_stamp_path(const char *path, bt_stamp *stamp)
{
    struct stat info;

    return stat(path, &info) == 0 ? bt_stamp_stat(&info, stamp) : errno;
}

apr_status_t bt_stamp_fd(int fd, bt_stamp *stamp)
{
    struct stat info;

    return fstat(fd, &info) == 0 ? bt_stamp_stat(&info, stamp) : errno;
}

int bt_stamp_equal(const bt_stamp *a, const bt_stamp *b)
{
    return a->size == b->size && a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns && a->inode == b->inode;
}
