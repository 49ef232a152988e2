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

/* The first byte is the seeder's; one behind it is that of a generation's heirs. */
static apr_status_t set(int fd, short type, apr_uint64_t at)
{
    struct flock byte = {.l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)at, .l_len = 1};

    if (fcntl(fd, F_OFD_SETLK, &byte) == 0)
        return APR_SUCCESS;
    return errno == EACCES ? APR_EAGAIN : errno;
}

apr_status_t seed_lock_try(int fd)
{
    return set(fd, F_WRLCK, 0);
}

apr_status_t seed_lock_stand(int fd, apr_uint64_t generation)
{
    return set(fd, F_RDLCK, generation + 1);
}

void seed_lock_step_back(int fd, apr_uint64_t generation)
{
    set(fd, F_UNLCK, generation + 1);
}

int seed_lock_has_heir(int fd, apr_uint64_t least)
{
    struct flock heirs = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)(least + 1)};

    return fcntl(fd, F_OFD_GETLK, &heirs) == 0 && heirs.l_type != F_UNLCK;
}

void seed_lock_close(int fd)
{
    close(fd);
}
