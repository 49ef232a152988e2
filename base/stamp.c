#include "base/stamp.h"

#include <errno.h>
#include <sys/stat.h>

static apr_status_t stamp_from(const struct stat *info, bt_stamp *stamp)
{
    if (!S_ISREG(info->st_mode))
        return APR_EINVAL;
    stamp->size = info->st_size;
    stamp->mtime_ns = (apr_int64_t)info->st_mtim.tv_sec * 1000000000 + info->st_mtim.tv_nsec;
    stamp->ctime_ns = (apr_int64_t)info->st_ctim.tv_sec * 1000000000 + info->st_ctim.tv_nsec;
    stamp->device = info->st_dev;
    stamp->inode = info->st_ino;
    return APR_SUCCESS;
}

apr_status_t bt_stamp_path(const char *path, bt_stamp *stamp)
{
    struct stat info;

    return stat(path, &info) == 0 ? stamp_from(&info, stamp) : errno;
}

apr_status_t bt_stamp_fd(int fd, bt_stamp *stamp)
{
    struct stat info;

    return fstat(fd, &info) == 0 ? stamp_from(&info, stamp) : errno;
}

int bt_stamp_equal(const bt_stamp *a, const bt_stamp *b)
{
    return a->size == b->size && a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns && a->inode == b->inode;
}
