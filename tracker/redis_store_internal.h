/* What the files of the store in redis share. One thread. */
#ifndef TRK_REDIS_STORE_INTERNAL_H
#define TRK_REDIS_STORE_INTERNAL_H

#include "tracker/redis_link.h"
#include "tracker/redis_store.h"

enum {
    TRK_STORE_PARCELS = 256,                /* taken from the outbox at once */
    TRK_STORE_OWN = 1024,                   /* seeds of this host that wait to be told */
    TRK_STORE_CHANGES = TRK_STORE_OWN + TRK_STORE_PARCELS * (1 + TRK_PARCEL_SEEDS),
    TRK_STORE_RECENT = 32768,
    TRK_STORE_READS = 256,
    TRK_KEY_MAX = 64
};

/* That a swarm was told of this host's seed, or was read. */
typedef struct {
    uint64_t what; /* keyed hash of info-hash and address, or of the info-hash alone */
    apr_time_t when;
} trk_recent;

typedef struct {
    const trk_redis_config *config;
    trk_store_counters *counters;
    trk_redis_link link;
    uint32_t limit;                             /* seconds of silence after which a peer is expired */
    trk_change changes[TRK_STORE_CHANGES];      /* to be told */
    int count;
    apr_uint64_t upto;                          /* of the outbox: done with them; 0: none of it */
    trk_parcel parcels[TRK_STORE_PARCELS];
    trk_recent recent[TRK_STORE_RECENT];        /* by `what`, modulo */
    bt_buf bulletin;
    char cursor[32];                            /* where catching up is; "": done */
    bt_infohash reads[TRK_STORE_READS];         /* swarms that are to be read */
    int read_count;
    int refused;                                /* redis refused a write, and that was said; until the link is new */
    uint64_t random;
} trk_redis_store;

/** The key of a swarm's sorted set. @return its length */
apr_size_t trk_store_key(const bt_infohash *hash, char key[TRK_KEY_MAX]);

/** @return 0 if the key is none of a swarm */
int trk_store_hash(const char *key, apr_size_t length, bt_infohash *hash);

/** Removes a key that holds something else than a swarm. */
void trk_store_remove(trk_redis_store *store, const char *key, apr_size_t length);

/** Takes in a change of another host's, if this host publishes the torrent, and has it told of this host's own seed. */
void trk_store_learn(trk_redis_store *store, const trk_change *change, uint32_t age, apr_time_t now);

/** Has a swarm read, unless it was of late: for its torrent may have been published here after all were read, or a bulletin was lost. */
void trk_store_add_read(trk_redis_store *store, const bt_infohash *hash, apr_time_t now);

/** Has an address of this host told as a seed of a swarm, unless it was of late. */
void trk_store_add_own(trk_redis_store *store, const bt_infohash *hash, const trk_address *seed, apr_time_t now);

/** Tells what is in the outbox and what else waits (redis_send.c). @return 0 if there was nothing; the link may be lost */
int trk_store_send(trk_redis_store *store, apr_time_t now);

/** Reads the swarms of trk_store_add_read (redis_catch_up.c). The link may be lost. */
void trk_store_read(trk_redis_store *store, apr_time_t now);

/** Reads the next of all swarms (redis_catch_up.c). The link may be lost. */
void trk_store_catch_up(trk_redis_store *store, apr_time_t now);

#endif
