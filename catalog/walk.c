/* All entries, a few at a time. */
#include "catalog/handle.h"

#include <string.h>

#include "catalog/tables.h"

enum { WALK_BATCH = 64 };

_Static_assert(sizeof(((cat_place *)0)->key) == CAT_PATH_KEY_SIZE, "a place is a path key");

typedef struct {
    cat_place place;
    int wanted, count;
    apr_pool_t *pool;
    cat_entry entries[WALK_BATCH];
} walk_job;

/* Copies the next batch, so that visitors run outside of any transaction. */
static int walk_batch(const cat_txn *txn, void *baton)
{
    walk_job *job = baton;
    cat_place place = job->place;
    MDB_val key = {sizeof place.key, place.key}, value;
    MDB_cursor_op step = place.started ? MDB_SET_RANGE : MDB_FIRST;
    MDB_cursor *cursor;
    cat_record record;
    int rc = mdb_cursor_open(txn->txn, txn->db[CAT_DB_PATH], &cursor);

    job->count = 0;
    apr_pool_clear(job->pool);
    if (rc != 0)
        return rc;
    for (; job->count < job->wanted && (rc = mdb_cursor_get(cursor, &key, &value, step)) == 0; step = MDB_NEXT) {
        if (key.mv_size != sizeof place.key ||
            (job->place.started && memcmp(key.mv_data, job->place.key, sizeof place.key) == 0))
            continue;
        memcpy(place.key, key.mv_data, sizeof place.key);
        place.started = 1;
        if (cat_record_read(&value, &record))
            cat_copy_entry(&job->entries[job->count++], &record.entry, job->pool);
        else
            cat_env_note_bad_value(txn->env, "record");
    }
    mdb_cursor_close(cursor);
    if (rc != 0 && rc != MDB_NOTFOUND)
        return rc;
    place.ended = rc == MDB_NOTFOUND;
    job->place = place;
    return 0;
}

/* The visitor saw entry i as the last one. */
static void stop_at(walk_job *job, int i)
{
    cat_path_key key = cat_path_key_of(job->entries[i].path);

    if (i + 1 == job->count)
        return;
    memcpy(job->place.key, key.b, sizeof key.b);
    job->place.ended = 0;
}

static int batch_size(apr_size_t left)
{
    return left < WALK_BATCH ? (int)left : WALK_BATCH;
}

apr_status_t cat_walk_some(cat_catalog *catalog, cat_place *place, apr_size_t max, cat_walk_fn *visit, void *baton)
{
    apr_status_t status;
    apr_pool_t *pool;
    walk_job *job;
    int stop = 0;

    if ((status = apr_pool_create(&pool, NULL)) != APR_SUCCESS)
        return status;
    job = apr_pcalloc(pool, sizeof *job);
    job->place = *place;
    status = apr_pool_create(&job->pool, pool);
    while (status == APR_SUCCESS && !stop && !job->place.ended && max > 0) {
        job->wanted = batch_size(max);
        status = cat_env_read(catalog->env, walk_batch, job);
        for (int i = 0; status == APR_SUCCESS && !stop && i < job->count; i++)
            if ((stop = visit(baton, &job->entries[i])) != 0)
                stop_at(job, i);
        max -= (apr_size_t)job->count;
    }
    *place = job->place;
    apr_pool_destroy(pool);
    return status;
}

apr_status_t cat_walk(cat_catalog *catalog, cat_walk_fn *visit, void *baton)
{
    cat_place place = {{0}, 0, 0};

    return cat_walk_some(catalog, &place, APR_SIZE_MAX, visit, baton);
}

static int count_entries(const cat_txn *txn, void *baton)
{
    apr_int64_t *count = baton;
    MDB_stat stat;
    int rc = mdb_stat(txn->txn, txn->db[CAT_DB_PATH], &stat);

    if (rc == 0)
        *count = (apr_int64_t)stat.ms_entries;
    return rc;
}

apr_status_t cat_count(cat_catalog *catalog, apr_int64_t *count)
{
    return cat_env_read(catalog->env, count_entries, count);
}
