/* A directory as one torrent: is it a collection, and is what the catalogue has of it still right? */
#ifndef BTH_COLLECTION_H
#define BTH_COLLECTION_H

#include <httpd.h>

#include "catalog/catalog.h"
#include "module/gate.h"
#include "module/lister.h"
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

/** Looks at the directory of an entry: is its torrent still right? Any thread. @param age, patience  see bth_lister_look */
void bth_collection_compare(const cat_entry *entry, const char *origin, bth_lister_age age, apr_interval_time_t patience,
                            apr_pool_t *pool, bth_collection_state *state);

/** bth_gate_pass for the entry of a collection. */
bth_gate bth_collection_pass(const cat_entry *entry, apr_pool_t *pool);

/** Is it time to look at a collection that has peers? Any thread; never blocks for long. */
int bth_collection_is_due(const cat_entry *entry);

/** seed_config.list */
apr_status_t bth_collection_list(void *baton, const seed_make *make, apr_pool_t *pool, const tg_source_file **files,
                                 apr_size_t *count);

#endif
