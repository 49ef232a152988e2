#include "tracker/array.h"

enum { BITS = TRK_ARRAY_BITS };
_Static_assert(1 << BITS == TRK_FANOUT, "a level is BITS bits of an index");
_Static_assert((32 + BITS - 1) / BITS + 1 <= TRK_CHUNK, "one step of growth is one call of trk_take");

static trk_ref *children(const trk_swarms *view, trk_ref node)
{
    return trk_block(view, node);
}

/* Which child of a node at `level` (1: its children are leaves) leads to the leaf. */
static uint32_t branch(uint32_t index, int level)
{
    return index >> (BITS * (level - 1)) & (TRK_FANOUT - 1);
}

/* Nodes that must be made on the way to leaf `index` in a tree of that depth: those whose first leaf it is. */
static int new_nodes(uint32_t index, int depth)
{
    int count = 0;

    while (count < depth && branch(index, count + 1) == 0)
        count++;
    return count;
}

trk_ref trk_array_push(trk_swarms *view, unsigned shard, trk_ref *root, uint32_t length, trk_kind kind)
{
    int before = trk_array_depth(length), depth = trk_array_depth(length + 1), level;
    int top = length > 0 && depth > before;      /* a new root above the old one */
    int below = new_nodes(length, top ? before : depth); /* then nodes on the way down */
    trk_kind kinds[TRK_CHUNK];
    trk_ref refs[TRK_CHUNK], at;
    int used = 0;

    for (int i = 0; i < top + below; i++)
        kinds[i] = TRK_NODE;
    kinds[top + below] = kind;
    if (trk_take(view, shard, kinds, refs, top + below + 1) != APR_SUCCESS)
        return 0;
    if (length == 0) {
        *root = refs[0];
        return refs[0];
    }
    if (top) {
        children(view, refs[0])[0] = *root;
        *root = refs[used++];
    }
    for (level = depth, at = *root; level > 0; level--) {
        trk_ref *child = &children(view, at)[branch(length, level)];

        if (*child == 0)
            *child = refs[used++];
        at = *child;
    }
    return at;
}

void trk_array_pop(trk_swarms *view, trk_ref *root, uint32_t length)
{
    uint32_t last = length - 1;
    trk_ref at = *root, path[TRK_CHUNK];
    int depth = trk_array_depth(length);

    for (int level = depth; level > 0; level--) {
        path[level] = at;
        at = children(view, at)[branch(last, level)];
    }
    trk_give(view, at);
    for (int level = 1; level <= depth; level++) {
        children(view, path[level])[branch(last, level)] = 0;
        if (branch(last, level) != 0)
            break;
        trk_give(view, path[level]);
    }
    if (last == 0) {
        *root = 0;
    } else if (trk_array_depth(last) < depth) { /* one child is left, and takes its place */
        at = *root;
        *root = children(view, at)[0];
        trk_give(view, at);
    }
}
