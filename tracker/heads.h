/* A hash table that grows and shrinks by one chain at a time (linear hashing), so that no announce ever waits for a whole
 * table to be made anew. The heads of the chains lie in an array of blocks; items are numbers other than 0, and their links
 * lie with them. Internal to the tracker. */
#ifndef TRK_HEADS_H
#define TRK_HEADS_H

#include "tracker/array.h"

typedef struct trk_chains trk_chains;

/* What it needs to know of the items. */
struct trk_chains {
    trk_swarms *view;
    unsigned shard;
    trk_heads *heads;
    const void *of; /* whose items they are */
    uint32_t (*hash)(const trk_chains *chains, uint32_t item);
    uint32_t (*next)(const trk_chains *chains, uint32_t item);
    void (*set_next)(const trk_chains *chains, uint32_t item, uint32_t next);
};

/** Which of `count` (1 or more) chains is this hash's? */
uint32_t trk_chain_of(uint32_t hash, uint32_t count);

/** The first item of a chain, or 0. */
uint32_t trk_head(const trk_swarms *view, const trk_heads *heads, uint32_t chain);

/** Adds a chain. @return 0 if there is no room for it: the chains there are get longer, which is no error */
int trk_heads_grow(const trk_chains *chains);

/** Merges the last chain into another. With the last of all, the items are chained no longer. */
void trk_heads_shrink(const trk_chains *chains);

/** Adds an item that is in no chain. There must be a chain. */
void trk_chain_add(const trk_chains *chains, uint32_t item);

/** Puts `with` in the place of `item`; 0: takes it out. `with` takes over the link of `item`. */
void trk_chain_replace(const trk_chains *chains, uint32_t hash, uint32_t item, uint32_t with);

#endif
