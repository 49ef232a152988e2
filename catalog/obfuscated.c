/* How peers that encrypt name a torrent: by SHA1("req2", info-hash), which cannot be turned back. So each published
 * info-hash is listed by it, whatever of a hybrid a client takes for its key. */
#include <errno.h>
#include <string.h>

#include <openssl/evp.h>

#include "catalog/tables.h"

int cat_obfuscate(const bt_infohash *hash, bt_infohash *obfuscated)
{
    unsigned char bytes[4 + BT_HASH_SIZE] = "req2";

    memcpy(bytes + 4, hash->b, BT_HASH_SIZE);
    return EVP_Digest(bytes, sizeof bytes, obfuscated->b, NULL, EVP_sha1(), NULL) ? 0 : ENOMEM;
}

int cat_point_obfuscated(const cat_txn *txn, const bt_infohash *hash, const cat_path_key *path, int published)
{
    cat_obfuscated_key row = {.path = *path};
    MDB_val key = {sizeof row, &row}, nothing = {0, NULL};
    int rc = cat_obfuscate(hash, &row.obfuscated);

    if (rc == 0)
        rc = published ? mdb_put(txn->txn, txn->db[CAT_DB_OBFUSCATED], &key, &nothing, 0)
                       : mdb_del(txn->txn, txn->db[CAT_DB_OBFUSCATED], &key, NULL);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

/* Which of a record's info-hashes is it? */
int cat_record_obfuscated(const cat_record *record, const bt_infohash *obfuscated, bt_infohash *hash)
{
    bt_infohash hashes[CAT_HASHES_MAX], tried;
    int count = cat_record_hashes(record, hashes), rc = 0;

    for (int i = 0; i < count; i++) {
        if ((rc = cat_obfuscate(&hashes[i], &tried)) != 0)
            return rc;
        if (!bt_infohash_equal(&tried, obfuscated))
            continue;
        *hash = hashes[i];
        return 0;
    }
    return MDB_NOTFOUND;
}

int cat_get_obfuscated(const cat_txn *txn, const bt_infohash *obfuscated, bt_infohash *hash)
{
    cat_obfuscated_key row = {.obfuscated = *obfuscated};
    MDB_val key = {sizeof row, &row}, value;
    MDB_cursor_op step = MDB_SET_RANGE;
    MDB_cursor *cursor;
    cat_record record;
    int rc = mdb_cursor_open(txn->txn, txn->db[CAT_DB_OBFUSCATED], &cursor);

    if (rc != 0)
        return rc;
    while ((rc = mdb_cursor_get(cursor, &key, &value, step)) == 0) {
        step = MDB_NEXT;
        if (key.mv_size != sizeof row || memcmp(key.mv_data, obfuscated->b, sizeof obfuscated->b) != 0) {
            rc = MDB_NOTFOUND;
            break;
        }
        memcpy(&row, key.mv_data, sizeof row);
        rc = cat_get_record(txn, &row.path, &record);
        if (rc == 0 && record.entry.published)
            rc = cat_record_obfuscated(&record, obfuscated, hash);
        else if (rc == 0)
            rc = MDB_NOTFOUND;
        if (rc != MDB_NOTFOUND) /* else the row does not bear out: the next one may */
            break;
    }
    mdb_cursor_close(cursor);
    return rc;
}
