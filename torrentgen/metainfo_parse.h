/* What the two halves of tg_metainfo_read share. */
#ifndef TG_METAINFO_PARSE_H
#define TG_METAINFO_PARSE_H

#include <apr_hash.h>

#include "base/bencode.h"
#include "torrentgen/engine.h"
#include "torrentgen/metainfo.h"

enum {
    TG_METAINFO_MAX = 128 * 1024 * 1024,   /* bytes of a .torrent: larger than any that we write */
    TG_PATH_MAX = 4096,                    /* bytes of a path in it */
    TG_PATHS_TOTAL_MAX = 32 * 1024 * 1024, /* bytes of all paths: nested directories could make far more of a small file */
    TG_URLS_MAX = 1000                     /* trackers, and web seeds; more are ignored */
};

/* Any piece length of a v1 torrent in the wild. */
#define TG_READ_PIECE_MAX ((apr_uint32_t)512 * 1024 * 1024)

typedef struct {
    apr_pool_t *pool;
    tg_metainfo *meta;
    bt_ben info;
    const char *why;
    apr_array_header_t *files;   /* of tg_file */
    apr_hash_t *layers;          /* root to bt_ben: piece layers that were found right */
    apr_size_t path_bytes;       /* of all paths so far */
    apr_int64_t content;         /* of all files, bytes */
    apr_int64_t v1_length;       /* padding included, bytes */
    apr_int64_t v2_pieces;       /* of all files */
    int v1_single;               /* a v1 torrent of one file, without a directory */
} tg_reader;

/** Notes why and @return 0 */
int tg_refuse(tg_reader *in, const char *why);

/** Fills meta->files from "length" or "files" (v1) and "file tree" (v2). @return 0 if something is wrong */
int tg_read_files(tg_reader *in);

#endif
