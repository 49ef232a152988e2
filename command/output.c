#include "command/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

static int is_standard(const char *path)
{
    return strcmp(path, "-") == 0;
}

/* Whatever is there, links followed. @return 1 if it is a device or FIFO: to be written to, never replaced */
static int is_special(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode);
}

apr_status_t cmd_output_check(const char *path, int force)
{
    struct stat info;

    if (is_standard(path) || is_special(path))
        return APR_SUCCESS;
    if (lstat(path, &info) != 0)
        return errno == ENOENT && *path ? APR_SUCCESS : errno;
    if (S_ISDIR(info.st_mode))
        return EISDIR;
    return force ? APR_SUCCESS : APR_EEXIST;
}

static apr_status_t write_all(int fd, const bt_buf *bytes)
{
    for (apr_size_t done = 0; done < bytes->length;) {
        ssize_t wrote = write(fd, bytes->data + done, bytes->length - done);

        if (wrote < 0 && errno != EINTR)
            return errno;
        done += wrote > 0 ? (apr_size_t)wrote : 0;
    }
    return APR_SUCCESS;
}

static apr_status_t write_through(const char *path, const bt_buf *bytes)
{
    int fd = is_standard(path) ? dup(STDOUT_FILENO) : open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    apr_status_t status;

    if (fd < 0)
        return errno;
    status = write_all(fd, bytes);
    if (close(fd) != 0 && status == APR_SUCCESS)
        status = errno;
    return status;
}

/* Never replaces what somebody else has put there meanwhile, unless forced. */
static apr_status_t put_in_place(const char *temporary, const char *path, int force)
{
    if (force)
        return rename(temporary, path) == 0 ? APR_SUCCESS : errno;
    if (renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
        return APR_SUCCESS;
    if (errno != EINVAL && errno != ENOSYS)
        return errno;
    if (link(temporary, path) != 0) /* a filesystem that does not know the flag */
        return errno;
    unlink(temporary);
    return APR_SUCCESS;
}

static apr_status_t write_beside(const char *path, int force, const bt_buf *bytes, apr_pool_t *pool)
{
    const char *slash = strrchr(path, '/');
    int directory = slash ? (int)(slash - path) + 1 : 0;
    char *temporary = apr_psprintf(pool, "%.*s.bthttp-XXXXXX", directory, path); /* its own name may be as long as may be */
    mode_t mask = umask(0);
    int fd = mkostemp(temporary, O_CLOEXEC);
    apr_status_t status;

    umask(mask);
    if (fd < 0)
        return errno;
    status = write_all(fd, bytes);
    if (status == APR_SUCCESS && fchmod(fd, 0666 & ~mask) != 0)
        status = errno;
    if (close(fd) != 0 && status == APR_SUCCESS)
        status = errno;
    if (status == APR_SUCCESS)
        status = put_in_place(temporary, path, force);
    if (status != APR_SUCCESS)
        unlink(temporary);
    return status;
}

apr_status_t cmd_output_write(const char *path, int force, const bt_buf *bytes, apr_pool_t *pool)
{
    apr_status_t status = cmd_output_check(path, force);
    char *real;

    if (status != APR_SUCCESS)
        return status;
    if (is_standard(path) || is_special(path))
        return write_through(path, bytes);
    real = realpath(path, NULL); /* a link stays one: what it leads to is replaced */
    status = write_beside(real ? real : path, force, bytes, pool);
    free(real);
    return status;
}

apr_status_t cmd_input_read(const char *path, bt_buf *bytes)
{
    enum { STEP = 1 << 16 };
    int fd = is_standard(path) ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    apr_status_t status = APR_SUCCESS;

    if (fd < 0)
        return errno;
    while (status == APR_SUCCESS) {
        unsigned char *to = bt_buf_extend(bytes, STEP);
        ssize_t got = to ? read(fd, to, STEP) : -1;

        if (!to) {
            status = bytes->status == APR_ENOSPC ? EFBIG : bytes->status;
            break;
        }
        if (got < 0 && errno != EINTR)
            status = errno;
        bytes->length -= STEP - (apr_size_t)(got > 0 ? got : 0);
        if (got == 0)
            break;
    }
    close(fd);
    return status;
}
