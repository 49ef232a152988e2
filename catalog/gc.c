/* Removing what is no longer there. */
#include <errno.h>

#include <apr_strings.h>

#include "catalog/tables.h"
#include "catalog/withdraw.h"

static cat_file_state look_at(const char *path, const bt_stamp *stamp)
{
    bt_stamp now;
    apr_status_t status = bt_stamp_path(path, &now);

    if (status == APR_SUCCESS)
        return bt_stamp_equal(&now, stamp) ? CAT_FILE_SAME : CAT_FILE_CHANGED;
    if (status == ENOENT || status == ENOTDIR || status == ELOOP)
        return CAT_FILE_GONE;
    return status == APR_EINVAL ? CAT_FILE_CHANGED : CAT_FILE_UNKNOWN;
}

/* A member that is gone is a change of the collection. */
static cat_file_state look_at_members(cat_catalog *catalog, const cat_entry *entry, apr_pool_t *pool)
{
    const tg_member *members;
    apr_size_t count, gone = 0;
    apr_status_t status = cat_read_members(catalog, entry, pool, &members, &count);

    if (status != APR_SUCCESS) /* they are damaged, or there is another torrent by now */
        return status == APR_NOTFOUND ? CAT_FILE_CHANGED : CAT_FILE_UNKNOWN;
    for (apr_size_t i = 0; i < count; i++) {
        cat_file_state state = look_at(apr_pstrcat(pool, entry->path, members[i].path, NULL), &members[i].stamp);

        if (state == CAT_FILE_CHANGED || state == CAT_FILE_UNKNOWN)
            return state;
        gone += state == CAT_FILE_GONE;
    }
    return gone == 0 ? CAT_FILE_SAME : gone == count ? CAT_FILE_GONE : CAT_FILE_CHANGED;
}

cat_file_state cat_look(cat_catalog *catalog, const cat_entry *entry, apr_pool_t *scratch)
{
    return entry->members_length > 0 ? look_at_members(catalog, entry, scratch) : look_at(entry->path, &entry->stamp);
}

/* --- gc ----------------------------------------------------------------------------------------------------------- */

enum { GC_BATCH = 256 };

typedef struct {
    cat_catalog *catalog;
    apr_pool_t *pool, *scratch; /* `pool` lives for the batch */
    cat_gc_counts counts;
    cat_entry found[GC_BATCH];
    cat_file_state states[GC_BATCH];
    cat_withdrawal removals[GC_BATCH];
    int count;
    int pass_ended; /* the whole catalogue was seen */
    apr_time_t now;
} gc_job;

static int look_at_entry(void *baton, const cat_entry *entry)
{
    gc_job *job = baton;
    cat_file_state state = cat_look(job->catalog, entry, job->scratch);

    apr_pool_clear(job->scratch);
    job->counts.seen++;
    job->counts.unknown += state == CAT_FILE_UNKNOWN;
    if (state == CAT_FILE_GONE || state == CAT_FILE_CHANGED) {
        cat_copy_entry(&job->found[job->count], entry, job->pool);
        job->states[job->count++] = state;
    }
    return 0;
}

static int remove_found(const cat_txn *txn, void *baton)
{
    gc_job *job = baton;
    int rc = 0;

    for (int i = 0; rc == 0 && i < job->count; i++)
        rc = cat_withdraw_in(txn, &job->removals[i]);
    return rc == 0 && job->pass_ended ? cat_prune_previous(txn, job->now) : rc;
}

static apr_status_t remove_batch(gc_job *job, cat_walk_fn *removed, void *baton)
{
    apr_status_t status;

    job->now = apr_time_now();
    for (int i = 0; i < job->count; i++)
        job->removals[i] = (cat_withdrawal){.key = cat_path_key_of(job->found[i].path),
                                            .now = job->now,
                                            .why = CAT_CHANGED,
                                            .stale = &job->found[i].stamp};
    if (job->count == 0 && !job->pass_ended)
        return APR_SUCCESS;
    if ((status = cat_env_write(job->catalog->env, remove_found, job)) != APR_SUCCESS)
        return status;
    for (int i = 0; i < job->count; i++) {
        if (!job->removals[i].done)
            continue;
        job->counts.gone += job->states[i] == CAT_FILE_GONE;
        job->counts.changed += job->states[i] == CAT_FILE_CHANGED;
        if (removed)
            removed(baton, &job->found[i]);
    }
    return APR_SUCCESS;
}

static void add_counts(cat_gc_counts *to, const cat_gc_counts *from)
{
    to->seen += from->seen;
    to->gone += from->gone;
    to->changed += from->changed;
    to->unknown += from->unknown;
}

apr_status_t cat_gc(cat_catalog *catalog, cat_place *place, apr_size_t max, cat_walk_fn *removed, void *baton,
                    cat_gc_counts *counts)
{
    apr_status_t status;
    apr_pool_t *pool;
    gc_job *job;

    if ((status = apr_pool_create(&pool, NULL)) != APR_SUCCESS)
        return status;
    job = apr_pcalloc(pool, sizeof *job);
    job->catalog = catalog;
    if ((status = apr_pool_create(&job->pool, pool)) == APR_SUCCESS)
        status = apr_pool_create(&job->scratch, pool);
    while (status == APR_SUCCESS && max > 0 && !place->ended) {
        apr_size_t step = max < GC_BATCH ? max : GC_BATCH;

        job->count = 0;
        apr_pool_clear(job->pool);
        status = cat_walk_some(catalog, place, step, look_at_entry, job);
        job->pass_ended = place->ended;
        if (status == APR_SUCCESS)
            status = remove_batch(job, removed, baton);
        max -= step;
    }
    add_counts(counts, &job->counts);
    apr_pool_destroy(pool);
    return status;
}
