#include "seeder/jobs.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "torrentgen/queue.h"

/* From "make" to done, malloc'd; in the list of its jobs under their mutex. */
typedef struct job {
    struct job *next, **link;
    seed_jobs *jobs;
    seed_make make; /* its strings follow the struct */
    int withdrawn;  /* under the mutex */
} job;

struct seed_jobs {
    const seed_config *config;
    tg_queue *queue;
    pthread_mutex_t mutex;
    job *first;
    int repost; /* under the mutex */
};

apr_status_t seed_jobs_start(seed_jobs **jobs, const seed_config *config, apr_pool_t *pool)
{
    seed_jobs *made = apr_pcalloc(pool, sizeof *made);

    made->config = config;
    pthread_mutex_init(&made->mutex, NULL);
    *jobs = made;
    return tg_queue_create(&made->queue, config->hash_threads > 0 ? config->hash_threads : 1, SEED_JOB_SLOTS, pool);
}

static job *make_job(seed_jobs *jobs, const seed_make *make)
{
    apr_size_t path = strlen(make->path) + 1, name = strlen(make->name) + 1, url = strlen(make->url) + 1;
    job *made = calloc(1, sizeof *made + path + name + url);
    char *text = (char *)(made + 1);

    if (!made)
        return NULL;
    made->jobs = jobs;
    made->make = *make;
    made->make.path = memcpy(text, make->path, path);
    made->make.name = memcpy(text + path, make->name, name);
    made->make.url = memcpy(text + path + name, make->url, url);
    pthread_mutex_lock(&jobs->mutex);
    made->next = jobs->first;
    made->link = &jobs->first;
    if (made->next)
        made->next->link = &made->next;
    jobs->first = made;
    pthread_mutex_unlock(&jobs->mutex);
    return made;
}

static void forget(job *gone)
{
    pthread_mutex_lock(&gone->jobs->mutex);
    *gone->link = gone->next;
    if (gone->next)
        gone->next->link = gone->link;
    pthread_mutex_unlock(&gone->jobs->mutex);
    free(gone);
}

static int is_withdrawn(job *job)
{
    int withdrawn;

    pthread_mutex_lock(&job->jobs->mutex);
    withdrawn = job->withdrawn;
    pthread_mutex_unlock(&job->jobs->mutex);
    return withdrawn;
}

static int is_for_the_next(job *job)
{
    int repost;

    pthread_mutex_lock(&job->jobs->mutex);
    repost = job->jobs->repost && !job->withdrawn;
    pthread_mutex_unlock(&job->jobs->mutex);
    return repost;
}

static apr_status_t publish(job *job, const tg_result *result)
{
    const seed_config *config = job->jobs->config;
    const seed_make *make = &job->make;
    const cat_publication publication = {.path = make->path,
                                         .url = make->url,
                                         .grant = make->grant,
                                         .published = 1,
                                         .listed = make->listed,
                                         .stamp = result->stamp,
                                         .torrent = &result->torrent};
    apr_status_t status;

    if (is_withdrawn(job)) {
        seed_job_end(config->counters, make->path, 0);
        return APR_EACCES;
    }
    status = cat_publish(config->catalog, &publication, 1);
    if (status != APR_SUCCESS) {
        bt_log(BT_LOG_ERR, 405, status, "the torrent of %s could not be published", make->path);
        seed_count(&config->counters->hash_failures, 1);
    } else {
        bt_log(BT_LOG_INFO, 404, APR_SUCCESS, "made the torrent of %s", make->path);
        seed_count(&config->counters->hashed_files, 1);
        seed_count(&config->counters->hashed_bytes, result->torrent.length);
        if (is_withdrawn(job)) /* in the very moment */
            cat_withdraw(config->catalog, make->path, CAT_PROTECTED);
    }
    seed_job_end(config->counters, make->path, status != APR_SUCCESS);
    return status;
}

static void tell(const seed_config *config, const char *path, apr_status_t status)
{
    if (config->made)
        config->made(config->baton, path, status);
}

/* On a worker's thread. */
static void worker_done(void *baton, apr_status_t status, const tg_result *result)
{
    job *done = baton;
    const seed_config *config = done->jobs->config;

    if (status == APR_SUCCESS) {
        status = publish(done, result);
    } else if (status == APR_EINTR) {
        seed_job_end(config->counters, done->make.path, 0);
        if (is_for_the_next(done) && seed_post_make(config->mailbox, &done->make) != APR_SUCCESS)
            seed_count(&config->counters->mailbox_full, 1);
    } else {
        /* A file that changes or goes while it is read is nobody's fault; one that changes may be asked for again at once. */
        int blameless = status == APR_EBUSY || APR_STATUS_IS_ENOENT(status);

        bt_log(blameless ? BT_LOG_INFO : BT_LOG_WARNING, 403, status, "%s could not be hashed", done->make.path);
        seed_count(&config->counters->hash_failures, 1);
        seed_job_end(config->counters, done->make.path, status != APR_EBUSY);
    }
    tell(config, done->make.path, status);
    forget(done);
}

static void worker_progress(void *baton, int percent)
{
    job *running = baton;

    seed_job_percent(running->jobs->config->counters, running->make.path, percent);
}

void seed_jobs_add(seed_jobs *jobs, const seed_make *make)
{
    seed_counters *page = jobs->config->counters;
    tg_request request = {.path = make->path,
                          .name = make->name,
                          .version = make->version,
                          .piece_length = make->piece_length,
                          .urgent = 1};
    job *added;

    if (!seed_job_begin(page, make->path))
        return;
    added = make_job(jobs, make);
    if (added && tg_queue_add(jobs->queue, &request, worker_progress, worker_done, added) == APR_SUCCESS)
        return;
    seed_job_end(page, make->path, 0);
    tell(jobs->config, make->path, APR_ENOSPC);
    if (added)
        forget(added);
}

void seed_jobs_withdraw(seed_jobs *jobs, const char *path)
{
    job *each;

    pthread_mutex_lock(&jobs->mutex);
    for (each = jobs->first; each; each = each->next) {
        if (strcmp(each->make.path, path) == 0)
            each->withdrawn = 1;
    }
    pthread_mutex_unlock(&jobs->mutex);
}

void seed_jobs_stop(seed_jobs *jobs, int repost)
{
    pthread_mutex_lock(&jobs->mutex);
    jobs->repost = repost;
    pthread_mutex_unlock(&jobs->mutex);
    tg_queue_stop(jobs->queue);
    pthread_mutex_destroy(&jobs->mutex);
}
