/* What other hosts say of their swarms, taken into this host's table. */
#include <string.h>

#include "tracker/address.h"
#include "tracker/shard.h"

/* Is something known of the peer that is no older? */
static int is_known(const trk_swarms *view, const trk_keeping *how, const trk_peer *peer, uint32_t age)
{
    trk_ref ref = trk_swarm_find(view, how->hash, how->hashed);
    trk_search search;
    trk_peer known;

    if (!ref)
        return 0;
    trk_peer_find(view, trk_swarm_at(view, ref), peer, how->now, &search);
    if (!search.found)
        return 0;
    trk_peer_read(view, trk_swarm_at(view, ref), search.place, search.index, &known);
    return trk_age(known.seen, how->now) <= age;
}

void trk_swarms_learn(trk_swarms *swarms, const trk_change *change, apr_uint32_t age, apr_time_t now, apr_time_t interval,
                      apr_uint64_t random)
{
    const uint32_t second = (uint32_t)apr_time_sec(now), limit = trk_limit_of(interval);
    trk_keeping how = {.hash = &change->hash,
                       .hashed = trk_hash(swarms, change->hash.b, sizeof change->hash.b),
                       .now = second,
                       .limit = limit,
                       .random = random,
                       .says_completed = change->completed,
                       .counts = age == 0 && !change->is_host};
    unsigned shard = trk_shard_of(how.hashed);
    trk_address from = trk_address_normal(&change->peer);
    trk_peer peer;

    if (age > limit || !from.port)
        return;
    peer = trk_peer_make(&from, change->is_seed, second - age);
    peer.paused = change->paused && !change->is_seed;
    peer.completed = !how.counts && change->completed;
    if (trk_shard_lock(swarms, shard) != APR_SUCCESS)
        return;
    if (change->is_gone)
        trk_forget(swarms, &how, &peer);
    else if (age == 0 || !is_known(swarms, &how, &peer, age))
        trk_keep(swarms, &how, &peer);
    trk_shard_unlock(swarms, shard);
}
