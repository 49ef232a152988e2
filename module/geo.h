/* BTHTTPTrackerGeo: countries and networks of addresses, from MaxMind DB files, for the tracker's nearness. */
#ifndef BTH_GEO_H
#define BTH_GEO_H

#include <apr_pools.h>

#include "tracker/swarms.h"

enum { BTH_GEO_FILES_MAX = 4 };

/**
 * Opens one more file, for as long as the configuration lives. Its bytes are copied, so that nobody can pull them from
 * under the children. Parent, while the configuration is read.
 * @return NULL, or what is wrong, of the pool
 */
const char *bth_geo_add(apr_pool_t *pconf, const char *path);

/** Where addresses are, or NULL if no file is open. Any thread; the children remember what they looked up. */
const trk_atlas *bth_geo_atlas(void);

#endif
