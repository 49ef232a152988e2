/* The newest of very many files, in bounded memory: the work list of a scan.
 *
 * A walk adds every file that it finds; the newest are kept. They are taken newest first, and the next walk, below the
 * last one that was taken, finds the next newest, until one adds no more than there is room for. */
#ifndef BTH_NEWEST_H
#define BTH_NEWEST_H

#include <apr_errno.h>
#include <apr_general.h>

typedef struct bth_newest bth_newest;

/* malloc'd, freed by whoever took it. */
typedef struct {
    apr_int64_t mtime_ns;
    apr_int64_t size; /* bytes of the file */
    int root;         /* the caller's */
    char path[];
} bth_candidate;

/** @param files_max, bytes_max  candidates, and memory for them. @return NULL without memory */
bth_newest *bth_newest_create(apr_size_t files_max, apr_size_t bytes_max);

/** With all that is in it. NULL is fine. */
void bth_newest_free(bth_newest *newest);

/** Empties it, and begins at the newest again. */
void bth_newest_restart(bth_newest *newest);

/** Before a walk goes on where the last one ended. Empties it. */
void bth_newest_go_on(bth_newest *newest);

/**
 * A walk found a file: kept if it was not taken before and is among the newest.
 * @return 1 if it is one that was not taken before
 */
int bth_newest_add(bth_newest *newest, int root, const char *path, apr_int64_t mtime_ns, apr_int64_t size);

/** The newest that is left; NULL at the end. After the first call, no more adding before the next walk. */
bth_candidate *bth_newest_take(bth_newest *newest);

/** Were there more than could be kept? Then walk again. */
int bth_newest_has_more(const bth_newest *newest);

/** How many it holds. */
apr_size_t bth_newest_count(const bth_newest *newest);

#endif
