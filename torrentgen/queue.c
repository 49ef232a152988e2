#include "torrentgen/queue.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "torrentgen/schedule.h"

typedef struct {
    tg_queue *queue;
    pthread_t thread;
    tg_worker hands;
} member;

struct tg_queue {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* there may be something to do, or stopping */
    tg_schedule schedule;
    int jobs, max_jobs;     /* those that are closed just now no longer count */
    apr_uint64_t bytes_done;
    int stopping;
    int is_eager; /* workers keep the priority that they are born with */
    int threads; /* that run */
    member *members;
};

/* --- what a worker does; each is called with the lock held, works without it, and returns with it -------------------- */

static void free_entry(tg_entry *entry)
{
    tg_job_free(&entry->job);
    free(entry);
}

static void start(tg_queue *queue, tg_entry *entry)
{
    apr_status_t status;

    tg_schedule_begin(&queue->schedule, entry);
    pthread_mutex_unlock(&queue->lock);
    status = tg_job_start(&entry->job);
    pthread_mutex_lock(&queue->lock);
    entry->phase = TG_HASHING;
    if (status != APR_SUCCESS)
        tg_entry_fail(entry, status);
    else
        tg_schedule_bytes(&queue->schedule, entry, entry->job.layout.content);
    if (entry->rank == TG_URGENT) /* all may take part */
        pthread_cond_broadcast(&queue->changed);
}

/* In order and never twice at once; who finds another telling leaves it to that one and goes on. */
static void tell_progress(tg_queue *queue, tg_entry *entry)
{
    int percent;

    if (!entry->progress || entry->telling)
        return;
    entry->telling = 1;
    while ((percent = (int)(entry->hashed * 100 / tg_job_pieces(&entry->job))) > entry->told) {
        entry->told = percent;
        pthread_mutex_unlock(&queue->lock);
        entry->progress(entry->baton, percent);
        pthread_mutex_lock(&queue->lock);
    }
    entry->telling = 0;
}

static void hash_run(tg_queue *queue, tg_entry *entry, tg_worker *hands)
{
    apr_int64_t first = entry->taken, run = tg_job_run(&entry->job, hands), bytes;
    int in_order = entry->rank != TG_URGENT;
    apr_status_t status;

    if (run > tg_job_pieces(&entry->job) - first)
        run = tg_job_pieces(&entry->job) - first;
    entry->taken += run;
    entry->workers++;
    pthread_mutex_unlock(&queue->lock);
    status = tg_job_hash(&entry->job, hands, first, run, in_order, &entry->cancel);
    bytes = tg_layout_bytes(&entry->job.layout, first, run);
    pthread_mutex_lock(&queue->lock);
    if (status != APR_SUCCESS) {
        tg_entry_fail(entry, status);
    } else {
        entry->hashed += run;
        queue->bytes_done += (apr_uint64_t)bytes;
        tg_schedule_bytes(&queue->schedule, entry, entry->bytes_left - bytes);
        tell_progress(queue, entry);
    }
    entry->workers--;
}

static void tell_done(const tg_entry *entry, apr_status_t status, const tg_result *result)
{
    if (entry->digest_done)
        entry->digest_done(entry->baton, status, result->digest);
    else
        entry->done(entry->baton, status, result);
}

/* Its sidecar was wrong, and all is to be hashed in another way: everybody may take part again. */
static void begin_anew(tg_queue *queue, tg_entry *entry)
{
    entry->taken = entry->hashed = 0;
    entry->phase = TG_HASHING;
    tg_schedule_bytes(&queue->schedule, entry, entry->job.layout.content);
    if (queue->stopping)
        tg_entry_fail(entry, APR_EINTR);
    pthread_cond_broadcast(&queue->changed);
}

static void close_job(tg_queue *queue, tg_entry *entry, tg_worker *hands)
{
    apr_status_t status = entry->status;
    tg_result result;

    entry->phase = TG_CLOSING;
    pthread_mutex_unlock(&queue->lock);
    status = tg_job_finish(&entry->job, hands, status, &result);
    pthread_mutex_lock(&queue->lock);
    if (status == APR_INCOMPLETE) {
        begin_anew(queue, entry);
        return;
    }
    tg_schedule_remove(&queue->schedule, entry);
    queue->jobs--; /* before done(), which may add the next */
    pthread_mutex_unlock(&queue->lock);
    tell_done(entry, status, &result);
    free_entry(entry);
    pthread_mutex_lock(&queue->lock);
}

static void work(tg_queue *queue, tg_worker *hands)
{
    tg_entry *entry;

    pthread_mutex_lock(&queue->lock);
    for (;;) {
        entry = tg_schedule_next(&queue->schedule);
        if (!entry && queue->stopping)
            break; /* a job without work for us has a worker who will close it */
        if (!entry)
            pthread_cond_wait(&queue->changed, &queue->lock);
        else if (tg_entry_is_complete(entry))
            close_job(queue, entry, hands);
        else if (entry->phase == TG_NEW)
            start(queue, entry);
        else
            hash_run(queue, entry, hands);
    }
    pthread_mutex_unlock(&queue->lock);
}

/* Hashing gives way to everything else: to requests at once, and to what they read from the disk. Best effort; on Linux all of
 * these are a thread's, not the process's. */
static void lower_priority(void)
{
    enum { WHO_PROCESS = 1, CLASS_IDLE = 3, CLASS_SHIFT = 13 };
    long thread = syscall(SYS_gettid);
    const struct sched_param none = {0};

    if (pthread_setschedparam(pthread_self(), SCHED_IDLE, &none) != 0)
        setpriority(PRIO_PROCESS, (id_t)thread, 19);
    syscall(SYS_ioprio_set, WHO_PROCESS, thread, CLASS_IDLE << CLASS_SHIFT);
}

