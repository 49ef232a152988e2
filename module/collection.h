/* A directory as one torrent: is it a collection, and is what the catalogue has of it still right? */
#ifndef BTH_COLLECTION_H
#define BTH_COLLECTION_H

#include <httpd.h>

#include "catalog/catalog.h"
#include "module/gate.h"
#include "module/listing.h"
#include "seeder/mailbox.h"
#include "torrentgen/queue.h"

/* What a request for "DIR/" is about, found before httpd looks for an index page. */
typedef struct {
    const char *directory; /* in the file system, with a "/" at the end */
    bth_dir_config dir;
} bth_directory;

/** Fixup hook, before mod_dir: notes the directory of a request for "DIR/". */
int bth_collection_fixup(request_rec *r);

/** What the fixup noted where BTHTTPCollection is On, else NULL. */
const bth_directory *bth_collection_of(const request_rec *r);

/** Is it of a directory, which a "/" at the end of its path says? */
int bth_is_collection(const char *path);

/** The last element of the directory's URL path as a torrent's name; of "/", the host's. @param origin  of its URL */
const char *bth_collection_name(apr_pool_t *pool, const char *origin);

/* What a directory is now. */
typedef struct {
    apr_status_t status;  /* APR_SUCCESS; APR_ENOENT: there is no file for it; APR_ENOSPC: there are too many; APR_EACCES: it
                             is none for strangers; APR_TIMEUP: that is not known yet; else it cannot be read */
    apr_size_t files;
    int listed; /* may be shown in the feed */
    unsigned char digest[BTH_LISTING_DIGEST];
    /* After bth_collection_compare: */
    int same;    /* the torrent holds exactly these files */
    int certain; /* else nothing is known that speaks against it */
} bth_collection_state;

/**
 * Looks at a directory; what was found in the last second is told again, and files that are the same are not judged again
 * until twenty times as long has gone by as that takes. One directory at a time in each child. Any thread.
 * @param patience  the longest that it waits for its turn, microseconds
 */
void bth_collection_look(const char *origin, const char *directory, apr_interval_time_t patience, apr_pool_t *pool,
                         apr_thread_t *thread, bth_collection_state *state);

/** The same for the directory of an entry, and whether its torrent is still right. Any thread. */
void bth_collection_compare(const cat_entry *entry, const char *origin, apr_interval_time_t patience, apr_pool_t *pool,
                            apr_thread_t *thread, bth_collection_state *state);

/** bth_gate_pass for the entry of a collection. */
bth_gate bth_collection_pass(const cat_entry *entry, apr_pool_t *pool, apr_thread_t *thread);

/** Is it time to look at a collection that has peers? Any thread; never blocks for long. */
int bth_collection_is_due(const cat_entry *entry);

/** seed_config.list */
apr_status_t bth_collection_list(void *baton, const seed_make *make, apr_pool_t *pool, const tg_source_file **files,
                                 apr_size_t *count);

/** Child, once, before threads. */
void bth_collection_init(apr_pool_t *pool);

#endif
