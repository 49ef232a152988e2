#include "tracker/table.h"

#include <string.h>

enum { SMALL_AGAIN = 2 /* peers, at which a big swarm moves back into its block */ };

unsigned trk_shard_of(uint64_t hash)
{
    return (unsigned)(hash >> 57);
}
_Static_assert(TRK_SHARDS == 1 << (64 - 57), "a shard is the upper bits of a hash");

/* --- the index of a shard: items are blocks of swarms --- */

static uint32_t index_hash(const trk_chains *chains, uint32_t item)
{
    const trk_swarm *swarm = trk_swarm_at(chains->view, item);

    return (uint32_t)trk_hash(chains->view, swarm->hash.b, sizeof swarm->hash.b);
}

static uint32_t index_next(const trk_chains *chains, uint32_t item)
{
    return trk_swarm_at(chains->view, item)->next;
}

static void index_set_next(const trk_chains *chains, uint32_t item, uint32_t next)
{
    trk_swarm_at(chains->view, item)->next = next;
}

trk_chains trk_index_chains(const trk_swarms *view, unsigned shard)
{
    trk_chains chains = {(trk_swarms *)view, shard,     &view->shards[shard].index, NULL, index_hash,
                         index_next,         index_set_next};

    return chains;
}

trk_ref trk_swarm_find(const trk_swarms *view, const bt_infohash *hash, uint64_t hashed)
{
    const trk_heads *heads = &view->shards[trk_shard_of(hashed)].index;
    trk_ref at = heads->count ? trk_head(view, heads, trk_chain_of((uint32_t)hashed, heads->count)) : 0;

    while (at && !bt_infohash_equal(&trk_swarm_at(view, at)->hash, hash))
        at = trk_swarm_at(view, at)->next;
    return at;
}

trk_ref trk_swarm_make(trk_swarms *view, const bt_infohash *hash, uint64_t hashed)
{
    unsigned shard = trk_shard_of(hashed);
    trk_chains chains = trk_index_chains(view, shard);
    trk_kind kind = TRK_SWARM;
    trk_ref made;

    if (chains.heads->count == 0 && !trk_heads_grow(&chains))
        return 0;
    if (trk_take(view, shard, &kind, &made, 1) != APR_SUCCESS) {
        if (view->shards[shard].swarms == 0)
            trk_heads_shrink(&chains);
        return 0;
    }
    trk_swarm_at(view, made)->hash = *hash;
    trk_chain_add(&chains, made);
    view->shards[shard].swarms++;
    if (chains.heads->count < view->shards[shard].swarms / 2)
        trk_heads_grow(&chains);
    return made;
}

static void count_peer(const trk_swarms *view, unsigned shard, int is_seed, uint32_t change)
{
    uint32_t *counter = is_seed ? &view->shards[shard].seeds : &view->shards[shard].leechers;

    *counter += change;
}

void trk_swarm_remove(trk_swarms *view, unsigned shard, trk_ref ref)
{
    trk_swarm *swarm = trk_swarm_at(view, ref);
    trk_chains chains = trk_index_chains(view, shard);
    uint32_t seeds, leechers;

    trk_swarm_numbers(swarm, &seeds, &leechers);
    view->shards[shard].seeds -= seeds;
    view->shards[shard].leechers -= leechers;
    if (swarm->is_big)
        for (int place = 0; place < TRK_SETS; place++)
            trk_set_clear(view, shard, swarm, (trk_place)place);
    trk_chain_replace(&chains, index_hash(&chains, ref), ref, 0);
    view->shards[shard].swarms--;
    trk_give(view, ref);
    for (int step = 0; step < 2 && chains.heads->count > view->shards[shard].swarms; step++)
        trk_heads_shrink(&chains);
}

unsigned char trk_flags_of(const trk_peer *peer)
{
    return (unsigned char)((peer->is_v6 ? TRK_IS_V6 : 0) | (peer->is_seed ? TRK_IS_SEED : 0) |
                           (peer->completed ? TRK_COMPLETED : 0) | (peer->paused ? TRK_PAUSED : 0));
}

void trk_flags_read(unsigned char flags, trk_peer *peer)
{
    peer->is_v6 = flags & TRK_IS_V6;
    peer->is_seed = (flags & TRK_IS_SEED) != 0;
    peer->completed = (flags & TRK_COMPLETED) != 0;
    peer->paused = (flags & TRK_PAUSED) != 0;
}

