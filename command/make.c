/* Waits for the queue to make one torrent, and shows how far it is. */
#include <pthread.h>
#include <string.h>

#include <apr_strings.h>

#include "command/command.h"
#include "command/making.h"
#include "command/progress.h"
#include "command/text.h"

enum { TRIES = 3 };

/* What the workers tell the thread that waits. */
typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    apr_pool_t *pool; /* only used under the lock, or when `done` */
    int done;
    apr_status_t status;
    const char *culprit;
    tg_torrent *torrent;
    const cmd_sources *sources;
} waiting;

static void copy_members(tg_torrent *torrent, apr_pool_t *pool)
{
    tg_member *members;

    if (!torrent->members)
        return;
    members = apr_pmemdup(pool, torrent->members, torrent->member_count * sizeof *members);
    for (apr_size_t i = 0; i < torrent->member_count; i++)
        members[i].path = apr_pstrdup(pool, members[i].path);
    torrent->members = members;
}

static void keep(waiting *w, const tg_torrent *made)
{
    tg_torrent *torrent = w->torrent;

    *torrent = *made;
    torrent->infodict = apr_pmemdup(w->pool, made->infodict, made->infodict_length);
    if (made->layer)
        torrent->layer = apr_pmemdup(w->pool, made->layer, made->layer_length);
    copy_members(torrent, w->pool);
}

static void done(void *baton, apr_status_t status, const tg_result *result)
{
    waiting *w = baton;

    pthread_mutex_lock(&w->lock);
    w->status = status;
    w->culprit = result->culprit ? apr_pstrdup(w->pool, result->culprit) : NULL;
    if (status == APR_SUCCESS)
        keep(w, &result->torrent);
    w->done = 1;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

static apr_status_t list(void *baton, const char *path, apr_pool_t *pool, const tg_source_file **files, apr_size_t *count)
{
    const cmd_sources *sources = baton;

    *files = sources->files;
    *count = sources->count;
    return APR_SUCCESS;
}

static void wait_done(waiting *w, tg_queue *queue, const cmd_making *making)
{
    cmd_progress progress;

    cmd_progress_begin(&progress, "hashing", making->quiet);
    pthread_mutex_lock(&w->lock);
    while (!w->done) {
        tg_queue_figures figures;

        cmd_progress_wait(&w->changed, &w->lock);
        if (w->done)
            break;
        pthread_mutex_unlock(&w->lock);
        tg_queue_stats(queue, &figures);
        cmd_progress_show(&progress, (apr_int64_t)figures.bytes_done, w->sources->size, NULL);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    cmd_progress_end(&progress);
}

static apr_status_t make_once(waiting *w, tg_queue *queue, const cmd_making *making)
{
    const cmd_sources *sources = w->sources;
    const tg_request request = {.path = sources->path ? sources->path : sources->name,
                                .name = sources->name,
                                .version = making->version,
                                .piece_length = making->piece_length,
                                .list = sources->files ? list : NULL,
                                .list_baton = (void *)(apr_uintptr_t)sources,
                                .urgent = 1,
                                .size = sources->size};
    apr_status_t status;

    w->done = 0;
    status = tg_queue_add(queue, &request, NULL, done, w);
    if (status != APR_SUCCESS)
        return status;
    wait_done(w, queue, making);
    return w->status;
}

int cmd_make(const cmd_making *making, const cmd_sources *sources, apr_pool_t *pool, tg_torrent *torrent)
{
    waiting w = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .pool = pool, .torrent = torrent, .sources = sources};
    int threads = making->threads ? making->threads : cmd_cores();
    const char *what = sources->path ? sources->path : sources->name;
    char reason[160];
    tg_queue *queue;
    apr_status_t status = tg_queue_create_eager(&queue, threads, 1, pool);

    if (status == APR_SUCCESS) {
        status = APR_EBUSY;
        for (int i = 0; i < TRIES && status == APR_EBUSY; i++)
            status = make_once(&w, queue, making);
        tg_queue_stop(queue);
    }
    if (status == APR_SUCCESS)
        return CMD_OK;
    if (status == APR_EBUSY)
        cmd_complain("%s: given up: it changed each of %d times while it was read", w.culprit ? w.culprit : what, TRIES);
    else
        cmd_complain("%s: %s", w.culprit ? w.culprit : what, cmd_reason(status, reason));
    return CMD_FAILED;
}
