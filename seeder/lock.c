#include "seeder/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

apr_status_t seed_lock_open(int *fd, const char *directory)
{
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s/seeder.lock", directory);

    if (length < 0 || length >= (int)sizeof path)
        return APR_ENAMETOOLONG;
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    return *fd < 0 ? errno : APR_SUCCESS;
}

apr_status_t seed_lock_try(int fd)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    if (fcntl(fd, F_OFD_SETLK, &whole) == 0)
        return APR_SUCCESS;
    return errno == EACCES ? APR_EAGAIN : errno;
}

void seed_lock_close(int fd)
{
    close(fd);
}
