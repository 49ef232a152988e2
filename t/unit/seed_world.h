/* A world for a seeder: a directory, a catalogue, a mailbox, a page of counters, a listening socket, and little peers.
 * Used by one thread; whatever fails ends the test. */
#ifndef SEED_WORLD_H
#define SEED_WORLD_H

#include "seeder/internal.h"
#include "seeder/wire.h"

enum { WORLD_PIECE = 65536 };

typedef struct {
    apr_pool_t *pool;
    char directory[64];
    seed_limits limits;
    seed_config config;
    int listener;
    int port;
    apr_status_t permit; /* what permit() answers; atomic */
    int asked, elected;  /* calls; atomic */
} world;

/** Makes one with a catalogue and everything that a seeder needs, but starts none. */
world *world_make(void);
void world_free(world *w);

seed_seeder *world_start(world *w);
void world_stop(seed_seeder *seeder, int graceful);

/** Waits until a counter has reached a value; fails after ten seconds. */
void world_wait(const apr_uint64_t *counter, apr_uint64_t value);

/** Waits until a gauge, which goes up and down, shows a value. */
void world_wait_for(const apr_uint64_t *gauge, apr_uint64_t value);

/** The byte of every test file at an offset. */
unsigned char world_byte(apr_uint64_t offset);

/** Writes a file of `size` bytes and publishes it. @return its path */
const char *world_file(world *w, const char *name, apr_uint64_t size, tg_version version, bt_infohash *v1,
                       bt_infohash *v2);

/**
 * Writes `count` files of `size` bytes, a multiple of a piece, to a directory and publishes them as one collection, of
 * the same bytes as one file. @return the collection's path; its files are "00000", "00001", ...
 */
const char *world_collection(world *w, const char *name, apr_size_t count, apr_uint64_t size, bt_infohash *v1,
                             bt_infohash *v2);

/** Connects to the listener; reads fail after ten seconds. @param buffer  bytes of receive buffer, 0: as usual */
int world_connect(const world *w, int buffer);

/** Sends all bytes of a buffer and empties it. */
void world_send(int peer, bt_buf *bytes);

/** Reads exactly so many bytes. @return 0 at the end of the connection */
int world_read(int peer, void *bytes, size_t length);

/** Is the connection ended by the other side? What is still to be read is passed over. */
void world_expect_closed(int peer);

/** Shakes hands, and reads the answer and the first message, which must fit `pieces`. */
void world_shake(int peer, const bt_infohash *hash, unsigned reserved7, apr_uint32_t pieces);

/** Interested, and waits to be unchoked. */
void world_get_unchoked(int peer);

/** Asks for a block. */
void world_ask(int peer, apr_uint32_t piece, apr_uint32_t begin, apr_uint32_t length);

/** Reads one piece message and compares it with the file. @return its length */
apr_uint32_t world_take_block(int peer, apr_uint32_t piece, apr_uint32_t begin);

/** Downloads the whole file in blocks of 16 KiB, several in flight, and compares it. */
void world_download(int peer, apr_uint64_t size);

#endif
