/* What is published: path <-> torrent <-> validity, on LMDB, shared by all processes of one server.
 *
 * Every child opens it for itself after the fork (an LMDB environment must not cross one). Readers take no locks; there
 * is one writer at a time among all processes, and each change is one transaction, so that kill -9 at any moment leaves
 * the state before or after it. */
#ifndef CAT_CATALOG_H
#define CAT_CATALOG_H

#include <apr_pools.h>
#include <apr_time.h>

#include "base/stamp.h"
#include "torrentgen/torrent.h"

typedef struct cat_catalog cat_catalog;

/* One published file. Memory is of the pool given to the look-up. */
typedef struct {
    const char *path;          /* absolute, as httpd names the file */
    const char *url;           /* where it was published: "VHOST-KEY SP SCHEME://HOST/URI", opaque to this room */
    bt_stamp stamp;            /* of the version that was hashed */
    apr_uint64_t grant;        /* the configuration under which the stranger test was last passed */
    int published;             /* 0: known and hashed, but withdrawn because a stranger may not have it */
    apr_time_t created;
    tg_version version;
    bt_infohash v1;            /* zero if there is none */
    bt_infohash v1_keyless;    /* of a hybrid, else zero: torrentgen/old_clients.h */
    bt_infohash v1_alone;      /* likewise */
    bt_infohash_v2 v2;         /* zero if there is none */
    apr_uint32_t piece_length; /* bytes */
    apr_size_t infodict_length, layer_length; /* bytes; see cat_read_torrent */
} cat_entry;

typedef enum {
    CAT_UNKNOWN,   /* never heard of, or forgotten long ago */
    CAT_PUBLISHED, /* at least one file has it and is published */
    CAT_CHANGED,   /* its file changed, or is gone */
    CAT_PROTECTED  /* its file is no longer for strangers */
} cat_standing;

/**
 * Opens (and makes, if need be) the catalogue in an existing directory. A damaged file or one of another layout is
 * renamed to catalog.mdb.bad-TIME with a message, and a new one is made.
 * @return why it cannot be had at all (APR_EACCES, ENOSPC, ...): the server then runs as plain httpd
 */
apr_status_t cat_open(cat_catalog **catalog, const char *directory, apr_pool_t *pool);

/** Any thread. @return APR_SUCCESS, APR_NOTFOUND, or an error that was logged */
apr_status_t cat_find_path(cat_catalog *catalog, const char *path, apr_pool_t *pool, cat_entry *entry);

/**
 * Finds a file by any of its info-hashes in 20 bytes (v2 is cut). Several files may have the same torrent: `nth` counts from 0,
 * published ones first.
 * @return APR_SUCCESS, APR_NOTFOUND past the last one, or an error that was logged. Any thread
 */
apr_status_t cat_find_hash(cat_catalog *catalog, const bt_infohash *hash, int nth, apr_pool_t *pool, cat_entry *entry);

/** What is to be told of an info-hash. One read, no allocation. Any thread. */
cat_standing cat_standing_of(cat_catalog *catalog, const bt_infohash *hash);

/**
 * Reads the whole torrent of an entry, copied into the pool. Any thread.
 * @return APR_SUCCESS, APR_NOTFOUND if it went away in between
 */
apr_status_t cat_read_torrent(cat_catalog *catalog, const cat_entry *entry, apr_pool_t *pool, tg_torrent *torrent);

/**
 * Publishes a file under its torrent, in place of what was known of that path. One transaction. Any thread.
 * @return APR_ENOSPC when the disk is full: nothing was changed
 */
apr_status_t cat_publish(cat_catalog *catalog, const char *path, const char *url, apr_uint64_t grant,
                         const bt_stamp *stamp, const tg_torrent *torrent);

/** Notes that the stranger test was passed again, publishing what was withdrawn. @return APR_NOTFOUND if unknown */
apr_status_t cat_grant(cat_catalog *catalog, const char *path, const char *url, apr_uint64_t grant);

/**
 * Withdraws a file: CAT_CHANGED forgets its torrent, CAT_PROTECTED keeps it unpublished. The info-hash is remembered for
 * a while, for cat_standing_of. @return APR_NOTFOUND if unknown
 */
apr_status_t cat_withdraw(cat_catalog *catalog, const char *path, cat_standing why);

/**
 * As cat_withdraw(CAT_CHANGED), but only if the entry still carries `stale`: a racing re-publication is left alone.
 */
apr_status_t cat_withdraw_stale(cat_catalog *catalog, const char *path, const bt_stamp *stale);

/** Called for each entry; return 0 to go on. The entry's memory lasts for the call. */
typedef int cat_walk_fn(void *baton, const cat_entry *entry);

/** Walks all entries in the order of their keys, in short read transactions. @return APR_SUCCESS or an error */
apr_status_t cat_walk(cat_catalog *catalog, cat_walk_fn *visit, void *baton);

/** Number of entries, published or not. */
apr_status_t cat_count(cat_catalog *catalog, apr_int64_t *count);

#endif
