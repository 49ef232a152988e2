#include "seeder/swarm.h"

#include <string.h>

#include "seeder/loop.h"

static apr_status_t open_collection(seed_swarm *swarm, cat_catalog *catalog, int *spare, apr_interval_time_t interval,
                                    apr_time_t now)
{
    const tg_member *members;
    apr_size_t count;
    apr_status_t status = cat_read_members(catalog, &swarm->entry, swarm->pool, &members, &count);

    if (status == APR_SUCCESS && count == 0)
        status = APR_EBUSY; /* published anew in between, as something else */
    if (status != APR_SUCCESS)
        return status;
    return seed_source_open_members(&swarm->source, swarm->entry.path, members, count, spare, interval, now, swarm->pool);
}

static void describe(seed_swarm *swarm)
{
    seed_content *content = &swarm->content;
    const cat_entry *entry = &swarm->entry;

    content->length = seed_source_length(swarm->source);
    content->piece_length = entry->piece_length;
    content->pieces = (apr_uint32_t)tg_piece_count(content->length, entry->piece_length);
    content->v2 = (entry->version & TG_V2) != 0;
    content->padded = entry->version == TG_V2;
    swarm->v1_content = *content;
    swarm->v1_content.v2 = 0;
}

int seed_entry_is_collection(const cat_entry *entry)
{
    apr_size_t length = strlen(entry->path);

    return length > 0 && entry->path[length - 1] == '/';
}

apr_status_t seed_swarm_open(seed_swarm **swarm, cat_catalog *catalog, const cat_entry *entry, int *spare,
                             apr_interval_time_t interval, apr_time_t now, apr_pool_t *pool)
{
    seed_swarm *made = apr_pcalloc(pool, sizeof *made);
    apr_status_t status;

    made->pool = pool;
    made->entry = *entry;
    APR_RING_ELEM_INIT(made, due);
    APR_RING_INIT(&made->mates, seed_conn, mates);
    status = seed_entry_is_collection(entry) ? open_collection(made, catalog, spare, interval, now)
                                   : seed_source_open_file(&made->source, entry->path, &entry->stamp, interval, now, pool);
    if (status != APR_SUCCESS)
        return status;
    describe(made);
    *swarm = made;
    return APR_SUCCESS;
}

int seed_swarm_is_of(const seed_swarm *swarm, const cat_entry *entry)
{
    const cat_entry *own = &swarm->entry;

    /* The same file may have another torrent now: one that somebody put beside it. */
    return bt_stamp_equal(&entry->stamp, &own->stamp) && bt_infohash_equal(&entry->v1, &own->v1) &&
           memcmp(entry->v2.b, own->v2.b, sizeof own->v2.b) == 0;
}

const seed_content *seed_swarm_content(const seed_swarm *swarm, const bt_infohash *hash)
{
    const cat_entry *entry = &swarm->entry;

    return bt_infohash_equal(hash, &entry->v1_keyless) || bt_infohash_equal(hash, &entry->v1_alone) ? &swarm->v1_content
                                                                                                    : &swarm->content;
}

void seed_swarm_close(seed_swarm *swarm)
{
    seed_source_close(swarm->source);
    apr_pool_destroy(swarm->pool);
}
