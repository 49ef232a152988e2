/* Answers to hash requests: which file of the torrent they are about, what that takes, and when it is there. */
#ifndef SEED_ANSWER_HASHES_H
#define SEED_ANSWER_HASHES_H

#include "seeder/loop.h"

typedef enum {
    SEED_ANSWERED, /* by hashes or by a reject */
    SEED_WAITS,    /* until something has been read: ask again after the event of loop->leaves */
    SEED_CLOSED    /* the connection is gone */
} seed_answered;

/**
 * Answers one.
 * @param body   PW_HASH_REQUEST_BODY bytes
 * @param again  it has waited already: what it costs has been paid
 */
seed_answered seed_answer_hashes(seed_loop *loop, seed_conn *conn, const unsigned char *body, int again);

/** Something that hash requests wait for has been read, or could not be. */
void seed_leaves_ready(seed_loop *loop);

#endif
