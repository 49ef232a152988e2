/* A walk over the regular files of a tree of directories, in the order of a BEP 52 file tree.
 *
 * It works with descriptors of directories, so that nobody can move the ground under it, opens nothing but directories
 * (a FIFO or a device is never touched), and ends whatever the tree is like: loops of links are left out, depth and
 * number are bounded. */
#ifndef TG_TREE_H
#define TG_TREE_H

#include <apr_pools.h>

#include "base/stamp.h"

enum {
    TG_TREE_DEPTH = 64,       /* directories below each other, where nothing else is said */
    TG_TREE_PATH_MAX = 4095   /* bytes of a path below the root; longer ones are told as ENAMETOOLONG */
};

/** Told of a regular file. @param path  below the root, elements joined by "/"; any bytes but NUL. @return 0 to go on */
typedef int tg_tree_fn(void *baton, const char *path, const bt_stamp *stamp);

/** Asked before a directory is read. @param path  likewise, "" for the root. @return 0 to leave it out */
typedef int tg_tree_enter_fn(void *baton, const char *path);

/**
 * Told of what could not be looked at: EACCES, ENOENT (a link to nowhere, or it went away in between), ELOOP (a link to
 * itself, or to a directory above), ENAMETOOLONG, APR_ENOSPC (deeper than depth_max). The walk goes on.
 */
typedef void tg_tree_error_fn(void *baton, const char *path, apr_status_t status);

typedef struct {
    int follow_links;       /* else symbolic links below the root are passed over; the root itself may always be one */
    int hidden;             /* names that begin with "." too */
    int depth_max;          /* 0: TG_TREE_DEPTH; each level holds one descriptor */
    apr_size_t files_max;   /* files that are told, 0: no bound */
    apr_size_t entries_max; /* names that are read, of any kind. 0: follows from files_max, no bound without that.
                             * Links may lead to the same directories in very many ways: name one where they count */
    int any_order;          /* as the directories have it: needs no memory for their names */
    tg_tree_error_fn *error; /* may be NULL */
} tg_tree_options;

/**
 * Walks. Any thread; blocks as the filesystem does.
 * @param enter  may be NULL: all
 * @param pool   for the names of the directories that are open; given back at the end
 * @return APR_SUCCESS; APR_ENOSPC if there is more than files_max or entries_max; APR_EINTR if visit ended it; else why
 *         the root cannot be read (APR_ENOTDIR, ...)
 */
apr_status_t tg_tree_walk(const char *root, const tg_tree_options *options, tg_tree_enter_fn *enter, tg_tree_fn *visit,
                          void *baton, apr_pool_t *pool);

#endif
