/* The catalogue's tables, one small step each, within a transaction of the caller's. Results are 0, MDB_NOTFOUND or
 * another error of LMDB. */
#ifndef CAT_TABLES_H
#define CAT_TABLES_H

#include "catalog/env.h"
#include "catalog/record.h"

/** @return MDB_NOTFOUND also for a damaged record, which is then noted */
int cat_get_record(const cat_txn *txn, const cat_path_key *key, cat_record *record);

/** Finds the nth path that has the hash, published ones first; what does not bear it out is passed over. */
int cat_get_by_hash(const cat_txn *txn, const bt_infohash *hash, int nth, cat_record *record);

/** Stores the record and points its info-hashes to it, as published or withdrawn. The record's texts may be in the
 * database. */
int cat_put_record(const cat_txn *txn, const cat_path_key *key, const cat_record *record);

/** Removes all that is known under the key, also when the record itself is damaged. */
int cat_del_all(const cat_txn *txn, const cat_path_key *key);

/** Is a published file, or if `any` also a withdrawn one, known by the hash? @return MDB_NOTFOUND if not */
int cat_hash_in_use(const cat_txn *txn, const bt_infohash *hash, int any);

/** Remembers why an info-hash is gone, unless another file still has it, and forgets the oldest ones beyond bounds. */
int cat_put_gone(const cat_txn *txn, const bt_infohash *hash, cat_standing why, apr_time_t now);
int cat_get_gone(const cat_txn *txn, const bt_infohash *hash, cat_standing *why);
int cat_del_gone(const cat_txn *txn, const bt_infohash *hash);

/* --- obfuscated.c: results of cat_obfuscate are also ENOMEM --- */

/** SHA1("req2", info-hash), by which an encrypted handshake names a torrent. */
int cat_obfuscate(const bt_infohash *hash, bt_infohash *obfuscated);

/** Lists an info-hash of a path by it, or no longer. */
int cat_point_obfuscated(const cat_txn *txn, const bt_infohash *hash, const cat_path_key *path, int published);

/** Finds the info-hash of a published file; what does not bear it out is passed over. */
int cat_get_obfuscated(const cat_txn *txn, const bt_infohash *obfuscated, bt_infohash *hash);

/** Which of a record's info-hashes is it? @return MDB_NOTFOUND if none */
int cat_record_obfuscated(const cat_record *record, const bt_infohash *obfuscated, bt_infohash *hash);

enum { CAT_GONE_MAX = 10000, CAT_GONE_DAYS = 7, CAT_PREVIOUS_DAYS = 30 };

/** Lists a record among the newest of its site, in place of where `old` was; either may be NULL. */
int cat_list_newest(const cat_txn *txn, const cat_path_key *key, const cat_record *old, const cat_record *record);

/** Removes the rows of a table whose key ends with the path key, however long that takes: for a damaged record. */
int cat_del_by_search(const cat_txn *txn, cat_db db, const cat_path_key *path);

/* The torrent that a withdrawn collection had. */
typedef struct {
    unsigned char time[8];
    bt_infohash v1;
    bt_infohash_v2 v2;
} cat_previous;

int cat_put_previous(const cat_txn *txn, const cat_path_key *key, const cat_record *record, apr_time_t now);
int cat_get_previous(const cat_txn *txn, const cat_path_key *key, cat_previous *previous);
int cat_del_previous(const cat_txn *txn, const cat_path_key *key);

/** Forgets the previous torrents that are older than CAT_PREVIOUS_DAYS. */
int cat_prune_previous(const cat_txn *txn, apr_time_t now);

/** Times as they lie in keys: microseconds since the epoch, most significant byte first. */
void cat_put_time(unsigned char bytes[8], apr_time_t time);
apr_time_t cat_get_time(const unsigned char bytes[8]);

/* Keys as they lie in the database; all members are bytes, so there are no gaps. */
typedef struct {
    bt_infohash hash;
    unsigned char withdrawn; /* 0 or 1 */
    cat_path_key path;
} cat_hash_key;

typedef struct {
    bt_infohash obfuscated;
    cat_path_key path;
} cat_obfuscated_key;

typedef struct {
    unsigned char time[8]; /* cat_put_time */
    bt_infohash hash;
} cat_age_key;

typedef struct {
    unsigned char site[16]; /* the first bytes of the site's SHA-256 */
    unsigned char time[8];  /* cat_put_time of the greatest time less the time of publication */
    cat_path_key path;
} cat_newest_key;

/** @return 0 if the record is not to be listed */
int cat_newest_key_of(const cat_path_key *key, const cat_record *record, cat_newest_key *newest);

typedef struct {
    unsigned char why; /* a cat_standing */
    unsigned char time[8];
} cat_gone_value;

#endif
