/* The largest swarms, for status pages. */
#include <sched.h>
#include <string.h>

#include "tracker/shard.h"

enum { LOOKS_AT_ONCE = 1024 /* swarms, before others may have the shard */ };

/* A search on its way. */
typedef struct {
    trk_swarms *view;
    trk_large *large;
    int max, count;
    uint32_t budget; /* swarms still to be looked at */
} search;

static uint64_t peers_of(const trk_large *large)
{
    return (uint64_t)large->seeds + large->leechers;
}

static int holds(const search *s, const bt_infohash *hash)
{
    for (int i = 0; i < s->count; i++)
        if (memcmp(s->large[i].hash.b, hash->b, sizeof hash->b) == 0)
            return 1;
    return 0;
}

/* Keeps the list in order, largest first; what was found first stays first. */
static void look(search *s, const trk_swarm *swarm)
{
    trk_large found = {.hash = swarm->hash, .downloaded = swarm->downloaded};
    int at;

    trk_swarm_numbers(swarm, &found.seeds, &found.leechers);
    if (peers_of(&found) == 0 || (s->count == s->max && peers_of(&found) <= peers_of(&s->large[s->count - 1])))
        return;
    if (holds(s, &swarm->hash)) /* it was moved to another chain meanwhile */
        return;
    at = s->count < s->max ? s->count++ : s->count - 1;
    for (; at > 0 && peers_of(&s->large[at - 1]) < peers_of(&found); at--)
        s->large[at] = s->large[at - 1];
    s->large[at] = found;
}

/* Looks at whole chains. @return the next chain; the number of all if that was the last one, or the budget is spent */
static uint32_t look_at_some(search *s, const trk_heads *index, uint32_t chain)
{
    uint32_t looks = 0;

    while (chain < index->count && looks < LOOKS_AT_ONCE) {
        for (trk_ref ref = trk_head(s->view, index, chain); ref; ref = trk_swarm_at(s->view, ref)->next, looks++)
            look(s, trk_swarm_at(s->view, ref));
        chain++;
    }
    s->budget = looks < s->budget ? s->budget - looks : 0;
    return s->budget ? chain : index->count;
}

/* Chains that merge or split meanwhile may have a swarm passed over. */
static void look_at_shard(search *s, unsigned shard)
{
    const trk_heads *index = &s->view->shards[shard].index;
    uint32_t chain = 0;
    int is_last = 0;

    while (!is_last && trk_shard_lock(s->view, shard) == APR_SUCCESS) {
        chain = look_at_some(s, index, chain);
        is_last = chain >= index->count;
        trk_shard_unlock(s->view, shard);
        if (!is_last)
            sched_yield();
    }
}

int trk_swarms_largest(trk_swarms *swarms, trk_large *large, int max, unsigned from)
{
    search s = {.view = swarms, .large = large, .max = max, .budget = TRK_LARGEST_LOOKS};

    for (unsigned i = 0; max > 0 && s.budget && i < TRK_SHARDS; i++)
        look_at_shard(&s, (from + i) % TRK_SHARDS);
    return s.count;
}
