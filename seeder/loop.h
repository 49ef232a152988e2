/* The event loop of the child that seeds: sockets, timers, mailbox. All of it runs on the seeder's thread; nothing here
 * blocks, but for reading a file that is not in the page cache. */
#ifndef SEED_LOOP_H
#define SEED_LOOP_H

#include <apr_hash.h>

#include "base/ring.h"
#include "seeder/addresses.h"
#include "seeder/choker.h"
#include "seeder/jobs.h"
#include "seeder/leaves.h"
#include "seeder/leftover.h"
#include "seeder/measure.h"
#include "seeder/peer.h"
#include "seeder/rate.h"
#include "seeder/reader.h"
#include "seeder/swarm.h"
#include "seeder/uplink.h"

enum {
    SEED_MAIL_BURST = 64,       /* messages taken from the mailbox in one turn */
    SEED_ACCEPT_BURST = 32,     /* peers taken from one listener in one turn */
    SEED_EVENTS = 256,          /* events taken in one turn */
    SEED_INPUT_SIZE = 16 * 1024 /* bytes read from one peer in one turn */
};

/* What an event of epoll is about; the first member of whatever it points to. */
typedef enum {
    SEED_WATCH_WAKE,
    SEED_WATCH_MAILBOX,
    SEED_WATCH_LISTENER,
    SEED_WATCH_READER,
    SEED_WATCH_LEAVES,
    SEED_WATCH_PEER
} seed_watch_kind;

typedef struct {
    seed_watch_kind kind;
    int fd;
} seed_watch;

/* In which ring a connection waits. */
typedef enum {
    SEED_NOWHERE,
    SEED_RUNNING, /* something is to be read */
    SEED_ASKING,
    SEED_DEAD
} seed_place;

/* One connected peer. malloc'd; freed at the end of the turn in which it is closed, since events may still name it. */
typedef struct seed_conn {
    seed_watch watch;
    seed_peer peer;
    seed_swarm *swarm; /* NULL until admitted */
    seed_address address;
    seed_place place;
    unsigned readable : 1, writable : 1, hung_up : 1; /* as far as epoll has told */
    unsigned sending : 1;                             /* it has something to send, and its socket takes it */
    unsigned fast : 1;                                /* its socket may keep much that is not sent: see transmit.c */
    unsigned thirsty : 1;                             /* its next block comes from a disk */
    unsigned settling : 1;                            /* taken over, its torrent being looked up */
    seed_content expected;                            /* what its record says of that torrent */
    apr_uint32_t spurt;                               /* bytes sent since `spurt_began`, while it is not fast */
    apr_time_t spurt_began;
    seed_read *reading;                               /* under way for it; NULL: if it is thirsty, it stands in line */
    seed_fetched fetched;                             /* what was read for it last */
    seed_share share;                                 /* in the spread of its swarm */
    APR_RING_ENTRY(seed_conn) all;
    APR_RING_ENTRY(seed_conn) here; /* in the ring of `place` */
    APR_RING_ENTRY(seed_conn) line; /* in its swarm's line, if it is sending */
    APR_RING_ENTRY(seed_conn) mates;
    APR_RING_ENTRY(seed_conn) thirst;
} seed_conn;

APR_RING_HEAD(seed_swarms_due, seed_swarm);
APR_RING_HEAD(seed_crowds, seed_swarm);

typedef struct seed_loop {
    const seed_config *config;
    const seed_limits *limits;
    apr_pool_t *pool, *scratch;
    int epoll;
    seed_watch wake, mailbox, disk, *listeners;
    int listeners_off; /* out of descriptors: not accepting until the next tick */
    apr_time_t now;    /* monotonic, microseconds, read once a turn */
    apr_time_t next_tick, next_ask;
    unsigned char own_id[PW_PEER_ID_SIZE];
    int max_peers, slots, peers;
    seed_files *files;
    seed_reader *reader;
    int reading; /* peers that wait for a disk */
    seed_rate rate;
    seed_leftover leftover; /* for peers, of the uplink */
    apr_time_t exchanges_full; /* when as many key exchanges may be made at once as ever: see rules.h */
    seed_measure measure;
    seed_uplink uplink;
    seed_addresses *addresses;
    seed_jobs *jobs;
    apr_hash_t *swarms; /* by path */
    seed_library library;
    seed_leaves *leaves; /* NULL before the first hash request */
    seed_watch leaves_watch;
    struct seed_conns all, running, asking, dead, thirsty;
    struct seed_conns batch; /* those running in this turn; their place says SEED_RUNNING */
    seed_fair fair;          /* among swarms that have something to send */
    seed_line strangers;     /* those who send and have no swarm */
    int sending;             /* how many stand in a line */
    struct seed_swarms_due due;
    struct seed_swarms_due known;  /* all, the one that was looked at last at the end */
    struct seed_swarms_due active; /* those where something happened within a tick */
    apr_uint64_t catalog_version;  /* of the catalogue, as it was when last looked at */
    unsigned to_look_up;           /* swarms of `known` that are to be looked up since it changed */
    struct seed_crowds crowds; /* swarms that have a spread */
    unsigned char *input;       /* SEED_INPUT_SIZE */
    unsigned char *output;      /* SEED_BATCH_SIZE */
    unsigned char *mail_buffer; /* SEED_MAIL_MAX */
} seed_loop;

/* --- loop.c --- */

/** @param wake  becomes readable when the seeder is to leave */
apr_status_t seed_loop_open(seed_loop **loop, const seed_config *config, const seed_limits *limits, int wake,
                            apr_pool_t *pool);

/** Serves. @param stay  asked before each turn: 0: leave now; -1: stay; else ask again in so many milliseconds at the latest */
void seed_loop_run(seed_loop *loop, int (*stay)(void *baton), void *baton);

