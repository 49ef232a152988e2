/* Hash requests (BEP 52): which nodes of a file's hash tree answer one, and the answer itself. A tree stands on the hashes
 * of 16 KiB blocks (level 0); the piece layer is level log2(piece length / 16 KiB), the pieces root the top. What stands past
 * the end of the file is leaves of zeros. Pure. */
#ifndef SEED_HASHES_H
#define SEED_HASHES_H

#include "base/buf.h"
#include "seeder/wire.h"
#include "torrentgen/engine.h"

enum {
    SEED_HASHES_MAX = 8192,     /* nodes of one answer, uncles not counted: libtorrent asks for no more */
    SEED_HASHES_LEAVES = 1024,  /* blocks that are read for one answer: 16 MiB, the largest piece */
    SEED_HASHES_LEVELS = 64,
    SEED_HASHES_CROWN = 6       /* levels between the piece layer and the crown */
};

/* As it stands on the wire. */
typedef struct {
    unsigned char root[BT_HASH_V2_SIZE]; /* of which file */
    apr_uint32_t base;   /* level of the nodes wanted */
    apr_uint32_t index;  /* of the first, on that level */
    apr_uint32_t length; /* how many */
    apr_uint32_t proofs; /* levels above the base whose uncles are wanted too */
} seed_hash_request;

/* One file. Points to what outlives it. */
typedef struct {
    const unsigned char *root; /* pieces root, 32 bytes */
    apr_int64_t length;        /* bytes, at least 1 */
    apr_uint32_t piece_length; /* bytes, a power of two from 16 KiB */
    const unsigned char *layer; /* 32 bytes a piece; NULL if the file is no larger than a piece */
} seed_hash_tree;

/* What an answer takes. */
typedef struct {
    apr_uint32_t first_uncle, uncles; /* level of the lowest, and how many, one a level */
    apr_uint64_t first_leaf;          /* of the blocks whose hashes it takes: whole pieces */
    apr_uint32_t leaves;              /* how many the file has of them; 0: it takes none */
    int crown;                        /* it takes the crown */
    apr_uint32_t computed;            /* hashes that are computed for its nodes, at most; uncles take few */
} seed_hash_plan;

/* Computes nodes. Used by one thread at a time. */
typedef struct {
    tg_hasher *hasher;
    unsigned char padding[SEED_HASHES_LEVELS][BT_HASH_V2_SIZE]; /* of each level: the root of leaves of zeros */
} seed_nodes;

/** @return APR_ENOMEM, or as the engine. Ends with seed_nodes_free in either case */
apr_status_t seed_nodes_init(seed_nodes *nodes);
void seed_nodes_free(seed_nodes *nodes);

/** @param body  PW_HASH_REQUEST_BODY bytes */
void seed_hash_request_read(const unsigned char *body, seed_hash_request *request);

/** Blocks, and levels above them up to the root. */
apr_uint64_t seed_hash_blocks(const seed_hash_tree *tree);
apr_uint32_t seed_hash_levels(const seed_hash_tree *tree);

/**
 * Can it be answered, and from what?
 * @return 0: it is to be rejected: off the tree, not a power of two, not a multiple of it, or too dear
 */
int seed_hashes_plan(const seed_hash_tree *tree, const seed_hash_request *request, seed_hash_plan *plan);

/**
 * Writes the answer.
 * @param leaves  32 bytes for each of the plan's blocks; NULL if it takes none
 * @param crown   see seed_crown_make; NULL if it takes none
 * @return out->status, or as the engine; then nothing was added
 */
apr_status_t seed_hashes_write(bt_buf *out, seed_nodes *nodes, const seed_hash_tree *tree, const unsigned char *body,
                               const seed_hash_plan *plan, const unsigned char *leaves, const unsigned char *crown);

/** Do these blocks' hashes give the piece layer (of a small file the root)? @param leaves  as of seed_hashes_write */
apr_status_t seed_leaves_check(seed_nodes *nodes, const seed_hash_tree *tree, const seed_hash_plan *plan,
                               const unsigned char *leaves, int *right);

/** The crown of a tree is its nodes from SEED_HASHES_CROWN levels above the piece layer up to the root, level by level,
 *  without those that are padding: so that no answer takes the whole layer. @return bytes, 0 if it has none */
apr_size_t seed_crown_size(const seed_hash_tree *tree);

/** @param crown  seed_crown_size bytes */
apr_status_t seed_crown_make(seed_nodes *nodes, const seed_hash_tree *tree, unsigned char *crown);

#endif
