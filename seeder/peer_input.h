/* What the two halves of a peer's state machine share: peer.c (life, output) and peer_input.c (what it sends). */
#ifndef SEED_PEER_INPUT_H
#define SEED_PEER_INPUT_H

#include "seeder/peer.h"

/** Remembers why. @return SEED_PEER_CLOSE */
seed_verdict seed_peer_close_for(seed_peer *peer, seed_close_reason reason);

/** Notes since when it wants no more pieces, if it wants none. */
void seed_peer_check_complete(seed_peer *peer, apr_time_t now);

/** Refuses a request; only if the fast extension is spoken. */
void seed_peer_reject(seed_peer *peer, const seed_block *block);

/** Goes on with what is in `in`. */
seed_verdict seed_peer_read_kept(seed_peer *peer, apr_time_t now);

#endif
