/* Making one torrent: the options that say how, the files that it is of, and the wait for it. */
#ifndef CMD_MAKING_H
#define CMD_MAKING_H

#include <apr_pools.h>
#include <apr_tables.h>

#include "torrentgen/metainfo.h"
#include "torrentgen/queue.h"

/* Options of the subcommands that hash. */
typedef struct {
    tg_version version;
    apr_uint32_t piece_length; /* bytes, 0: auto */
    int threads;               /* 0: auto */
    const char *name;          /* NULL: that of the file or directory */
    const char *comment;       /* NULL: none */
    int no_date;
    apr_array_header_t *trackers, *web_seeds; /* of const char *, may be empty */
    int hidden, follow_links;                 /* what is taken from a directory */
    int quiet;
} cmd_making;

/* Values of getopt_long() for options that many subcommands have, beyond all characters. */
enum {
    CMD_OPT_VERSION = 256,
    CMD_OPT_PIECE_SIZE,
    CMD_OPT_THREADS,
    CMD_OPT_ANNOUNCE,
    CMD_OPT_WEB_SEED,
    CMD_OPT_NAME,
    CMD_OPT_COMMENT,
    CMD_OPT_NO_DATE,
    CMD_OPT_HIDDEN,
    CMD_OPT_FOLLOW_LINKS,
    CMD_OPT_OWN /* the first that a subcommand may give itself */
};

#define CMD_MAKING_OPTIONS                                                                                             \
    {"torrent-version", required_argument, NULL, CMD_OPT_VERSION}, {"piece-size", required_argument, NULL, CMD_OPT_PIECE_SIZE}, \
        {"threads", required_argument, NULL, CMD_OPT_THREADS}, {"announce", required_argument, NULL, CMD_OPT_ANNOUNCE}, \
        {"web-seed", required_argument, NULL, CMD_OPT_WEB_SEED}, {"name", required_argument, NULL, CMD_OPT_NAME},       \
        {"include-hidden", no_argument, NULL, CMD_OPT_HIDDEN}, {"follow-links", no_argument, NULL, CMD_OPT_FOLLOW_LINKS}

/* Their help. */
#define CMD_MAKING_HELP                                                                                                \
    "      --torrent-version V   v1, v2 or hybrid (default: hybrid)\n"                                                 \
    "      --piece-size SIZE     auto (default), or a power of two from 16K to 16M\n"                                   \
    "      --threads N           auto (default: all cores), or 1 to 256\n"                                             \
    "  -a, --announce URL        a tracker; may be repeated\n"                                                         \
    "  -w, --web-seed URL        where the data can be had by HTTP; may be repeated\n"                                  \
    "      --name NAME           the name in the torrent (default: that of the file or directory)\n"                   \
    "      --include-hidden      of a directory: also what begins with a dot\n"                                        \
    "      --follow-links        of a directory: also what symbolic links lead to\n"

void cmd_making_init(cmd_making *making, apr_pool_t *pool);

/** Takes an option. @return 1; 0 if it is none of these; -1 if the value is wrong, and *wrong says why */
int cmd_making_take(cmd_making *making, int option, const char *value, const char **wrong);

/** All cores that this process may use. */
int cmd_cores(void);

/* The files that a torrent is to be of. */
typedef struct {
    const char *name; /* for the infodict */
    const char *path; /* of a single file or directory */
    const tg_source_file *files; /* NULL: one file, `path` */
    apr_size_t count;
    apr_int64_t size; /* bytes of all, as they were when they were found */
} cmd_sources;

/**
 * Finds the files: of one FILE, one DIR, or several FILEs. Says by itself what is wrong or left out.
 * @param output  a file that is never taken from a directory; may be NULL
 * @return an exit code
 */
int cmd_sources_find(cmd_sources *sources, const cmd_making *making, char *const *paths, int count, const char *output,
                     apr_pool_t *pool);

/**
 * Hashes them, with progress; a file that changes meanwhile is tried again. Says by itself what is wrong.
 * @param torrent  its memory is the pool's
 * @return an exit code
 */
int cmd_make(const cmd_making *making, const cmd_sources *sources, apr_pool_t *pool, tg_torrent *torrent);

/** Writes the .torrent. The buffer is malloc'd: bt_buf_free. @return buf->status */
apr_status_t cmd_making_write(bt_buf *buf, const cmd_making *making, const tg_torrent *torrent);

#endif