/** Closes whatever peers are left, and all that is open. */
void seed_loop_close(seed_loop *loop);

/* --- conn.c: one connection --- */

/** Takes over a connected socket; it is closed here if a rule says so. @return NULL then */
seed_conn *seed_conn_take(seed_loop *loop, int fd, int is_new);
void seed_conn_close(seed_loop *loop, seed_conn *conn, seed_close_reason reason);

/** The same without counting a reason: somebody else goes on with it. */
void seed_conn_release(seed_loop *loop, seed_conn *conn);

/** Hands what came to the peer's state machine, and does what that says. @return 0 if it was closed */
int seed_conn_input(seed_loop *loop, seed_conn *conn, const unsigned char *bytes, apr_size_t length);

/** Goes on with input that is kept. @return 0 if it was closed */
int seed_conn_resume(seed_loop *loop, seed_conn *conn);

/** Reads once, and puts it where it belongs. */
void seed_conn_run(seed_loop *loop, seed_conn *conn);

/** Puts it into the rings where it belongs. */
void seed_conn_park(seed_loop *loop, seed_conn *conn);
void seed_conn_place(seed_loop *loop, seed_conn *conn, seed_place place);

/** Lets it stand in its swarm's line, or not. */
void seed_conn_line_up(seed_loop *loop, seed_conn *conn, int sending);
void seed_conn_bury(seed_loop *loop);

/* --- transmit.c: what is sent --- */

/** Sends, at most a quantum to each of as many as wait, in fair order and as far as the rate allows. */
void seed_transmit(seed_loop *loop);

/** Bounds what a socket keeps that is not sent, or no more. */
void seed_bound_unsent(int socket, int bounded);

/** Lets those go on whose blocks have been read. */
void seed_take_read(seed_loop *loop);

/** It does not wait for a disk any more. */
void seed_forget_read(seed_loop *loop, seed_conn *conn);

/* --- admit.c: which torrent a peer gets --- */

/** Looks up the info-hash of a handshake and answers it, closes, or lets it wait. @return 0 if it was closed */
int seed_admit(seed_loop *loop, seed_conn *conn);

/** Gives a peer that was taken over its torrent again, closes it, or lets it wait. @return 0 if it was closed */
int seed_settle(seed_loop *loop, seed_conn *conn);

/** Finds or opens the swarm of an info-hash. @return APR_SUCCESS; APR_EAGAIN: ask again; APR_EBUSY: its file changed;
 *  APR_NOTFOUND */
apr_status_t seed_find_swarm(seed_loop *loop, const bt_infohash *hash, seed_swarm **swarm);
void seed_join_swarm(seed_loop *loop, seed_conn *conn, seed_swarm *swarm);
void seed_leave_swarm(seed_loop *loop, seed_conn *conn);
void seed_swarm_make_due(seed_loop *loop, seed_swarm *swarm);

/** Something happens in a swarm: it is looked after at each tick for now. */
void seed_swarm_note_use(seed_loop *loop, seed_swarm *swarm);
void seed_swarm_note_rest(seed_swarm *swarm);

/** Closes every peer of a swarm, which is gone afterwards. */
void seed_dissolve(seed_loop *loop, seed_swarm *swarm, seed_close_reason reason);

/** Is the file as it was? If not, withdraws it and dissolves the swarm. @return 0 then */
int seed_check_fresh(seed_loop *loop, seed_swarm *swarm);

/** The same without regard to when it was last checked, at what is open. */
int seed_check_fresh_now(seed_loop *loop, seed_swarm *swarm);

/** The same for the tick: looks at some of several files as well. */
int seed_check_fresh_by_turns(seed_loop *loop, seed_swarm *swarm);

/* --- timers.c --- */
void seed_tick(seed_loop *loop);

/** Goes on with the round through all swarms that follows a change of the catalogue, by a part at a time. */
void seed_look_up_some(seed_loop *loop);
void seed_ask_again(seed_loop *loop);

/* --- turns.c: who is served --- */
void seed_choke_due(seed_loop *loop);

/* --- crowd.c: who is shown which piece (spread.h) --- */

/** How a peer that has just joined this swarm begins. */
seed_show seed_crowd_first(seed_loop *loop, seed_swarm *swarm);

/** It was admitted; or taken over, with what it was shown. */
void seed_crowd_join(seed_loop *loop, seed_conn *conn);
void seed_crowd_resume(seed_loop *loop, seed_conn *conn);
void seed_crowd_leave(seed_conn *conn);

/** Could it be shown more? Then it may be unchoked, even if it knows of nothing yet that it wants. */
int seed_crowd_is_hungry(const seed_conn *conn);

/** May it be served now, as far as the crowd is concerned? */
int seed_crowd_may_serve(const seed_loop *loop, const seed_conn *conn);

/** Shows it what it is to be shown now. The caller parks it. */
void seed_crowd_feed(seed_loop *loop, seed_conn *conn);

/** It was choked. If it wants nothing of what it was shown, it is shown everything. The caller parks it. */
void seed_crowd_choked(seed_conn *conn);

/** It was sent bytes of blocks. The caller parks it. */
void seed_crowd_sent(seed_loop *loop, seed_conn *conn, apr_size_t payload);

/** Once a second. */
void seed_crowds_tick(seed_loop *loop);

/* --- leave.c --- */

/**
 * Hands peers to the next seeder until the mailbox is full.
 * @return how many are left
 */
int seed_hand_over(seed_loop *loop);

/** The same, waiting for room until the time is up; what is left is then closed. */
void seed_hand_over_rest(seed_loop *loop);

/** Takes up a peer that another seeder has left. */
void seed_take_live(seed_loop *loop, int fd, const unsigned char *record, apr_size_t length);

#endif
