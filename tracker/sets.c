#include <stddef.h>
#include <string.h>

#include "tracker/table.h"

enum {
    CHAINED_FROM = 17,    /* peers: fewer are just looked through */
    UNCHAINED_FROM = 8,   /* shrunk to so few, chains are given up */
    PER_CHAIN = 3         /* peers of a chain, on average, in a set that grows */
};

static const uint32_t link_mask = ((uint32_t)1 << TRK_LINK_BITS) - 1;
static const uint32_t completed_bit = (uint32_t)1 << 31, paused_bit = (uint32_t)1 << 30;

static int is_v6(trk_place place)
{
    return trk_place_is_v6(place);
}

static int is_seed(trk_place place)
{
    return place == TRK_SEEDS4 || place == TRK_SEEDS6;
}

static trk_peers *leaf(const trk_swarms *view, const trk_swarm *swarm, trk_place place, uint32_t index)
{
    const trk_set *set = &swarm->sets[place];

    return trk_block(view, trk_array_get(view, set->root, trk_set_blocks(place, set->count), trk_block_of(place, index)));
}

unsigned char *trk_set_record(const trk_swarms *view, const trk_swarm *swarm, trk_place place, uint32_t index)
{
    uint32_t in_block = index - trk_block_of(place, index) * trk_set_per_block(place);

    return leaf(view, swarm, place, index)->records + in_block * trk_record_size(place);
}

static uint32_t read_state(const unsigned char *record, trk_place place, uint16_t *low)
{
    uint32_t high;

    memcpy(low, record + trk_wire_size(is_v6(place)), sizeof *low);
    memcpy(&high, record + trk_wire_size(is_v6(place)) + sizeof *low, sizeof high);
    return high;
}

static void write_state(unsigned char *record, trk_place place, uint16_t low, uint32_t high)
{
    memcpy(record + trk_wire_size(is_v6(place)), &low, sizeof low);
    memcpy(record + trk_wire_size(is_v6(place)) + sizeof low, &high, sizeof high);
}

void trk_record_read(const unsigned char *record, trk_place place, trk_peer *peer)
{
    uint16_t low;
    uint32_t high = read_state(record, place, &low);

    memset(peer, 0, sizeof *peer);
    memcpy(peer->wire, record, trk_wire_size(is_v6(place)));
    peer->is_v6 = (unsigned char)is_v6(place);
    peer->is_seed = (unsigned char)is_seed(place);
    peer->completed = (high & completed_bit) != 0;
    peer->paused = (high & paused_bit) != 0;
    peer->seen = low | (high >> TRK_LINK_BITS & 0xf) << 16;
}

void trk_record_update(unsigned char *record, trk_place place, const trk_peer *peer)
{
    uint16_t low;
    uint32_t high = read_state(record, place, &low) & link_mask;

    high |= (peer->seen >> 16 & 0xf) << TRK_LINK_BITS;
    if (peer->completed)
        high |= completed_bit;
    if (peer->paused)
        high |= paused_bit;
    write_state(record, place, (uint16_t)(peer->seen & 0xffff), high);
}

/* Peers of one address share a chain, so that they can be counted; of v6 those of one /64, which is what a host has. */
static apr_size_t address_size(int v6)
{
    return v6 ? 8 : 4;
}

static uint32_t hash_address(const trk_swarms *view, const unsigned char *wire, int v6)
{
    return (uint32_t)trk_hash(view, wire, address_size(v6));
}


/* An item of a chain is a peer's index + 1. Which set it is follows from where its heads lie. */
static trk_place chains_place(const trk_chains *chains)
{
    const trk_swarm *swarm = chains->of;

    return (trk_place)((const trk_set *)((const char *)chains->heads - offsetof(trk_set, heads)) - swarm->sets);
}

static unsigned char *item_record(const trk_chains *chains, uint32_t item)
{
    return trk_set_record(chains->view, chains->of, chains_place(chains), item - 1);
}

static uint32_t item_hash(const trk_chains *chains, uint32_t item)
{
    return hash_address(chains->view, item_record(chains, item), is_v6(chains_place(chains)));
}

static uint32_t item_next(const trk_chains *chains, uint32_t item)
{
    uint16_t low;

    return read_state(item_record(chains, item), chains_place(chains), &low) & link_mask;
}

static void item_set_next(const trk_chains *chains, uint32_t item, uint32_t next)
{
    unsigned char *record = item_record(chains, item);
    trk_place place = chains_place(chains);
    uint16_t low;
    uint32_t high = read_state(record, place, &low);

    write_state(record, place, low, (high & ~link_mask) | next);
}

trk_chains trk_set_chains(const trk_swarms *view, unsigned shard, const trk_swarm *swarm, trk_place place)
{
    trk_chains chains = {(trk_swarms *)view, shard,     (trk_heads *)&swarm->sets[place].heads, swarm, item_hash,
                         item_next,          item_set_next};

    return chains;
}

/* Keeps the number of chains in proportion. One or two steps an announce keep up; the first chain takes in all. */
static void grow_chains(const trk_chains *chains, uint32_t count)
{
    if (count < CHAINED_FROM)
        return;
    if (chains->heads->count == 0) {
        if (!trk_heads_grow(chains))
            return;
        for (uint32_t item = 1; item <= count; item++)
            trk_chain_add(chains, item);
    }
    for (int step = 0; step < 2 && chains->heads->count < count / PER_CHAIN; step++)
        if (!trk_heads_grow(chains))
            return;
}

