/* The torrents with the most peers. */
#ifndef BTH_TOP_H
#define BTH_TOP_H

#include <apr_pools.h>

#include "module/figures.h"

/** Finds them for a snapshot, with their names. Any thread; takes the tracker's locks one by one. Memory is of the pool. */
void bth_top_find(bth_snapshot *snapshot, apr_pool_t *pool, trk_swarms *swarms, cat_catalog *catalog);

#endif
