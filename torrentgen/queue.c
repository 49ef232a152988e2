#include "torrentgen/queue.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "torrentgen/job.h"

/* A job's state, guarded by the queue's lock. */
typedef enum {
    NEW,      /* nobody has looked at the file */
    STARTING, /* one worker is */
    HASHING,  /* workers take runs of pieces */
    CLOSING   /* out of the ring; one worker finishes it and tells its owner */
} phase;

/* One waiting file. In the ring until it is closed; the worker that closes it frees it. */
typedef struct entry {
    struct entry *next, *before; /* ring */
    tg_job job;                  /* members are constant while HASHING; each run writes its own part of the results */
    tg_progress_fn *progress;
    tg_done_fn *done;
    void *baton;
    phase phase;
    apr_int64_t taken, hashed; /* pieces; taken: handed to workers */
    int workers;               /* that are at it just now */
    apr_status_t status;       /* the first failure */
    int cancel;                /* atomic; set when status is */
    int telling;               /* a worker is in progress(); it will tell what comes in meanwhile, too */
    int told;                  /* per cent */
} entry;

typedef struct {
    tg_queue *queue;
    pthread_t thread;
    tg_worker hands;
} member;

struct tg_queue {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* there may be something to do, or stopping */
    entry *turn;            /* whose turn it is next, in the ring of all jobs; NULL when there are none */
    int jobs, max_jobs;
    int stopping;
    int threads; /* that run */
    member *members;
};

/* --- the ring; all under the lock ------------------------------------------------------------------------------- */

static void ring_add(tg_queue *queue, entry *added)
{
    if (!queue->turn) {
        added->next = added->before = added;
        queue->turn = added;
    } else { /* last in line: before the one whose turn it is */
        added->next = queue->turn;
        added->before = queue->turn->before;
        added->before->next = added->next->before = added;
    }
    queue->jobs++;
}

static void ring_remove(tg_queue *queue, entry *gone)
{
    if (queue->turn == gone)
        queue->turn = gone->next == gone ? NULL : gone->next;
    gone->next->before = gone->before;
    gone->before->next = gone->next;
    queue->jobs--;
}

static void fail(entry *failed, apr_status_t status)
{
    if (failed->status == APR_SUCCESS)
        failed->status = status;
    __atomic_store_n(&failed->cancel, 1, __ATOMIC_RELAXED);
}

static int is_complete(const entry *one)
{
    return one->workers == 0 && one->phase != STARTING &&
           (one->status != APR_SUCCESS || (one->phase == HASHING && one->hashed == one->job.pieces));
}

static int has_work(const entry *one)
{
    return one->phase == NEW ||
           (one->phase == HASHING && one->status == APR_SUCCESS && one->taken < one->job.pieces) || is_complete(one);
}

/* Whose turn it is; the turn passes on. */
static entry *next_with_work(tg_queue *queue)
{
    entry *one = queue->turn;

    for (int i = 0; i < queue->jobs; i++, one = one->next)
        if (has_work(one)) {
            queue->turn = one->next;
            return one;
        }
    return NULL;
}

/* --- what a worker does; each is called with the lock held, works without it, and returns with it -------------------- */

static void free_entry(entry *one)
{
    tg_job_free(&one->job);
    free(one);
}

static void start(tg_queue *queue, entry *one)
{
    apr_status_t status;

    one->phase = STARTING;
    pthread_mutex_unlock(&queue->lock);
    status = tg_job_start(&one->job);
    pthread_mutex_lock(&queue->lock);
    one->phase = HASHING;
    if (status != APR_SUCCESS)
        fail(one, status);
    pthread_cond_broadcast(&queue->changed);
}

/* In order and never twice at once; who finds another telling leaves it to that one and goes on. */
static void tell_progress(tg_queue *queue, entry *one)
{
    int percent;

    if (!one->progress || one->telling)
        return;
    one->telling = 1;
    while ((percent = (int)(one->hashed * 100 / one->job.pieces)) > one->told) {
        one->told = percent;
        pthread_mutex_unlock(&queue->lock);
        one->progress(one->baton, percent);
        pthread_mutex_lock(&queue->lock);
    }
    one->telling = 0;
}

