/* The hashing queue: a few workers share the files that wait, piece by piece, so that a large file does not hold up a
 * small one, and one file is hashed by all workers when it is alone. */
#ifndef TG_QUEUE_H
#define TG_QUEUE_H

#include <apr_pools.h>

#include "base/stamp.h"
#include "torrentgen/torrent.h"

typedef struct tg_queue tg_queue;

typedef struct {
    const char *path; /* of the file; copied */
    const char *name; /* for the infodict: UTF-8, one path element; copied */
    tg_version version;
    apr_uint32_t piece_length; /* bytes, or 0 for tg_piece_length_for() */
} tg_request;

/**
 * Told once for each job, on a worker's thread.
 * @param status   APR_SUCCESS; APR_EINTR if cancelled; APR_EBUSY if the file changed while it was read; else why the
 *                 file could not be read (APR_EINVAL: no regular file; EFBIG: more than 2^21 pieces)
 * @param torrent  valid during the call only; NULL unless APR_SUCCESS
 * @param stamp    of the bytes that were hashed; zero if the file could not be looked at
 */
typedef void tg_done_fn(void *baton, apr_status_t status, const tg_torrent *torrent, const bt_stamp *stamp);

/** Told at most once for each per cent, on a worker's thread. May be NULL. */
typedef void tg_progress_fn(void *baton, int percent);

/**
 * Makes a queue with `threads` (at least 1) workers at low CPU and I/O priority, and room for `max_jobs` files.
 * Destroy it with tg_queue_stop before the pool goes.
 */
apr_status_t tg_queue_create(tg_queue **queue, int threads, int max_jobs, apr_pool_t *pool);

/**
 * Adds a file. Any thread, also from done(); a job leaves the queue before its done() is called.
 * @return APR_SUCCESS; else done() is never called: APR_ENOSPC if max_jobs are waiting, APR_EINVAL if the name is not one
 *         UTF-8 path element or the piece length not a power of two from TG_PIECE_MIN to TG_PIECE_MAX, APR_EINTR after
 *         tg_queue_stop, APR_ENOMEM
 */
apr_status_t tg_queue_add(tg_queue *queue, const tg_request *request, tg_progress_fn *progress, tg_done_fn *done,
                          void *baton);

/**
 * Cancels all jobs between two chunks (done() is called for each with APR_EINTR) and joins the workers. Not from done()
 * or progress(). The queue may still be added to, in vain, until its pool goes.
 */
void tg_queue_stop(tg_queue *queue);

/**
 * Hashes one file on the calling thread, for commands and tests.
 * @param pool  owns what `torrent` points to
 * @param stamp may be NULL
 * @return as tg_done_fn and tg_queue_add
 */
apr_status_t tg_make(const tg_request *request, apr_pool_t *pool, tg_torrent *torrent, bt_stamp *stamp);

#endif
