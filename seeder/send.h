/* The send path, behind one function: control bytes, then blocks. Several that wait are read into a buffer by one preadv(2)
 * and sent by one send(2), or, of a file that is sent again and again, by one sendmsg(2) from its mapping; a single one goes
 * as a 13-byte header and sendfile(2) from the page cache. */
#ifndef SEED_SEND_H
#define SEED_SEND_H

#include "seeder/batch.h"

typedef enum {
    SEED_SEND_DONE,    /* nothing is left to send */
    SEED_SEND_MORE,    /* the quantum is used up */
    SEED_SEND_BLOCKED, /* the socket takes no more for now */
    SEED_SEND_GONE,    /* the connection broke */
    SEED_SEND_COLD,    /* what follows must be read from a disk first: see `cold` */
    SEED_SEND_FILE     /* a file is another one than it was, or cannot be read */
} seed_send_result;

typedef struct {
    apr_size_t bytes;   /* all that was sent */
    apr_size_t payload; /* of these, bytes of the file */
    unsigned blocks;    /* that were finished */
    apr_int64_t cold;   /* where in the torrent the bytes are that must be read */
} seed_sent;

enum { SEED_FETCH_MAX = 1024 * 1024 }; /* bytes that are read at once for one peer */

/**
 * Sends what a peer waits for.
 * @param source   NULL before the peer is admitted
 * @param fetched  see seed_source_read
 * @param buffer   SEED_BATCH_SIZE bytes, of no meaning between calls
 * @param quantum  bytes, at least 1; a turn of the loop gives one peer no more
 */
seed_send_result seed_send(seed_peer *peer, int socket, seed_source *source, const seed_fetched *fetched,
                           unsigned char *buffer, apr_size_t quantum, apr_time_t now, seed_sent *sent);

/**
 * How much is worth reading for a peer from a cold place on: what it waits for, as far as that follows each other.
 * @return bytes, at least 1 and at most SEED_FETCH_MAX
 */
apr_size_t seed_send_wants(const seed_peer *peer, apr_int64_t cold);

/** How many bytes the other side has acknowledged since it connected; 0 where the kernel does not say. */
apr_uint64_t seed_taken(int socket);

#endif
