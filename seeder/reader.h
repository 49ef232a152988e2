/* Threads that wait for the disk in place of the loop: they bring parts of files into the page cache, and the loop hears
 * when they are there. There are none until something must be read. */
#ifndef SEED_READER_H
#define SEED_READER_H

#include "seeder/disk.h"

typedef struct seed_reader seed_reader;
typedef struct seed_read seed_read; /* one that is under way */

/* MOST: reads that are under way, wait, or were not taken back yet; each holds a descriptor. */
enum { SEED_READER_THREADS = 4, SEED_READER_MOST = 256 };

/** @param disk  outlives it */
apr_status_t seed_reader_open(seed_reader **reader, const seed_disk *disk);

/** Ends the threads, waiting for what they are reading; what waits is not read. No read may be used afterwards. */
void seed_reader_close(seed_reader *reader);

/** Becomes readable when something is finished. */
int seed_reader_fd(const seed_reader *reader);

/* All that follows: the seeder's thread. */

/** How many reads can be begun now. */
int seed_reader_room(const seed_reader *reader);

/**
 * Begins to read a part of a file.
 * @param file    may be closed afterwards: the reader has a copy
 * @param waiter  who waits; given back by seed_reader_finished
 * @param begun   the read, until it is given back or abandoned; NULL if it was not begun
 * @return APR_EAGAIN if there are SEED_READER_MOST: try again when one is finished; APR_ENOMEM if there is no memory,
 *         descriptor or thread for it
 */
apr_status_t seed_reader_begin(seed_reader *reader, int file, apr_int64_t offset, apr_size_t length, void *waiter,
                               seed_read **begun);

/** Nobody waits for it any more. It is not begun; or, if it is under way, freed when it is finished. */
void seed_reader_abandon(seed_reader *reader, seed_read *read);

/**
 * Takes what is finished, one after the other; what was abandoned is passed over.
 * @param status  why it could not be read, or APR_SUCCESS
 * @return its waiter; NULL: nothing is finished now
 */
void *seed_reader_finished(seed_reader *reader, apr_status_t *status);

#endif
