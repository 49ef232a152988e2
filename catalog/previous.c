/* What torrent a collection had before it was withdrawn: its next one says so to clients (BEP 38). */
#include <string.h>

#include "catalog/tables.h"

int cat_put_previous(const cat_txn *txn, const cat_path_key *key, const cat_record *record, apr_time_t now)
{
    cat_previous previous = {.v1 = record->entry.v1, .v2 = record->entry.v2};
    MDB_val id = {sizeof key->b, (void *)(apr_uintptr_t)key->b}, value = {sizeof previous, &previous};

    cat_put_time(previous.time, now);
    return mdb_put(txn->txn, txn->db[CAT_DB_PREVIOUS], &id, &value, 0);
}

int cat_get_previous(const cat_txn *txn, const cat_path_key *key, cat_previous *previous)
{
    MDB_val id = {sizeof key->b, (void *)(apr_uintptr_t)key->b}, value;
    int rc = mdb_get(txn->txn, txn->db[CAT_DB_PREVIOUS], &id, &value);

    if (rc == 0 && value.mv_size != sizeof *previous)
        return MDB_NOTFOUND;
    if (rc == 0)
        memcpy(previous, value.mv_data, sizeof *previous);
    return rc;
}

int cat_del_previous(const cat_txn *txn, const cat_path_key *key)
{
    MDB_val id = {sizeof key->b, (void *)(apr_uintptr_t)key->b};
    int rc = mdb_del(txn->txn, txn->db[CAT_DB_PREVIOUS], &id, NULL);

    return rc == MDB_NOTFOUND ? 0 : rc;
}

int cat_prune_previous(const cat_txn *txn, apr_time_t now)
{
    const apr_time_t limit = now - apr_time_from_sec((apr_time_t)CAT_PREVIOUS_DAYS * 24 * 3600);
    MDB_val key, value;
    MDB_cursor *cursor;
    int rc = mdb_cursor_open(txn->txn, txn->db[CAT_DB_PREVIOUS], &cursor);

    if (rc != 0)
        return rc;
    while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0)
        if (value.mv_size != sizeof(cat_previous) || cat_get_time(((cat_previous *)value.mv_data)->time) < limit)
            if ((rc = mdb_cursor_del(cursor, 0)) != 0)
                break;
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
}
