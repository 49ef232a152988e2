/* What the parts of bench/drain share: its options, one connection, and what each of the protocols does with one. */
#ifndef DRAIN_H
#define DRAIN_H

#include <netinet/in.h>
#include <openssl/rc4.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DRAIN_IN_MAX = 4096, /* bytes of a connection that are looked at; an HTTP response's head fits */
    DRAIN_HANDSHAKE = 68,
    DRAIN_PIECE_HEADER = 13, /* length, id, piece, begin */
    DRAIN_PROCESSES_MAX = 64,
    DRAIN_PATIENCE_MS = 20000
};

typedef struct {
    int connections, ahead, warm_up_ms, time_ms, closing, encrypted, many_addresses;
    int pids[DRAIN_PROCESSES_MAX], pid_count;
    struct sockaddr_in address;
    char **paths; /* of HTTP, asked for in turn; NULL: peer protocol */
    size_t path_count;
    unsigned char hash[20];
    uint64_t piece_length, length;
} drain_options;

typedef struct {
    RC4_KEY to_seed, from_seed;
} drain_keys;

/* One connection; fd is -1 once the seed has closed it. */
typedef struct {
    int fd;
    int number;
    int greeted, fast, unchoked, flowing, ended; /* ended: the response that was asked for has come */
    unsigned char in[DRAIN_IN_MAX];
    size_t have;        /* bytes in `in` */
    uint64_t skip;      /* of a message or body that is being thrown away */
    int skip_counts;    /* it is the file's */
    int blind;          /* nothing is looked at any more: see drain_peer.c */
    uint64_t sighted;   /* bytes of the block that is coming, while blind */
    unsigned asked;     /* blocks asked for and not yet got */
    uint64_t next;      /* offset of the block to ask for next */
    unsigned char *shown; /* a byte for each piece: the seed has said that it has it; NULL: it has all */
    uint64_t shown_count;
    int64_t received;   /* bytes of the file */
    int64_t responses;  /* of HTTP */
    drain_keys *keys;   /* NULL: plain */
} drain_conn;

extern drain_options options;
extern int drain_flowing; /* connections that have got some of the file */
extern int drain_lost;    /* connections that the seed has closed */

__attribute__((format(printf, 1, 2), noreturn)) void drain_die(const char *format, ...);

/* --- drain_conn.c --- */

void drain_open(drain_conn *c, int number);

/** Reads what is there, up to a bound, so that others have their turn. */
void drain_readable(drain_conn *c);

/** What is sent is little and always fits, unless the seed has stopped reading. */
void drain_send(drain_conn *c, const void *bytes, size_t length);

void drain_consume(drain_conn *c, size_t count);

/** Throws away `size` bytes, some of which may be in `in` already. @param counts  they are the file's */
void drain_skip(drain_conn *c, uint64_t size, int counts);

/** Waits for events, and deals with them. */
void drain_turn(void);
void drain_watch(drain_conn *c);

/* --- drain_peer.c --- */

void drain_peer_greet(drain_conn *c);
void drain_peer_ask(drain_conn *c);

/** Deals with what is in `in`: one message. @return 0 if it is not all there */
int drain_peer_read(drain_conn *c);

/** Counts bytes that are not looked at. */
void drain_peer_count(drain_conn *c, size_t count);

/* --- drain_http.c --- */

/** @param name  a path, or @ and a file's name, which has one a line */
void drain_http_paths(char *name);

void drain_http_ask(drain_conn *c);
int drain_http_read(drain_conn *c);

/* --- drain_crypt.c --- */

/** Makes an encrypted handshake (MSE) that offers RC4 and nothing else, on a socket that blocks. @return 0 if it fails */
int drain_encrypt(drain_conn *c);

/* --- drain_count.c --- */

/** Waits until the connections get something, warms up, measures and prints. */
void drain_measure(drain_conn *conns);

#endif
