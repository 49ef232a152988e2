/* How a catalogue entry lies in the database: a fixed head, path and URL with their NULs, and a checksum of it all. */
#ifndef CAT_RECORD_H
#define CAT_RECORD_H

#include <lmdb.h>

#include "base/buf.h"
#include "catalog/catalog.h"

enum {
    CAT_RECORD_FORMAT = 2,               /* first byte of each record */
    CAT_TEXT_MAX = 64 * 1024,            /* of a path or URL, bytes */
    CAT_TORRENT_MAX = 1024 * 1024 * 512, /* of an infodict, a piece layer or a list of members, bytes */
    CAT_PATH_KEY_SIZE = 32
};

/* SHA-256 of a path: the key of its record, its infodict and its piece layer. */
typedef struct {
    unsigned char b[CAT_PATH_KEY_SIZE];
} cat_path_key;

/* v1, v2 cut to 20 bytes, and the two by which old clients know a hybrid. */
enum { CAT_HASHES_MAX = 4 };

/* An entry and what only this room needs of it. As read, its texts point into the database: valid in the transaction.
 */
typedef struct {
    cat_entry entry;
    int ever;                            /* it was published at some time */
    apr_int64_t length;                  /* of the file in the torrent, bytes */
    unsigned char root[BT_HASH_V2_SIZE]; /* v2 pieces root */
    apr_uint64_t infodict_sum;           /* cat_sum of the infodict */
    apr_uint64_t layer_sum;
    apr_uint64_t members_sum;
} cat_record;

cat_path_key cat_path_key_of(const char *path);

/** The same of any bytes. */
cat_path_key cat_key_of(const void *bytes, apr_size_t length);

/** A checksum against bit rot (SipHash with a fixed key), not against an enemy. */
apr_uint64_t cat_sum(const void *bytes, apr_size_t length);

/** Appends the record to `buf`. @return buf->status, or APR_EINVAL if path or URL is missing or too long */
apr_status_t cat_record_write(bt_buf *buf, const cat_record *record);

/** @return 1, or 0 if the value is no sound record of this format */
int cat_record_read(const MDB_val *value, cat_record *record);

/** Have both the same torrent? */
int cat_record_same_torrent(const cat_record *a, const cat_record *b);

/** Is this one of its info-hashes? */
int cat_record_has(const cat_record *record, const bt_infohash *hash);

/** The record's info-hashes in 20-byte form. @return how many */
int cat_record_hashes(const cat_record *record, bt_infohash hashes[CAT_HASHES_MAX]);

#endif
