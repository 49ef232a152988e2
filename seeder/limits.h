/* Time-outs and bounds of the seeder, in one place so that tests can shorten them. */
#ifndef SEED_LIMITS_H
#define SEED_LIMITS_H

#include <apr_time.h>

#include "seeder/bans.h"
#include "seeder/disk.h"
#include "seeder/rules.h"

/* Read-only while a seeder uses it. Times in microseconds. */
typedef struct {
    apr_interval_time_t handshake;  /* from connection to the last byte of the handshake, permit() included */
    apr_interval_time_t idle;       /* without a message, and without taking bytes of a block */
    apr_interval_time_t keep_alive; /* of our own silence, then four zero bytes are sent */
    apr_interval_time_t stalled;    /* how long a peer that bytes wait for may take none of them */
    apr_size_t stalled_least;       /* bytes that it must take in that time */
    apr_interval_time_t seed_grace; /* a peer that has everything may stay so long */
    apr_interval_time_t pex_first;  /* from its handshake of extensions until a peer is told of others, who may come meanwhile */
    apr_interval_time_t pex;        /* between two such messages */
    apr_interval_time_t turn;       /* shortest time that a peer is served while others wait */
    apr_interval_time_t freshness;  /* how long a look at a file's stamp counts */
    apr_interval_time_t file_idle;  /* a file stays open without use */
    apr_interval_time_t fetched;    /* what was read from a disk for a peer counts as being in the page cache */
    apr_interval_time_t tick;       /* between two sweeps over all peers */
    apr_interval_time_t ask;        /* until permit() is asked again */
    apr_interval_time_t handover;   /* for the next seeder to take up what did not fit into the mailbox */
    apr_interval_time_t lock;       /* between two tries for the lock */
    apr_interval_time_t heir;       /* the same while the seeder is about to go, and between its looks for an heir */
    apr_interval_time_t siblings;   /* after which a seeder that retires takes who is left of its generation for an heir */
    apr_interval_time_t retire;     /* and goes without one; its peers then wait in the mailbox */
    apr_size_t quantum;             /* bytes to one peer in one turn of the loop */
    apr_uint32_t requests;          /* of one peer that wait */
    seed_rule_bound rules[SEED_RULE_COUNT];
    seed_rule_bound key_exchanges;  /* of all encrypted handshakes together; beyond, they wait */
    seed_ban_bound ban;
    int crowd;                      /* peers from which on a torrent's are a crowd: see spread.h */
    int swarm_share;                /* a torrent may have so many times as many peers as places are free */
    const seed_disk *disk;          /* how files are read */
} seed_limits;

extern const seed_limits seed_limits_default;

#endif
