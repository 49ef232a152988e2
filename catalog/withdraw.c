#include "catalog/withdraw.h"

#include "catalog/tables.h"

/* A damaged record is no longer known, yet what points to it must go: the caller wants the file out of sight. */
static int withdraw_damaged(const cat_txn *txn, cat_withdrawal *w)
{
    w->unknown = 1;
    return cat_del_all(txn, &w->key);
}

static int withdraw_protected(const cat_txn *txn, const cat_withdrawal *w, cat_record *record)
{
    if (!record->entry.published)
        return 0;
    record->entry.published = 0;
    return cat_put_record(txn, &w->key, record);
}

static int keep_previous(const cat_txn *txn, const cat_withdrawal *w, const cat_record *record)
{
    if (record->entry.members_length == 0)
        return 0;
    return w->forget ? cat_del_previous(txn, &w->key) : cat_put_previous(txn, &w->key, record, w->now);
}

int cat_withdraw_in(const cat_txn *txn, cat_withdrawal *w)
{
    bt_infohash hashes[CAT_HASHES_MAX];
    cat_record record;
    int count, rc;

    w->unknown = 0;
    w->done = 0;
    if ((rc = cat_get_record(txn, &w->key, &record)) != 0)
        return rc == MDB_NOTFOUND ? withdraw_damaged(txn, w) : rc;
    if (w->stale && !bt_stamp_equal(&record.entry.stamp, w->stale))
        return 0; /* published anew in the meantime */
    w->done = 1;
    if (w->why == CAT_PROTECTED)
        return withdraw_protected(txn, w, &record);
    count = cat_record_hashes(&record, hashes);
    if ((rc = keep_previous(txn, w, &record)) != 0)
        return rc;
    rc = cat_del_all(txn, &w->key);
    for (int i = 0; rc == 0 && i < count; i++)
        rc = cat_put_gone(txn, &hashes[i], w->why, w->now);
    return rc;
}

static int run_one(const cat_txn *txn, void *baton)
{
    return cat_withdraw_in(txn, baton);
}

static apr_status_t run(cat_catalog *catalog, cat_withdrawal w)
{
    apr_status_t status = cat_env_write(catalog->env, run_one, &w);

    return status == APR_SUCCESS && w.unknown ? APR_NOTFOUND : status;
}

apr_status_t cat_withdraw(cat_catalog *catalog, const char *path, cat_standing why)
{
    cat_withdrawal w = {.key = cat_path_key_of(path), .now = apr_time_now(), .why = why};

    return why == CAT_CHANGED || why == CAT_PROTECTED ? run(catalog, w) : APR_EINVAL;
}

apr_status_t cat_withdraw_stale(cat_catalog *catalog, const char *path, const bt_stamp *stale)
{
    cat_withdrawal w = {.key = cat_path_key_of(path), .now = apr_time_now(), .why = CAT_CHANGED, .stale = stale};

    return run(catalog, w);
}

apr_status_t cat_forget(cat_catalog *catalog, const char *path)
{
    cat_withdrawal w = {.key = cat_path_key_of(path), .now = apr_time_now(), .why = CAT_CHANGED, .forget = 1};

    return run(catalog, w);
}
