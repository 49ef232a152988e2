/* The decision: what one announce changes, and what it is told. */
#include "tracker/swarms.h"

#include <string.h>

#include "tracker/address.h"
#include "tracker/client.h"
#include "tracker/shard.h"

enum { TRIM_AN_ANNOUNCE = 8 /* peers of each set that an announce looks at, whether they are expired */ };

/* One announce on its way. */
typedef struct {
    const trk_announce *announce;
    const trk_policy *policy;
    trk_address from; /* normal */
    uint64_t hashed;
    uint32_t now, limit; /* seconds */
    uint64_t random;
    trk_peer peer;
    trk_ref ref; /* of the swarm, once it was looked for; 0: there is none */
} announcing;

static void prepare(const trk_swarms *view, announcing *a, const trk_address *from, apr_time_t now)
{
    a->from = trk_address_normal(from);
    a->hashed = trk_hash(view, a->announce->hash.b, sizeof a->announce->hash.b);
    a->now = (uint32_t)apr_time_sec(now);
    a->limit = trk_limit_of(a->policy->interval);
    a->peer = trk_peer_make(&a->from, a->announce->left == 0, a->now);
    a->peer.paused = !a->peer.is_seed && a->announce->event == TRK_EVENT_PAUSED;
}

/* The jitter needs no secret: who would choose his own gains nothing. */
static void set_intervals(const announcing *a, uint32_t peers, trk_answer *answer)
{
    uint64_t words[3] = {0};

    memcpy(words, a->peer.wire, sizeof a->peer.wire);
    trk_intervals(a->policy, peers, a->peer.is_seed, trk_mix(trk_mix(trk_mix(a->hashed ^ words[0]) ^ words[1]) ^ words[2]),
                  answer);
}

/* With so many seeds of its own, and so few leechers for each, a swarm needs nobody else. */
static int carries_itself(uint32_t seeds, uint32_t leechers)
{
    enum { SEEDS = 4, LEECHERS_A_SEED = 4 };

    return seeds >= SEEDS && leechers <= (uint64_t)seeds * LEECHERS_A_SEED;
}

static apr_status_t change(trk_swarms *view, announcing *a)
{
    trk_keeping how = {&a->announce->hash, a->hashed, a->now, a->limit, a->random | 1,
                       a->announce->event == TRK_EVENT_COMPLETED, 1, 0};
    int is_stopping = a->announce->event == TRK_EVENT_STOPPED;
    int is_refused = !is_stopping && !a->policy->allow_private_peers && trk_address_is_private(a->from.ip, a->from.is_v6);
    apr_status_t status;

    if (is_stopping && a->from.port)
        trk_forget(view, &how, &a->peer);
    if (is_stopping || is_refused || a->from.port == 0) {
        a->ref = trk_swarm_find(view, &a->announce->hash, a->hashed);
        return is_refused ? APR_EACCES : APR_SUCCESS;
    }
    status = trk_keep(view, &how, &a->peer);
    a->random = how.random;
    a->ref = status == APR_SUCCESS ? how.swarm : trk_swarm_find(view, &a->announce->hash, a->hashed);
    return status;
}

static trk_asking asking_of(const announcing *a, uint32_t complete, uint32_t incomplete)
{
    trk_asking asking = {.self = &a->peer,
                         .refuses_http_ports = trk_client_refuses_http_ports(a->announce->peer_id),
                         .second_port = a->policy->second_port,
                         .nearness = a->policy->nearness,
                         .atlas = a->policy->nearness > 0 ? a->policy->atlas : NULL,
                         .spare_seeds = a->policy->spare_origin && carries_itself(complete, incomplete),
                         .want = a->announce->numwant < TRK_NUMWANT_MAX ? a->announce->numwant : TRK_NUMWANT_MAX,
                         .allow_private = a->policy->allow_private_peers,
                         .one_family = a->announce->one_family,
                         .now = a->now,
                         .limit = a->limit,
                         .random = a->random};

    return asking;
}

/* Tells the hosts that share the swarms, if there are any. */
static void tell_others(trk_swarms *view, const announcing *a, const trk_address *seeds, int seed_count)
{
    trk_change change = {.hash = a->announce->hash,
                         .peer = a->from,
                         .is_seed = a->peer.is_seed,
                         .paused = a->peer.paused,
                         .completed = a->announce->event == TRK_EVENT_COMPLETED,
                         .is_gone = a->announce->event == TRK_EVENT_STOPPED};

    if (view->outbox && a->from.port)
        trk_outbox_push(view->outbox, &change, a->now, seeds, seed_count);
}