/* --- small swarms --- */

static void small_read(const trk_small *small, trk_peer *peer)
{
    memcpy(peer->wire, small->wire, sizeof peer->wire);
    trk_flags_read(small->flags, peer);
    peer->seen = small->seen;
}

static void small_write(trk_small *small, const trk_peer *peer)
{
    memset(small, 0, sizeof *small);
    memcpy(small->wire, peer->wire, trk_wire_size(peer->is_v6));
    small->flags = trk_flags_of(peer);
    small->seen = peer->seen;
}

static void small_search(const trk_swarm *swarm, const trk_peer *peer, trk_search *search)
{
    for (uint32_t i = 0; i < swarm->small_count; i++)
        if ((swarm->small[i].flags & TRK_IS_V6) == peer->is_v6 &&
            memcmp(swarm->small[i].wire, peer->wire, trk_wire_size(peer->is_v6)) == 0) {
            search->found = 1;
            search->place = TRK_INSIDE;
            search->index = i;
        }
}

/* What is written before is in memory before what is written after: a process may be killed in between. */
static void step(void)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* Makes a swarm big with the peers it has and one more, or leaves it as it is. */
static apr_status_t make_big(trk_swarms *view, unsigned shard, trk_ref ref, const trk_peer *more)
{
    trk_swarm *swarm = trk_swarm_at(view, ref), before = *swarm;
    apr_status_t status = APR_SUCCESS;
    trk_peer peer;

    swarm->small_count = 0;
    step();
    memset(swarm->small, 0, sizeof swarm->small);
    swarm->is_big = 1;
    for (uint32_t i = 0; i < before.small_count && status == APR_SUCCESS; i++) {
        small_read(&before.small[i], &peer);
        status = trk_set_add(view, shard, ref, &peer);
        swarm->paused += peer.paused;
    }
    if (status == APR_SUCCESS)
        status = trk_set_add(view, shard, ref, more);
    if (status != APR_SUCCESS) {
        for (int place = 0; place < TRK_SETS; place++)
            trk_set_clear(view, shard, swarm, (trk_place)place);
        memcpy(swarm->small, before.small, sizeof swarm->small);
        swarm->is_big = 0;
        step();
        swarm->small_count = before.small_count;
    }
    return status;
}

static void make_small(trk_swarms *view, unsigned shard, trk_ref ref)
{
    trk_swarm *swarm = trk_swarm_at(view, ref);
    trk_peer peers[SMALL_AGAIN];
    uint32_t count = 0;

    for (int place = 0; place < TRK_SETS; place++) {
        for (uint32_t i = 0; i < swarm->sets[place].count && count < SMALL_AGAIN; i++)
            trk_peer_read(view, swarm, (trk_place)place, i, &peers[count++]);
        trk_set_clear(view, shard, swarm, (trk_place)place);
    }
    swarm->is_big = 0;
    memset(swarm->small, 0, sizeof swarm->small);
    for (uint32_t i = 0; i < count; i++)
        small_write(&swarm->small[i], &peers[i]);
    step();
    swarm->small_count = (uint16_t)count;
}

/* --- swarms of either form --- */

uint32_t trk_place_count(const trk_swarm *swarm, trk_place place)
{
    if (place == TRK_INSIDE)
        return swarm->is_big ? 0 : swarm->small_count;
    return swarm->is_big ? swarm->sets[place].count : 0;
}

uint32_t trk_swarm_peers(const trk_swarm *swarm)
{
    uint32_t count = 0;

    for (int place = 0; place < TRK_PLACES; place++)
        count += trk_place_count(swarm, (trk_place)place);
    return count;
}

void trk_swarm_numbers(const trk_swarm *swarm, uint32_t *seeds, uint32_t *leechers)
{
    *seeds = trk_place_count(swarm, TRK_SEEDS4) + trk_place_count(swarm, TRK_SEEDS6);
    *leechers = trk_place_count(swarm, TRK_LEECHERS4) + trk_place_count(swarm, TRK_LEECHERS6);
    for (uint32_t i = 0; i < trk_place_count(swarm, TRK_INSIDE); i++)
        ++*(swarm->small[i].flags & TRK_IS_SEED ? seeds : leechers);
}

