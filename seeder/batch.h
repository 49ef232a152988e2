/* Several blocks, with their headers between them, laid into one buffer, so that two system calls send them all. */
#ifndef SEED_BATCH_H
#define SEED_BATCH_H

#include "seeder/peer.h"
#include "seeder/source.h"

enum {
    SEED_BATCH_BLOCKS = 64,                               /* small ones; of 16 KiB there is room for 16 */
    SEED_BATCH_SIZE = 16 * (PW_PIECE_HEADER + 16 * 1024) /* bytes of the buffer */
};

/**
 * Reads what a peer is to be sent next: the rest of the block that was begun, then the blocks that wait, in order, as many
 * as fit and are in the page cache, and the beginning of one more. The peer itself stays as it is.
 * @param buffer   SEED_BATCH_SIZE bytes
 * @param room     the most bytes that are wanted
 * @param fetched  see seed_source_read
 * @param cold     where in the torrent bytes are missing, if nothing could be read for that; else -1
 * @return how many bytes there are, or 0 if there would be less than two blocks, or if not all could be read
 */
apr_size_t seed_batch_fill(const seed_peer *peer, seed_source *source, const seed_fetched *fetched,
                           unsigned char *buffer, apr_size_t room, apr_time_t now, apr_int64_t *cold);

#endif
