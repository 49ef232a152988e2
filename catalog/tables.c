#include "catalog/tables.h"

#include <string.h>

_Static_assert(sizeof(cat_hash_key) == 53 && sizeof(cat_age_key) == 28 && sizeof(cat_gone_value) == 9 &&
                   sizeof(cat_newest_key) == 56 && sizeof(cat_obfuscated_key) == 52 && sizeof(cat_previous) == 60,
               "keys have no gaps");

static MDB_val val_of(const void *bytes, apr_size_t size)
{
    MDB_val val = {size, (void *)(apr_uintptr_t)bytes};

    return val;
}

static int delete_if_there(const cat_txn *txn, cat_db db, MDB_val key)
{
    int rc = mdb_del(txn->txn, txn->db[db], &key, NULL);

    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int put_key(const cat_txn *txn, cat_db db, MDB_val key)
{
    MDB_val nothing = {0, NULL};

    return mdb_put(txn->txn, txn->db[db], &key, &nothing, 0);
}

/* --- records ------------------------------------------------------------------------------------------------------ */

int cat_get_record(const cat_txn *txn, const cat_path_key *key, cat_record *record)
{
    MDB_val id = val_of(key->b, sizeof key->b), value;
    int rc = mdb_get(txn->txn, txn->db[CAT_DB_PATH], &id, &value);

    if (rc == 0 && !cat_record_read(&value, record)) {
        cat_env_note_bad_value(txn->env, "record");
        return MDB_NOTFOUND;
    }
    return rc;
}

static cat_hash_key hash_key(const bt_infohash *hash, int withdrawn, const cat_path_key *path)
{
    cat_hash_key key = {.hash = *hash, .withdrawn = (unsigned char)withdrawn};

    if (path)
        key.path = *path;
    return key;
}

static int put_hash(const cat_txn *txn, const bt_infohash *hash, int withdrawn, const cat_path_key *path)
{
    cat_hash_key key = hash_key(hash, withdrawn, path);

    return put_key(txn, CAT_DB_HASH, val_of(&key, sizeof key));
}

static int del_hash(const cat_txn *txn, const bt_infohash *hash, int withdrawn, const cat_path_key *path)
{
    cat_hash_key key = hash_key(hash, withdrawn, path);

    return delete_if_there(txn, CAT_DB_HASH, val_of(&key, sizeof key));
}

/* Do the info-hashes point to both in the same way? Most changes leave them as they are, and each would be a page of
 * its own to write. */
static int points_alike(const cat_record *a, const cat_record *b)
{
    return a->entry.published == b->entry.published && cat_record_same_torrent(a, b) &&
           bt_infohash_equal(&a->entry.v1_keyless, &b->entry.v1_keyless) &&
           bt_infohash_equal(&a->entry.v1_alone, &b->entry.v1_alone);
}

static int put_hashes(const cat_txn *txn, const cat_path_key *key, int published, const bt_infohash *hashes, int count)
{
    int rc = 0;

    for (int i = 0; rc == 0 && i < count; i++)
        if ((rc = del_hash(txn, &hashes[i], published, key)) == 0 &&
            (rc = put_hash(txn, &hashes[i], !published, key)) == 0)
            rc = cat_point_obfuscated(txn, &hashes[i], key, published);
    return rc;
}

int cat_put_record(const cat_txn *txn, const cat_path_key *key, const cat_record *record)
{
    MDB_val id = val_of(key->b, sizeof key->b), value;
    bt_infohash hashes[CAT_HASHES_MAX];
    int count = cat_record_hashes(record, hashes), published = record->entry.published, rc;
    cat_record old;
    bt_buf buf;

    bt_buf_init(&buf, 3 * CAT_TEXT_MAX);
    /* Before the first change: the texts of both may lie in pages that it moves. */
    if ((rc = cat_record_write(&buf, record)) == 0 && (rc = cat_get_record(txn, key, &old)) == 0)
        count = points_alike(&old, record) ? 0 : count;
    if (rc == 0 || rc == MDB_NOTFOUND)
        rc = cat_list_newest(txn, key, rc == 0 ? &old : NULL, record);
    if (rc == 0) {
        value = val_of(buf.data, buf.length);
        rc = mdb_put(txn->txn, txn->db[CAT_DB_PATH], &id, &value, 0);
    }
    if (rc == 0)
        rc = put_hashes(txn, key, published, hashes, count);
    bt_buf_free(&buf);
    return rc;
}

static int del_hashes(const cat_txn *txn, const cat_path_key *key, const cat_record *record)
{
    bt_infohash hashes[CAT_HASHES_MAX];
    int count = cat_record_hashes(record, hashes), rc = 0;

    for (int i = 0; rc == 0 && i < count; i++)
        if ((rc = del_hash(txn, &hashes[i], 0, key)) == 0 && (rc = del_hash(txn, &hashes[i], 1, key)) == 0)
            rc = cat_point_obfuscated(txn, &hashes[i], key, 0);
    return rc;
}

int cat_del_by_search(const cat_txn *txn, cat_db db, const cat_path_key *path)
{
    const apr_size_t wanted = db == CAT_DB_HASH         ? sizeof(cat_hash_key)
                              : db == CAT_DB_OBFUSCATED ? sizeof(cat_obfuscated_key)
                                                        : sizeof(cat_newest_key);
    MDB_cursor *cursor;
    MDB_val key, value;
    int rc = mdb_cursor_open(txn->txn, txn->db[db], &cursor);

    if (rc != 0)
        return rc;
    while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
        if (key.mv_size == wanted &&
            memcmp((char *)key.mv_data + wanted - sizeof path->b, path->b, sizeof path->b) != 0)
            continue;
        if ((rc = mdb_cursor_del(cursor, 0)) != 0)
            break;
    }
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

/* What points to the record. When it is damaged, nothing tells its info-hashes but a search of them all. */
static int del_pointers(const cat_txn *txn, const cat_path_key *key, const cat_record *record)
{
    static const cat_db tables[] = {CAT_DB_HASH, CAT_DB_OBFUSCATED, CAT_DB_NEWEST};
    int rc = 0;

    if (!record) {
        for (unsigned i = 0; rc == 0 && i < sizeof tables / sizeof *tables; i++)
            rc = cat_del_by_search(txn, tables[i], key);
        return rc;
    }
    return (rc = cat_list_newest(txn, key, record, NULL)) != 0 ? rc : del_hashes(txn, key, record);
}

int cat_del_all(const cat_txn *txn, const cat_path_key *key)
{
    static const cat_db own[] = {CAT_DB_TORRENT, CAT_DB_LAYER, CAT_DB_MEMBERS, CAT_DB_PATH};
    MDB_val id = val_of(key->b, sizeof key->b), value;
    cat_record record;
    int rc = mdb_get(txn->txn, txn->db[CAT_DB_PATH], &id, &value);

    if (rc != 0)
        return rc == MDB_NOTFOUND ? 0 : rc;
    rc = del_pointers(txn, key, cat_record_read(&value, &record) ? &record : NULL);
    for (unsigned i = 0; rc == 0 && i < sizeof own / sizeof *own; i++)
        rc = delete_if_there(txn, own[i], id);
    return rc;
}

/* --- info-hashes -------------------------------------------------------------------------------------------------- */

/* Read transactions keep their cursor, so that a look-up by hash allocates nothing. */
static int open_hash_cursor(const cat_txn *txn, MDB_cursor **cursor)
{
    int rc;

    if (txn->hash_cursor && *txn->hash_cursor) {
        *cursor = *txn->hash_cursor;
        return mdb_cursor_renew(txn->txn, *cursor);
    }
    rc = mdb_cursor_open(txn->txn, txn->db[CAT_DB_HASH], cursor);
    if (rc == 0 && txn->hash_cursor)
        *txn->hash_cursor = *cursor;
    return rc;
}

static void close_hash_cursor(const cat_txn *txn, MDB_cursor *cursor)
{
    if (!txn->hash_cursor)
        mdb_cursor_close(cursor);
}

/* Steps to the next key of that hash; the first step starts at `from`. @return MDB_NOTFOUND after the last */
static int next_of_hash(MDB_cursor *cursor, const bt_infohash *hash, MDB_cursor_op step, cat_hash_key *found)
{
    cat_hash_key from = hash_key(hash, 0, NULL);
    MDB_val key = val_of(&from, sizeof from), value;
    int rc = mdb_cursor_get(cursor, &key, &value, step);

    if (rc != 0)
        return rc;
    if (key.mv_size != sizeof *found || memcmp(key.mv_data, hash->b, sizeof hash->b) != 0)
        return MDB_NOTFOUND;
    memcpy(found, key.mv_data, sizeof *found);
    return 0;
}

int cat_get_by_hash(const cat_txn *txn, const bt_infohash *hash, int nth, cat_record *record)
{
    MDB_cursor_op step = MDB_SET_RANGE;
    MDB_cursor *cursor;
    cat_hash_key found;
    int rc = open_hash_cursor(txn, &cursor);

    if (rc != 0)
        return rc;
    while ((rc = next_of_hash(cursor, hash, step, &found)) == 0) {
        step = MDB_NEXT;
        rc = cat_get_record(txn, &found.path, record);
        if (rc == MDB_NOTFOUND || (rc == 0 && !cat_record_has(record, hash)))
            continue;
        if (rc != 0 || nth-- == 0)
            break;
    }
    close_hash_cursor(txn, cursor);
    return rc;
}

int cat_hash_in_use(const cat_txn *txn, const bt_infohash *hash, int any)
{
    MDB_cursor *cursor;
    cat_hash_key found;
    int rc = open_hash_cursor(txn, &cursor);

    if (rc != 0)
        return rc;
    rc = next_of_hash(cursor, hash, MDB_SET_RANGE, &found);
    close_hash_cursor(txn, cursor);
    return rc == 0 && found.withdrawn && !any ? MDB_NOTFOUND : rc;
}

/* --- what is gone ------------------------------------------------------------------------------------------------- */

void cat_put_time(unsigned char bytes[8], apr_time_t time)
{
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)((apr_uint64_t)time >> (56 - 8 * i));
}

