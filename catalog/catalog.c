/* The look-ups of the public interface; changes are in publish.c. */
#include "catalog/handle.h"

#include <string.h>

#include <apr_strings.h>

#include "catalog/tables.h"

apr_status_t cat_open(cat_catalog **catalog, const char *directory, apr_pool_t *pool)
{
    cat_catalog *made = apr_pcalloc(pool, sizeof *made);
    apr_status_t status = cat_env_open(&made->env, directory, pool);

    if (status == APR_SUCCESS)
        *catalog = made;
    return status;
}

/* Takes the entry out of the database's memory. */
static void copy_entry(cat_entry *to, const cat_entry *from, apr_pool_t *pool)
{
    *to = *from;
    to->path = apr_pstrdup(pool, from->path);
    to->url = apr_pstrdup(pool, from->url);
}

/* --- one entry ---------------------------------------------------------------------------------------------------- */

typedef struct {
    cat_path_key key;
    const bt_infohash *hash;
    int nth;
    apr_pool_t *pool;
    cat_entry *entry;
} find_job;

static int find_path(const cat_txn *txn, void *baton)
{
    find_job *job = baton;
    cat_record record;
    int rc = cat_get_record(txn, &job->key, &record);

    if (rc == 0)
        copy_entry(job->entry, &record.entry, job->pool);
    return rc;
}

apr_status_t cat_find_path(cat_catalog *catalog, const char *path, apr_pool_t *pool, cat_entry *entry)
{
    find_job job = {.key = cat_path_key_of(path), .pool = pool, .entry = entry};

    return cat_env_read(catalog->env, find_path, &job);
}

static int find_hash(const cat_txn *txn, void *baton)
{
    find_job *job = baton;
    cat_record record;
    int rc = cat_get_by_hash(txn, job->hash, job->nth, &record);

    if (rc == 0)
        copy_entry(job->entry, &record.entry, job->pool);
    return rc;
}

apr_status_t cat_find_hash(cat_catalog *catalog, const bt_infohash *hash, int nth, apr_pool_t *pool, cat_entry *entry)
{
    find_job job = {.hash = hash, .nth = nth, .pool = pool, .entry = entry};

    return nth < 0 ? APR_EINVAL : cat_env_read(catalog->env, find_hash, &job);
}

/* --- standing ----------------------------------------------------------------------------------------------------- */

typedef struct {
    const bt_infohash *hash;
    cat_standing standing;
} standing_job;

static int find_standing(const cat_txn *txn, void *baton)
{
    standing_job *job = baton;
    int rc = cat_hash_in_use(txn, job->hash, 0);

    if (rc == 0) {
        job->standing = CAT_PUBLISHED;
    } else if (rc == MDB_NOTFOUND) {
        if ((rc = cat_hash_in_use(txn, job->hash, 1)) == 0)
            job->standing = CAT_PROTECTED;
        else if (rc == MDB_NOTFOUND)
            rc = cat_get_gone(txn, job->hash, &job->standing);
    }
    return rc;
}

cat_standing cat_standing_of(cat_catalog *catalog, const bt_infohash *hash)
{
    standing_job job = {hash, CAT_UNKNOWN};

    return cat_env_read(catalog->env, find_standing, &job) == APR_SUCCESS ? job.standing : CAT_UNKNOWN;
}

/* --- the torrent of an entry -------------------------------------------------------------------------------------- */

typedef struct {
    cat_path_key key;
    const cat_entry *entry;
    apr_pool_t *pool;
    tg_torrent *torrent;
} read_job;

/* Copies a value whose length and checksum the record names. */
static int copy_value(const cat_txn *txn, cat_db db, read_job *job, apr_size_t length, apr_uint64_t sum,
                      const unsigned char **copy)
{
    MDB_val key = {sizeof job->key.b, job->key.b}, value;
    int rc;

    *copy = NULL;
    if (db == CAT_DB_LAYER && length == 0)
        return 0;
    rc = mdb_get(txn->txn, txn->db[db], &key, &value);
    if (rc == MDB_NOTFOUND || (rc == 0 && (value.mv_size != length || cat_sum(value.mv_data, length) != sum))) {
        cat_env_note_bad_value(txn->env, db == CAT_DB_LAYER ? "piece layer" : "torrent");
        return MDB_NOTFOUND;
    }
    if (rc == 0)
        *copy = apr_pmemdup(job->pool, value.mv_data, length);
    return rc;
}

