/* One torrent, or one digest, on its way. tg_make() and the queue drive it: init, start, hash all pieces in any order and on
 * any threads, finish. Only this room includes it. */
#ifndef TG_JOB_H
#define TG_JOB_H

#include "base/buf.h"
#include "base/stamp.h"
#include "torrentgen/digest.h"
#include "torrentgen/infodict.h"
#include "torrentgen/layout.h"
#include "torrentgen/part.h"
#include "torrentgen/queue.h"
#include "torrentgen/sidecar.h"

enum {
    TG_PIECES_MAX = 1 << 21,           /* pieces of a torrent: what libtorrent takes; results are at most 104 MiB */
    TG_INFODICT_MAX = 8 * 1024 * 1024  /* bytes of that of several files: what aria2 takes as metadata */
};

/* A job goes from thread to thread: strings are malloc'd, and the pool, which is there from the start on, is its own. */
typedef struct {
    char *path, *name, *sidecar_path; /* as was asked for; sidecar_path may be NULL */
    tg_version wanted_version;        /* 0: the digest only */
    apr_uint32_t wanted_piece_length; /* bytes; 0: by the table */
    tg_list_fn *list;
    void *list_baton;
    int wants_digest;

    /* From the start on; constant while pieces are hashed, but for their own places in the results. */
    apr_pool_t *pool; /* NULL while nothing needs it */
    tg_place one;     /* the only file, if it is one */
    tg_layout layout;
    tg_version version; /* of the pieces that are hashed: that of the sidecar or the wanted one */
    unsigned char *sha1;  /* v1: 20 bytes a piece */
    unsigned char *layer; /* v2: 32 bytes a piece; of a file no larger than a piece, its root */
    tg_sidecar *sidecar;  /* NULL: none was asked for */
    const char *culprit;  /* atomic */

    tg_digest digest;   /* fed by one thread at a time */
    int has_digest;     /* and that is it: */
    unsigned char digest_value[32];
    bt_buf infodict;
} tg_job;

/** Copies and checks a request. @return APR_EINVAL if it asks for the impossible, APR_ENOMEM. Ends with tg_job_free */
apr_status_t tg_job_init(tg_job *job, const tg_request *request);

/** The same for a file whose digest only is wanted. */
apr_status_t tg_job_init_digest(tg_job *job, const char *path, const bt_stamp *stamp);
void tg_job_free(tg_job *job);

/**
 * Lists the files, takes their stamps, looks at the sidecar, and makes room for the results. May wait up to some hundredths
 * of a second for the clock to pass a file's change time, because a change within the same tick could not be seen.
 * @return as tg_done_fn
 */
apr_status_t tg_job_start(tg_job *job);

/** Pieces in all. */
apr_int64_t tg_job_pieces(const tg_job *job);

/** Pieces that are hashed in one go. */
apr_int64_t tg_job_run(const tg_job *job, const tg_worker *worker);

/**
 * Hashes pieces `first` to `first + count - 1`; different threads may do different pieces at once.
 * @param in_order  all pieces are hashed so, one call after the other: the digest, if one is wanted, takes their bytes too
 * @param cancel    looked at (atomically) before each chunk
 * @return APR_EINTR if cancelled, APR_EBUSY if the file is not the one that was started with, or as open(2), read(2)
 */
apr_status_t tg_job_hash(tg_job *job, tg_worker *worker, apr_int64_t first, apr_int64_t count, int in_order,
                         const int *cancel);

/**
 * Checks that the files are still the same, and puts the torrent together, or says how it failed.
 * @param status  how it went so far
 * @param result  points into the job
 * @return as tg_done_fn; APR_INCOMPLETE if the sidecar was wrong and all pieces must be hashed once more, another way
 */
apr_status_t tg_job_finish(tg_job *job, tg_worker *worker, apr_status_t status, tg_result *result);

/* --- assemble.c: from hashes to the torrent --- */

/**
 * Lays out several files, with the smallest piece length from the table's on at which clients take the infodict, unless one
 * was asked for. @return EFBIG if there is none
 */
apr_status_t tg_job_lay_out_several(tg_job *job);

/** Computes what follows from the hashes of all pieces. @param torrent  points into the job */
apr_status_t tg_job_assemble(tg_job *job, tg_worker *worker, tg_torrent *torrent);

#endif
