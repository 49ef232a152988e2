/* A stamp names one version of a file: if any member differs, the file is another one. */
#ifndef BT_STAMP_H
#define BT_STAMP_H

#include <apr_errno.h>
#include <apr_general.h>

typedef struct {
    apr_int64_t size;     /* bytes */
    apr_int64_t mtime_ns; /* modification time, nanoseconds since the epoch */
    apr_int64_t ctime_ns; /* change time, likewise */
    apr_uint64_t device;
    apr_uint64_t inode;
} bt_stamp;

/**
 * Reads the stamp of a regular file. Any thread.
 * @return APR_EINVAL if it is not a regular file (a FIFO, a directory), else what stat(2) says
 */
apr_status_t bt_stamp_path(const char *path, bt_stamp *stamp);

/** The same for an open descriptor. */
apr_status_t bt_stamp_fd(int fd, bt_stamp *stamp);

struct stat;

/** The same for what stat(2) said of a file. */
apr_status_t bt_stamp_stat(const struct stat *info, bt_stamp *stamp);

/** Are they the same version of the same file? The device is left out: it may differ after a reboot. */
int bt_stamp_equal(const bt_stamp *a, const bt_stamp *b);

#endif
