/* Making the torrents of a tree ahead of time. */
#ifndef CMD_SCAN_H
#define CMD_SCAN_H

#include <apr_tables.h>

#include "catalog/catalog.h"
#include "command/progress.h"

typedef enum { CMD_NEWEST, CMD_OLDEST, CMD_SMALLEST, CMD_LARGEST, CMD_PATH } cmd_order;

/* A file that has no torrent yet. */
typedef struct {
    const char *path; /* absolute */
    apr_int64_t size; /* bytes */
    apr_int64_t mtime_ns;
    int tries;
} cmd_found;

typedef struct {
    /* Wishes. */
    const char *root; /* absolute, as httpd has it */
    const char *state_dir;
    tg_version version;
    apr_uint32_t piece_length; /* bytes, 0: auto */
    apr_int64_t size_min, size_max; /* bytes */
    cmd_order order;
    int threads;
    int hidden, follow_links, digest;
    int json, quiet, verbose;

    cat_catalog *catalog;
    apr_pool_t *pool;
    apr_array_header_t *found; /* of cmd_found, in order */

    /* What came of it: files. */
    apr_int64_t known, other_size, made, adopted, failed;
    apr_int64_t bytes_found, bytes_made;
} cmd_scan;

/** Walks the tree and lists what the catalogue does not know. Says what cannot be looked at. @return an exit code */
int cmd_scan_find(cmd_scan *scan);

/** Hashes what was found and puts it into the catalogue. Ends early after a signal, with what is done kept. @return an exit
 * code */
int cmd_scan_make(cmd_scan *scan);

/** Says that a file could not be done. */
void cmd_scan_fail(cmd_scan *scan, const char *path, const char *reason);

#endif
