/* Files that the command reads and writes as a whole. */
#ifndef CMD_OUTPUT_H
#define CMD_OUTPUT_H

#include <apr_pools.h>

#include "base/buf.h"

/**
 * May this file be written: "-" (standard output), a new name, a device or FIFO, or with `force` whatever there is? Asked
 * before the work that leads to it.
 * @return APR_SUCCESS, APR_EEXIST, or why not
 */
apr_status_t cmd_output_check(const char *path, int force);

/**
 * Writes the whole of it under another name beside it, and puts it in its place in one step: whoever looks sees the old
 * file or the new one. What is "-" or no regular file is written to as it is.
 * @return as cmd_output_check, or as write(2)
 */
apr_status_t cmd_output_write(const char *path, int force, const bt_buf *bytes, apr_pool_t *pool);

/** Reads a file, or standard input for "-". @return APR_SUCCESS; EFBIG beyond bytes->max; as open(2), read(2) */
apr_status_t cmd_input_read(const char *path, bt_buf *bytes);

#endif
