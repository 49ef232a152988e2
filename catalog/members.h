/* How the members of a collection lie in the database: one fixed head each, followed by the path with its NUL. */
#ifndef CAT_MEMBERS_H
#define CAT_MEMBERS_H

#include <apr_pools.h>

#include "base/buf.h"
#include "torrentgen/torrent.h"

/** Appends all of them. @return buf->status, or APR_EINVAL if one is impossible: see cat_members_read */
apr_status_t cat_members_write(bt_buf *buf, const tg_member *members, apr_size_t count);

/**
 * Reads what cat_members_write wrote; the result does not point into `bytes`.
 * @return 0 unless each one has a relative path without empty, "." or ".." elements, a size above 0, and an offset past
 * the end of the one before
 */
int cat_members_read(const void *bytes, apr_size_t length, apr_pool_t *pool, const tg_member **members,
                     apr_size_t *count);

#endif
