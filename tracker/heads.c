#include "tracker/heads.h"

enum { PER_BLOCK = TRK_FANOUT };

/* The greatest power of two that is not above count. */
static uint32_t top_of(uint32_t count)
{
    return (uint32_t)1 << (31 - __builtin_clz(count));
}

uint32_t trk_chain_of(uint32_t hash, uint32_t count)
{
    uint32_t top = top_of(count), chain = hash & (2 * top - 1);

    return chain < count ? chain : chain - top;
}

static uint32_t blocks_of(uint32_t count)
{
    return count / PER_BLOCK + (count % PER_BLOCK != 0);
}

static uint32_t *slot(const trk_swarms *view, const trk_heads *heads, uint32_t chain)
{
    uint32_t *block = trk_block(view, trk_array_get(view, heads->root, blocks_of(heads->count), chain / PER_BLOCK));

    return block + chain % PER_BLOCK;
}

uint32_t trk_head(const trk_swarms *view, const trk_heads *heads, uint32_t chain)
{
    return *slot(view, heads, chain);
}

void trk_chain_add(const trk_chains *chains, uint32_t item)
{
    uint32_t *head = slot(chains->view, chains->heads, trk_chain_of(chains->hash(chains, item), chains->heads->count));

    chains->set_next(chains, item, *head);
    *head = item;
}

void trk_chain_replace(const trk_chains *chains, uint32_t hash, uint32_t item, uint32_t with)
{
    uint32_t *head = slot(chains->view, chains->heads, trk_chain_of(hash, chains->heads->count));
    uint32_t after = chains->next(chains, item), at = *head;

    if (with) {
        chains->set_next(chains, with, after);
        after = with;
    }
    if (at == item) {
        *head = after;
        return;
    }
    while (at && chains->next(chains, at) != item)
        at = chains->next(chains, at);
    if (at)
        chains->set_next(chains, at, after);
}

/* Moves to the new last chain what now belongs there. */
static void split(const trk_chains *chains)
{
    uint32_t last = chains->heads->count - 1;
    uint32_t *from = slot(chains->view, chains->heads, last - top_of(last));
    uint32_t at = *from, next;

    for (*from = 0; at; at = next) {
        next = chains->next(chains, at);
        trk_chain_add(chains, at);
    }
}

int trk_heads_grow(const trk_chains *chains)
{
    trk_heads *heads = chains->heads;

    if (heads->count % PER_BLOCK == 0 && !trk_array_push(chains->view, chains->shard, &heads->root,
                                                         blocks_of(heads->count), TRK_HEADS))
        return 0;
    heads->count++;
    if (heads->count > 1)
        split(chains);
    return 1;
}

void trk_heads_shrink(const trk_chains *chains)
{
    trk_heads *heads = chains->heads;
    uint32_t *last = slot(chains->view, heads, heads->count - 1);
    uint32_t at = *last, next;

    *last = 0;
    if (heads->count % PER_BLOCK == 1)
        trk_array_pop(chains->view, &heads->root, blocks_of(heads->count));
    if (--heads->count == 0)
        return;
    for (; at; at = next) {
        next = chains->next(chains, at);
        trk_chain_add(chains, at);
    }
}
