/* May a published file be named in the feed? Everybody can read the feed, so it tells of nothing that a stranger could
 * not have come upon without it: a file in a directory whose listing httpd shows to strangers, or one that the admin
 * published on purpose (BTHTTPScan On). A file that is open to those who know its name stays with them.
 *
 * The catalogue notes what a file's Options say (cat_entry.listed), so that the feed need not look at files that cannot
 * be in it. This looks closer: an index file hides a listing. */
#ifndef BTH_LISTED_H
#define BTH_LISTED_H

#include <httpd.h>

#include "module/config.h"

/* Remembers directories while one page is written. One thread. */
typedef struct bth_listings bth_listings;

/** Lives as long as the pool, which also takes what looking costs. */
bth_listings *bth_listings_create(apr_pool_t *pool);

/**
 * Looks, once for each directory. Blocks as the stranger test does.
 * @param origin  of the file, as bth_origin_of
 * @param path    of the file
 * @param dir     the directives that hold for it
 * @param thread  the caller's, may be NULL
 */
int bth_is_listed(bth_listings *known, const char *origin, const char *path, const bth_dir_config *dir, apr_thread_t *thread);

#endif
