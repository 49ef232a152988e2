#include <string.h>

#include "tracker/shard.h"

trk_peer trk_peer_make(const trk_address *from, int is_seed, uint32_t second)
{
    trk_peer peer = {.is_v6 = (unsigned char)from->is_v6, .is_seed = (unsigned char)is_seed};
    apr_size_t ip_size = trk_wire_size(from->is_v6) - 2;

    peer.seen = second & (((uint32_t)1 << TRK_SEEN_BITS) - 1);
    memcpy(peer.wire, from->ip, ip_size);
    peer.wire[ip_size] = (unsigned char)(from->port >> 8);
    peer.wire[ip_size + 1] = (unsigned char)(from->port & 0xff);
    return peer;
}

/* Counts a completion once a peer: when it says so, or when a leecher has become a seed whatever it says. */
static void complete(trk_swarm *swarm, const trk_keeping *how, trk_peer *peer, int was_leecher)
{
    if (!how->counts || !peer->is_seed || peer->completed || !(how->says_completed || was_leecher))
        return;
    peer->completed = 1;
    swarm->downloaded++;
}

/* One try. Room is only missing before anything was lost but the peer's own former place. */
static apr_status_t keep(trk_swarms *view, trk_keeping *how, trk_peer *peer)
{
    unsigned shard = trk_shard_of(how->hashed);
    trk_ref ref = trk_swarm_find(view, how->hash, how->hashed);
    trk_swarm *swarm;
    trk_search search;
    trk_peer before = {0};
    apr_status_t status;

    if (!ref)
        ref = trk_swarm_make(view, how->hash, how->hashed);
    if (!ref)
        return APR_ENOSPC;
    how->swarm = ref;
    swarm = trk_swarm_at(view, ref);
    trk_peer_seek(view, swarm, peer, how->now, &search);
    if (search.found) {
        trk_peer_read(view, swarm, search.place, search.index, &before);
        peer->completed |= before.completed;
        complete(swarm, how, peer, !before.is_seed);
        if (before.is_seed == peer->is_seed) {
            trk_peer_update(view, swarm, search.place, search.index, peer);
            return APR_SUCCESS;
        }
        trk_peer_remove(view, shard, ref, search.place, search.index);
    } else {
        complete(swarm, how, peer, 0);
        if (search.same_address >= TRK_PER_ADDRESS) {
            trk_peer_remove(view, shard, ref, search.oldest_place, search.oldest_index);
            view->shards[shard].crowded++;
        }
    }
    status = trk_peer_add(view, shard, ref, peer);
    trk_swarm_settle(view, shard, ref);
    return status;
}

apr_status_t trk_keep(trk_swarms *view, trk_keeping *how, trk_peer *peer)
{
    enum { TRIES = 64, TRIES_EXPIRED = 8 };
    apr_status_t status = keep(view, how, peer);

    for (int tries = 0; status == APR_ENOSPC && how->random && tries < TRIES; tries++) {
        if (!trk_replace(view, trk_shard_of(how->hashed), how, tries < TRIES_EXPIRED))
            break;
        status = keep(view, how, peer);
    }
    return status;
}

void trk_forget(trk_swarms *view, const trk_keeping *how, const trk_peer *peer)
{
    unsigned shard = trk_shard_of(how->hashed);
    trk_ref ref = trk_swarm_find(view, how->hash, how->hashed);
    trk_search search;

    if (!ref)
        return;
    trk_peer_find(view, trk_swarm_at(view, ref), peer, how->now, &search);
    if (search.found)
        trk_peer_remove(view, shard, ref, search.place, search.index);
    trk_swarm_settle(view, shard, ref);
}