apr_time_t cat_get_time(const unsigned char bytes[8])
{
    apr_uint64_t time = 0;

    for (int i = 0; i < 8; i++)
        time = time << 8 | bytes[i];
    return (apr_time_t)time;
}

static int get_gone_value(const cat_txn *txn, const bt_infohash *hash, cat_gone_value *gone)
{
    MDB_val key = val_of(hash->b, sizeof hash->b), value;
    int rc = mdb_get(txn->txn, txn->db[CAT_DB_GONE], &key, &value);

    if (rc == 0 && value.mv_size != sizeof *gone)
        return MDB_NOTFOUND;
    if (rc == 0)
        memcpy(gone, value.mv_data, sizeof *gone);
    return rc;
}

int cat_get_gone(const cat_txn *txn, const bt_infohash *hash, cat_standing *why)
{
    cat_gone_value gone;
    int rc = get_gone_value(txn, hash, &gone);

    if (rc == 0)
        *why = gone.why == CAT_PROTECTED ? CAT_PROTECTED : CAT_CHANGED;
    return rc;
}

int cat_del_gone(const cat_txn *txn, const bt_infohash *hash)
{
    cat_age_key age = {.hash = *hash};
    cat_gone_value gone;
    int rc = get_gone_value(txn, hash, &gone);

    if (rc == 0) {
        memcpy(age.time, gone.time, sizeof age.time);
        rc = delete_if_there(txn, CAT_DB_GONE_AGE, val_of(&age, sizeof age));
    }
    if (rc != 0 && rc != MDB_NOTFOUND)
        return rc;
    return delete_if_there(txn, CAT_DB_GONE, val_of(hash->b, sizeof hash->b));
}

