/* One file on its way to a torrent. tg_make() and the queue drive it: init, start, hash all pieces in any order and on
 * any threads, finish. Only this room includes it. */
#ifndef TG_JOB_H
#define TG_JOB_H

#include "base/buf.h"
#include "base/stamp.h"
#include "torrentgen/part.h"
#include "torrentgen/queue.h"

enum { TG_PIECES_MAX = 1 << 21 }; /* pieces of a torrent: what libtorrent takes; results are at most 104 MiB */

/* malloc'd: a job goes from thread to thread. */
typedef struct {
    char *path, *name;
    tg_version version;
    apr_uint32_t piece_length; /* bytes */
    bt_stamp stamp;            /* as it was at the start */
    apr_int64_t pieces;
    unsigned char *sha1;  /* v1: 20 bytes a piece */
    unsigned char *layer; /* v2: 32 bytes a piece; of a file no larger than a piece, its root */
    bt_buf infodict;
} tg_job;

/** Copies and checks a request. @return APR_EINVAL if it asks for the impossible, APR_ENOMEM */
apr_status_t tg_job_init(tg_job *job, const tg_request *request);
void tg_job_free(tg_job *job);

/**
 * Takes the stamp and makes room for the results. May wait up to some hundredths of a second for the clock to pass the file's
 * change time, because a change within the same tick could not be seen.
 * @return APR_EINVAL if it is not a regular file, EFBIG if it has more than TG_PIECES_MAX pieces, or as stat(2)
 */
apr_status_t tg_job_start(tg_job *job);

/** Pieces that are hashed in one go. */
apr_int64_t tg_job_run(const tg_job *job, const tg_worker *worker);

/**
 * Hashes pieces `first` to `first + count - 1`; different threads may do different pieces at once.
 * @param cancel  looked at (atomically) before each chunk
 * @return APR_EINTR if cancelled, APR_EBUSY if the file is not the one that was started with, or as open(2), read(2)
 */
apr_status_t tg_job_hash(tg_job *job, tg_worker *worker, apr_int64_t first, apr_int64_t count, const int *cancel);

/**
 * Checks that the file is still the same, and puts the torrent together.
 * @param torrent  points into the job
 */
apr_status_t tg_job_finish(tg_job *job, tg_worker *worker, tg_torrent *torrent);

#endif
