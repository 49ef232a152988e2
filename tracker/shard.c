#include "tracker/shard.h"

#include <errno.h>

#include "base/log.h"

/* What a process is about to change is marked before it is changed, and unmarked after. */
static void mark(trk_shard *shard, uint32_t dirty)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    __atomic_store_n(&shard->dirty, dirty, __ATOMIC_SEQ_CST);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* Makes a shard anew from the peers that its blocks hold. If this process dies too, the next one does the same. */
static void rebuild(trk_swarms *view, unsigned number)
{
    trk_shard *shard = &view->shards[number];
    apr_size_t kept;
    bt_buf roll;

    bt_buf_init(&roll, 2 * (apr_size_t)view->header->size);
    trk_roll_salvage(view, number, &roll);
    shard->index.count = 0;
    shard->index.root = 0;
    shard->swarms = shard->seeds = shard->leechers = 0;
    trk_give_all(view, number);
    kept = trk_roll_keep(view, roll.data, roll.length, (int)number, 0, 0);
    bt_log(BT_LOG_WARNING, 300, roll.status, "a process died while it changed swarms: shard %u rebuilt, %lu peers kept",
           number, (unsigned long)kept);
    bt_buf_free(&roll);
}

static apr_status_t take_over(trk_swarms *view, unsigned number, int error)
{
    trk_shard *shard = &view->shards[number];

    if (error == EOWNERDEAD) {
        if (shard->dirty)
            rebuild(view, number);
        error = pthread_mutex_consistent(&shard->lock);
        if (error)
            pthread_mutex_unlock(&shard->lock);
    }
    if (error == 0)
        mark(shard, 1);
    return error == EBUSY ? APR_EBUSY : error;
}

apr_status_t trk_shard_lock(trk_swarms *view, unsigned number)
{
    return take_over(view, number, pthread_mutex_lock(&view->shards[number].lock));
}

apr_status_t trk_shard_trylock(trk_swarms *view, unsigned number)
{
    return take_over(view, number, pthread_mutex_trylock(&view->shards[number].lock));
}

void trk_shard_unlock(trk_swarms *view, unsigned number)
{
    mark(&view->shards[number], 0);
    pthread_mutex_unlock(&view->shards[number].lock);
}
