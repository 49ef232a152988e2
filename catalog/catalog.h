/* What is published: path <-> torrent <-> validity, on LMDB, shared by all processes of one server.
 *
 * Every child opens it for itself after the fork (an LMDB environment must not cross one). Readers take no locks; there
 * is one writer at a time among all processes, and each change is one transaction, so that kill -9 at any moment leaves
 * the state before or after it. Opening takes as long with a million entries as with none. */
#ifndef CAT_CATALOG_H
#define CAT_CATALOG_H

#include <apr_pools.h>
#include <apr_time.h>

#include "base/stamp.h"
#include "torrentgen/torrent.h"

typedef struct cat_catalog cat_catalog;

/* One published file or collection. Memory is of the pool given to the look-up. */
typedef struct {
    const char *path; /* absolute, as httpd names the file; of a collection its directory, with a "/" at the end */
    const char *url;  /* where it was published: "LOCAL-IP PORT SCHEME HOST PATH"; "" if that is not known yet */
    bt_stamp stamp;   /* of the version that was hashed; of a collection: size is the sum of its files, inode a checksum
                         of its members and their stamps, all else zero */
    bt_stamp sidecar; /* of FILE.torrent when it was last looked at; zero: there was none */
    apr_uint64_t grant;       /* the configuration under which the stranger test was last passed */
    int published;            /* 0: known and hashed, but not (or no longer) for strangers */
    int listed;               /* may be shown in the feed once published */
    int adopted;              /* the torrent is the sidecar's */
    int has_digest;           /* digest is set */
    unsigned char digest[32]; /* SHA-256 of the whole file */
    apr_time_t created;       /* when it was first published under this torrent; until then, when it was made */
    tg_version version;
    bt_infohash v1;          /* zero if there is none */
    bt_infohash v1_keyless;  /* of a hybrid, else zero: torrentgen/old_clients.h */
    bt_infohash v1_alone;    /* likewise */
    bt_infohash_v2 v2;       /* zero if there is none */
    bt_infohash previous_v1; /* of a collection: of the torrent that it had before (BEP 38), else zero */
    bt_infohash_v2 previous_v2;
    apr_uint32_t piece_length;                /* bytes */
    apr_size_t infodict_length, layer_length; /* bytes; see cat_read_torrent */
    apr_size_t members_length;                /* bytes, as stored; 0: one file */
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

/* --- one entry ---------------------------------------------------------------------------------------------------- */

/** Any thread. @return APR_SUCCESS, APR_NOTFOUND, or an error that was logged */
apr_status_t cat_find_path(cat_catalog *catalog, const char *path, apr_pool_t *pool, cat_entry *entry);

/**
 * Finds a file by any of its info-hashes in 20 bytes (v2 is cut). Several files may have the same torrent: `nth` counts
 * from 0, published ones first.
 * @return APR_SUCCESS, APR_NOTFOUND past the last one, or an error that was logged. Any thread
 */
apr_status_t cat_find_hash(cat_catalog *catalog, const bt_infohash *hash, int nth, apr_pool_t *pool, cat_entry *entry);

/** A number that is another one after each change by any process: while it stays the same, so does all that look-ups find.
 * Costs next to nothing. Any thread. */
apr_uint64_t cat_version(cat_catalog *catalog);

/**
 * Finds the info-hash that a published file has, by SHA1("req2", info-hash): so an encrypted handshake names it. Any thread.
 * @return APR_SUCCESS, APR_NOTFOUND, or an error that was logged
 */
apr_status_t cat_find_obfuscated(cat_catalog *catalog, const unsigned char obfuscated[BT_HASH_SIZE], bt_infohash *hash);

/** What is to be told of an info-hash. One read, no allocation. Any thread. */
cat_standing cat_standing_of(cat_catalog *catalog, const bt_infohash *hash);

/**
 * Reads the whole torrent of an entry, members included, copied into the pool. Any thread.
 * @return APR_SUCCESS, APR_NOTFOUND if it went away in between
 */
apr_status_t cat_read_torrent(cat_catalog *catalog, const cat_entry *entry, apr_pool_t *pool, tg_torrent *torrent);

/**
 * Reads the members of a collection's entry alone, copied into the pool; none for a single file. Any thread.
 * @return as cat_read_torrent
 */
apr_status_t cat_read_members(cat_catalog *catalog, const cat_entry *entry, apr_pool_t *pool, const tg_member **members,
                              apr_size_t *count);

/* --- changes ------------------------------------------------------------------------------------------------------ */

typedef struct {
    const char *path; /* of a file; of a collection: its directory, with a "/" at the end */
    const char *url;  /* "" if it is not known yet (made by a scan without a server) */
    apr_uint64_t grant;
    int published;    /* 0: known and hashed; published by the first stranger test that it passes */
    int listed;       /* may be shown in the feed once published */
    bt_stamp stamp;   /* of a collection: all zero but size (sum of its files) */
    bt_stamp sidecar; /* of FILE.torrent when it was last looked at; zero: there was none */
    int adopted;      /* the torrent is the sidecar's */
    int has_digest;
    unsigned char digest[32]; /* SHA-256 of the whole file */
    const tg_torrent *torrent;
} cat_publication;

/**
 * Puts files under their torrents, each in place of what was known of its path. All in one transaction, unless their
 * torrents are more than 64 MiB together. A torrent that the path had already keeps its `created`. Any thread.
 * @return APR_ENOSPC when the disk is full: nothing was changed. APR_EINVAL: one of them is impossible, nothing was
 * changed
 */
apr_status_t cat_publish(cat_catalog *catalog, const cat_publication *list, apr_size_t count);

/** Notes that the stranger test was passed again, publishing what was withdrawn. @return APR_NOTFOUND if unknown */
apr_status_t cat_grant(cat_catalog *catalog, const char *path, const char *url, apr_uint64_t grant, int listed);

typedef struct {
    const char *path, *url;
    int listed;
    int renew; /* leave alone what is not published (any more): for tests that were made a while ago */
} cat_grant_item;

/** cat_grant of many in one transaction; what is unknown is passed over. Any thread. */
apr_status_t cat_grant_many(cat_catalog *catalog, const cat_grant_item *list, apr_size_t count, apr_uint64_t grant);

/**
 * Notes the SHA-256 of the whole file.
 * @param of  the version that was read
 * @return APR_NOTFOUND if the path is unknown or has another version
 */
apr_status_t cat_set_digest(cat_catalog *catalog, const char *path, const bt_stamp *of, const unsigned char digest[32]);

/**
 * Withdraws a file: CAT_CHANGED forgets its torrent, CAT_PROTECTED keeps it unpublished. The info-hash is remembered
 * for a while, for cat_standing_of. @return APR_NOTFOUND if unknown
 */
apr_status_t cat_withdraw(cat_catalog *catalog, const char *path, cat_standing why);

/**
 * As cat_withdraw(CAT_CHANGED), but only if the entry still carries `stale`: a racing re-publication is left alone.
 */
apr_status_t cat_withdraw_stale(cat_catalog *catalog, const char *path, const bt_stamp *stale);

/** Removes all that is known of a path; its info-hashes are remembered as gone. @return APR_NOTFOUND if unknown */
apr_status_t cat_forget(cat_catalog *catalog, const char *path);

/* --- many --------------------------------------------------------------------------------------------------------- */

/* Where a walk has got to. All zero: the start. */
typedef struct {
    unsigned char key[32]; /* the last one seen */
    int started, ended;
} cat_place;

/** Called for each entry; return 0 to go on. The entry's memory lasts for the call. */
typedef int cat_walk_fn(void *baton, const cat_entry *entry);

/** Walks all entries in the order of their keys, in short read transactions. @return APR_SUCCESS or an error */
apr_status_t cat_walk(cat_catalog *catalog, cat_walk_fn *visit, void *baton);

/** Walks at most `max` entries from `place` on, which it moves to the last one that was visited;
 * place->ended after the last of all. */
apr_status_t cat_walk_some(cat_catalog *catalog, cat_place *place, apr_size_t max, cat_walk_fn *visit, void *baton);

/** Number of entries, published or not. */
apr_status_t cat_count(cat_catalog *catalog, apr_int64_t *count);

enum { CAT_TOKEN_SIZE = 23 }; /* bytes of a page's token, with its NUL */

/* Bytes of a site with its NUL: the HOST of an entry's url without its port, in small letters. It is the same by http and
 * https and on every address and port, so that one feed has all; whether a file is there by the way by which a client
 * came is for the caller to find out. */
enum { CAT_SITE_SIZE = 256 };

/**
 * The site of an entry's url.
 * @param url  "LOCAL-IP PORT SCHEME HOST", and what follows a space
 * @return 0 if it has none, or one that is longer than a host name can be
 */
int cat_site_of(const char *url, char site[CAT_SITE_SIZE]);

/**
 * The published and listed entries of some sites (the names of one host), newest first, a page at a time. A page that a token names stays the
 * same while new entries are published, but for what is withdrawn.
 * @param sites  as cat_site_of says
 * @param token  of the page, as the page before said; NULL or "": the first
 * @param max    entries in a page, at least 1
 * @param entries, count  the page
 * @param next   room for CAT_TOKEN_SIZE bytes: the next page's token, letters, digits, "-" and "_"; "" if there is none
 * @return APR_EINVAL if the token is none
 */
apr_status_t cat_newest(cat_catalog *catalog, const char *const *sites, int site_count, const char *token, apr_size_t max,
                        apr_pool_t *pool, const cat_entry **entries, apr_size_t *count, char next[CAT_TOKEN_SIZE]);

/* --- what is no longer there -------------------------------------------------------------------------------------- */

typedef enum {
    CAT_FILE_SAME,
    CAT_FILE_CHANGED,
    CAT_FILE_GONE,
    CAT_FILE_UNKNOWN /* it cannot be looked at: a directory that may not be searched, a failing disk */
} cat_file_state;

/** Looks whether the file, or each member of a collection, is still what was hashed. Reads no contents. Any thread. */
cat_file_state cat_look(cat_catalog *catalog, const cat_entry *entry, apr_pool_t *scratch);

typedef struct {
    apr_int64_t seen, gone, changed; /* entries; gone and changed ones were removed */
    apr_int64_t unknown;             /* could not be looked at, and were left */
} cat_gc_counts;

/**
 * Removes what is no longer there or has changed, looking at `max` entries from `place` on, which it moves;
 * place->ended after the last one. Compacts nothing: LMDB uses the room again. Any thread; blocks as stat(2) does,
 * never in a transaction.
 * @param removed  called for each entry that was removed; may be NULL. What it returns is ignored
 * @param counts   added to
 */
apr_status_t cat_gc(cat_catalog *catalog, cat_place *place, apr_size_t max, cat_walk_fn *removed, void *baton,
                    cat_gc_counts *counts);

#endif
