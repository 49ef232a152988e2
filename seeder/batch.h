/* Several blocks, with their headers between them, so that one system call sends them all: read into one buffer by another;
 * or, of a file that is sent again and again, from its mapping (see view.h). */
#ifndef SEED_BATCH_H
#define SEED_BATCH_H

#include "seeder/peer.h"
#include "seeder/source.h"

enum {
    SEED_BATCH_BLOCKS = 64,                               /* small ones; of 16 KiB there is room for 32 */
    SEED_BATCH_SIZE = 32 * (PW_PIECE_HEADER + 16 * 1024) /* bytes of the buffer */
};

/* What goes out next, in order. */
typedef struct {
    struct iovec parts[2 * SEED_BATCH_BLOCKS]; /* as sendmsg(2) takes them */
    int count;
    apr_size_t length; /* of all */
    seed_file *mapped; /* some of the parts are in its mapping, and must not be read through; NULL: all is one part, in the buffer */
} seed_batch;

/**
 * Prepares what a peer is to be sent next: the rest of the block that was begun, then the blocks that wait, in order, as many
 * as fit and are in the page cache, and the beginning of one more. The peer itself stays as it is.
 * @param batch    valid until the next call for the source, or for another with the same files
 * @param buffer   SEED_BATCH_SIZE bytes
 * @param room     the most bytes that are wanted
 * @param fetched  see seed_source_read
 * @param cold     where in the torrent bytes are missing, if nothing could be read for that; else -1
 * @return 0 if there would be less than two blocks, or if not all could be read
 */
int seed_batch_fill(seed_batch *batch, const seed_peer *peer, seed_source *source, const seed_fetched *fetched,
                    unsigned char *buffer, apr_size_t room, apr_time_t now, apr_int64_t *cold);

#endif
