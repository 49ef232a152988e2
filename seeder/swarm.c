#include "seeder/swarm.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "seeder/loop.h"

static int matches(const seed_swarm *swarm)
{
    bt_stamp by_path, opened;

    return bt_stamp_path(swarm->entry.path, &by_path) == APR_SUCCESS && bt_stamp_equal(&by_path, &swarm->entry.stamp) &&
           bt_stamp_fd(swarm->file, &opened) == APR_SUCCESS && bt_stamp_equal(&opened, &swarm->entry.stamp);
}

apr_status_t seed_swarm_open(seed_swarm **swarm, const cat_entry *entry, apr_pool_t *pool, apr_time_t now)
{
    seed_swarm *made = apr_pcalloc(pool, sizeof *made);

    made->pool = pool;
    made->entry = *entry;
    made->content.length = entry->stamp.size;
    made->content.piece_length = entry->piece_length;
    made->content.pieces = (apr_uint32_t)tg_piece_count(entry->stamp.size, entry->piece_length);
    made->content.v2 = (entry->version & TG_V2) != 0;
    made->content.padded = entry->version == TG_V2;
    made->v1_content = made->content;
    made->v1_content.v2 = 0;
    APR_RING_ELEM_INIT(made, due);
    APR_RING_INIT(&made->mates, seed_conn, mates);
    /* Non-blocking, for a FIFO may have taken the file's place; what is not a regular file has no stamp. */
    made->file = open(entry->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (made->file < 0)
        return errno;
    if (!matches(made)) {
        close(made->file);
        return APR_EBUSY;
    }
    made->checked = now;
    made->fresh = 1;
    *swarm = made;
    return APR_SUCCESS;
}

int seed_swarm_fresh(seed_swarm *swarm, apr_time_t now, apr_interval_time_t interval)
{
    if (swarm->fresh && now - swarm->checked >= interval) {
        swarm->fresh = matches(swarm);
        swarm->checked = now;
    }
    return swarm->fresh;
}

const seed_content *seed_swarm_content(const seed_swarm *swarm, const bt_infohash *hash)
{
    const cat_entry *entry = &swarm->entry;

    return bt_infohash_equal(hash, &entry->v1_keyless) || bt_infohash_equal(hash, &entry->v1_alone) ? &swarm->v1_content
                                                                                                    : &swarm->content;
}

void seed_swarm_close(seed_swarm *swarm)
{
    close(swarm->file);
    apr_pool_destroy(swarm->pool);
}
