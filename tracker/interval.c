/* When a peer is to announce itself again. */
#include "tracker/shard.h"

enum {
    YOUNG_PART = 6,   /* alone in a swarm, a leecher is told about a sixth of the interval, */
    YOUNG_LEAST = 60, /* seconds, but not less than this; */
    GROWN = 50,       /* and the whole from so many peers on, when one answer does not name all */
    DOUBLINGS = 7,    /* of which each makes it longer by */
    LONGER_PART = 28, /* a 28th: by a quarter at most */
    BUSY_FROM = 50,   /* percent of load: from here on it becomes longer */
    MIN_USUAL = 60    /* seconds */
};

/* Limits: what is told is at most one and a half intervals, the jitter of a tenth included. See trk_limit_of. */
static apr_int64_t longest(apr_int64_t base)
{
    return base + base / 2;
}

static apr_int64_t by_size(apr_int64_t base, uint32_t peers, int is_seed)
{
    apr_int64_t young = base / YOUNG_PART, doublings = 0;

    if (young < YOUNG_LEAST)
        young = base < YOUNG_LEAST ? base : YOUNG_LEAST;
    if (peers < GROWN) /* a seed is found by those who come: it need not look for them */
        return is_seed ? base : young + (base - young) * peers / GROWN;
    while (doublings < DOUBLINGS && (peers /= 2) >= GROWN)
        doublings++;
    return base + base * doublings / LONGER_PART;
}

/* How far on the way from no load worth mentioning to all of it: 0 to 100. */
static apr_int64_t strain(int load)
{
    if (load <= BUSY_FROM)
        return 0;
    return load >= 100 ? 100 : (load - BUSY_FROM) * 100 / (100 - BUSY_FROM);
}

/* The same peer always has the same place within the jitter: announces spread out, and stay spread. */
void trk_intervals(const trk_policy *policy, uint32_t peers, int is_seed, uint64_t hash, trk_answer *answer)
{
    const apr_int64_t most = 3 * 24 * 3600;
    apr_int64_t base = apr_time_sec(policy->interval), length, jitter, interval, usual, half;

    base = base < 1 ? 1 : base > most ? most : base;
    length = by_size(base, peers, is_seed);
    length += (longest(base) * 10 / 11 - length) * strain(policy->load) / 100;
    if (length < 1)
        length = 1;
    jitter = length / 10;
    interval = length - jitter + (apr_int64_t)(hash % (uint64_t)(2 * jitter + 1));
    half = (interval + 1) / 2;
    usual = half < MIN_USUAL ? half : MIN_USUAL;
    answer->interval = (int)interval;
    answer->min_interval = (int)(usual + (half - usual) * strain(policy->load) / 100);
}
