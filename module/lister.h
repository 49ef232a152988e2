/* Listings of directories, made on a thread of their own and remembered: whoever asks waits as long as he likes, and what
 * he does not wait for goes on. */
#ifndef BTH_LISTER_H
#define BTH_LISTER_H

#include "module/listing.h"

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

/* How new an answer must be. */
typedef enum {
    BTH_LISTER_RECENT, /* of the last second; or, if it took longer than those waited who wanted it, of the last half minute */
    BTH_LISTER_SECOND, /* of the last second */
    BTH_LISTER_NOW     /* begun after the call */
} bth_lister_age;

/**
 * Looks at a directory. Files that are the same as before are not judged again until twenty times as long has gone by as
 * that takes. One directory at a time in each child, in the order in which they were asked for, each once for all who wait.
 * Any thread.
 * @param origin    of its URL: bth_origin_of
 * @param directory  with a "/" at the end
 * @param patience  the longest that it waits, microseconds
 */
void bth_lister_look(const char *origin, const char *directory, bth_lister_age age, apr_interval_time_t patience,
                     bth_collection_state *state);

/** Is an answer of the last second remembered? Any thread; never blocks for long. */
int bth_lister_is_recent(const char *origin, const char *directory);

/** Child, once, before threads. */
void bth_lister_init(void);

/** This child ends: nobody waits any longer. @param limit  to wait for the thread, microseconds @return 0 if it still runs */
int bth_lister_stop(apr_interval_time_t limit);

#endif
