/* A file mapped into memory: what is sent again and again is copied once on its way then, not twice (bench/seed). Its bytes
 * are for the kernel alone: to read them here, where the file may have become shorter, would raise SIGBUS; sendmsg(2) only
 * fails with EFAULT. And they are given out only if they were in the page cache a moment ago, or the kernel would wait for a
 * disk while it sends. Seeder's thread. */
#ifndef SEED_VIEW_H
#define SEED_VIEW_H

#include <apr.h>
#include <apr_time.h>

typedef struct seed_view seed_view;

/* All mappings together. */
typedef struct {
    apr_int64_t mapped, most; /* bytes; of page tables a mapping takes one in 512 at most */
} seed_views;

enum {
    SEED_VIEW_UNIT = 16 * 1024,             /* what is known of whole units only */
    SEED_VIEW_KNOWN = 5 * APR_USEC_PER_SEC /* what was read or sent counts for at most so long, and at least half of it */
};

/** Nothing is mapped yet. */
void seed_views_init(seed_views *views);

/** Maps a regular file, as long as it is now. @return NULL if it cannot be mapped, or if all together would be too much */
seed_view *seed_view_make(seed_views *views, int file);

/** @param view  may be NULL */
void seed_view_free(seed_views *views, seed_view *view);

/** Notes that bytes were read, so that they are in the page cache. */
void seed_view_note(seed_view *view, apr_int64_t offset, apr_size_t length, apr_time_t now);

/** Is the file still as long as it was mapped? Behind the end of a shorter one are zeros up to the end of a page. */
int seed_view_is_whole(const seed_view *view, int file);

/**
 * Bytes of the file, for sendmsg(2), if all of them were read or sent a moment ago.
 * @param view  may be NULL
 * @return NULL if they are to be read; else valid until the view is freed
 */
void *seed_view_of(seed_view *view, apr_int64_t offset, apr_size_t length, apr_time_t now);

#endif
