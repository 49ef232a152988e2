/* The seeder: one thread in one child of the server feeds all peers of all swarms.
 *
 * Every child starts one; they compete for a lock (an open-file-description lock on STATEDIR/seeder.lock) that the
 * kernel frees when its holder dies. The holder reads the mailbox, serves peers and runs the hashing queue. */
#ifndef SEED_SEEDER_H
#define SEED_SEEDER_H

#include <apr_pools.h>

#include "catalog/catalog.h"
#include "seeder/counters.h"
#include "seeder/mailbox.h"
#include "torrentgen/queue.h"

typedef struct seed_seeder seed_seeder;

/* Message stream encryption of peers. */
typedef enum {
    SEED_ENCRYPTION_ALLOW,   /* whatever the peer begins with; a plain stream is preferred */
    SEED_ENCRYPTION_REQUIRE, /* none but encrypted streams */
    SEED_ENCRYPTION_OFF      /* none but plain peers */
} seed_encryption;

/* Read-only while the seeder lives; the caller keeps what it points to. */
typedef struct {
    const char *state_dir;
    const seed_mailbox *mailbox;
    seed_counters *counters;
    cat_catalog *catalog;
    const int *listeners; /* listening sockets of BTHTTPPeerPorts' own ports, non-blocking */
    int listener_count;
    int max_peers, max_peers_per_ip;
    apr_int64_t upload_rate; /* bytes a second, all peers together; 0: unlimited */
    apr_int64_t uplink;      /* bytes a second of the machine, of which HTTP takes what it needs first; 0: not stated */
    int hide_private;        /* peers at private and loopback addresses are named to nobody */
    int upload_slots;        /* peers served at once in one swarm; 0: auto */
    int hash_threads;        /* at least 1 */
    seed_encryption encryption;
    apr_uint64_t generation; /* of the configuration: what counters->generation was when it was read */

    /* May this entry be seeded now? Called at a handshake and about once a second for each entry with peers, on the
     * seeder's thread; must not block. APR_SUCCESS; APR_EAGAIN: being tested, ask again soon (the peer waits);
     * anything else: no. */
    apr_status_t (*permit)(void *baton, const cat_entry *entry);
    /* This child has become the seeder: on its thread, once. May be NULL. */
    void (*elected)(void *baton);
    /* What came of a seed_make that this child took, once it is in the catalogue or given up: APR_EINTR if the seeder leaves
     * first, APR_EAGAIN if there was no room, APR_ENOSPC if it was made but the catalogue cannot grow, else as tg_done_fn. On the seeder's thread or a hashing worker's; must not
     * block. May be NULL. */
    void (*made)(void *baton, const char *path, apr_status_t status);
    /* Lists the files of a collection, of which `make` says where it was asked for: see tg_list_fn. On a hashing worker's
     * thread. NULL: there are no collections. */
    apr_status_t (*list)(void *baton, const seed_make *make, apr_pool_t *pool, const tg_source_file **files,
                         apr_size_t *count);
    void *baton;
} seed_config;

/** Starts the thread. Child, after the fork. @param pool  outlives the seeder; freed after seed_join */
apr_status_t seed_start(seed_seeder **seeder, const seed_config *config, apr_pool_t *pool);

/**
 * Asks it to leave. Only sets a flag and writes a byte: may be called in a signal handler, and more than once.
 * @param graceful  hand live peers to the next seeder through the mailbox; else close them
 */
void seed_leave(seed_seeder *seeder, int graceful);

/**
 * Asks it to make room: it goes on until somebody waits for its place, for a short while at the most, then leaves
 * gracefully. By itself it does the same when counters->generation shows that its configuration is outdated. For calling
 * as seed_leave, which may follow.
 */
void seed_retire(seed_seeder *seeder);

/** Waits until the thread has ended, after seed_leave. Hashing stops between two chunks. */
void seed_join(seed_seeder *seeder);

/** Monotonic microseconds: the time in which the seeder reckons. Any thread. */
apr_time_t seed_now(void);

#endif
