/* The shared segment: where things lie in it, its locks, and its memory manager. Internal to the tracker.
 *
 *     +--------+-----------------+----------------------+-----------------------------------------------+
 *     | header | TRK_SHARDS × 128| tag: 2 bytes a block | blocks of 128 bytes, numbered from 1          |
 *     +--------+-----------------+----------------------+-----------------------------------------------+
 *
 * A block belongs to nobody (its tag is 0, and it is on the free list or was never used) or to one shard, which then
 * reaches it exactly once; its tag names that shard and what the block is for. Because the tags tell all that the locks'
 * owners were doing, whatever a killed process left half done can be put right from them.
 *
 * Locks: a shard's is taken first, the memory manager's last. Whoever holds one shard only ever tries another. */
#ifndef TRK_SEGMENT_H
#define TRK_SEGMENT_H

#include <pthread.h>
#include <stdint.h>

#include "tracker/swarms.h"

enum {
    TRK_LAYOUT_VERSION = 3,
    TRK_BLOCK_SIZE = 128,
    TRK_SHARDS = 128,
    TRK_FANOUT = TRK_BLOCK_SIZE / 4, /* block numbers in a block */
    TRK_CHUNK = 8                    /* most blocks that one step of growth takes */
};

typedef uint32_t trk_ref; /* the number of a block; 0: none */

/* What a block is for. */
typedef enum {
    TRK_FREE,
    TRK_SWARM, /* trk_swarm */
    TRK_NODE,  /* inner node of an array of blocks: block numbers */
    TRK_HEADS, /* heads of hash chains */
    TRK_PEERS  /* trk_peers4 or trk_peers6 */
} trk_kind;

/* The head of the hash table that is kept in an array of blocks (heads.h). */
typedef struct {
    uint32_t count; /* heads in use */
    trk_ref root;
} trk_heads;

/* One shard. Guarded by its lock, counters and all. */
typedef struct {
    pthread_mutex_t lock;
    uint32_t dirty; /* its blocks are being changed */
    trk_heads index;
    uint32_t swarms, seeds, leechers;
    uint64_t evictions, announces, crowded;
} __attribute__((aligned(TRK_BLOCK_SIZE))) trk_shard;

typedef struct {
    char magic[8];
    uint32_t layout;
    uint32_t block_count; /* numbered 1 to block_count */
    uint64_t size;        /* of the whole segment, bytes */
    unsigned char key[16];
    pthread_mutex_t lock; /* guards what follows, the tags and the links of free blocks */
    trk_ref free_head;    /* a free block holds the number of the next */
    uint32_t free_count;  /* on the list */
    uint32_t fresh;       /* blocks from this number on were never used, and lie untouched */
} __attribute__((aligned(TRK_BLOCK_SIZE))) trk_header;

/* This process's view. */
struct trk_swarms {
    trk_header *header;
    trk_shard *shards;
    uint16_t *tags;        /* by block number */
    unsigned char *blocks; /* of block 0, which does not exist */
    uint32_t block_count;
    trk_outbox *outbox; /* NULL: the swarms are this host's alone */
};

static inline void *trk_block(const trk_swarms *view, trk_ref ref)
{
    return view->blocks + (size_t)ref * TRK_BLOCK_SIZE;
}

/* Tags are read by other shards' owners without a lock, when they look for something to replace. */
static inline unsigned trk_tag(const trk_swarms *view, trk_ref ref)
{
    return __atomic_load_n(&view->tags[ref], __ATOMIC_RELAXED);
}

static inline unsigned trk_make_tag(unsigned shard, trk_kind kind)
{
    return (shard + 1) << 8 | (unsigned)kind;
}

static inline int trk_tag_shard(unsigned tag)
{
    return (int)(tag >> 8) - 1;
}

static inline trk_kind trk_tag_kind(unsigned tag)
{
    return (trk_kind)(tag & 0xff);
}

/** Is it a block, and for this purpose, and this shard's? */
int trk_owns(const trk_swarms *view, unsigned shard, trk_ref ref, trk_kind kind);

/**
 * Takes `count` (1..TRK_CHUNK) zeroed blocks, all or none. Under the shard's lock.
 * @return APR_SUCCESS, APR_ENOSPC
 */
apr_status_t trk_take(trk_swarms *view, unsigned shard, const trk_kind *kinds, trk_ref *refs, int count);

/** Gives a block back. Under the shard's lock. */
void trk_give(trk_swarms *view, trk_ref ref);

/** Gives back every block of a shard, whatever it is. Under the shard's lock. */
void trk_give_all(trk_swarms *view, unsigned shard);

/** Takes the memory manager's lock; if its owner died, the free list is made again from the tags. For trk_check too. */
apr_status_t trk_memory_lock(trk_swarms *view);
void trk_memory_unlock(trk_swarms *view);

/** A lock that other processes see, and that survives its owner. */
apr_status_t trk_mutex_init(pthread_mutex_t *lock);

/** Keyed hash of bytes that others choose. */
uint64_t trk_hash(const trk_swarms *view, const void *bytes, size_t length);

#endif
