/* The changes of the public interface: publish, grant, withdraw. Each is one transaction. */
#include "catalog/handle.h"

#include <string.h>

#include "catalog/tables.h"

/* What is asked for; each kind of change uses its own part. */
typedef struct {
    cat_path_key key;
    apr_time_t now;
    const cat_record *record; /* publish: what is to be there */
    const tg_torrent *torrent;
    const char *url; /* grant */
    apr_uint64_t grant;
    cat_standing why;      /* withdraw */
    const bt_stamp *stale; /* withdraw only this version, if not NULL */
    int unknown;           /* withdraw: nothing was known of the path */
} change;

/* A file's info-hashes are to be told as gone, where no other file has them. */
static int note_gone(const cat_txn *txn, const bt_infohash *hashes, int count, cat_standing why, apr_time_t now)
{
    int rc = 0;

    for (int i = 0; rc == 0 && i < count; i++)
        rc = cat_put_gone(txn, &hashes[i], why, now);
    return rc;
}

/* --- publish ------------------------------------------------------------------------------------------------------ */

static int put_value(const cat_txn *txn, cat_db db, const cat_path_key *key, const void *bytes, apr_size_t length)
{
    MDB_val id = {sizeof key->b, (void *)(apr_uintptr_t)key->b}, value = {length, (void *)(apr_uintptr_t)bytes};

    return mdb_put(txn->txn, txn->db[db], &id, &value, 0);
}

static int publish(const cat_txn *txn, void *baton)
{
    change *c = baton;
    const tg_torrent *torrent = c->torrent;
    bt_infohash before[CAT_HASHES_MAX], now[CAT_HASHES_MAX];
    int before_count = 0, now_count = cat_record_hashes(c->record, now);
    cat_record old;
    int rc = cat_get_record(txn, &c->key, &old);

    if (rc == 0)
        before_count = cat_record_hashes(&old, before);
    else if (rc != MDB_NOTFOUND)
        return rc;
    if ((rc = cat_del_all(txn, &c->key)) != 0)
        return rc;
    if ((rc = cat_put_record(txn, &c->key, c->record)) != 0 ||
        (rc = put_value(txn, CAT_DB_TORRENT, &c->key, torrent->infodict, torrent->infodict_length)) != 0)
        return rc;
    if (torrent->layer_length > 0 &&
        (rc = put_value(txn, CAT_DB_LAYER, &c->key, torrent->layer, torrent->layer_length)) != 0)
        return rc;
    for (int i = 0; i < now_count; i++)
        if ((rc = cat_del_gone(txn, &now[i])) != 0)
            return rc;
    return note_gone(txn, before, before_count, CAT_CHANGED, c->now);
}

static int is_sound(const tg_torrent *torrent)
{
    static const bt_infohash_v2 no_hash;

    return torrent->version >= TG_V1 && torrent->version <= TG_HYBRID && torrent->infodict &&
           torrent->infodict_length > 0 && torrent->infodict_length <= CAT_TORRENT_MAX &&
           torrent->layer_length <= CAT_TORRENT_MAX && (torrent->layer || torrent->layer_length == 0) &&
           !((torrent->version & TG_V1) && bt_infohash_is_zero(&torrent->v1)) &&
           !((torrent->version & TG_V2) && memcmp(&torrent->v2, &no_hash, sizeof no_hash) == 0);
}

apr_status_t cat_publish(cat_catalog *catalog, const char *path, const char *url, apr_uint64_t grant,
                         const bt_stamp *stamp, const tg_torrent *torrent)
{
    cat_record record = {.entry = {.path = path, .url = url, .stamp = *stamp, .grant = grant, .published = 1}};
    change c = {.key = cat_path_key_of(path), .now = apr_time_now(), .record = &record, .torrent = torrent};

    if (!is_sound(torrent))
        return APR_EINVAL;
    record.entry.created = c.now;
    record.entry.version = torrent->version;
    if (torrent->version & TG_V1)
        record.entry.v1 = torrent->v1;
    if (torrent->version & TG_V2)
        record.entry.v2 = torrent->v2;
    record.entry.v1_keyless = torrent->v1_keyless;
    record.entry.v1_alone = torrent->v1_alone;
    record.entry.piece_length = torrent->piece_length;
    record.entry.infodict_length = torrent->infodict_length;
    record.entry.layer_length = torrent->layer_length;
    record.length = torrent->length;
    memcpy(record.root, torrent->root, sizeof record.root);
    record.infodict_sum = cat_sum(torrent->infodict, torrent->infodict_length);
    if (torrent->layer_length > 0)
        record.layer_sum = cat_sum(torrent->layer, torrent->layer_length);
    return cat_env_write(catalog->env, publish, &c);
}

