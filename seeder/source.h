/* The bytes of a torrent, of one file or of several: in which file they lie, and whether it is still the one that was
 * hashed. Between the files of a torrent, and behind the last, are zeros (BEP 47 padding, the leaves of BEP 52).
 * Seeder's thread. */
#ifndef SEED_SOURCE_H
#define SEED_SOURCE_H

#include <sys/uio.h>

#include <apr_pools.h>
#include <apr_time.h>

#include "torrentgen/torrent.h"

typedef struct seed_source seed_source;

enum {
    SEED_SOURCE_FILES = 16,  /* open files of one torrent of several */
    SEED_SOURCE_SWEEP = 256, /* files looked at in one sweep */
    SEED_SOURCE_SPARE = 512  /* open files of all such torrents together, beyond one each */
};

/* A run of bytes. */
typedef struct {
    int file;           /* the source's, until the next call; -1: zeros */
    apr_int64_t offset; /* in the file */
    apr_size_t length;  /* at least 1 */
} seed_segment;

/**
 * Opens one file, which stays open, so that a deleted one is noticed, not reopened.
 * @param path      with `stamp`, copied
 * @param interval  how long a look at a file's stamp counts
 * @return APR_SUCCESS; APR_EBUSY: the file is another one now; else why it cannot be opened
 */
apr_status_t seed_source_open_file(seed_source **source, const char *path, const bt_stamp *stamp,
                                   apr_interval_time_t interval, apr_time_t now, apr_pool_t *pool);

/**
 * The same for several files; of many, some are looked at.
 * @param directory  with a "/" at the end; with `members`, outlives the source
 * @param members    at least one, in the order of their offsets
 * @param spare      counts how many more files all sources that share it may have open; may be NULL
 */
apr_status_t seed_source_open_members(seed_source **source, const char *directory, const tg_member *members,
                                      apr_size_t count, int *spare, apr_interval_time_t interval, apr_time_t now,
                                      apr_pool_t *pool);

/** Closes the files; the memory is the pool's. */
void seed_source_close(seed_source *source);

/** Bytes up to the end of the last file. */
apr_int64_t seed_source_length(const seed_source *source);

/**
 * Where the bytes from `offset` on lie: a run of at most `length` of them. A file among several is looked at before, if
 * that was not done within the interval.
 * @return APR_SUCCESS; APR_EBUSY: that file is another one now; else why it cannot be opened
 */
apr_status_t seed_source_at(seed_source *source, apr_int64_t offset, apr_size_t length, apr_time_t now,
                            seed_segment *segment);

/**
 * Reads bytes that follow each other.
 * @param to  scratch: changed on the way
 * @return 0 if not all could be read
 */
int seed_source_read(seed_source *source, struct iovec *to, int count, apr_int64_t offset, apr_time_t now);

/** Is nothing known to have changed? Looks at a single file at most once in the interval; never at one of several. */
int seed_source_fresh(seed_source *source, apr_time_t now);

/** The same, looking now at whatever is open. */
int seed_source_fresh_now(seed_source *source, apr_time_t now);

/** The same, looking at some of several files, by turns. */
int seed_source_sweep(seed_source *source, apr_time_t now);

/** What the last seed_source_at failed for if that was a lack of descriptors or memory, else APR_SUCCESS. */
apr_status_t seed_source_shortage(const seed_source *source);

/** The path of a file that has changed, or could not be read: for messages. Valid until the next call. */
const char *seed_source_culprit(seed_source *source);

#endif
