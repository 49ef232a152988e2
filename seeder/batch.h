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
 * as fit. The peer itself stays as it is.
 * @param buffer  SEED_BATCH_SIZE bytes
 * @param room    the most bytes that are wanted
 * @return how many bytes there are, or 0 if that would be less than two blocks, or if not all could be read
 */
apr_size_t seed_batch_fill(const seed_peer *peer, seed_source *source, unsigned char *buffer, apr_size_t room,
                           apr_time_t now);

#endif
