/* The look-ups of the public interface; changes are in publish.c. */
#include "catalog/handle.h"

#include <string.h>

#include <apr_strings.h>

#include "catalog/members.h"
#include "catalog/tables.h"

apr_status_t cat_open(cat_catalog **catalog, const char *directory, apr_pool_t *pool)
{
    cat_catalog *made = apr_pcalloc(pool, sizeof *made);
    apr_status_t status = cat_env_open(&made->env, directory, pool);

    if (status == APR_SUCCESS)
        *catalog = made;
    return status;
}

apr_uint64_t cat_version(cat_catalog *catalog)
{
    return cat_env_version(catalog->env);
}

void cat_copy_entry(cat_entry *to, const cat_entry *from, apr_pool_t *pool)
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
        cat_copy_entry(job->entry, &record.entry, job->pool);
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
        cat_copy_entry(job->entry, &record.entry, job->pool);
    return rc;
}

apr_status_t cat_find_hash(cat_catalog *catalog, const bt_infohash *hash, int nth, apr_pool_t *pool, cat_entry *entry)
{
    find_job job = {.hash = hash, .nth = nth, .pool = pool, .entry = entry};

    return nth < 0 ? APR_EINVAL : cat_env_read(catalog->env, find_hash, &job);
}

typedef struct {
    bt_infohash obfuscated;
    bt_infohash *hash;
} obfuscated_job;

static int find_obfuscated(const cat_txn *txn, void *baton)
{
    const obfuscated_job *job = baton;

    return cat_get_obfuscated(txn, &job->obfuscated, job->hash);
}

apr_status_t cat_find_obfuscated(cat_catalog *catalog, const unsigned char obfuscated[BT_HASH_SIZE], bt_infohash *hash)
{
    obfuscated_job job = {.hash = hash};

    memcpy(job.obfuscated.b, obfuscated, BT_HASH_SIZE);
    return cat_env_read(catalog->env, find_obfuscated, &job);
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
    int members_only;
} read_job;

/* Finds a value whose length and checksum the record names. */
static int find_value(const cat_txn *txn, cat_db db, const read_job *job, apr_size_t length, apr_uint64_t sum,
                      MDB_val *value)
{
    MDB_val key = {sizeof job->key.b, (void *)(apr_uintptr_t)job->key.b};
    int rc = mdb_get(txn->txn, txn->db[db], &key, value);

    if (rc == MDB_NOTFOUND || (rc == 0 && (value->mv_size != length || cat_sum(value->mv_data, length) != sum))) {
        cat_env_note_bad_value(txn->env, db == CAT_DB_LAYER     ? "piece layer"
                                         : db == CAT_DB_MEMBERS ? "list of members"
                                                                : "torrent");
        return MDB_NOTFOUND;
    }
    return rc;
}

static int copy_value(const cat_txn *txn, cat_db db, const read_job *job, apr_size_t length, apr_uint64_t sum,
                      const unsigned char **copy)
{
    MDB_val value;
    int rc;

    *copy = NULL;
    if (length == 0)
        return 0;
    if ((rc = find_value(txn, db, job, length, sum, &value)) == 0)
        *copy = apr_pmemdup(job->pool, value.mv_data, length);
    return rc;
}

static int copy_members(const cat_txn *txn, const read_job *job, const cat_record *record)
{
    MDB_val value;
    int rc;

    if (record->entry.members_length == 0)
        return 0;
    rc = find_value(txn, CAT_DB_MEMBERS, job, record->entry.members_length, record->members_sum, &value);
    if (rc == 0 && !cat_members_read(value.mv_data, value.mv_size, job->pool, &job->torrent->members,
                                     &job->torrent->member_count)) {
        cat_env_note_bad_value(txn->env, "list of members");
        return MDB_NOTFOUND;
    }
    return rc;
}

static void fill_torrent(tg_torrent *torrent, const cat_record *record)
{
    const cat_entry *entry = &record->entry;

    memset(torrent, 0, sizeof *torrent);
    torrent->version = entry->version;
    torrent->v1 = entry->v1;
    torrent->v1_keyless = entry->v1_keyless;
    torrent->v1_alone = entry->v1_alone;
    torrent->v2 = entry->v2;
    torrent->length = record->length;
    torrent->piece_length = entry->piece_length;
    torrent->infodict_length = entry->infodict_length;
    torrent->layer_length = entry->layer_length;
    memcpy(torrent->root, record->root, sizeof torrent->root);
}

static int read_torrent(const cat_txn *txn, void *baton)
{
    const read_job *job = baton;
    const cat_entry *now, *wanted = job->entry;
    cat_record record;
    int rc = cat_get_record(txn, &job->key, &record);

    if (rc != 0)
        return rc;
    now = &record.entry;
    if (now->version != wanted->version || memcmp(&now->v1, &wanted->v1, sizeof now->v1) != 0 ||
        memcmp(&now->v2, &wanted->v2, sizeof now->v2) != 0)
        return MDB_NOTFOUND; /* the file has another torrent by now */
    fill_torrent(job->torrent, &record);
    if ((rc = copy_members(txn, job, &record)) != 0 || job->members_only)
        return rc;
    rc = copy_value(txn, CAT_DB_TORRENT, job, now->infodict_length, record.infodict_sum, &job->torrent->infodict);
    return rc != 0 ? rc : copy_value(txn, CAT_DB_LAYER, job, now->layer_length, record.layer_sum, &job->torrent->layer);
}

apr_status_t cat_read_torrent(cat_catalog *catalog, const cat_entry *entry, apr_pool_t *pool, tg_torrent *torrent)
{
    read_job job = {cat_path_key_of(entry->path), entry, pool, torrent, 0};

    return cat_env_read(catalog->env, read_torrent, &job);
}

apr_status_t cat_read_members(cat_catalog *catalog, const cat_entry *entry, apr_pool_t *pool, const tg_member **members,
                              apr_size_t *count)
{
    tg_torrent torrent = {0};
    read_job job = {cat_path_key_of(entry->path), entry, pool, &torrent, 1};
    apr_status_t status = cat_env_read(catalog->env, read_torrent, &job);

    *members = torrent.members;
    *count = torrent.member_count;
    return status;
}
