/* Peer exchange between the peers of a swarm: when who is told. See pex.h. */
#ifndef SEED_EXCHANGE_H
#define SEED_EXCHANGE_H

#include "seeder/loop.h"

/** Its handshake of extensions may have said where it listens: then others will be told. */
void seed_exchange_meet(seed_loop *loop, seed_conn *conn);

/** It leaves its swarm. */
void seed_exchange_part(seed_swarm *swarm, seed_conn *conn);

/** Tells it of others, if it is time, and there is news. */
void seed_exchange_tick(seed_loop *loop, seed_conn *conn);

#endif
