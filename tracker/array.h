/* An array of blocks: a tree of TRK_FANOUT-wide nodes whose leaves are the array's blocks. It grows and shrinks at the end
 * only, one block at a time; its depth follows from its length, which the caller keeps. Internal to the tracker. */
#ifndef TRK_ARRAY_H
#define TRK_ARRAY_H

#include "tracker/segment.h"

enum { TRK_ARRAY_BITS = 5 /* of an index, for each level */ };

/** Levels of nodes above the blocks. */
static inline int trk_array_depth(uint32_t length)
{
    return length <= 1 ? 0 : (32 - __builtin_clz(length - 1) + TRK_ARRAY_BITS - 1) / TRK_ARRAY_BITS;
}

/**
 * Where an array keeps the number of a block. Those of the following blocks follow, up to the next multiple of TRK_FANOUT.
 * @param index  below `length` (blocks)
 */
static inline const trk_ref *trk_array_at(const trk_swarms *view, const trk_ref *root, uint32_t length, uint32_t index)
{
    const trk_ref *at = root;

    for (int shift = (trk_array_depth(length) - 1) * TRK_ARRAY_BITS; shift >= 0; shift -= TRK_ARRAY_BITS)
        at = (const trk_ref *)trk_block(view, *at) + (index >> shift & (TRK_FANOUT - 1));
    return at;
}

/** @param index  below `length` (blocks) */
static inline trk_ref trk_array_get(const trk_swarms *view, trk_ref root, uint32_t length, uint32_t index)
{
    return *trk_array_at(view, &root, length, index);
}

/**
 * Adds a zeroed block of `kind` at the end. Changes nothing if it fails.
 * @return the block, or 0 if there is no room
 */
trk_ref trk_array_push(trk_swarms *view, unsigned shard, trk_ref *root, uint32_t length, trk_kind kind);

/** Gives back the last of `length` blocks, and the nodes that led to it alone. */
void trk_array_pop(trk_swarms *view, trk_ref *root, uint32_t length);

#endif
