/* The invariants of the segment, all of them, for tests: every block is free, or reached exactly once from the shard that
 * its tag names, as what its tag says; what is counted is there; who is kept is found. */
#include <stdlib.h>
#include <string.h>

#include "tracker/shard.h"

typedef struct {
    trk_swarms *view;
    unsigned char *reached; /* by block number */
    const char *wrong;
} checker;

static void must(checker *c, int holds, const char *what)
{
    if (!holds && !c->wrong)
        c->wrong = what;
}

static int reach(checker *c, unsigned shard, trk_ref ref, trk_kind kind)
{
    must(c, trk_owns(c->view, shard, ref, kind), "a link leads to a block of another shard or kind");
    if (c->wrong)
        return 0;
    must(c, !c->reached[ref], "a block is reached twice");
    c->reached[ref] = 1;
    return !c->wrong;
}

/* Reaches the blocks of an array below a node; `length` leaves are expected there. */
static void check_node(checker *c, unsigned shard, trk_ref ref, int level, uint32_t length, trk_kind kind)
{
    uint32_t each = level > 0 ? (uint32_t)1 << 5 * (level - 1) : 0;
    const trk_ref *child;

    if (!reach(c, shard, ref, level > 0 ? TRK_NODE : kind) || level == 0)
        return;
    child = trk_block(c->view, ref);
    for (int i = 0; i < TRK_FANOUT && !c->wrong; i++) {
        uint32_t here = length < each ? length : each;

        if (here > 0)
            check_node(c, shard, child[i], level - 1, here, kind);
        else
            must(c, child[i] == 0, "a node leads beyond the end of its array");
        length -= here;
    }
}

static void check_array(checker *c, unsigned shard, trk_ref root, uint32_t length, trk_kind kind)
{
    if (length > 0)
        check_node(c, shard, root, trk_array_depth(length), length, kind);
    else
        must(c, root == 0, "an empty array has a root");
}

/* @return the number of items in all chains */
static uint32_t check_chains(checker *c, const trk_chains *chains, uint32_t most)
{
    uint32_t count = 0;

    check_array(c, chains->shard, chains->heads->root, (chains->heads->count + TRK_FANOUT - 1) / TRK_FANOUT, TRK_HEADS);
    for (uint32_t i = 0; i < chains->heads->count && !c->wrong; i++) {
        uint32_t item = trk_head(c->view, chains->heads, i);

        while (item && !c->wrong) {
            must(c, ++count <= most, "chains hold more items than there are");
            if (c->wrong)
                break;
            must(c, trk_chain_of(chains->hash(chains, item), chains->heads->count) == i, "an item is in a wrong chain");
            item = chains->next(chains, item);
        }
    }
    return count;
}

static void check_set(checker *c, unsigned shard, trk_ref ref, trk_place place)
{
    const trk_swarm *swarm = trk_swarm_at(c->view, ref);
    const trk_set *set = &swarm->sets[place];
    trk_chains chains = trk_set_chains(c->view, shard, swarm, place);
    uint32_t per_block = trk_set_per_block(place), blocks = trk_set_blocks(place, set->count), chained;

    check_array(c, shard, set->root, blocks, TRK_PEERS);
    for (uint32_t i = 0; i < blocks && !c->wrong; i++) {
        const trk_peers *block = trk_block(c->view, trk_array_get(c->view, set->root, blocks, i));
        uint32_t used = i + 1 < blocks ? per_block : set->count - i * per_block;

        must(c, block->swarm == ref && block->place == place, "a block of peers names another swarm or set");
        must(c, block->used == used, "a block of peers is not as full as it should be");
    }
    if (c->wrong)
        return;
    chained = check_chains(c, &chains, set->count);
    must(c, chained == (set->heads.count ? set->count : 0), "a peer is in no chain");
}

static uint32_t count_paused(const trk_swarms *view, const trk_swarm *swarm)
{
    uint32_t count = 0;

    for (int place = 0; place < TRK_PLACES; place++)
        for (uint32_t i = 0; i < trk_place_count(swarm, (trk_place)place); i++) {
            trk_peer peer;

            trk_peer_read(view, swarm, (trk_place)place, i, &peer);
            count += peer.paused;
        }
    return count;
}

