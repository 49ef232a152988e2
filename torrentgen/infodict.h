/* The infodict (BEP 3, BEP 47, BEP 52): the bytes whose hash is the info-hash. */
#ifndef TG_INFODICT_H
#define TG_INFODICT_H

#include "base/buf.h"
#include "torrentgen/torrent.h"

/* One file of several. */
typedef struct {
    const char *path; /* elements joined by "/" */
    apr_int64_t length; /* bytes; may be 0 */
    const unsigned char *root; /* v2: 32 bytes; not read if the file is empty */
} tg_infodict_file;

typedef struct {
    tg_version version;
    const char *name; /* tg_name_is_good */
    apr_int64_t length; /* bytes; of one file */
    apr_uint32_t piece_length;
    const unsigned char *pieces; /* v1: SHA-1 of each piece, 20 bytes each; may be NULL if there are none */
    apr_size_t pieces_length;    /* bytes */
    const unsigned char *root;   /* v2: 32 bytes; not read if the file is empty; of one file */
    const tg_infodict_file *files; /* NULL: one file. Else in the order of tg_path_compare, each once */
    apr_size_t file_count;
} tg_infodict;

/** May this be the name of a file in a torrent that we make: UTF-8, one path element, at most 255 bytes? */
int tg_name_is_good(const char *name);

/** May this be a piece length of ours: a power of two, TG_PIECE_MIN to TG_PIECE_MAX? */
int tg_piece_length_is_good(apr_uint32_t piece_length);

/**
 * Writes it, keys sorted. One file needs no padding; of several, each but the last begins with a piece.
 * @return buf->status
 */
apr_status_t tg_infodict_write(bt_buf *buf, const tg_infodict *info);

#endif
