/* A torrent that has peers now: its open file, its entry in the catalogue, and who is connected. Seeder's thread. */
#ifndef SEED_SWARM_H
#define SEED_SWARM_H


#include "catalog/catalog.h"
#include "seeder/peer.h"
#include "seeder/ring.h"

struct seed_conn;

/* From its first peer to its last. The file stays open in between, so that a deleted one is noticed, not reopened. */
typedef struct seed_swarm {
    APR_RING_ENTRY(seed_swarm) due; /* in the loop's ring of swarms for the choker */
    apr_pool_t *pool;               /* owns it and `entry` */
    cat_entry entry;
    seed_content content;
    seed_content v1_content; /* the same for who came by a hash that stands for v1 alone */
    int file;
    int is_due;
    apr_time_t checked; /* when the stamps were last compared */
    int fresh;          /* what that said */
    int peers;
    APR_RING_HEAD(seed_mates, seed_conn) mates;
} seed_swarm;

/**
 * Opens the file of an entry and makes sure that it is the version that was hashed.
 * @param pool   becomes the swarm's on success
 * @param entry  memory of `pool`
 * @return APR_SUCCESS; APR_EBUSY: the file is another one now; else why it cannot be opened
 */
apr_status_t seed_swarm_open(seed_swarm **swarm, const cat_entry *entry, apr_pool_t *pool, apr_time_t now);

/** Is the file still the one that was hashed, both by its path and as opened? Looks at most once in `interval`. */
int seed_swarm_fresh(seed_swarm *swarm, apr_time_t now, apr_interval_time_t interval);

/** What a peer that came by this info-hash of the swarm may know of it. */
const seed_content *seed_swarm_content(const seed_swarm *swarm, const bt_infohash *hash);

/** Closes the file and frees the swarm, which must have no peers. */
void seed_swarm_close(seed_swarm *swarm);

#endif
