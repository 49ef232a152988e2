/* Holding data against a torrent. */
#ifndef CMD_VERIFY_H
#define CMD_VERIFY_H

#include "command/describe.h"

typedef enum {
    CMD_FILE_FINE,
    CMD_FILE_MISSING,
    CMD_FILE_SIZE,       /* of another size */
    CMD_FILE_UNREADABLE, /* `status` says why; also a file that changed meanwhile */
    CMD_FILE_BAD         /* some pieces of it do not match */
} cmd_file_state;

/* One file of the torrent, as it is on disk. */
typedef struct {
    const tg_file *file;
    const char *path; /* on disk */
    cmd_file_state state;
    apr_status_t status;
    bt_stamp stamp;             /* as it was at the start; its size is what was found */
    apr_int64_t first, pieces;  /* the pieces that have bytes of it */
    const unsigned char *layer; /* v2: 32 bytes a piece; of a file no larger than a piece, its root */
} cmd_checked_file;

typedef struct {
    const cmd_torrent *torrent;
    cmd_checked_file *files; /* as many as the torrent has, in its order */
    unsigned char *bad;      /* a byte for each piece: 1 if it does not match */
    apr_int64_t pieces, bad_count;
} cmd_verification;

/**
 * Finds where the files are, below `data`, and what can be said without reading them.
 * @param data   of a torrent of one file: that file, or the directory that it is in; of several: their directory, or the one
 *               that it is in
 * @param bytes  the .torrent
 */
void cmd_verify_prepare(cmd_verification *v, const cmd_torrent *torrent, const bt_buf *bytes, const char *data, apr_pool_t *pool);

/** Hashes the data with that many threads, and fills in what is bad. @return APR_SUCCESS, or why it could not be done */
apr_status_t cmd_verify_run(cmd_verification *v, int threads, int quiet, apr_pool_t *pool);

#endif
