#include "module/obtain.h"

#include "module/child.h"
#include "module/collection.h"
#include "module/gate.h"
#include "module/sidecar.h"

/* Who would not wait for a torrent to be made waits so long to be told of the one there is. */
#define LOOK_TIME APR_USEC_PER_SEC

/* The entry of the file as it is now. @return 0 if there is none */
static int find(bth_obtain *want, bth_gate *gate)
{
    if (cat_find_path(bth_this_child()->catalog, want->subject->path, want->r->pool, &want->entry) != APR_SUCCESS)
        return 0;
    *gate = bth_gate_look(&want->entry);
    if (*gate == BTH_GATE_CHANGED)
        bth_withdraw(&want->entry, CAT_CHANGED);
    return *gate != BTH_GATE_CHANGED;
}

bth_torrent_fact bth_obtain_peek(bth_obtain *want)
{
    bth_gate gate;

    if (!bth_this_child()->catalog)
        return BTH_TORRENT_FAILED;
    return find(want, &gate) && gate == BTH_GATE_OPEN ? BTH_TORRENT_READY : BTH_TORRENT_NONE;
}

static void seek_sidecar(bth_obtain *want)
{
    if (!want->sidecar_sought && !bth_is_collection(want->subject->path))
        want->subject->sidecar = bth_sidecar_find(want->origin, want->subject->path, want->r->pool,
                                                  want->r->connection->current_thread, &want->sidecar);
    want->sidecar_sought = 1;
}

apr_interval_time_t bth_obtain_patience(const bth_obtain *want)
{
    apr_interval_time_t left = want->until - apr_time_now();

    return left > LOOK_TIME ? left : LOOK_TIME;
}

/* Does the torrent of a collection have its files, and the name by which it would be granted? */
static int holds_all(bth_obtain *want, bth_gate gate)
{
    apr_pool_t *pool = want->r->pool;
    bth_collection_state state;

    bth_collection_compare(&want->entry, want->origin, BTH_LISTER_RECENT, bth_obtain_patience(want), pool, &state);
    if (!state.certain)
        return 0;
    if (!state.same) {
        bth_withdraw(&want->entry, CAT_CHANGED);
        return 0;
    }
    return gate == BTH_GATE_OPEN ||
           !strcmp(bth_collection_name(pool, want->entry.url), bth_collection_name(pool, want->origin));
}

bth_torrent_fact bth_obtain_look(bth_obtain *want)
{
    const bth_child *child = bth_this_child();
    bth_gate gate;

    if (!child->catalog)
        return BTH_TORRENT_FAILED;
    seek_sidecar(want);
    if (!find(want, &gate) || (bth_is_collection(want->subject->path) && !holds_all(want, gate)) ||
        !bt_stamp_equal(&want->entry.sidecar, &want->sidecar))
        return BTH_TORRENT_NONE;
    if (gate != BTH_GATE_OPEN &&
        cat_grant(child->catalog, want->subject->path, want->origin, child->grant, want->listed) != APR_SUCCESS)
        return BTH_TORRENT_NONE;
    return BTH_TORRENT_READY;
}

static apr_status_t post(const bth_obtain *want)
{
    const bth_child *child = bth_this_child();
    const bth_subject *subject = want->subject;
    seed_make make = {.path = subject->path,
                      .name = bth_published_name(want->r->pool, subject->path, want->origin),
                      .url = want->origin,
                      .grant = child->grant,
                      .version = (tg_version)subject->dir->version,
                      .piece_length = (apr_uint32_t)subject->dir->piece_length,
                      .sidecar = subject->sidecar,
                      .collection = bth_is_collection(subject->path),
                      .urgent = 1,
                      .listed = want->listed,
                      .size = want->size};

    return seed_post_make(child->shared->mailbox, &make);
}

/* Waits for another process, so there is nothing to be woken by: short sleeps that grow to 20 ms. */
bth_torrent_fact bth_obtain_make(bth_obtain *want, apr_time_t wait)
{
    const seed_counters *counters = bth_this_child()->shared->counters;
    apr_time_t deadline = apr_time_now() + wait;
    apr_interval_time_t nap = 1000;
    int progress = seed_job_progress(counters, want->subject->path);

    if (progress == -1)
        progress = post(want) == APR_ENAMETOOLONG ? -2 : 0;
    while (progress != -2) {
        if (bth_obtain_look(want) == BTH_TORRENT_READY)
            return BTH_TORRENT_READY;
        if (apr_time_now() >= deadline || want->r->connection->aborted)
            break;
        apr_sleep(nap);
        nap = nap < 20000 ? nap * 2 : nap;
        progress = seed_job_progress(counters, want->subject->path);
    }
    want->percent = progress > 0 ? progress : 0;
    return progress == -2 ? BTH_TORRENT_FAILED : BTH_TORRENT_PENDING;
}