/* Every peer is found, where it is, and only there; nobody has more than TRK_PER_ADDRESS. */
static void check_peers(checker *c, const trk_swarm *swarm)
{
    for (int place = 0; place < TRK_PLACES; place++)
        for (uint32_t i = 0; i < trk_place_count(swarm, (trk_place)place) && !c->wrong; i++) {
            trk_search search;
            trk_peer peer;
            const unsigned char *port;

            trk_peer_read(c->view, swarm, (trk_place)place, i, &peer);
            port = peer.wire + trk_wire_size(peer.is_v6) - 2;
            trk_peer_find(c->view, swarm, &peer, 0, &search);
            must(c, search.found && search.place == (trk_place)place && search.index == i,
                 "a peer is not found, or twice there");
            must(c, search.same_address <= TRK_PER_ADDRESS, "an address has too many peers");
            must(c, port[0] || port[1], "a peer without a port");
        }
}

static void check_swarm(checker *c, unsigned shard, trk_ref ref, uint32_t *seeds, uint32_t *leechers)
{
    const trk_swarm *swarm = trk_swarm_at(c->view, ref);
    uint32_t own_seeds, own_leechers;

    if (!reach(c, shard, ref, TRK_SWARM))
        return;
    must(c, trk_shard_of(trk_hash(c->view, swarm->hash.b, BT_HASH_SIZE)) == shard, "a swarm is in a wrong shard");
    must(c, swarm->is_big ? swarm->small_count == 0 : swarm->small_count <= TRK_SMALL_MAX, "a swarm of no form");
    for (int place = 0; place < TRK_SETS && swarm->is_big && !c->wrong; place++)
        check_set(c, shard, ref, (trk_place)place);
    if (c->wrong)
        return;
    check_peers(c, swarm);
    must(c, count_paused(c->view, swarm) == trk_swarm_paused(swarm), "the number of paused peers is wrong");
    must(c, trk_swarm_peers(swarm) > 0 || swarm->downloaded > 0, "a swarm that has nothing to remember");
    trk_swarm_numbers(swarm, &own_seeds, &own_leechers);
    *seeds += own_seeds;
    *leechers += own_leechers;
}

static void check_shard(checker *c, unsigned number)
{
    const trk_shard *shard = &c->view->shards[number];
    trk_chains chains = trk_index_chains(c->view, number);
    uint32_t swarms, seeds = 0, leechers = 0;

    swarms = check_chains(c, &chains, shard->swarms);
    must(c, swarms == shard->swarms, "the number of swarms is wrong");
    for (uint32_t i = 0; i < shard->index.count && !c->wrong; i++)
        for (trk_ref at = trk_head(c->view, &shard->index, i); at && !c->wrong; at = trk_swarm_at(c->view, at)->next)
            check_swarm(c, number, at, &seeds, &leechers);
    must(c, seeds == shard->seeds && leechers == shard->leechers, "the number of peers is wrong");
}

static void check_memory(checker *c)
{
    const trk_header *header = c->view->header;
    uint32_t listed = 0;

    for (trk_ref at = header->free_head; at && !c->wrong; memcpy(&at, trk_block(c->view, at), sizeof at)) {
        must(c, at < header->fresh && trk_tag(c->view, at) == 0, "a block on the free list is not free");
        if (c->wrong)
            return;
        must(c, !c->reached[at]++, "a free block is reached");
        listed++;
    }
    must(c, listed == header->free_count, "the number of free blocks is wrong");
    for (trk_ref ref = 1; ref <= c->view->block_count && !c->wrong; ref++)
        must(c, ref < header->fresh ? c->reached[ref] : trk_tag(c->view, ref) == 0, "a block is lost");
}

const char *trk_check(trk_swarms *view)
{
    checker c = {view, calloc(view->block_count + 1, 1), NULL};

    if (!c.reached)
        return "no memory for the check";
    for (unsigned i = 0; i < TRK_SHARDS; i++)
        must(&c, trk_shard_lock(view, i) == APR_SUCCESS, "a lock cannot be taken");
    must(&c, trk_memory_lock(view) == APR_SUCCESS, "the memory's lock cannot be taken");
    for (unsigned i = 0; i < TRK_SHARDS && !c.wrong; i++)
        check_shard(&c, i);
    if (!c.wrong)
        check_memory(&c);
    trk_memory_unlock(view);
    for (unsigned i = 0; i < TRK_SHARDS; i++)
        trk_shard_unlock(view, i);
    free(c.reached);
    return c.wrong;
}
