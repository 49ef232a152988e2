/* Hashes the pieces of one file: the work that is the same for a torrent of one file, for each file of a torrent of several
 * (its pieces begin where the file begins: BEP 47, BEP 52), and for checking a file against a torrent that somebody else made. */
#ifndef TG_PART_H
#define TG_PART_H

#include "base/stamp.h"
#include "torrentgen/digest.h"
#include "torrentgen/engine.h"

/* What a thread needs to hash pieces of any file; used by one thread at a time. */
typedef struct {
    const tg_engine *engine;
    tg_hasher *hasher;
    unsigned char *buffer; /* a chunk for each lane */
    unsigned char *leaves; /* the SHA-256 of each block of a piece, for each lane; grows with the pieces */
    apr_size_t leaves_room;
} tg_worker;

/** @return APR_ENOMEM, or as the engine. Ends with tg_worker_free in either case. */
apr_status_t tg_worker_init(tg_worker *worker, const tg_engine *engine);
void tg_worker_free(tg_worker *worker);

/* Constant while it is hashed but for what its results point to. */
typedef struct {
    const char *path;
    bt_stamp stamp; /* the version of the file that is meant; its size is the length */
    tg_version version;
    apr_uint32_t piece_length; /* bytes, at least 1; with v2 a power of two from TG_BLOCK */
    int padded;                /* the SHA-1 of the last piece covers zeros up to the piece's end */
    unsigned char *sha1;       /* v1: 20 bytes for each piece of the file */
    unsigned char *layer;      /* v2: 32 bytes a piece; of a file no larger than a piece, its root */
    tg_digest *digest; /* NULL, or takes the bytes too: only where runs are hashed one after the other, in order */
} tg_part;

/** Pieces that are best hashed in one go: enough to fill the lanes, and 4 to 64 MiB. */
apr_int64_t tg_part_run(const tg_part *part, const tg_worker *worker);

/**
 * Hashes pieces `first` to `first + count - 1` into their places in the results. Any thread; different threads may do
 * different pieces of a part at once. Opens the path each time.
 * @param cancel  looked at (atomically) before each chunk is read
 * @return APR_EINTR if cancelled, APR_EBUSY if the file is not the version that is meant, APR_ENOMEM, or as open(2), read(2)
 */
apr_status_t tg_part_hash(const tg_part *part, tg_worker *worker, apr_int64_t first, apr_int64_t count, const int *cancel);

#endif
