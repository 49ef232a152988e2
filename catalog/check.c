#include "catalog/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "catalog/handle.h"
#include "catalog/members.h"
#include "catalog/tables.h"

typedef struct {
    const cat_txn *txn;
    apr_pool_t *pool; /* cleared after each record */
    cat_fault_fn *tell;
    void *baton;
    apr_int64_t faults;
} check;

static void fault(check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void fault(check *c, const char *format, ...)
{
    char what[1024];
    va_list args;

    c->faults++;
    if (!c->tell)
        return;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    c->tell(c->baton, what);
}

/* @return 1 if found, 0 if not, and a fault for any other result */
static int find(check *c, cat_db db, const void *bytes, apr_size_t size, MDB_val *value)
{
    MDB_val key = {size, (void *)(apr_uintptr_t)bytes};
    int rc = mdb_get(c->txn->txn, c->txn->db[db], &key, value);

    if (rc != 0 && rc != MDB_NOTFOUND)
        fault(c, "table %d cannot be read: %s", db, mdb_strerror(rc));
    return rc == 0;
}

static void check_value(check *c, cat_db db, const cat_path_key *key, const char *path, apr_size_t length,
                        apr_uint64_t sum)
{
    const char *what = db == CAT_DB_LAYER ? "piece layer" : db == CAT_DB_MEMBERS ? "list of members" : "torrent";
    int expected = db == CAT_DB_TORRENT || length > 0;
    MDB_val value;

    if (!find(c, db, key->b, sizeof key->b, &value)) {
        if (expected)
            fault(c, "%s has no %s", path, what);
    } else if (!expected || value.mv_size != length || cat_sum(value.mv_data, length) != sum) {
        fault(c, "%s has a wrong %s", path, what);
    }
}

static void check_members(check *c, const cat_path_key *key, const cat_record *record)
{
    const cat_entry *entry = &record->entry;
    int is_directory = entry->path[strlen(entry->path) - 1] == '/';
    const tg_member *members;
    apr_size_t count;
    MDB_val value;

    check_value(c, CAT_DB_MEMBERS, key, entry->path, entry->members_length, record->members_sum);
    if (is_directory != (entry->members_length > 0))
        fault(c, "%s is a collection by its name or by its members alone", entry->path);
    if (is_directory && find(c, CAT_DB_MEMBERS, key->b, sizeof key->b, &value) &&
        !cat_members_read(value.mv_data, value.mv_size, c->pool, &members, &count))
        fault(c, "%s has members that do not parse", entry->path);
    apr_pool_clear(c->pool);
}

static void check_listed_obfuscated(check *c, const cat_path_key *key, const cat_record *record, const bt_infohash *hash)
{
    cat_obfuscated_key row = {.path = *key};
    MDB_val ignored;

    if (cat_obfuscate(hash, &row.obfuscated) == 0 &&
        find(c, CAT_DB_OBFUSCATED, &row, sizeof row, &ignored) != record->entry.published)
        fault(c, "%s is not found by its obfuscated info-hash, or is though it is withdrawn", record->entry.path);
}

static void check_hashes(check *c, const cat_path_key *key, const cat_record *record)
{
    bt_infohash hashes[CAT_HASHES_MAX];
    int count = cat_record_hashes(record, hashes), published = record->entry.published;
    MDB_val ignored;

    for (int i = 0; i < count; i++) {
        cat_hash_key hash = {hashes[i], !published, *key};
        if (!find(c, CAT_DB_HASH, &hash, sizeof hash, &ignored))
            fault(c, "%s is not found by its info-hash", record->entry.path);
        if (published && find(c, CAT_DB_GONE, hashes[i].b, sizeof hashes[i].b, &ignored))
            fault(c, "%s is published, and its info-hash gone", record->entry.path);
        check_listed_obfuscated(c, key, record, &hashes[i]);
    }
}

static void check_record(check *c, const MDB_val *key, const MDB_val *value)
{
    cat_newest_key newest;
    cat_path_key id;
    cat_record record;
    MDB_val ignored;

    if (!cat_record_read(value, &record)) {
        fault(c, "a record does not parse");
        return;
    }
    id = cat_path_key_of(record.entry.path);
    if (key->mv_size != sizeof id.b || memcmp(key->mv_data, id.b, sizeof id.b) != 0)
        fault(c, "%s lies under another key", record.entry.path);
    check_value(c, CAT_DB_TORRENT, &id, record.entry.path, record.entry.infodict_length, record.infodict_sum);
    check_value(c, CAT_DB_LAYER, &id, record.entry.path, record.entry.layer_length, record.layer_sum);
    check_members(c, &id, &record);
    check_hashes(c, &id, &record);
    if (record.entry.published && !record.ever)
        fault(c, "%s is published, and never was", record.entry.path);
    if (cat_newest_key_of(&id, &record, &newest) && !find(c, CAT_DB_NEWEST, &newest, sizeof newest, &ignored))
        fault(c, "%s is not listed among the newest", record.entry.path);
}

static void check_hash(check *c, const MDB_val *key, const MDB_val *value)
{
    cat_hash_key hash;
    cat_record record;
    MDB_val found;

    if (key->mv_size != sizeof hash || value->mv_size != 0) {
        fault(c, "an info-hash's key is damaged");
        return;
    }
    memcpy(&hash, key->mv_data, sizeof hash);
    if (!find(c, CAT_DB_PATH, hash.path.b, sizeof hash.path.b, &found) || !cat_record_read(&found, &record))
        fault(c, "an info-hash points to no record");
    else if (!cat_record_has(&record, &hash.hash) || hash.withdrawn != !record.entry.published)
        fault(c, "an info-hash points to %s, which is otherwise", record.entry.path);
}

static void check_obfuscated(check *c, const MDB_val *key, const MDB_val *value)
{
    cat_obfuscated_key row;
    bt_infohash ignored;
    cat_record record;
    MDB_val found;

    if (key->mv_size != sizeof row || value->mv_size != 0) {
        fault(c, "an obfuscated info-hash's key is damaged");
        return;
    }
    memcpy(&row, key->mv_data, sizeof row);
    if (!find(c, CAT_DB_PATH, row.path.b, sizeof row.path.b, &found) || !cat_record_read(&found, &record))
        fault(c, "an obfuscated info-hash points to no record");
    else if (!record.entry.published || cat_record_obfuscated(&record, &row.obfuscated, &ignored) != 0)
        fault(c, "an obfuscated info-hash points to %s, which is otherwise", record.entry.path);
}

static void check_newest(check *c, const MDB_val *key, const MDB_val *value)
{
    cat_newest_key newest, expected;
    cat_record record;
    MDB_val found;

    if (key->mv_size != sizeof newest || value->mv_size != 0) {
        fault(c, "a key among the newest is damaged");
        return;
    }
    memcpy(&newest, key->mv_data, sizeof newest);
    if (!find(c, CAT_DB_PATH, newest.path.b, sizeof newest.path.b, &found) || !cat_record_read(&found, &record))
        fault(c, "one of the newest is no record");
    else if (!cat_newest_key_of(&newest.path, &record, &expected) || memcmp(&newest, &expected, sizeof newest) != 0)
        fault(c, "%s is not what it is listed as", record.entry.path);
}

static void check_previous(check *c, const MDB_val *key, const MDB_val *value)
{
    MDB_val found;

    if (key->mv_size != CAT_PATH_KEY_SIZE || value->mv_size != sizeof(cat_previous))
        fault(c, "a previous torrent is damaged");
    else if (find(c, CAT_DB_PATH, key->mv_data, key->mv_size, &found))
        fault(c, "a previous torrent lies beside its record");
}

static void check_owner(check *c, const MDB_val *key, const MDB_val *value)
{
    MDB_val found;

    if (!find(c, CAT_DB_PATH, key->mv_data, key->mv_size, &found))
        fault(c, "a torrent, piece layer or list of members belongs to no record");
}

static void check_gone(check *c, const MDB_val *key, const MDB_val *value)
{
    cat_gone_value gone;
    cat_age_key age;
    MDB_val found;

    if (key->mv_size != sizeof age.hash || value->mv_size != sizeof gone) {
        fault(c, "what is known of a gone info-hash is damaged");
        return;
    }
    memcpy(&gone, value->mv_data, sizeof gone);
    memcpy(age.time, gone.time, sizeof age.time);
    memcpy(&age.hash, key->mv_data, sizeof age.hash);
    if (!find(c, CAT_DB_GONE_AGE, &age, sizeof age, &found))
        fault(c, "a gone info-hash is not listed by its age");
}

static void check_age(check *c, const MDB_val *key, const MDB_val *value)
{
    cat_age_key age;
    MDB_val found;

    if (key->mv_size != sizeof age) {
        fault(c, "the age of a gone info-hash is damaged");
        return;
    }
    memcpy(&age, key->mv_data, sizeof age);
    if (!find(c, CAT_DB_GONE, age.hash.b, sizeof age.hash.b, &found) || found.mv_size != sizeof(cat_gone_value) ||
        memcmp(((cat_gone_value *)found.mv_data)->time, age.time, sizeof age.time) != 0)
        fault(c, "an age belongs to no gone info-hash");
}

static int check_all(const cat_txn *txn, void *baton)
{
    static const struct {
        cat_db db;
        void (*look)(check *c, const MDB_val *key, const MDB_val *value);
    } tables[] = {{CAT_DB_PATH, check_record},   {CAT_DB_HASH, check_hash},     {CAT_DB_TORRENT, check_owner},
                  {CAT_DB_LAYER, check_owner},   {CAT_DB_GONE, check_gone},     {CAT_DB_GONE_AGE, check_age},
                  {CAT_DB_MEMBERS, check_owner}, {CAT_DB_NEWEST, check_newest}, {CAT_DB_PREVIOUS, check_previous},
                  {CAT_DB_OBFUSCATED, check_obfuscated}};
    check *c = baton;
    MDB_val key, value;
    MDB_cursor *cursor;
    int rc = 0;

    c->txn = txn;
    c->faults = 0;
    for (apr_size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        if ((rc = mdb_cursor_open(txn->txn, txn->db[tables[i].db], &cursor)) != 0)
            return rc;
        while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0)
            tables[i].look(c, &key, &value);
        mdb_cursor_close(cursor);
        if (rc != MDB_NOTFOUND)
            return rc;
    }
    return 0;
}

apr_status_t cat_check(cat_catalog *catalog, cat_fault_fn *tell, void *baton, apr_int64_t *faults)
{
    check c = {.tell = tell, .baton = baton};
    apr_status_t status = apr_pool_create(&c.pool, NULL);

    *faults = 0;
    if (status != APR_SUCCESS)
        return status;
    status = cat_env_read(catalog->env, check_all, &c);
    apr_pool_destroy(c.pool);
    *faults = c.faults;
    return status;
}