uint32_t trk_swarm_paused(const trk_swarm *swarm)
{
    uint32_t count = 0;

    if (swarm->is_big)
        return swarm->paused;
    for (uint32_t i = 0; i < swarm->small_count; i++)
        count += (swarm->small[i].flags & TRK_PAUSED) != 0;
    return count;
}

void trk_peer_read(const trk_swarms *view, const trk_swarm *swarm, trk_place place, uint32_t index, trk_peer *peer)
{
    if (place == TRK_INSIDE)
        small_read(&swarm->small[index], peer);
    else
        trk_record_read(trk_set_record(view, swarm, place, index), place, peer);
}

/* Most peers are still what they were: so that set comes first. */
static void find_peer(const trk_swarms *view, const trk_swarm *swarm, const trk_peer *peer, uint32_t now,
                      trk_search *search)
{
    uint32_t hash;

    if (!swarm->is_big) {
        small_search(swarm, peer, search);
        return;
    }
    hash = trk_peer_hash(view, peer);
    trk_set_search(view, swarm, trk_place_of(peer->is_v6, peer->is_seed), peer, hash, now, search);
    if (!(search->found && search->stops))
        trk_set_search(view, swarm, trk_place_of(peer->is_v6, !peer->is_seed), peer, hash, now, search);
}

void trk_peer_find(const trk_swarms *view, const trk_swarm *swarm, const trk_peer *peer, uint32_t now,
                   trk_search *search)
{
    memset(search, 0, sizeof *search);
    find_peer(view, swarm, peer, now, search);
}

void trk_peer_seek(const trk_swarms *view, const trk_swarm *swarm, const trk_peer *peer, uint32_t now,
                   trk_search *search)
{
    memset(search, 0, sizeof *search);
    search->stops = 1;
    find_peer(view, swarm, peer, now, search);
}

apr_status_t trk_peer_add(trk_swarms *view, unsigned shard, trk_ref ref, const trk_peer *peer)
{
    trk_swarm *swarm = trk_swarm_at(view, ref);
    apr_status_t status = APR_SUCCESS;

    if (swarm->is_big)
        status = trk_set_add(view, shard, ref, peer);
    else if (swarm->small_count == TRK_SMALL_MAX)
        status = make_big(view, shard, ref, peer);
    else
        small_write(&swarm->small[swarm->small_count++], peer);
    if (status != APR_SUCCESS)
        return status;
    count_peer(view, shard, peer->is_seed, 1);
    if (swarm->is_big)
        swarm->paused += peer->paused;
    return APR_SUCCESS;
}

void trk_peer_update(trk_swarms *view, trk_swarm *swarm, trk_place place, uint32_t index, const trk_peer *peer)
{
    unsigned char *record;
    trk_peer before;

    if (place == TRK_INSIDE) {
        small_write(&swarm->small[index], peer);
        return;
    }
    record = trk_set_record(view, swarm, place, index);
    trk_record_read(record, place, &before);
    swarm->paused += (uint32_t)peer->paused - before.paused;
    trk_record_update(record, place, peer);
}

void trk_peer_remove(trk_swarms *view, unsigned shard, trk_ref ref, trk_place place, uint32_t index)
{
    trk_swarm *swarm = trk_swarm_at(view, ref);
    trk_peer peer;

    trk_peer_read(view, swarm, place, index, &peer);
    count_peer(view, shard, peer.is_seed, (uint32_t)-1);
    if (place != TRK_INSIDE) {
        swarm->paused -= peer.paused;
        trk_set_remove(view, shard, ref, place, index);
        return;
    }
    swarm->small[index] = swarm->small[--swarm->small_count];
    memset(&swarm->small[swarm->small_count], 0, sizeof *swarm->small);
}

int trk_swarm_settle(trk_swarms *view, unsigned shard, trk_ref ref)
{
    trk_swarm *swarm = trk_swarm_at(view, ref);
    uint32_t peers = trk_swarm_peers(swarm);

    if (swarm->is_big && peers <= SMALL_AGAIN)
        make_small(view, shard, ref);
    if (peers > 0 || swarm->downloaded > 0)
        return 0;
    trk_swarm_remove(view, shard, ref);
    return 1;
}
