/* The values that options take. Pure, strict. Each returns NULL, or a constant phrase that says what is wrong. */
#ifndef CMD_VALUES_H
#define CMD_VALUES_H

#include "torrentgen/torrent.h"

/** "4096", "16K", "1M", "2G", "1T": bytes. */
const char *cmd_read_size(const char *text, apr_int64_t *bytes);

/** "auto" (0), or a size that may be a piece length of ours. */
const char *cmd_read_piece_length(const char *text, apr_uint32_t *piece_length);

/** "v1", "v2", "hybrid"; "1" and "2" too. */
const char *cmd_read_version(const char *text, tg_version *version);

/** "auto" (0), or 1 to 256. */
const char *cmd_read_threads(const char *text, int *threads);

/** A URL with a scheme, printable ASCII: of a tracker or web seed. */
const char *cmd_read_url(const char *text);

const char *cmd_version_text(tg_version version);

#endif
