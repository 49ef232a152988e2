/* Fairness between torrents: when there is less to give than is wanted, those that wait share alike, however many peers
 * each has (deficit round robin). No clock, no memory of its own. */
#ifndef SEED_FAIR_H
#define SEED_FAIR_H

#include <apr_general.h>

#include "base/ring.h"

/* One torrent's claim; part of whatever it belongs to. */
typedef struct seed_flow {
    APR_RING_ENTRY(seed_flow) line;
    apr_int64_t credit; /* bytes that it may still send in its turn; below 0: it has sent more */
    int waits, begun;   /* it stands in the line; its turn has begun */
} seed_flow;

APR_RING_HEAD(seed_flows, seed_flow);

typedef struct {
    struct seed_flows line; /* those that wait; the first has its turn */
    apr_int64_t quantum;    /* bytes of a turn */
} seed_fair;

void seed_fair_init(seed_fair *fair, apr_size_t quantum);
void seed_flow_init(seed_flow *flow);

/** It has something to send; no effect if that is known. */
void seed_fair_add(seed_fair *fair, seed_flow *flow);

/** It has nothing to send any more. What it sent too much stays on its account. */
void seed_fair_remove(seed_fair *fair, seed_flow *flow);

/** Whose turn it is. @return NULL if nobody waits */
seed_flow *seed_fair_next(seed_fair *fair);

/** Notes what was sent; who has used up its turn goes to the end of the line. */
void seed_fair_spend(seed_fair *fair, seed_flow *flow, apr_size_t bytes);

#endif
