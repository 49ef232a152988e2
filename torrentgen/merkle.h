/* The hash trees of BEP 52: leaves are the SHA-256 of 16 KiB blocks, a parent is the SHA-256 of its two children, and
 * what is missing to a power of two is leaves of 32 zero bytes. Pure. */
#ifndef TG_MERKLE_H
#define TG_MERKLE_H

#include "torrentgen/engine.h"

/** Computes the root of 2^levels missing leaves: what stands for a piece past the end of the file. */
apr_status_t tg_merkle_padding(const tg_engine *engine, tg_hasher *hasher, int levels, unsigned char *root);

/**
 * Computes the root of a tree that is 2^levels wide at its base.
 * @param nodes  `count` (1 to 2^levels) of 32 bytes; used as working memory and overwritten
 * @param padding  what each missing node of the base is, 32 bytes
 */
apr_status_t tg_merkle_root(const tg_engine *engine, tg_hasher *hasher, unsigned char *nodes, apr_size_t count,
                            int levels, const unsigned char *padding, unsigned char *root);

/** Levels above a base of `count` (at least 1) nodes filled up to a power of two: 0 for 1, 1 for 2, 2 for 3 and 4. */
int tg_merkle_levels(apr_uint64_t count);

/**
 * Computes a file's "pieces root" from its piece layer.
 * @param layer  32 bytes a piece; left as it is
 * @return as the engine, or APR_ENOMEM
 */
apr_status_t tg_merkle_file_root(const tg_engine *engine, tg_hasher *hasher, const unsigned char *layer,
                                 apr_size_t pieces, apr_uint32_t piece_length, unsigned char *root);

#endif