/* Tells how large the swarm is. @return how others are chosen from it */
static trk_asking tell_numbers(const announcing *a, const trk_swarm *swarm, int seed_count, trk_answer *answer)
{
    uint32_t complete = 0, incomplete = 0, paused = 0;

    if (swarm) {
        trk_swarm_numbers(swarm, &complete, &incomplete);
        paused = trk_swarm_paused(swarm);
        answer->downloaded = swarm->downloaded;
    }
    set_intervals(a, complete + incomplete, answer);
    answer->complete = complete + (seed_count > 0);
    answer->incomplete = incomplete;
    answer->downloaders = incomplete - paused;
    return asking_of(a, complete, incomplete);
}

apr_status_t trk_swarms_announce(trk_swarms *swarms, const trk_policy *policy, const trk_announce *announce,
                                 const trk_address *from, const trk_address *seeds, int seed_count, apr_time_t now,
                                 apr_uint64_t random, trk_answer *answer)
{
    enum { SEEDS_MAX = 16 };
    announcing a = {.announce = announce, .policy = policy, .random = random};
    trk_address own[SEEDS_MAX];
    trk_asking asking;
    unsigned shard;
    apr_status_t locked, status;

    answer->count4 = answer->count6 = 0;
    answer->complete = answer->incomplete = answer->downloaded = answer->downloaders = 0;
    prepare(swarms, &a, from, now);
    if (seed_count > SEEDS_MAX)
        seed_count = SEEDS_MAX;
    for (int i = 0; i < seed_count; i++)
        own[i] = trk_address_normal(&seeds[i]);
    shard = trk_shard_of(a.hashed);
    if ((locked = trk_shard_lock(swarms, shard)) != APR_SUCCESS) {
        set_intervals(&a, 0, answer);
        return locked;
    }
    swarms->shards[shard].announces++;
    status = change(swarms, &a);
    if (a.ref && trk_swarm_trim(swarms, shard, a.ref, a.now, a.limit, TRIM_AN_ANNOUNCE))
        a.ref = 0;
    asking = tell_numbers(&a, a.ref ? trk_swarm_at(swarms, a.ref) : NULL, seed_count, answer);
    asking.self_kept = status == APR_SUCCESS && a.from.port != 0;
    asking.seeds = own;
    asking.seed_count = seed_count;
    if (announce->event != TRK_EVENT_STOPPED && asking.want > 0)
        trk_select(swarms, a.ref ? trk_swarm_at(swarms, a.ref) : NULL, &asking, answer);
    trk_shard_unlock(swarms, shard);
    if (status != APR_EACCES)
        tell_others(swarms, &a, own, seed_count);
    return status;
}

void trk_swarms_scrape(trk_swarms *swarms, const bt_infohash *hash, apr_time_t now, trk_scrape *numbers)
{
    uint64_t hashed = trk_hash(swarms, hash->b, sizeof hash->b);
    unsigned shard = trk_shard_of(hashed);
    trk_ref ref;

    memset(numbers, 0, sizeof *numbers);
    if (trk_shard_lock(swarms, shard) != APR_SUCCESS)
        return;
    if ((ref = trk_swarm_find(swarms, hash, hashed)) != 0) {
        trk_swarm_numbers(trk_swarm_at(swarms, ref), &numbers->complete, &numbers->incomplete);
        numbers->downloaded = trk_swarm_at(swarms, ref)->downloaded;
        numbers->downloaders = numbers->incomplete - trk_swarm_paused(trk_swarm_at(swarms, ref));
    }
    trk_shard_unlock(swarms, shard);
}

void trk_swarms_drop(trk_swarms *swarms, const bt_infohash *hash)
{
    uint64_t hashed = trk_hash(swarms, hash->b, sizeof hash->b);
    unsigned shard = trk_shard_of(hashed);
    trk_ref ref;

    if (trk_shard_lock(swarms, shard) != APR_SUCCESS)
        return;
    if ((ref = trk_swarm_find(swarms, hash, hashed)) != 0)
        trk_swarm_remove(swarms, shard, ref);
    trk_shard_unlock(swarms, shard);
}

void trk_swarms_totals(trk_swarms *swarms, trk_totals *totals)
{
    uint32_t used = 0;

    memset(totals, 0, sizeof *totals);
    for (unsigned i = 0; i < TRK_SHARDS; i++) {
        const trk_shard *shard = &swarms->shards[i];

        if (trk_shard_lock(swarms, i) != APR_SUCCESS)
            continue;
        totals->swarms += shard->swarms;
        totals->seeds += shard->seeds;
        totals->leechers += shard->leechers;
        totals->evictions += shard->evictions;
        totals->crowded += shard->crowded;
        totals->announces += shard->announces;
        trk_shard_unlock(swarms, i);
    }
    if (trk_memory_lock(swarms) == APR_SUCCESS) {
        used = swarms->header->fresh - 1 - swarms->header->free_count;
        trk_memory_unlock(swarms);
    }
    totals->memory_size = swarms->header->size;
    totals->memory_used = totals->memory_size - (apr_uint64_t)(swarms->block_count - used) * TRK_BLOCK_SIZE;
}