static void *run_member(void *baton)
{
    member *self = baton;

    pthread_setname_np(pthread_self(), "bthttp-hash");
    if (!self->queue->is_eager)
        lower_priority();
    work(self->queue, &self->hands);
    return NULL;
}

/* --- the queue --------------------------------------------------------------------------------------------------- */

static apr_status_t start_members(tg_queue *queue, int threads)
{
    sigset_t all, old;
    apr_status_t status = APR_SUCCESS;

    queue->members = calloc((apr_size_t)threads, sizeof *queue->members);
    if (!queue->members)
        return APR_ENOMEM;
    sigfillset(&all); /* signals are for the threads of whoever made the queue */
    pthread_sigmask(SIG_SETMASK, &all, &old);
    for (int i = 0; status == APR_SUCCESS && i < threads; i++) {
        member *one = &queue->members[i];

        one->queue = queue;
        status = tg_worker_init(&one->hands, tg_engine_default());
        if (status == APR_SUCCESS)
            status = pthread_create(&one->thread, NULL, run_member, one);
        if (status == APR_SUCCESS)
            queue->threads++;
        else
            tg_worker_free(&one->hands);
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return status;
}

static apr_status_t create(tg_queue **result, int threads, int max_jobs, int is_eager, apr_pool_t *pool)
{
    tg_queue *queue = apr_pcalloc(pool, sizeof *queue);
    apr_status_t status;

    *result = NULL;
    if (threads < 1 || max_jobs < 1)
        return APR_EINVAL;
    queue->max_jobs = max_jobs;
    queue->is_eager = is_eager;
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->changed, NULL);
    status = start_members(queue, threads);
    if (status != APR_SUCCESS)
        tg_queue_stop(queue);
    else
        *result = queue;
    return status;
}

apr_status_t tg_queue_create(tg_queue **queue, int threads, int max_jobs, apr_pool_t *pool)
{
    return create(queue, threads, max_jobs, 0, pool);
}

apr_status_t tg_queue_create_eager(tg_queue **queue, int threads, int max_jobs, apr_pool_t *pool)
{
    return create(queue, threads, max_jobs, 1, pool);
}

/* Takes over the entry, whatever comes of it. @param status  of making its job */
static apr_status_t take(tg_queue *queue, tg_entry *entry, tg_rank rank, apr_status_t status)
{
    if (status == APR_SUCCESS) {
        pthread_mutex_lock(&queue->lock);
        if (queue->stopping) {
            status = APR_EINTR;
        } else if (queue->jobs == queue->max_jobs) {
            status = APR_ENOSPC;
        } else {
            queue->jobs++;
            tg_schedule_add(&queue->schedule, entry, rank);
            pthread_cond_signal(&queue->changed);
        }
        pthread_mutex_unlock(&queue->lock);
    }
    if (status != APR_SUCCESS)
        free_entry(entry);
    return status;
}

apr_status_t tg_queue_add(tg_queue *queue, const tg_request *request, tg_progress_fn *progress, tg_done_fn *done,
                          void *baton)
{
    tg_entry *entry = calloc(1, sizeof *entry);

    if (!entry)
        return APR_ENOMEM;
    entry->progress = progress;
    entry->done = done;
    entry->baton = baton;
    entry->bytes_left = request->size;
    return take(queue, entry, request->urgent ? TG_URGENT : TG_OTHERS, tg_job_init(&entry->job, request));
}

apr_status_t tg_queue_digest(tg_queue *queue, const char *path, const bt_stamp *stamp, tg_digest_fn *done, void *baton)
{
    tg_entry *entry = calloc(1, sizeof *entry);

    if (!entry)
        return APR_ENOMEM;
    entry->digest_done = done;
    entry->baton = baton;
    entry->bytes_left = stamp->size;
    return take(queue, entry, TG_DIGESTS, tg_job_init_digest(&entry->job, path, stamp));
}

apr_status_t tg_queue_raise(tg_queue *queue, const char *path)
{
    apr_status_t status = APR_NOTFOUND;

    pthread_mutex_lock(&queue->lock);
    if (tg_schedule_raise(&queue->schedule, path)) {
        status = APR_SUCCESS;
        pthread_cond_broadcast(&queue->changed);
    }
    pthread_mutex_unlock(&queue->lock);
    return status;
}

void tg_queue_stats(tg_queue *queue, tg_queue_figures *figures)
{
    const tg_schedule *schedule = &queue->schedule;

    memset(figures, 0, sizeof *figures);
    pthread_mutex_lock(&queue->lock);
    for (int rank = 0; rank < TG_RINGS; rank++) {
        *(rank == TG_URGENT ? &figures->urgent : &figures->waiting) += schedule->count[rank] - schedule->begun[rank];
        figures->hashing += schedule->begun[rank];
    }
    figures->bytes_done = queue->bytes_done;
    figures->bytes_left = schedule->bytes_left;
    pthread_mutex_unlock(&queue->lock);
}

static void cancel_all(tg_schedule *schedule)
{
    for (int rank = 0; rank < TG_RINGS; rank++) {
        tg_entry *entry = schedule->turn[rank];

        for (int i = 0; i < schedule->count[rank]; i++, entry = entry->next)
            tg_entry_fail(entry, APR_EINTR);
    }
}

void tg_queue_stop(tg_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->stopping = 1;
    cancel_all(&queue->schedule);
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
    for (int i = 0; i < queue->threads; i++) {
        pthread_join(queue->members[i].thread, NULL);
        tg_worker_free(&queue->members[i].hands);
    }
    queue->threads = 0;
    free(queue->members);
    queue->members = NULL;
}