static void shrink_chains(const trk_chains *chains, uint32_t count)
{
    if (chains->heads->count == 0)
        return;
    if (count <= UNCHAINED_FROM)
        while (chains->heads->count > 0)
            trk_heads_shrink(chains);
    else
        for (int step = 0; step < 2 && chains->heads->count > count; step++)
            trk_heads_shrink(chains);
}

apr_status_t trk_set_add(trk_swarms *view, unsigned shard, trk_ref ref, const trk_peer *peer)
{
    trk_swarm *swarm = trk_swarm_at(view, ref);
    trk_place place = trk_place_of(peer->is_v6, peer->is_seed);
    trk_set *set = &swarm->sets[place];
    trk_chains chains = trk_set_chains(view, shard, swarm, place);
    trk_peers *block;
    unsigned char *record;

    if (set->count >= TRK_SET_MAX)
        return APR_ENOSPC;
    if (set->count % trk_set_per_block(place) == 0) {
        trk_ref made = trk_array_push(view, shard, &set->root, trk_set_blocks(place, set->count), TRK_PEERS);

        if (!made)
            return APR_ENOSPC;
        block = trk_block(view, made);
        block->swarm = ref;
        block->place = (uint8_t)place;
    } else {
        block = leaf(view, swarm, place, set->count);
    }
    record = block->records + set->count % trk_set_per_block(place) * trk_record_size(place);
    memset(record, 0, trk_record_size(place));
    memcpy(record, peer->wire, trk_wire_size(peer->is_v6));
    trk_record_update(record, place, peer);
    block->used++;
    set->count++;
    if (set->heads.count > 0)
        trk_chain_add(&chains, set->count);
    grow_chains(&chains, set->count);
    return APR_SUCCESS;
}

/* Copies a record without its link. */
static void move_record(unsigned char *to, const unsigned char *from, trk_place place)
{
    uint16_t low;
    uint32_t link = read_state(to, place, &low) & link_mask;
    uint32_t high = read_state(from, place, &low) & ~link_mask;

    memcpy(to, from, trk_wire_size(is_v6(place)));
    write_state(to, place, low, high | link);
}

/* The last record takes the place of the one that goes, so that there are no holes. */
void trk_set_remove(trk_swarms *view, unsigned shard, trk_ref ref, trk_place place, uint32_t index)
{
    trk_swarm *swarm = trk_swarm_at(view, ref);
    trk_set *set = &swarm->sets[place];
    trk_chains chains = trk_set_chains(view, shard, swarm, place);
    uint32_t last = set->count - 1;
    unsigned char *hole = trk_set_record(view, swarm, place, index);
    unsigned char *end = trk_set_record(view, swarm, place, last);

    if (set->heads.count > 0)
        trk_chain_replace(&chains, hash_address(view, hole, is_v6(place)), index + 1, 0);
    if (index != last) {
        if (set->heads.count > 0)
            trk_chain_replace(&chains, hash_address(view, end, is_v6(place)), last + 1, index + 1);
        move_record(hole, end, place);
    }
    leaf(view, swarm, place, last)->used--;
    if (last % trk_set_per_block(place) == 0)
        trk_array_pop(view, &set->root, trk_set_blocks(place, set->count));
    set->count--;
    shrink_chains(&chains, set->count);
}

void trk_set_clear(trk_swarms *view, unsigned shard, trk_swarm *swarm, trk_place place)
{
    trk_set *set = &swarm->sets[place];

    for (uint32_t blocks = (set->heads.count + TRK_FANOUT - 1) / TRK_FANOUT; blocks > 0; blocks--)
        trk_array_pop(view, &set->heads.root, blocks);
    set->heads.count = 0;
    for (uint32_t blocks = trk_set_blocks(place, set->count); blocks > 0; blocks--)
        trk_array_pop(view, &set->root, blocks);
    set->count = 0;
}

static void meet(const unsigned char *record, trk_place place, uint32_t index, const trk_peer *peer, uint32_t now,
                 trk_search *search)
{
    uint32_t age;

    if (memcmp(record, peer->wire, address_size(peer->is_v6)) != 0)
        return;
    if (memcmp(record, peer->wire, trk_wire_size(peer->is_v6)) == 0) {
        search->found = 1;
        search->place = place;
        search->index = index;
    }
    age = trk_age(trk_record_seen(record, place), now);
    if (search->same_address++ == 0 || age > search->oldest_age) {
        search->oldest_place = place;
        search->oldest_index = index;
        search->oldest_age = age;
    }
}

uint32_t trk_peer_hash(const trk_swarms *view, const trk_peer *peer)
{
    return hash_address(view, peer->wire, peer->is_v6);
}

void trk_set_search(const trk_swarms *view, const trk_swarm *swarm, trk_place place, const trk_peer *peer, uint32_t hash,
                    uint32_t now, trk_search *search)
{
    const trk_set *set = &swarm->sets[place];
    int stops = search->stops;

    if (set->heads.count == 0) {
        for (uint32_t i = 0; i < set->count && !(stops && search->found); i++)
            meet(trk_set_record(view, swarm, place, i), place, i, peer, now, search);
    } else {
        uint32_t item = trk_head(view, &set->heads, trk_chain_of(hash, set->heads.count));

        while (item && !(stops && search->found)) {
            const unsigned char *record = trk_set_record(view, swarm, place, item - 1);
            uint16_t low;

            meet(record, place, item - 1, peer, now, search);
            item = read_state(record, place, &low) & link_mask;
        }
    }
}