/* --- grant -------------------------------------------------------------------------------------------------------- */

static int is_granted(const cat_record *record, const change *c)
{
    return record->entry.published && record->entry.grant == c->grant && strcmp(record->entry.url, c->url) == 0;
}

/* Most grants repeat what is known: seen without the writer's lock. */
static int look_for_grant(const cat_txn *txn, void *baton)
{
    cat_record record;
    int rc = cat_get_record(txn, &((change *)baton)->key, &record);

    return rc != 0 ? rc : is_granted(&record, baton) ? 0 : APR_INCOMPLETE;
}

static int grant(const cat_txn *txn, void *baton)
{
    const change *c = baton;
    bt_infohash hashes[CAT_HASHES_MAX];
    cat_record record;
    int count, rc;

    if ((rc = cat_get_record(txn, &c->key, &record)) != 0)
        return rc;
    count = cat_record_hashes(&record, hashes);
    record.entry.url = c->url;
    record.entry.grant = c->grant;
    record.entry.published = 1;
    rc = cat_put_record(txn, &c->key, &record);
    for (int i = 0; rc == 0 && i < count; i++)
        rc = cat_del_gone(txn, &hashes[i]);
    return rc;
}

apr_status_t cat_grant(cat_catalog *catalog, const char *path, const char *url, apr_uint64_t grant_value)
{
    change c = {.key = cat_path_key_of(path), .url = url, .grant = grant_value};
    apr_status_t status = cat_env_read(catalog->env, look_for_grant, &c);

    return status == APR_INCOMPLETE ? cat_env_write(catalog->env, grant, &c) : status;
}

/* --- withdraw ----------------------------------------------------------------------------------------------------- */

/* A damaged record is no longer known, yet what points to it must go: the caller wants the file out of sight. */
static int withdraw_damaged(const cat_txn *txn, change *c)
{
    c->unknown = 1;
    return cat_del_all(txn, &c->key);
}

static int withdraw(const cat_txn *txn, void *baton)
{
    change *c = baton;
    bt_infohash hashes[CAT_HASHES_MAX];
    cat_record record;
    int count, rc;

    c->unknown = 0;
    if ((rc = cat_get_record(txn, &c->key, &record)) != 0)
        return rc == MDB_NOTFOUND ? withdraw_damaged(txn, c) : rc;
    if (c->stale && !bt_stamp_equal(&record.entry.stamp, c->stale))
        return 0; /* published anew in the meantime */
    if (c->why == CAT_PROTECTED) {
        if (!record.entry.published)
            return 0;
        record.entry.published = 0;
        return cat_put_record(txn, &c->key, &record);
    }
    count = cat_record_hashes(&record, hashes);
    rc = cat_del_all(txn, &c->key);
    return rc != 0 ? rc : note_gone(txn, hashes, count, c->why, c->now);
}

static apr_status_t run_withdraw(cat_catalog *catalog, const char *path, cat_standing why, const bt_stamp *stale)
{
    change c = {.key = cat_path_key_of(path), .now = apr_time_now(), .why = why, .stale = stale};
    apr_status_t status = cat_env_write(catalog->env, withdraw, &c);

    return status == APR_SUCCESS && c.unknown ? APR_NOTFOUND : status;
}

apr_status_t cat_withdraw(cat_catalog *catalog, const char *path, cat_standing why)
{
    return why == CAT_CHANGED || why == CAT_PROTECTED ? run_withdraw(catalog, path, why, NULL) : APR_EINVAL;
}

apr_status_t cat_withdraw_stale(cat_catalog *catalog, const char *path, const bt_stamp *stale)
{
    return run_withdraw(catalog, path, CAT_CHANGED, stale);
}
