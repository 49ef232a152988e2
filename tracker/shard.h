/* The locks of shards, and what is done under them to whole swarms. Internal to the tracker. */
#ifndef TRK_SHARD_H
#define TRK_SHARD_H

#include "tracker/table.h"

/**
 * Takes a shard's lock. If its owner died in the middle of a change, the shard is rebuilt first, from what is sound.
 * @return APR_SUCCESS, else the lock itself is damaged
 */
apr_status_t trk_shard_lock(trk_swarms *view, unsigned shard);

/** The same without waiting. @return APR_EBUSY if it is taken */
apr_status_t trk_shard_trylock(trk_swarms *view, unsigned shard);
void trk_shard_unlock(trk_swarms *view, unsigned shard);

/* --- keep.c: adds, renews or removes one peer --- */

typedef struct {
    const bt_infohash *hash;
    uint64_t hashed;     /* trk_hash of it */
    uint32_t now, limit; /* seconds; silent for longer than limit: expired; 0: never */
    uint64_t random;     /* changes with each use; 0: nothing is replaced when the memory is full */
    int says_completed;  /* the announce's event */
    int counts;          /* count a completion in `downloaded` */
    trk_ref swarm;       /* set to where the peer was kept */
} trk_keeping;

/** Under the lock of the hash's shard. @return APR_SUCCESS, APR_ENOSPC */
apr_status_t trk_keep(trk_swarms *view, trk_keeping *how, trk_peer *peer);

/** The peer has stopped. Under the lock of the hash's shard. */
void trk_forget(trk_swarms *view, const trk_keeping *how, const trk_peer *peer);

/** @param from  normal, with its port */
trk_peer trk_peer_make(const trk_address *from, int is_seed, uint32_t second);

/** Mixes all bits of a number into all bits. */
static inline uint64_t trk_mix(uint64_t number)
{
    number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9; /* splitmix64 */
    number = (number ^ number >> 27) * 0x94d049bb133111eb;
    return number ^ number >> 31;
}

/** The next of a row of random numbers. */
static inline uint64_t trk_random(uint64_t *state)
{
    return trk_mix(*state += 0x9e3779b97f4a7c15);
}

/** A random number below `limit`, which fits into 32 bits. */
static inline uint32_t trk_random_below(uint64_t *state, uint64_t limit)
{
    return (uint32_t)((trk_random(state) >> 32) * limit >> 32);
}

/* --- replace.c --- */

/**
 * Makes room by dropping peers met at random (expired ones if expired_first and any are met soon), in `shard` (whose lock is held) or any
 * other whose lock is free. What was found in `shard` before may have moved or gone. @return 0 if nothing could be dropped
 */
int trk_replace(trk_swarms *view, unsigned shard, trk_keeping *how, int expired_first);

/* --- expire.c --- */

/** Silent for so long (seconds) a peer is expired: 1.75 intervals, so a quarter of one after the longest that is told. */
uint32_t trk_limit_of(apr_time_t interval);

/** Looks at up to `budget` peers of each set, drops those that are expired. @return 1 if the swarm went with them */
int trk_swarm_trim(trk_swarms *view, unsigned shard, trk_ref ref, uint32_t now, uint32_t limit, uint32_t budget);

/* --- select.c --- */

typedef struct {
    const trk_peer *self;
    int self_kept;            /* is it in the swarm? */
    const trk_address *seeds; /* normal ones */
    int seed_count;
    int refuses_http_ports;   /* the client that asks: then seeds on such ports are named by second_port, or not at all if 0 */
    apr_uint16_t second_port;
    int want, allow_private;
    int nearness; /* percent */
    const trk_atlas *atlas; /* or NULL */
    trk_location here;      /* where the one that asks is, if there is an atlas */
    int lookups;            /* in it, that are left */
    int spare_seeds; /* `seeds` are not named */
    int one_family; /* name only peers of its own */
    uint32_t now, limit;
    uint64_t random;
} trk_asking;

/** Fills the answer's peers; swarm may be NULL. */
void trk_select(const trk_swarms *view, const trk_swarm *swarm, trk_asking *asking, trk_answer *answer);

