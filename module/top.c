#include "module/top.h"

#include <apr_time.h>

#include "module/torrent_response.h"

/* What is withdrawn at this moment has no name any more. */
static const char *name_of(apr_pool_t *pool, cat_catalog *catalog, const bt_infohash *hash)
{
    cat_entry entry;

    if (!catalog || cat_find_hash(catalog, hash, 0, pool, &entry) != APR_SUCCESS || !entry.published)
        return "";
    return bth_published_name(pool, entry.path, entry.url);
}

void bth_top_find(bth_snapshot *snapshot, apr_pool_t *pool, trk_swarms *swarms, cat_catalog *catalog)
{
    trk_large large[BTH_TOP_MAX];
    int count = swarms ? trk_swarms_largest(swarms, large, BTH_TOP_MAX, (unsigned)apr_time_now()) : 0;

    for (int i = 0; i < count; i++)
        snapshot->top[i] = (bth_top){large[i], name_of(pool, catalog, &large[i].hash)};
    snapshot->top_count = count;
}
