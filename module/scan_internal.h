/* What the three parts of the scanner share: scan.c (its life and loop), scan_walk.c (finding files), scan_make.c (having
 * their torrents made). All of it belongs to the scanner's thread, except where said. */
#ifndef BTH_SCAN_INTERNAL_H
#define BTH_SCAN_INTERNAL_H

#include <apr_hash.h>
#include <apr_tables.h>

#include <pthread.h>

#include "base/stamp.h"
#include "catalog/catalog.h"
#include "module/newest.h"
#include "module/scan.h"
#include "module/scan_roots.h"
#include "seeder/counters.h"
#include "torrentgen/watch.h"

enum {
    BTH_SCAN_FLIGHTS = SEED_JOB_SLOTS - 128, /* files at the seeder: the rest of its slots is for requests */
    BTH_SCAN_GRANTS = 256,  /* files that are published in one transaction */
    BTH_SCAN_LATE_MAX = 65536,
    BTH_SCAN_FAILURES = 4096 /* that are remembered: another may take the place of one */
};

/* A file that was posted, until it is made or given up. Written under the mutex. */
typedef struct {
    char *path; /* malloc'd; NULL: free. Changed by the scanner's thread alone, as the next two */
    bth_candidate *file;
    apr_time_t posted; /* or looked for again */
    int done;
    apr_status_t status;
} bth_scan_flight;

/* A file that came while others were made: a stack, the newest first. malloc'd. */
typedef struct bth_scan_late {
    struct bth_scan_late *next;
    bth_candidate *file;
} bth_scan_late;

struct bth_scan {
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    int running;      /* under the mutex */
    int leaving;      /* atomic */
    int wake;         /* an eventfd: a flight is done, or it is to leave */
    seed_scan_figures *figures; /* on the page of counters */

    apr_pool_t *pool, *scratch;    /* scratch is cleared file by file */
    apr_array_header_t *roots;     /* of bth_scan_root */
    tg_watch *watch;               /* NULL: none can be had */
    bth_newest *newest;            /* what the last walk found */
    bth_scan_late *late;           /* what came since */
    int late_count;
    bth_candidate *held;           /* to be taken again, NULL: none */
    apr_size_t left;               /* files that wait, as far as is known, and their bytes */
    apr_int64_t bytes_left;
    apr_int64_t bytes_made;        /* since the rate was last reckoned */
    bth_scan_flight flights[BTH_SCAN_FLIGHTS];
    apr_hash_t *by_path;           /* path to bth_scan_flight; written under the mutex */
    int done_count;                /* flights that are done: under the mutex */
    apr_time_t looked_again;
    int flight_count;
    apr_int64_t flight_bytes;
    apr_pool_t *grant_pool;
    cat_grant_item grants[BTH_SCAN_GRANTS];
    int grant_count;

    apr_uint64_t failures[BTH_SCAN_FAILURES]; /* versions of files that failed, as hashes; 0: none */

    int walk_is_due, goes_on;      /* a walk from the start; or below what the last one found */
    int sweep_is_due;              /* something may be gone that nobody told of: at the end of the walk */
    int sweep_at_once;             /* it is */
    int in_walk;                   /* from its start until all that it found is made */
    apr_time_t walked, next_walk;  /* when the last one was made; when the next one is due */
    apr_interval_time_t period;    /* between walks where not everything is watched */
    apr_uint64_t made_before, failed_before; /* figures when this walk began */
    apr_time_t reckoned;           /* when the rate was */
    int unwatched_told;
    apr_size_t unwatched;          /* directories, by the last walk */
    apr_status_t unwatched_why;
    apr_size_t errors;             /* of the last walk */
    apr_time_t mailbox_full;       /* when it was last; 0: it is not */
    apr_time_t disk_full;          /* likewise */
    apr_interval_time_t disk_rest; /* until it is tried again */
};

/* scan_walk.c */

/** Walks all roots; what it finds is in scan->newest afterwards. */
void bth_scan_walk(bth_scan *scan);

/** Takes what the watch has to tell. */
void bth_scan_listen(bth_scan *scan);

/** Withdraws what is gone, below all roots. */
void bth_scan_sweep(bth_scan *scan);

/* scan_make.c */

typedef enum {
    BTH_SCAN_DONE,  /* nothing is to be done, or it is on its way */
    BTH_SCAN_WAIT   /* the mailbox is full: again in a moment */
} bth_scan_outcome;

/** Judges a file and has its torrent made or published. @param file  taken, unless it is to wait */
bth_scan_outcome bth_scan_take(bth_scan *scan, bth_candidate *file);

/** May another file be posted? */
int bth_scan_has_room(const bth_scan *scan, apr_int64_t size);

/** Looks what has become of the files at the seeder. */
void bth_scan_reap(bth_scan *scan);

/** Publishes what was granted and not yet written. */
void bth_scan_flush(bth_scan *scan);

/** Rules have changed: withdraws a published file that a stranger no longer gets. */
void bth_scan_judge_again(bth_scan *scan, const cat_entry *entry);

/* scan.c */

int bth_scan_is_leaving(bth_scan *scan);

/** A file that goes before all that wait. Takes it. */
void bth_scan_add_late(bth_scan *scan, bth_candidate *file);

/** A number by which tests make bounds and periods small; `otherwise` where the environment does not name it. */
apr_int64_t bth_scan_tuned(const char *name, apr_int64_t otherwise);

void bth_scan_figure(apr_uint64_t *figure, apr_int64_t change);
void bth_scan_show(apr_uint64_t *figure, apr_uint64_t value);

#endif
