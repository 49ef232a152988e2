/* Changes of what is known of a version: that strangers may have it, and its digest. */
#include <string.h>

#include "catalog/handle.h"
#include "catalog/tables.h"

typedef struct {
    const cat_grant_item *list;
    apr_size_t count;
    apr_uint64_t grant;
    apr_time_t now;
    apr_size_t found; /* out */
} grant_job;

static int is_granted(const cat_record *record, const cat_grant_item *item, apr_uint64_t grant)
{
    return record->entry.published && record->entry.grant == grant && !record->entry.listed == !item->listed &&
           strcmp(record->entry.url, item->url) == 0;
}

/* Most grants repeat what is known: seen without the writer's lock. */
static int look_for_grant(const cat_txn *txn, void *baton)
{
    const grant_job *job = baton;
    cat_path_key key = cat_path_key_of(job->list->path);
    cat_record record;
    int rc = cat_get_record(txn, &key, &record);

    return rc != 0 ? rc : is_granted(&record, job->list, job->grant) ? 0 : APR_INCOMPLETE;
}

static int grant_one(const cat_txn *txn, const grant_job *job, const cat_grant_item *item)
{
    cat_path_key key = cat_path_key_of(item->path);
    bt_infohash hashes[CAT_HASHES_MAX];
    cat_record record;
    int count, rc;

    if ((rc = cat_get_record(txn, &key, &record)) != 0)
        return rc;
    if (is_granted(&record, item, job->grant) || (item->renew && !record.entry.published))
        return 0;
    count = cat_record_hashes(&record, hashes);
    if (!record.ever)
        record.entry.created = job->now;
    record.ever = 1;
    record.entry.url = item->url;
    record.entry.grant = job->grant;
    record.entry.listed = item->listed != 0;
    record.entry.published = 1;
    rc = cat_put_record(txn, &key, &record);
    for (int i = 0; rc == 0 && i < count; i++)
        rc = cat_del_gone(txn, &hashes[i]);
    return rc;
}

static int grant_all(const cat_txn *txn, void *baton)
{
    grant_job *job = baton;

    job->found = 0;
    for (apr_size_t i = 0; i < job->count; i++) {
        int rc = grant_one(txn, job, &job->list[i]);

        if (rc != 0 && rc != MDB_NOTFOUND)
            return rc;
        job->found += rc == 0;
    }
    return 0;
}

apr_status_t cat_grant(cat_catalog *catalog, const char *path, const char *url, apr_uint64_t grant, int listed)
{
    cat_grant_item item = {path, url, listed, 0};
    grant_job job = {&item, 1, grant, apr_time_now(), 0};
    apr_status_t status = cat_env_read(catalog->env, look_for_grant, &job);

    if (status == APR_INCOMPLETE && (status = cat_env_write(catalog->env, grant_all, &job)) == APR_SUCCESS &&
        job.found == 0)
        status = APR_NOTFOUND;
    return status;
}

apr_status_t cat_grant_many(cat_catalog *catalog, const cat_grant_item *list, apr_size_t count, apr_uint64_t grant)
{
    grant_job job = {list, count, grant, apr_time_now(), 0};

    return count == 0 ? APR_SUCCESS : cat_env_write(catalog->env, grant_all, &job);
}

/* --- digest ------------------------------------------------------------------------------------------------------- */

typedef struct {
    cat_path_key key;
    const bt_stamp *of;
    const unsigned char *digest;
} digest_job;

static int set_digest(const cat_txn *txn, void *baton)
{
    const digest_job *job = baton;
    cat_record record;
    int rc = cat_get_record(txn, &job->key, &record);

    if (rc != 0)
        return rc;
    if (!bt_stamp_equal(&record.entry.stamp, job->of))
        return MDB_NOTFOUND;
    record.entry.has_digest = 1;
    memcpy(record.entry.digest, job->digest, sizeof record.entry.digest);
    return cat_put_record(txn, &job->key, &record);
}

apr_status_t cat_set_digest(cat_catalog *catalog, const char *path, const bt_stamp *of, const unsigned char digest[32])
{
    digest_job job = {cat_path_key_of(path), of, digest};

    return cat_env_write(catalog->env, set_digest, &job);
}
