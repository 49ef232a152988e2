#include <sched.h>
#include <string.h>

#include "tracker/shard.h"

enum { TURN_BUDGET = 4096 /* peers looked at before others may have the shard */ };

uint32_t trk_limit_of(apr_time_t interval)
{
    const apr_time_t most = apr_time_from_sec(3 * 24 * 3600); /* `seen` has room for 6 days */

    if (interval > most)
        interval = most;
    if (interval < apr_time_from_sec(1))
        interval = apr_time_from_sec(1);
    return (uint32_t)((interval * 7 / 4 + APR_USEC_PER_SEC - 1) / APR_USEC_PER_SEC);
}

/* The peers of a swarm's own block. */
static void trim_small(trk_swarms *view, unsigned shard, trk_ref ref, uint32_t now, uint32_t limit)
{
    const trk_swarm *swarm = trk_swarm_at(view, ref);

    for (uint32_t at = swarm->small_count; at > 0; at--)
        if (trk_age(swarm->small[at - 1].seen, now) > limit)
            trk_peer_remove(view, shard, ref, TRK_INSIDE, at - 1);
}

/* Goes downwards: who takes the place of one that is dropped comes from above, and was looked at already. */
static void trim_set(trk_swarms *view, unsigned shard, trk_ref ref, trk_place place, uint32_t now, uint32_t limit,
                     uint32_t budget)
{
    trk_swarm *swarm = trk_swarm_at(view, ref);
    const uint32_t each = trk_set_per_block(place), size = trk_record_size(place);
    const unsigned char *record = NULL;
    uint32_t count = trk_place_count(swarm, place), left = 0; /* records of the same block, from `record` downwards */
    uint32_t at = swarm->cursors[place] > count ? count : swarm->cursors[place];

    for (uint32_t looks = count < budget ? count : budget; looks > 0; looks--) {
        if (at == 0) {
            at = trk_place_count(swarm, place);
            left = 0;
        }
        if (at == 0)
            break;
        at--;
        if (left == 0) {
            record = trk_set_record(view, swarm, place, at);
            left = at % each + 1;
        }
        left--;
        if (trk_age(trk_record_seen(record, place), now) > limit) {
            trk_peer_remove(view, shard, ref, place, at);
            left = 0;
        }
        record -= left > 0 ? size : 0;
    }
    swarm->cursors[place] = at;
}

int trk_swarm_trim(trk_swarms *view, unsigned shard, trk_ref ref, uint32_t now, uint32_t limit, uint32_t budget)
{
    const trk_swarm *swarm = trk_swarm_at(view, ref);

    if (!swarm->is_big)
        trim_small(view, shard, ref, now, limit);
    else
        for (int place = 0; place < TRK_SETS; place++)
            if (swarm->sets[place].count > 0)
                trim_set(view, shard, ref, (trk_place)place, now, limit, budget);
    return trk_swarm_settle(view, shard, ref);
}

/* Looks through a whole swarm, letting others at the shard now and then.
 * @return where to go on in its chain, or 0 if that cannot be known: others were there, and it is gone */
static trk_ref expire_swarm(trk_swarms *view, unsigned shard, trk_ref ref, uint32_t now, uint32_t limit, int *locked)
{
    bt_infohash hash = trk_swarm_at(view, ref)->hash;
    uint64_t hashed = trk_hash(view, hash.b, sizeof hash.b);
    uint32_t rounds = trk_swarm_peers(trk_swarm_at(view, ref)) / TURN_BUDGET;
    trk_ref next;

    if (trk_swarm_at(view, ref)->is_big)
        memset(trk_swarm_at(view, ref)->cursors, 0, sizeof trk_swarm_at(view, ref)->cursors); /* from the end */
    for (;; rounds--) {
        next = trk_swarm_at(view, ref)->next;
        if (trk_swarm_trim(view, shard, ref, now, limit, TURN_BUDGET))
            return next;
        if (rounds == 0)
            return trk_swarm_at(view, ref)->next;
        trk_shard_unlock(view, shard);
        sched_yield();
        *locked = trk_shard_lock(view, shard) == APR_SUCCESS;
        if (!*locked || (ref = trk_swarm_find(view, &hash, hashed)) == 0)
            return 0;
    }
}

/* Chains that merge on the way may put a swarm where this turn has been already: the next one finds it. */
static void expire_shard(trk_swarms *view, unsigned shard, uint32_t now, uint32_t limit)
{
    const trk_heads *index = &view->shards[shard].index;
    int locked = trk_shard_lock(view, shard) == APR_SUCCESS;

    for (uint32_t chain = 0; locked && chain < index->count; chain++) {
        trk_ref at = trk_head(view, index, chain);

        while (at)
            at = expire_swarm(view, shard, at, now, limit, &locked);
    }
    if (locked)
        trk_shard_unlock(view, shard);
}

/* With a short interval a turn takes several shards, so that all have had theirs within half an interval. */
void trk_swarms_expire(trk_swarms *swarms, unsigned turn, apr_time_t now, apr_time_t interval)
{
    apr_time_t half = apr_time_sec(interval) / 2;
    unsigned each = half >= TRK_SHARDS ? 1 : half < 1 ? TRK_SHARDS : (unsigned)((TRK_SHARDS + half - 1) / half);

    for (unsigned i = 0; i < each; i++)
        expire_shard(swarms, (turn * each + i) % TRK_SHARDS, (uint32_t)apr_time_sec(now), trk_limit_of(interval));
}
