/* The listing of a collection: the files below a directory, and which of them an anonymous stranger would be offered by
 * themselves (docs/protocol.md, "Collections"). */
#ifndef BTH_LISTING_H
#define BTH_LISTING_H

#include <httpd.h>

#include "base/stamp.h"
#include "module/config.h"
#include "torrentgen/torrent.h"

enum {
    BTH_LISTING_FILES = 65536,   /* that a collection may have */
    BTH_LISTING_NAMES = 262144,  /* of any kind that are read */
    BTH_LISTING_DIGEST = 32
};

typedef struct {
    const char *path; /* below the directory */
    bt_stamp stamp;
    int eligible;
} bth_listed;

/* Read-only once made; memory of its pool. */
typedef struct {
    apr_array_header_t *files; /* of bth_listed, in the order of a BEP 52 file tree; empty files are left out */
    apr_size_t eligible, judged; /* files; judged: those that the stranger asked for this time */
    int listed;                /* may be shown in the feed */
    unsigned char digest[BTH_LISTING_DIGEST]; /* of the eligible files' paths and stamps */
    unsigned char access[BTH_LISTING_DIGEST]; /* of the stamps of .htaccess files, here, below and above */
} bth_listing;

/**
 * Walks the directory. Blocks as the filesystem and httpd's access checkers do.
 * @param origin     of the directory's URL, which ends with a "/": bth_origin_of
 * @param directory  with a "/" at the end
 * @param before     a listing under the same configuration: a file that is the same now is not judged again, unless an
 *                   .htaccess file has changed. May be NULL
 * @return APR_SUCCESS; APR_EACCES: for a stranger the URL is not that directory, or it is no collection; APR_ENOSPC: too
 *         many files; APR_EINTR after bth_listing_stop; else why the directory, or one below it, cannot be read: out of
 *         descriptors or memory, or the disk fails
 */
apr_status_t bth_listing_make(bth_listing **listing, const char *origin, const char *directory, const bth_listing *before,
                              apr_pool_t *pool, apr_thread_t *thread);

/** This child ends: walks under way, and those to come, end soon. Any thread. */
void bth_listing_stop(void);

/** The digest that a listing of exactly these files has. */
void bth_listing_digest_of(const tg_member *members, apr_size_t count, unsigned char digest[BTH_LISTING_DIGEST]);

#endif
