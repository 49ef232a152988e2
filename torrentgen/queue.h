/* The hashing queue. What somebody waits for goes first: a few workers share those files piece by piece, so that a large
 * one does not hold up a small one, and one file is hashed by all workers when it is alone. All else is done in order, a
 * file by one worker. */
#ifndef TG_QUEUE_H
#define TG_QUEUE_H

#include <apr_pools.h>

#include "base/stamp.h"
#include "torrentgen/torrent.h"

typedef struct tg_queue tg_queue;

/* Bounds of a torrent of several files. */
enum {
    TG_FILES_MAX = 65536,     /* files */
    TG_ELEMENTS_MAX = 24,     /* elements of a path: readers of bencoding bound its depth */
    TG_MEMBER_PATH_MAX = 4000 /* bytes of a path */
};

/* A file of a torrent of several. */
typedef struct {
    const char *path; /* absolute */
    const char *name; /* below the torrent's directory: elements joined by "/", each one as tg_name_is_good wants it */
} tg_source_file;

/**
 * Lists the files of a torrent of several, in any order. On a worker's thread, may block.
 * @param path   of the request
 * @param pool   owns the list
 * @return anything but APR_SUCCESS ends the job with that status
 */
typedef apr_status_t tg_list_fn(void *baton, const char *path, apr_pool_t *pool, const tg_source_file **files,
                                apr_size_t *count);

/* Strings are copied by whoever takes a request. */
typedef struct {
    const char *path; /* of the file; with `list`: whatever the lister knows it by */
    const char *name; /* for the infodict: UTF-8, one path element */
    tg_version version;
    apr_uint32_t piece_length; /* bytes, or 0 for tg_piece_length_for() */
    tg_list_fn *list;          /* NULL: a torrent of one file */
    void *list_baton;
    const char *sidecar; /* a .torrent that is used if it describes the file (one file only); may be NULL */
    int urgent;          /* somebody waits: goes before all that are not */
    int digest;          /* the SHA-256 of the whole file is wanted too, if it costs no time of somebody who waits (one file
                            only) */
    apr_int64_t size;    /* bytes as far as is known, for tg_queue_stats only; may be 0 */
} tg_request;

/* What came of a request. */
typedef struct {
    tg_torrent torrent;      /* all zero unless APR_SUCCESS */
    bt_stamp stamp;          /* of the bytes that were hashed; zero if the file could not be looked at. Of several files: all
                                zero but size, the sum of theirs */
    bt_stamp sidecar;        /* as it was looked at; zero: there is none */
    int adopted;             /* the torrent is the sidecar's */
    const char *sidecar_why; /* a phrase: why there is a sidecar and it was left alone; NULL if it was not */
    const char *culprit;     /* the file that could not be hashed; NULL on success */
    int has_digest;
    unsigned char digest[32]; /* SHA-256 of the whole file */
} tg_result;

/**
 * Told once for each job, on a worker's thread.
 * @param status  APR_SUCCESS; APR_EINTR if cancelled; APR_EBUSY if a file changed while it was read; else why it could
 *                not be made: as open(2), read(2); APR_EINVAL: no regular file, or a bad name in a list; EFBIG: more than
 *                2^21 pieces, 65536 files, or an infodict that clients would not take; APR_ENOENT too for an empty list
 * @param result  valid during the call only; never NULL
 */
typedef void tg_done_fn(void *baton, apr_status_t status, const tg_result *result);

/** Told once for each digest, on a worker's thread. @param status  as tg_done_fn; APR_EBUSY if the stamp is another one */
typedef void tg_digest_fn(void *baton, apr_status_t status, const unsigned char digest[32]);

/** Told at most once for each per cent, on a worker's thread. May be NULL. */
typedef void tg_progress_fn(void *baton, int percent);

/**
 * Makes a queue with `threads` (at least 1) workers at low CPU and I/O priority, and room for `max_jobs` files.
 * Destroy it with tg_queue_stop before the pool goes.
 */
apr_status_t tg_queue_create(tg_queue **queue, int threads, int max_jobs, apr_pool_t *pool);

/** The same with workers at the priority of whoever makes it: for a command that somebody has called to do just this. */
apr_status_t tg_queue_create_eager(tg_queue **queue, int threads, int max_jobs, apr_pool_t *pool);

/**
 * Adds a file. Any thread, also from done(); a job leaves the queue before its done() is called.
 * @return APR_SUCCESS; else done() is never called: APR_ENOSPC if max_jobs are waiting, APR_EINVAL if the name is not one
 *         UTF-8 path element or the piece length not a power of two from TG_PIECE_MIN to TG_PIECE_MAX, APR_EINTR after
 *         tg_queue_stop, APR_ENOMEM
 */
apr_status_t tg_queue_add(tg_queue *queue, const tg_request *request, tg_progress_fn *progress, tg_done_fn *done,
                          void *baton);

/** A job that is not urgent becomes so. Any thread. @return APR_NOTFOUND if there is none of that path that could */
apr_status_t tg_queue_raise(tg_queue *queue, const char *path);

/**
 * Adds a file whose digest only is wanted: not urgent, but before whatever else is not.
 * @param stamp  the version of the file
 * @return as tg_queue_add
 */
apr_status_t tg_queue_digest(tg_queue *queue, const char *path, const bt_stamp *stamp, tg_digest_fn *done, void *baton);

typedef struct {
    int urgent, waiting;     /* jobs that nobody has begun: urgent ones, all others */
    int hashing;             /* jobs that are at work */
    apr_uint64_t bytes_done; /* since the queue was made */
    apr_int64_t bytes_left;  /* of all jobs, as far as their size is known */
} tg_queue_figures;

/** Any thread. */
void tg_queue_stats(tg_queue *queue, tg_queue_figures *figures);

/**
 * Cancels all jobs between two chunks (done() is called for each with APR_EINTR) and joins the workers. Not from done()
 * or progress(). The queue may still be added to, in vain, until its pool goes.
 */
void tg_queue_stop(tg_queue *queue);

/**
 * Makes a torrent on the calling thread, for commands and tests.
 * @param pool  owns what `torrent` points to
 * @param stamp may be NULL
 * @return as tg_done_fn and tg_queue_add
 */
apr_status_t tg_make(const tg_request *request, apr_pool_t *pool, tg_torrent *torrent, bt_stamp *stamp);

#endif