/**
 * Picks numbers below `count`, one of each of `picks` (at most `count`) strata.
 * @param turn  below `count`: so far they are turned round
 */
void trk_pick(uint32_t count, uint32_t picks, uint32_t turn, uint64_t *random, uint32_t picked[]);

/** Has a record's block fetched from memory. */
static inline void trk_fetch(const unsigned char *record)
{
    __builtin_prefetch(record);
    __builtin_prefetch(record + 64);
}

/* --- interval.c --- */

/**
 * Sets the intervals of an answer.
 * @param peers  in the swarm
 * @param hash   the same for the same peer: its place within the jitter
 */
void trk_intervals(const trk_policy *policy, uint32_t peers, int is_seed, uint64_t hash, trk_answer *answer);

/* --- near.c --- */

enum { TRK_NEAR_MARKS = 2048 };

/* Records of near peers, which are to be named. */
typedef struct {
    uint32_t count, set_count;          /* of these, and of their set */
    uint64_t marks[TRK_NEAR_MARKS / 64]; /* a bit of each record's number: most that are not among them are told by that */
    const unsigned char *records[TRK_NUMWANT_MAX];
} trk_near;

/**
 * Looks for up to `want` peers near the one that asks, in a set of its own family: the nearest first, of equally near ones any
 * with the same chance. All of a set is looked at if it is not much larger than `want`, else samples of it, O(want), and fewer
 * of them the more of them are near.
 * @param near  with count 0
 */
void trk_near_find(const trk_swarms *view, const trk_swarm *swarm, trk_place place, uint32_t want, trk_asking *asking,
                   trk_near *near);

/** Adds a record, which has this number in its set. */
static inline void trk_near_add(trk_near *near, const unsigned char *record, uint32_t number)
{
    near->marks[number % TRK_NEAR_MARKS / 64] |= (uint64_t)1 << number % 64;
    near->records[near->count++] = record;
}

/** Is this record, which has this number in its set, among them? */
static inline int trk_near_has(const trk_near *near, uint32_t number, const unsigned char *record)
{
    if (near->count == 0 || !(near->marks[number % TRK_NEAR_MARKS / 64] >> number % 64 & 1))
        return 0;
    for (uint32_t i = 0; i < near->count && near->set_count > TRK_NEAR_MARKS; i++)
        if (near->records[i] == record)
            return 1;
    return near->set_count <= TRK_NEAR_MARKS;
}

/* --- near_atlas.c --- */

/** The same with an atlas, of whose look-ups there is a bound. For trk_near_find. */
void trk_near_by_atlas(const trk_swarms *view, const trk_swarm *swarm, trk_place place, uint32_t want, trk_asking *asking,
                       trk_near *near);

/* --- roll.c: swarms written one after another, for files, copies and repairs --- */

/** Adds all swarms of a shard. Under its lock. */
void trk_roll_add(const trk_swarms *view, unsigned shard, bt_buf *roll);

/** The same for a shard of which nothing but the tags is trusted. */
void trk_roll_salvage(const trk_swarms *view, unsigned shard, bt_buf *roll);

/** Is it a whole roll? Bounded by its length. */
int trk_roll_check(const unsigned char *roll, apr_size_t length);

/**
 * Keeps what a roll says. Takes locks, unless `held` is a shard: then only that shard's swarms are taken, nothing is replaced.
 * @return the number of peers kept
 */
apr_size_t trk_roll_keep(trk_swarms *view, const unsigned char *roll, apr_size_t length, int held, uint32_t now,
                         uint32_t limit);

/* --- save.c --- */

/** What trk_swarms_load does with the bytes of a file. */
apr_status_t trk_swarms_load_bytes(trk_swarms *view, const unsigned char *bytes, apr_size_t length, apr_time_t now,
                                   apr_time_t interval);

/* --- check.c --- */

/**
 * Checks every invariant of the segment (docs/internals/tracker.md), holding all locks. For tests.
 * @return NULL, or what is wrong
 */
const char *trk_check(trk_swarms *view);

#endif
