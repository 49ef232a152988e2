/* Answers to what peers ask that is not a block, from what is known of their torrent. */
#ifndef SEED_ANSWER_H
#define SEED_ANSWER_H

#include "seeder/loop.h"

/**
 * Answers the oldest ask of a peer, see seed_peer_wants_answer, or lets it wait. What cannot be answered is rejected.
 * @return 0 if the connection was closed
 */
int seed_answer(seed_loop *loop, seed_conn *conn);

/** What a peer that came by this info-hash of the swarm may know of it, the size of its infodict included. */
const seed_content *seed_answer_content(seed_loop *loop, seed_swarm *swarm, const bt_infohash *hash);

/** What is known of a swarm's torrent; valid until the next call. @return as seed_knowledge_get */
apr_status_t seed_know(seed_loop *loop, seed_swarm *swarm);

#endif
