/* The swarms: a table in shared memory that all children use, and the one function that decides an announce. */
#ifndef TRK_SWARMS_H
#define TRK_SWARMS_H

#include <apr_errno.h>

#include "base/buf.h"
#include "tracker/announce.h"
#include "tracker/outbox.h"

/* Per-process view of the shared table. Read-only after trk_swarms_attach; any thread may use it. */
typedef struct trk_swarms trk_swarms;

enum { TRK_MEMORY_MIN = 1024 * 1024 };

/**
 * Makes `size` bytes of zeroed shared memory (from TRK_MEMORY_MIN) a table. Parent, once.
 * @param key  16 random bytes for SipHash, so that nobody can aim at a shard
 */
apr_status_t trk_swarms_format(void *memory, apr_size_t size, const unsigned char key[16]);

/** @return APR_SUCCESS, or APR_EINVAL if magic, layout version or size do not fit. Memory of the view: malloc */
apr_status_t trk_swarms_attach(trk_swarms **swarms, void *memory, apr_size_t size);
void trk_swarms_detach(trk_swarms *swarms);

/** From now on announces are put into the outbox as well, for hosts that share the swarms. Right after trk_swarms_attach. */
void trk_swarms_share(trk_swarms *swarms, trk_outbox *outbox);

/** How that goes; zeros without an outbox. */
void trk_swarms_shared(const trk_swarms *swarms, trk_store_counters *counters);

/** Copies what is live in `from` (another size) into `to`. Parent, at a graceful restart that changes the size. */
void trk_swarms_copy(trk_swarms *to, trk_swarms *from, apr_time_t now);

/* Percent of the peers named that are near the one that asks, if so many are met; the rest is drawn from all, so that no
 * neighbourhood is cut off, or filled by who has many addresses in it. */
enum { TRK_NEARNESS_DEFAULT = 50 };

/* Where an address is, as far as that is known; 0: it is not. */
typedef struct {
    apr_uint32_t network; /* number of its autonomous system */
    apr_uint32_t country;
} trk_location;

/* Somebody who knows. Called under locks, for some hundred peers an announce: it must not block. Any thread. */
typedef struct {
    trk_location (*locate)(void *baton, const unsigned char *ip, int is_v6);
    void *baton;
} trk_atlas;

/* How announces are decided; set at each (re)load. */
typedef struct {
    /* BTHTTPTrackerInterval, microseconds. What is told is less in a small swarm, and more in a large one and under load, but never
     * more than one and a half of it; expiry is by it. */
    apr_time_t interval;
    int allow_private_peers; /* may peers with private and loopback addresses be kept and named? */
    /* This server's seed port for clients that refuse to connect to ports 80 and 443, told instead of these; 0: there is none,
     * and such a client is not told of the seed. */
    apr_uint16_t second_port;
    int nearness; /* 0 to 100, TRK_NEARNESS_DEFAULT */
    const trk_atlas *atlas; /* peers of the same network or country are near, too; NULL: by their addresses alone */
    int load;     /* 0 to 100: percent of the server's capacity that is in use */
    int spare_origin; /* this server's seed has more to do than it can: it is not named where a swarm carries itself */
} trk_policy;

/* What an announce gets. Peers are in wire form, ready to be copied. */
typedef struct {
    int interval, min_interval; /* seconds, jittered for each peer */
    apr_uint32_t complete, incomplete, downloaded; /* this server's seed is counted in complete */
    apr_uint32_t downloaders;                      /* of the incomplete, those that are not paused (BEP 21) */
    unsigned char peers4[TRK_NUMWANT_MAX * 6];
    unsigned char peers6[TRK_NUMWANT_MAX * 18];
    int count4, count6;
} trk_answer;

/**
 * Decides one announce: keeps, updates or removes the peer, and picks others for it. Takes one shard's lock, never
 * blocks otherwise. Any thread of any child. The caller has checked that the info-hash is published.
 * @param from   the peer's own address (the connection's), port from the announce; with port 0 nothing is kept
 * @param seeds  this server's own seed addresses, named first to leechers and counted as one seed; may be empty
 * @param random 64 fresh random bits
 * @return APR_SUCCESS; APR_EACCES if the policy refuses the address; APR_ENOSPC if even replacement found no room (the
 *         answer is still filled)
 */
apr_status_t trk_swarms_announce(trk_swarms *swarms, const trk_policy *policy, const trk_announce *announce,
                                 const trk_address *from, const trk_address *seeds, int seed_count, apr_time_t now,
                                 apr_uint64_t random, trk_answer *answer);

/**
 * Takes in what another host says of a peer. Takes one shard's lock, never blocks otherwise. Any thread; the caller has checked that the
 * info-hash is published here.
 * @param age     seconds since then; 0: it says so now, and its completion is counted. Older than what is known, or expired: passed over
 * @param random  64 fresh random bits; 0: nobody is pushed out for it
 */
void trk_swarms_learn(trk_swarms *swarms, const trk_change *change, apr_uint32_t age, apr_time_t now, apr_time_t interval,
                      apr_uint64_t random);

typedef struct {
    apr_uint32_t complete, incomplete, downloaded, downloaders;
} trk_scrape;

/** Reads a swarm's numbers, allocates nothing; zeros if there is none. The own seed is not counted in here. */
void trk_swarms_scrape(trk_swarms *swarms, const bt_infohash *hash, apr_time_t now, trk_scrape *numbers);

/** Forgets a swarm: its torrent was withdrawn. */
void trk_swarms_drop(trk_swarms *swarms, const bt_infohash *hash);

/**
 * Drops the expired peers (silent for 1.75 intervals) of one shard, or of several when the interval is short; call it about
 * once a second with a rising number. Takes shards' locks, one at a time and never for long.
 */
void trk_swarms_expire(trk_swarms *swarms, unsigned turn, apr_time_t now, apr_time_t interval);

typedef struct {
    apr_uint64_t swarms, seeds, leechers, announces, memory_used, memory_size;
    apr_uint64_t evictions; /* live peers that were dropped because the memory was full */
    apr_uint64_t crowded;   /* and because their address had too many in the swarm */
} trk_totals;

void trk_swarms_totals(trk_swarms *swarms, trk_totals *totals);

enum { TRK_LARGEST_LOOKS = 256 * 1024 /* swarms */ };

typedef struct {
    bt_infohash hash;
    apr_uint32_t seeds, leechers, downloaded; /* the own seed is not counted in here */
} trk_large;

/**
 * Finds the swarms with the most peers, largest first, by looking at all of them, or at TRK_LARGEST_LOOKS (and some) if
 * there are more. Takes shards' locks, one at a time and never for long.
 * @param from  the shard to begin with (any number): in a very large table another part is looked at each time
 * @return how many, at most `max`
 */
int trk_swarms_largest(trk_swarms *swarms, trk_large *large, int max, unsigned from);

/**
 * Saves the live peers, with a checksum, and loads them again if they are younger than `interval`.
 * @return what the file system says; APR_EINVAL if the file is damaged or too old (nothing was loaded)
 */
apr_status_t trk_swarms_save(trk_swarms *swarms, const char *path, apr_time_t now);
apr_status_t trk_swarms_load(trk_swarms *swarms, const char *path, apr_time_t now, apr_time_t interval);

#endif