static void hash_run(tg_queue *queue, entry *one, tg_worker *hands)
{
    apr_int64_t first = one->taken, run = tg_job_run(&one->job, hands);
    apr_status_t status;

    if (run > one->job.pieces - first)
        run = one->job.pieces - first;
    one->taken += run;
    one->workers++;
    pthread_mutex_unlock(&queue->lock);
    status = tg_job_hash(&one->job, hands, first, run, &one->cancel);
    pthread_mutex_lock(&queue->lock);
    if (status != APR_SUCCESS) {
        fail(one, status);
    } else {
        one->hashed += run;
        tell_progress(queue, one);
    }
    one->workers--;
}

static void close_job(tg_queue *queue, entry *one, tg_worker *hands)
{
    apr_status_t status = one->status;
    tg_result result = {0};

    one->phase = CLOSING;
    ring_remove(queue, one); /* before done(), which may add the next */
    pthread_mutex_unlock(&queue->lock);
    if (status == APR_SUCCESS)
        status = tg_job_finish(&one->job, hands, &result.torrent);
    if (status != APR_SUCCESS)
        memset(&result.torrent, 0, sizeof result.torrent);
    result.stamp = one->job.stamp;
    one->done(one->baton, status, &result);
    free_entry(one);
    pthread_mutex_lock(&queue->lock);
}

static void work(tg_queue *queue, tg_worker *hands)
{
    entry *one;

    pthread_mutex_lock(&queue->lock);
    for (;;) {
        one = next_with_work(queue);
        if (!one && queue->stopping)
            break; /* a job without work for us has a worker who will close it */
        if (!one)
            pthread_cond_wait(&queue->changed, &queue->lock);
        else if (is_complete(one))
            close_job(queue, one, hands);
        else if (one->phase == NEW)
            start(queue, one);
        else
            hash_run(queue, one, hands);
    }
    pthread_mutex_unlock(&queue->lock);
}

/* Best effort: hashing gives way to everything else. On Linux both are of a thread, not of the process. */
static void lower_priority(void)
{
    enum { WHO_PROCESS = 1, CLASS_BEST_EFFORT = 2, CLASS_SHIFT = 13, LOWEST = 7, NICER = 10 };
    long thread = syscall(SYS_gettid);

    setpriority(PRIO_PROCESS, (id_t)thread, getpriority(PRIO_PROCESS, (id_t)thread) + NICER); /* 19 if that is more */
    syscall(SYS_ioprio_set, WHO_PROCESS, thread, CLASS_BEST_EFFORT << CLASS_SHIFT | LOWEST);
}

static void *run_member(void *baton)
{
    member *self = baton;

    pthread_setname_np(pthread_self(), "bthttp-hash");
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

apr_status_t tg_queue_create(tg_queue **result, int threads, int max_jobs, apr_pool_t *pool)
{
    tg_queue *queue = apr_pcalloc(pool, sizeof *queue);
    apr_status_t status;

    *result = NULL;
    if (threads < 1 || max_jobs < 1)
        return APR_EINVAL;
    queue->max_jobs = max_jobs;
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->changed, NULL);
    status = start_members(queue, threads);
    if (status != APR_SUCCESS)
        tg_queue_stop(queue);
    else
        *result = queue;
    return status;
}

apr_status_t tg_queue_add(tg_queue *queue, const tg_request *request, tg_progress_fn *progress, tg_done_fn *done,
                          void *baton)
{
    entry *one = calloc(1, sizeof *one);
    apr_status_t status;

    if (!one)
        return APR_ENOMEM;
    one->progress = progress;
    one->done = done;
    one->baton = baton;
    status = tg_job_init(&one->job, request);
    if (status == APR_SUCCESS) {
        pthread_mutex_lock(&queue->lock);
        if (queue->stopping)
            status = APR_EINTR;
        else if (queue->jobs == queue->max_jobs)
            status = APR_ENOSPC;
        else
            ring_add(queue, one);
        pthread_cond_signal(&queue->changed);
        pthread_mutex_unlock(&queue->lock);
    }
    if (status != APR_SUCCESS)
        free_entry(one);
    return status;
}

void tg_queue_stop(tg_queue *queue)
{
    entry *one;

    pthread_mutex_lock(&queue->lock);
    queue->stopping = 1;
    one = queue->turn;
    for (int i = 0; i < queue->jobs; i++, one = one->next)
        fail(one, APR_EINTR);
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
