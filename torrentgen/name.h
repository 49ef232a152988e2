/* The name that a file has in its torrent. */
#ifndef TG_NAME_H
#define TG_NAME_H

#include <apr_pools.h>

/**
 * Makes a name that tg_name_is_good takes of the last element of `path`: bytes that are not UTF-8 are percent-encoded, and
 * what is longer than 255 bytes then is cut. The same file has the same name, and so the same info-hash, whoever makes its
 * torrent: the server, or the command ahead of it.
 * @return of the pool; of "." or "" itself, which no torrent takes
 */
const char *tg_name_of(apr_pool_t *pool, const char *path);

#endif
