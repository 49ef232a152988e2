#include "torrentgen/job.h"

static apr_status_t hash_all(tg_job *job, tg_worker *worker)
{
    static const int never;
    apr_int64_t run = tg_job_run(job, worker), pieces = tg_job_pieces(job);
    apr_status_t status = APR_SUCCESS;

    for (apr_int64_t first = 0; status == APR_SUCCESS && first < pieces; first += run)
        status = tg_job_hash(job, worker, first, pieces - first < run ? pieces - first : run, 1, &never);
    return status;
}

static apr_status_t make(tg_job *job, tg_worker *worker, const tg_request *request, tg_result *result)
{
    apr_status_t status = tg_job_init(job, request);

    if (status == APR_SUCCESS)
        status = tg_job_start(job);
    if (status == APR_SUCCESS)
        status = hash_all(job, worker);
    status = tg_job_finish(job, worker, status, result);
    if (status == APR_INCOMPLETE) /* there is a sidecar, and it was wrong */
        status = tg_job_finish(job, worker, hash_all(job, worker), result);
    return status;
}

apr_status_t tg_make(const tg_request *request, apr_pool_t *pool, tg_torrent *torrent, bt_stamp *stamp)
{
    tg_worker worker;
    tg_job job = {0};
    tg_result result;
    apr_status_t status = tg_worker_init(&worker, tg_engine_default());

    if (status == APR_SUCCESS)
        status = make(&job, &worker, request, &result);
    if (status == APR_SUCCESS) {
        tg_torrent_copy(torrent, &result.torrent, pool);
        if (stamp)
            *stamp = result.stamp;
    }
    tg_job_free(&job);
    tg_worker_free(&worker);
    return status;
}
