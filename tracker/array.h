/* An array of blocks: a tree of TRK_FANOUT-wide nodes whose leaves are the array's blocks. It grows and shrinks at the end
 * only, one block at a time; its depth follows from its length, which the caller keeps. Internal to the tracker. */
#ifndef TRK_ARRAY_H
#define TRK_ARRAY_H

#include "tracker/segment.h"

/** @param index  below `length` (blocks) */
trk_ref trk_array_get(const trk_swarms *view, trk_ref root, uint32_t length, uint32_t index);

/**
 * Adds a zeroed block of `kind` at the end. Changes nothing if it fails.
 * @return the block, or 0 if there is no room
 */
trk_ref trk_array_push(trk_swarms *view, unsigned shard, trk_ref *root, uint32_t length, trk_kind kind);

/** Gives back the last of `length` blocks, and the nodes that led to it alone. */
void trk_array_pop(trk_swarms *view, trk_ref *root, uint32_t length);

/** Levels of nodes above the blocks. */
int trk_array_depth(uint32_t length);

#endif