static int read_torrent(const cat_txn *txn, void *baton)
{
    read_job *job = baton;
    tg_torrent *torrent = job->torrent;
    const cat_entry *now, *wanted = job->entry;
    cat_record record;
    int rc = cat_get_record(txn, &job->key, &record);

    if (rc != 0)
        return rc;
    now = &record.entry;
    if (now->version != wanted->version || memcmp(&now->v1, &wanted->v1, sizeof now->v1) != 0 ||
        memcmp(&now->v2, &wanted->v2, sizeof now->v2) != 0)
        return MDB_NOTFOUND; /* the file has another torrent by now */
    torrent->version = now->version;
    torrent->v1 = now->v1;
    torrent->v2 = now->v2;
    torrent->length = record.length;
    torrent->piece_length = now->piece_length;
    torrent->infodict_length = now->infodict_length;
    torrent->layer_length = now->layer_length;
    memcpy(torrent->root, record.root, sizeof torrent->root);
    rc = copy_value(txn, CAT_DB_TORRENT, job, now->infodict_length, record.infodict_sum, &torrent->infodict);
    return rc != 0 ? rc : copy_value(txn, CAT_DB_LAYER, job, now->layer_length, record.layer_sum, &torrent->layer);
}

apr_status_t cat_read_torrent(cat_catalog *catalog, const cat_entry *entry, apr_pool_t *pool, tg_torrent *torrent)
{
    read_job job = {cat_path_key_of(entry->path), entry, pool, torrent};

    return cat_env_read(catalog->env, read_torrent, &job);
}

/* --- all entries -------------------------------------------------------------------------------------------------- */

enum { WALK_BATCH = 64 };

typedef struct {
    cat_path_key last;
    int started; /* `last` is set */
    int count;
    apr_pool_t *pool;
    cat_entry entries[WALK_BATCH];
} walk_job;

/* Copies the next batch, so that visitors run outside of any transaction. */
static int walk_batch(const cat_txn *txn, void *baton)
{
    walk_job *job = baton;
    cat_path_key last = job->last;
    MDB_val key = {sizeof last.b, last.b}, value;
    MDB_cursor_op step = job->started ? MDB_SET_RANGE : MDB_FIRST;
    MDB_cursor *cursor;
    cat_record record;
    int rc = mdb_cursor_open(txn->txn, txn->db[CAT_DB_PATH], &cursor);

    job->count = 0;
    apr_pool_clear(job->pool);
    if (rc != 0)
        return rc;
    for (; job->count < WALK_BATCH && (rc = mdb_cursor_get(cursor, &key, &value, step)) == 0; step = MDB_NEXT) {
        if (key.mv_size != sizeof last.b || (job->started && memcmp(key.mv_data, job->last.b, sizeof last.b) == 0))
            continue;
        memcpy(last.b, key.mv_data, sizeof last.b);
        if (cat_record_read(&value, &record))
            copy_entry(&job->entries[job->count++], &record.entry, job->pool);
        else
            cat_env_note_bad_value(txn->env, "record");
    }
    mdb_cursor_close(cursor);
    if (rc == 0 || rc == MDB_NOTFOUND) {
        job->last = last;
        job->started = 1;
        return 0;
    }
    return rc;
}

apr_status_t cat_walk(cat_catalog *catalog, cat_walk_fn *visit, void *baton)
{
    apr_status_t status;
    apr_pool_t *pool;
    walk_job *job;
    int stop = 0;

    if ((status = apr_pool_create(&pool, NULL)) != APR_SUCCESS)
        return status;
    job = apr_pcalloc(pool, sizeof *job);
    if ((status = apr_pool_create(&job->pool, pool)) == APR_SUCCESS)
        do {
            status = cat_env_read(catalog->env, walk_batch, job);
            for (int i = 0; status == APR_SUCCESS && !stop && i < job->count; i++)
                stop = visit(baton, &job->entries[i]);
        } while (status == APR_SUCCESS && !stop && job->count == WALK_BATCH);
    apr_pool_destroy(pool);
    return status;
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
