#include "torrentgen/job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "torrentgen/infodict.h"
#include "torrentgen/merkle.h"
#include "torrentgen/old_clients.h"

apr_status_t tg_job_init(tg_job *job, const tg_request *request)
{
    memset(job, 0, sizeof *job);
    if (!request->path || !request->name || !tg_name_is_good(request->name) || request->version < TG_V1 ||
        request->version > TG_HYBRID || request->list || (request->piece_length && !tg_piece_length_is_good(request->piece_length)))
        return APR_EINVAL;
    job->version = request->version;
    job->piece_length = request->piece_length;
    job->path = strdup(request->path);
    job->name = strdup(request->name);
    return job->path && job->name ? APR_SUCCESS : APR_ENOMEM;
}

void tg_job_free(tg_job *job)
{
    free(job->path);
    free(job->name);
    free(job->sha1);
    free(job->layer);
    bt_buf_free(&job->infodict);
    memset(job, 0, sizeof *job);
}

/* The kernel stamps files with a clock that steps every few milliseconds. A file that is changed twice in one step keeps
 * its stamp; so a stamp is only trusted once the clock has passed it. A file from the future is not waited for. */
static apr_status_t take_settled_stamp(const char *path, bt_stamp *stamp)
{
    const struct timespec tick = {0, 4000000};
    apr_status_t status = APR_SUCCESS;

    for (int tries = 0; tries < 8; tries++) {
        struct timespec now;

        clock_gettime(CLOCK_REALTIME_COARSE, &now);
        status = bt_stamp_path(path, stamp);
        if (status != APR_SUCCESS || (apr_int64_t)now.tv_sec * 1000000000 + now.tv_nsec > stamp->ctime_ns)
            break;
        nanosleep(&tick, NULL);
    }
    return status;
}

apr_status_t tg_job_start(tg_job *job)
{
    apr_status_t status = take_settled_stamp(job->path, &job->stamp);
    apr_size_t room;

    if (status != APR_SUCCESS)
        return status;
    if (!job->piece_length)
        job->piece_length = tg_piece_length_for(job->stamp.size);
    job->pieces = tg_piece_count(job->stamp.size, job->piece_length);
    if (job->pieces > TG_PIECES_MAX)
        return EFBIG;
    room = job->pieces ? (apr_size_t)job->pieces : 1;
    if (job->version & TG_V1 && !(job->sha1 = malloc(room * TG_SHA1_SIZE)))
        return APR_ENOMEM;
    if (job->version & TG_V2 && !(job->layer = malloc(room * TG_SHA256_SIZE)))
        return APR_ENOMEM;
    return APR_SUCCESS;
}

static tg_part part_of(const tg_job *job)
{
    return (tg_part){
        .path = job->path,
        .stamp = job->stamp,
        .version = job->version,
        .piece_length = job->piece_length,
        .sha1 = job->sha1,
        .layer = job->layer,
    };
}

apr_int64_t tg_job_run(const tg_job *job, const tg_worker *worker)
{
    const tg_part part = part_of(job);

    return tg_part_run(&part, worker);
}

apr_status_t tg_job_hash(tg_job *job, tg_worker *worker, apr_int64_t first, apr_int64_t count, const int *cancel)
{
    const tg_part part = part_of(job);

    return tg_part_hash(&part, worker, first, count, cancel);
}

static apr_status_t check_unchanged(const tg_job *job)
{
    bt_stamp now;

    return bt_stamp_path(job->path, &now) == APR_SUCCESS && bt_stamp_equal(&now, &job->stamp) ? APR_SUCCESS : APR_EBUSY;
}

static apr_status_t find_root(tg_job *job, tg_worker *worker, tg_torrent *torrent)
{
    if (job->pieces == 0)
        return APR_SUCCESS;
    if (job->pieces == 1) {
        memcpy(torrent->root, job->layer, TG_SHA256_SIZE);
        return APR_SUCCESS;
    }
    torrent->layer = job->layer;
    torrent->layer_length = (apr_size_t)job->pieces * TG_SHA256_SIZE;
    return tg_merkle_file_root(worker->engine, worker->hasher, job->layer, (apr_size_t)job->pieces, job->piece_length,
                               torrent->root);
}

static apr_status_t write_infodict(tg_job *job, const tg_torrent *torrent)
{
    const tg_infodict info = {
        .version = job->version,
        .name = job->name,
        .length = job->stamp.size,
        .piece_length = job->piece_length,
        .pieces = job->sha1,
        .pieces_length = (apr_size_t)job->pieces * TG_SHA1_SIZE,
        .root = torrent->root,
    };

    bt_buf_init(&job->infodict, info.pieces_length + 4096);
    return tg_infodict_write(&job->infodict, &info);
}

static apr_status_t hash_infodict(tg_worker *worker, tg_torrent *torrent)
{
    const tg_engine *engine = worker->engine;
    apr_status_t status = APR_SUCCESS;

    if (torrent->version & TG_V1 && (status = engine->sha1_begin(worker->hasher, 1)) == APR_SUCCESS &&
        (status = engine->sha1_update(worker->hasher, 1, &torrent->infodict, torrent->infodict_length)) == APR_SUCCESS)
        status = engine->sha1_end(worker->hasher, 1, torrent->v1.b);
    if (status == APR_SUCCESS && torrent->version & TG_V2)
        status = engine->sha256_blocks(worker->hasher, torrent->infodict, torrent->infodict_length, 1, torrent->v2.b);
    if (status == APR_SUCCESS && torrent->version == TG_HYBRID)
        status = tg_hash_for_old_clients(torrent);
    return status;
}

apr_status_t tg_job_finish(tg_job *job, tg_worker *worker, tg_torrent *torrent)
{
    apr_status_t status = check_unchanged(job);

    memset(torrent, 0, sizeof *torrent);
    torrent->version = job->version;
    torrent->length = job->stamp.size;
    torrent->piece_length = job->piece_length;
    if (status == APR_SUCCESS && job->version & TG_V2)
        status = find_root(job, worker, torrent);
    if (status == APR_SUCCESS)
        status = write_infodict(job, torrent);
    torrent->infodict = job->infodict.data;
    torrent->infodict_length = job->infodict.length;
    return status == APR_SUCCESS ? hash_infodict(worker, torrent) : status;
}
