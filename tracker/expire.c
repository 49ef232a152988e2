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

static void drop_if_expired(trk_swarms *view, unsigned shard, trk_ref ref, trk_place place, uint32_t index, uint32_t now,
                           uint32_t limit)
{
    trk_peer peer;

    trk_peer_read(view, trk_swarm_at(view, ref), place, index, &peer);
    if (trk_age(peer.seen, now) > limit)
        trk_peer_remove(view, shard, ref, place, index);
}

/* Goes downwards: who takes the place of one that is dropped comes from above, and was looked at already. */
int trk_swarm_trim(trk_swarms *view, unsigned shard, trk_ref ref, uint32_t now, uint32_t limit, uint32_t budget)
{
    trk_swarm *swarm = trk_swarm_at(view, ref);

    for (int i = 0; i < TRK_PLACES; i++) {
        trk_place place = (trk_place)i;
        uint32_t count = trk_place_count(swarm, place), at;

        if (count == 0)
            continue;
        at = place == TRK_INSIDE || swarm->cursors[place] > count ? count : swarm->cursors[place];
        for (uint32_t looks = count < budget ? count : budget; looks > 0; looks--) {
            if (at == 0)
                at = trk_place_count(swarm, place);
            if (at == 0)
                break;
            drop_if_expired(view, shard, ref, place, --at, now, limit);
        }
        if (place != TRK_INSIDE)
            swarm->cursors[place] = at;
    }
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
