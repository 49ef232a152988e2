#include <apr_strings.h>

#include "torrentgen/job.h"

static apr_status_t hash_all(tg_job *job, tg_worker *worker)
{
    static const int never;
    apr_int64_t run = tg_job_run(job, worker);
    apr_status_t status = APR_SUCCESS;

    for (apr_int64_t first = 0; status == APR_SUCCESS && first < job->pieces; first += run)
        status = tg_job_hash(job, worker, first, job->pieces - first < run ? job->pieces - first : run, &never);
    return status;
}

apr_status_t tg_make(const tg_request *request, apr_pool_t *pool, tg_torrent *torrent, bt_stamp *stamp)
{
    tg_worker worker;
    tg_job job;
    apr_status_t status = tg_worker_init(&worker, tg_engine_default());

    if (status == APR_SUCCESS)
        status = tg_job_init(&job, request);
    else
        job = (tg_job){0};
    if (status == APR_SUCCESS)
        status = tg_job_start(&job);
    if (status == APR_SUCCESS)
        status = hash_all(&job, &worker);
    if (status == APR_SUCCESS)
        status = tg_job_finish(&job, &worker, torrent);
    if (status == APR_SUCCESS) {
        torrent->infodict = apr_pmemdup(pool, torrent->infodict, torrent->infodict_length);
        if (torrent->layer)
            torrent->layer = apr_pmemdup(pool, torrent->layer, torrent->layer_length);
        if (stamp)
            *stamp = job.stamp;
    }
    tg_job_free(&job);
    tg_worker_free(&worker);
    return status;
}
