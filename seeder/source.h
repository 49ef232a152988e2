/* The bytes of a torrent, of one file or of several: in which file they lie, and whether it is still the one that was
 * hashed. Between the files of a torrent, and behind the last, are zeros (BEP 47 padding, the leaves of BEP 52).
 * Seeder's thread. */
#ifndef SEED_SOURCE_H
#define SEED_SOURCE_H

#include <sys/uio.h>

#include <apr_time.h>

#include "seeder/files.h"
#include "torrentgen/torrent.h"

typedef struct seed_source seed_source;

enum { SEED_SOURCE_SWEEP = 256 }; /* files looked at in one sweep */

/* A run of bytes. */
typedef struct {
    int file;           /* the source's, until the next call; -1: zeros */
    apr_int64_t offset; /* in the file */
    apr_size_t length;  /* at least 1 */
    seed_file *open;    /* the same file; NULL: zeros */
} seed_segment;

/* Bytes of a torrent that were just brought into the page cache for somebody. */
typedef struct {
    apr_int64_t from, to;
    apr_time_t until; /* how long that counts */
} seed_fetched;

/**
 * Takes one file, which is looked at by its path, and opened when a block of it is needed.
 * @param source    to be closed even if this fails
 * @param files     with `path`, outlives the source
 * @param stamp     copied
 * @param interval  how long a look at a file's stamp counts
 * @return APR_SUCCESS; APR_EBUSY: the file is another one now; APR_ENOMEM
 */
apr_status_t seed_source_open_file(seed_source **source, seed_files *files, const char *path, const bt_stamp *stamp,
                                   apr_interval_time_t interval, apr_time_t now);

/**
 * The same for several files; of many, some are looked at.
 * @param directory  with a "/" at the end; with `files` and `members`, outlives the source
 * @param members    at least one, in the order of their offsets
 */
apr_status_t seed_source_open_members(seed_source **source, seed_files *files, const char *directory,
                                      const tg_member *members, apr_size_t count, apr_interval_time_t interval,
                                      apr_time_t now);

/** Closes the files, and frees it. @param source  may be NULL */
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

typedef enum {
    SEED_READ_DONE,
    SEED_READ_COLD,  /* what follows is not in the page cache: see reader.h */
    SEED_READ_FAILED /* it cannot be read */
} seed_read_result;

/**
 * Reads bytes that follow each other, without waiting for a disk.
 * @param to       scratch: changed on the way
 * @param fetched  what was brought in for this reader, which is read at any rate; NULL: waiting is allowed
 * @param got      how many bytes were read
 */
seed_read_result seed_source_read(seed_source *source, struct iovec *to, int count, apr_int64_t offset, apr_time_t now,
                                  const seed_fetched *fetched, apr_size_t *got);

/**
 * Is a run in the page cache (as far as its ends and every 16 KiB tell), so that sendfile(2) does not wait?
 * @param run     cut to what is
 * @param offset  of the run in the torrent
 */
int seed_source_is_ready(seed_source *source, seed_segment *run, apr_int64_t offset, apr_time_t now,
                         const seed_fetched *fetched);

/** Its open files, and those of other sources. */
seed_files *seed_source_files(const seed_source *source);

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
