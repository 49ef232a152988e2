/* Random replacement: a block is drawn, so that whoever uses much memory loses as much. */
#include "tracker/shard.h"

enum { TRIES_EXPIRED = 16, TRIES_ANY = 256 };

static int is_expired(const trk_keeping *how, const trk_peer *peer)
{
    return how->limit > 0 && trk_age(peer->seen, how->now) > how->limit;
}

/* A small swarm goes as a whole: nothing less would free its block. */
static int drop_small(trk_swarms *view, unsigned shard, trk_ref ref, const trk_keeping *how, int only_expired)
{
    trk_swarm *swarm = trk_swarm_at(view, ref);
    uint32_t live = 0;
    trk_peer peer;

    if (swarm->is_big)
        return 0;
    for (uint32_t i = 0; i < swarm->small_count; i++) {
        trk_peer_read(view, swarm, TRK_INSIDE, i, &peer);
        live += !is_expired(how, &peer);
    }
    if (only_expired && live > 0)
        return 0;
    view->shards[shard].evictions += live;
    trk_swarm_remove(view, shard, ref);
    return 1;
}

/* Drops the peers of one block; the last of their set move up, so that the set gets shorter by a block. */
static int drop_peers(trk_swarms *view, unsigned shard, trk_ref ref, const trk_keeping *how, int only_expired)
{
    trk_peers block = *(trk_peers *)trk_block(view, ref);
    trk_swarm *swarm = trk_swarm_at(view, block.swarm);
    trk_place place = (trk_place)block.place;
    int dropped = 0;

    for (uint32_t i = 0; i < block.used; i++) {
        trk_search search;
        trk_peer peer;
        int expired;

        trk_record_read(block.records + i * (TRK_PEERS_SPACE / trk_set_per_block(place)), place, &peer);
        expired = is_expired(how, &peer);
        if (only_expired && !expired)
            continue;
        trk_peer_find(view, swarm, &peer, how->now, &search);
        if (!search.found)
            continue;
        trk_peer_remove(view, shard, block.swarm, search.place, search.index);
        view->shards[shard].evictions += !expired;
        dropped++;
    }
    if (dropped)
        trk_swarm_settle(view, shard, block.swarm);
    return dropped;
}

static int drop_at(trk_swarms *view, unsigned shard, trk_ref ref, const trk_keeping *how, int only_expired)
{
    if (trk_owns(view, shard, ref, TRK_SWARM))
        return drop_small(view, shard, ref, how, only_expired);
    if (trk_owns(view, shard, ref, TRK_PEERS))
        return drop_peers(view, shard, ref, how, only_expired);
    return 0; /* nodes and heads go with what they lead to; or it changed hands before its lock was ours */
}

int trk_replace(trk_swarms *view, unsigned held, trk_keeping *how, int expired_first)
{
    uint32_t used = __atomic_load_n(&view->header->fresh, __ATOMIC_RELAXED) - 1;

    for (int i = expired_first && how->limit > 0 ? 0 : TRIES_EXPIRED; i < TRIES_EXPIRED + TRIES_ANY && used > 0; i++) {
        trk_ref ref = 1 + (trk_ref)(trk_random(&how->random) % used);
        int shard = trk_tag_shard(trk_tag(view, ref)), dropped;

        if (shard < 0 || shard >= TRK_SHARDS)
            continue;
        if ((unsigned)shard != held && trk_shard_trylock(view, (unsigned)shard) != APR_SUCCESS)
            continue;
        dropped = drop_at(view, (unsigned)shard, ref, how, i < TRIES_EXPIRED);
        if ((unsigned)shard != held)
            trk_shard_unlock(view, (unsigned)shard);
        if (dropped)
            return 1;
    }
    return 0;
}
