/* How a peer begins: in plain, or with the handshake of message stream encryption. Before either is over, all that comes
 * goes through here. */
#ifndef SEED_OPENING_H
#define SEED_OPENING_H

#include "seeder/loop.h"

typedef enum {
    SEED_BEGINS_OPEN,     /* too little has come to tell */
    SEED_BEGINS_PLAIN,    /* the BitTorrent protocol */
    SEED_BEGINS_GARBAGE,  /* text, TLS, or half of "BitTorrent protocol" */
    SEED_BEGINS_ENCRYPTED /* anything else: an encrypted handshake looks like random bytes */
} seed_begins;

/** Pure. @param bytes  all that has come */
seed_begins seed_how_begins(const unsigned char *bytes, apr_size_t length);

/** Has the peer not settled yet how it speaks? */
int seed_opening_lasts(const seed_peer *peer);

/** The most bytes that are worth reading while it lasts. */
apr_size_t seed_opening_room(const seed_peer *peer);

/** Is a key exchange put off, for there were enough lately? The connection is then parked with those who ask. */
int seed_opening_waits(const seed_peer *peer);

/** Takes what came; none: goes on with what was kept. @return 0 if the connection was closed */
int seed_opening_input(seed_loop *loop, seed_conn *conn, const unsigned char *bytes, apr_size_t length);

/** Decrypts in place what came after it. */
void seed_opening_decrypt(seed_peer *peer, unsigned char *bytes, apr_size_t length);

#endif
