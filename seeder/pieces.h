/* Which pieces a peer has. Pure; the number of pieces of the torrent is the caller's to know. */
#ifndef SEED_PIECES_H
#define SEED_PIECES_H

#include <apr_general.h>

/* All zero: it has none. Owned by one thread. */
typedef struct {
    unsigned char *bits; /* malloc'd, a bitfield as on the wire; NULL while it has none or all */
    apr_uint32_t count;  /* how many it has */
    int unknown;         /* taken over without its bitfield: they are not counted */
} seed_pieces;

typedef enum {
    SEED_PIECES_SAME, /* nothing new */
    SEED_PIECES_CHANGED,
    SEED_PIECES_NO_MEMORY
} seed_pieces_change;

/** Bytes of a bitfield of so many pieces. */
apr_uint32_t seed_bitfield_size(apr_uint32_t total);

void seed_pieces_free(seed_pieces *pieces);

/** @param piece  below `total` */
int seed_pieces_has(const seed_pieces *pieces, apr_uint32_t total, apr_uint32_t piece);

/** Adds one piece, or takes one away. @param piece  below `total` */
seed_pieces_change seed_pieces_set(seed_pieces *pieces, apr_uint32_t total, apr_uint32_t piece);
seed_pieces_change seed_pieces_clear(seed_pieces *pieces, apr_uint32_t total, apr_uint32_t piece);

/** Adds those of a bitfield, whose spare bits are zero; then they are known. */
seed_pieces_change seed_pieces_merge(seed_pieces *pieces, apr_uint32_t total, const unsigned char *bits);

/** It has every piece. */
void seed_pieces_all(seed_pieces *pieces, apr_uint32_t total);

#endif