/* Forgets from the old end; a few at a time, so that no change gets long. */
static int prune_gone(const cat_txn *txn, apr_time_t now)
{
    const apr_time_t limit = now - apr_time_from_sec((apr_time_t)CAT_GONE_DAYS * 24 * 3600);
    MDB_val key, value;
    MDB_cursor *cursor;
    MDB_stat stat;
    cat_age_key age;
    int rc = mdb_stat(txn->txn, txn->db[CAT_DB_GONE_AGE], &stat);

    if (rc != 0 || (rc = mdb_cursor_open(txn->txn, txn->db[CAT_DB_GONE_AGE], &cursor)) != 0)
        return rc;
    for (int i = 0; i < 16 && (rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST)) == 0; i++) {
        memset(&age, 0, sizeof age);
        if (key.mv_size == sizeof age)
            memcpy(&age, key.mv_data, sizeof age);
        if (stat.ms_entries <= CAT_GONE_MAX && cat_get_time(age.time) >= limit)
            break;
        if ((rc = mdb_cursor_del(cursor, 0)) != 0 ||
            (rc = delete_if_there(txn, CAT_DB_GONE, val_of(age.hash.b, sizeof age.hash.b))) != 0)
            break;
        stat.ms_entries--;
    }
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

int cat_put_gone(const cat_txn *txn, const bt_infohash *hash, cat_standing why, apr_time_t now)
{
    cat_gone_value gone = {.why = (unsigned char)why};
    cat_age_key age = {.hash = *hash};
    MDB_val key = val_of(hash->b, sizeof hash->b), value = val_of(&gone, sizeof gone);
    int rc = cat_hash_in_use(txn, hash, 1);

    if (rc != MDB_NOTFOUND)
        return rc;
    if ((rc = cat_del_gone(txn, hash)) != 0)
        return rc;
    cat_put_time(gone.time, now);
    cat_put_time(age.time, now);
    if ((rc = mdb_put(txn->txn, txn->db[CAT_DB_GONE], &key, &value, 0)) == 0 &&
        (rc = put_key(txn, CAT_DB_GONE_AGE, val_of(&age, sizeof age))) == 0)
        rc = prune_gone(txn, now);
    return rc;
}
