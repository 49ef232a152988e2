/* What a torrent is, in words and in JSON. */
#ifndef CMD_DESCRIBE_H
#define CMD_DESCRIBE_H

#include "base/buf.h"
#include "command/text.h"
#include "torrentgen/metainfo.h"

/* A .torrent that was read, with what tg_metainfo leaves aside. */
typedef struct {
    tg_metainfo meta;
    apr_int64_t pieces;
    apr_int64_t size; /* of all files, bytes, without padding */
    const char *comment, *created_by; /* may be NULL */
    apr_int64_t created;              /* seconds since the epoch; 0: not said */
} cmd_torrent;

/** @return APR_SUCCESS, or APR_EINVAL with *why, as tg_metainfo_read */
apr_status_t cmd_torrent_read(const bt_buf *bytes, apr_pool_t *pool, cmd_torrent *torrent, const char **why);

/**
 * Reads a .torrent from a file, or from standard input for "-"; says by itself what is wrong.
 * @return an exit code: CMD_FAILED if it cannot be read, CMD_BAD if it is no torrent
 */
int cmd_torrent_load(const char *path, apr_pool_t *pool, cmd_torrent *torrent, bt_buf *bytes);

void cmd_torrent_json(cmd_json *json, const cmd_torrent *torrent);
void cmd_torrent_print(FILE *to, const cmd_torrent *torrent);

/** The lines with info-hashes, for "create" too. */
void cmd_hashes_print(FILE *to, const tg_torrent *torrent);

#endif
