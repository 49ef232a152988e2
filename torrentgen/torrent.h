/* What torrentgen makes: a torrent of one file or of several, held as the infodict's bytes and the v2 piece layers. */
#ifndef TG_TORRENT_H
#define TG_TORRENT_H

#include <apr_pools.h>

#include "base/infohash.h"
#include "base/stamp.h"

/* Bit flags: a hybrid is both. */
typedef enum { TG_V1 = 1, TG_V2 = 2, TG_HYBRID = 3 } tg_version;

enum { TG_BLOCK = 16384, TG_PIECE_MIN = 16384, TG_PIECE_MAX = 16 * 1024 * 1024 };

/* One file of a torrent of several. */
typedef struct {
    const char *path;    /* below the torrent's directory: elements joined by "/" */
    bt_stamp stamp;      /* of the version that was hashed; stamp.size is its length in bytes, never 0 */
    apr_int64_t offset;  /* of its first byte among all bytes that pieces cover, padding included: a multiple of the piece
                            length (but in a v1 torrent that somebody else made without padding) */
    unsigned char root[BT_HASH_V2_SIZE]; /* v2 pieces root; zero for v1 */
} tg_member;

/* Read-only once made; its memory belongs to whoever made it (said there). */
typedef struct {
    tg_version version;
    bt_infohash v1;            /* zero unless version & TG_V1 */
    bt_infohash v1_keyless;    /* of a hybrid, else zero: see old_clients.h */
    bt_infohash v1_alone;      /* likewise */
    bt_infohash_v2 v2;         /* zero unless version & TG_V2 */
    apr_int64_t length;        /* bytes: of the file; with members: the end of the last one, padding between them included,
                                  for nothing is padded after it (BEP 47, BEP 52) */
    apr_uint32_t piece_length; /* bytes; a power of two but for v1 torrents that somebody else made */
    const unsigned char *infodict;
    apr_size_t infodict_length; /* bytes */
    const unsigned char *layer; /* v2 piece layer, 32 bytes a piece; NULL if the file is no larger than a piece; with members:
                                   the layers of those that are larger than a piece, in their order */
    apr_size_t layer_length;    /* bytes */
    unsigned char root[BT_HASH_V2_SIZE]; /* v2 pieces root; zero for an empty file, for v1, and with members */
    const tg_member *members;   /* NULL: a torrent of one file. In the order of BEP 52's file tree (raw bytes, element by
                                   element), which v1's "files" have too; empty files are left out */
    apr_size_t member_count;
} tg_torrent;

/** Bytes of all members together, without padding; of a torrent of one file its length. */
apr_int64_t tg_content_length(const tg_torrent *torrent);

/** Copies all that it points to. */
void tg_torrent_copy(tg_torrent *copy, const tg_torrent *torrent, apr_pool_t *pool);

/** Pieces of a file of `length` bytes. */
apr_int64_t tg_piece_count(apr_int64_t length, apr_uint32_t piece_length);

/**
 * Piece length by the table in docs/internals/torrentgen.md: 1000-2000 pieces, a power of two, 16 KiB to 16 MiB
 * (64 MiB 64 K, 256 MiB 256 K, 1 GiB 1 M, 4 GiB 2 M, 16 GiB 8 M, from 50 GiB 16 M).
 */
apr_uint32_t tg_piece_length_for(apr_int64_t length);

#endif
