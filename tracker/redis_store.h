/* Swarms that several hosts share through a redis (docs/internals/tracker.md, "Several hosts"). Every host answers announces from its own
 * table, and never waits for redis; a thread tells the others through redis what is announced here, and takes in what they say. */
#ifndef TRK_REDIS_STORE_H
#define TRK_REDIS_STORE_H

#include "tracker/redis_place.h"
#include "tracker/swarms.h"

enum { TRK_REDIS_SEEDS_MAX = 16 };

/* Constant while trk_redis_run runs. The functions are called on its thread. */
typedef struct {
    trk_redis_place place;
    trk_swarms *swarms;
    trk_outbox *outbox;
    apr_time_t interval;
    int leave; /* a descriptor that becomes readable when it is to end */
    /** Does this host publish that info-hash? */
    int (*is_wanted)(void *baton, const bt_infohash *hash);
    /**
     * As which addresses is this host a seed, to the peer?
     * @param local  our address, as redis sees it, without a port
     * @return how many, at most TRK_REDIS_SEEDS_MAX
     */
    int (*seeds)(void *baton, const trk_address *local, const trk_address *peer, trk_address *seeds);
    /** Is this an address and port at which this very host takes connections? It may have been told by an earlier process. */
    int (*is_itself)(void *baton, const trk_address *address);
    void *baton;
} trk_redis_config;

/** Runs until it is told to leave; then ends within about a second, unless the resolver of names hangs. On a thread of its own. */
void trk_redis_run(const trk_redis_config *config);

#endif
