/* What answers to hash requests take beyond the piece layer: hashes of blocks, which cost reading a piece, and crowns of large
 * trees. Made by a thread of its own, which lives while there is work, and kept for a while. They are known by the pieces root
 * that they belong to, so that they can never be those of another version of a file. */
#ifndef SEED_LEAVES_H
#define SEED_LEAVES_H

#include <apr_time.h>

#include "base/stamp.h"
#include "seeder/hashes.h"

enum {
    SEED_LEAVES_KEPT = 16 * 1024 * 1024, /* bytes of hashes of all files */
    SEED_LEAVES_COPIED = 64 * 1024 * 1024, /* bytes of piece layers that crowns are made from: one of 2^21 pieces */
    SEED_LEAVES_OF_ONE = 64,             /* results of one file */
    SEED_LEAVES_RESULTS = 1024,          /* of all files: each is found by looking at all */
    SEED_LEAVES_WAITING = 64,            /* that wait to be made */
    SEED_LEAVES_SECONDS = 60,            /* kept so long after their last use */
    SEED_LEAVES_FAILED_SECONDS = 5       /* a failure is remembered so long */
};

/* Owned by the seeder's thread, as all calls are. */
typedef struct seed_leaves seed_leaves;

/** @return as eventfd(2), or APR_ENOMEM */
apr_status_t seed_leaves_open(seed_leaves **store);

/** Waits for what is being made, which is given up as soon as possible. NULL is fine. */
void seed_leaves_close(seed_leaves *store);

/** Becomes readable when something has been made, or has failed. */
int seed_leaves_event(const seed_leaves *store);

/** Makes it unreadable again. */
void seed_leaves_heard(seed_leaves *store);

/**
 * Gives the hashes of the blocks that a plan takes, checked against the tree; or lets them be made.
 * @param path    of the file, whose first byte is the tree's
 * @param stamp   the version that was hashed
 * @param leaves  valid until the next call
 * @return APR_SUCCESS; APR_EAGAIN: ask again after the next event; APR_ENOSPC: too much waits; else why it cannot be
 */
apr_status_t seed_leaves_get(seed_leaves *store, const seed_hash_tree *tree, const seed_hash_plan *plan, const char *path,
                             const bt_stamp *stamp, apr_time_t now, const unsigned char **leaves);

/** The same for the crown of a tree. */
apr_status_t seed_leaves_crown(seed_leaves *store, const seed_hash_tree *tree, apr_time_t now, const unsigned char **crown);

/** Computes nodes on the seeder's thread. */
seed_nodes *seed_leaves_nodes(seed_leaves *store);

/** Is anything kept, or being made? NULL is fine. */
int seed_leaves_hold_any(const seed_leaves *store);

/** How many results are kept. For tests. */
int seed_leaves_count(const seed_leaves *store);

/** Drops what nobody has used for long. */
void seed_leaves_tick(seed_leaves *store, apr_time_t now);

#endif
