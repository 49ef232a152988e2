/* Hashes what a scan has found. Workers hand results to the thread that asked, which puts many into the catalogue at a
 * time: a transaction costs a wait for the disk. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "command/command.h"
#include "command/making.h"
#include "command/scan.h"
#include "command/state.h"
#include "command/text.h"
#include "command/values.h"
#include "torrentgen/name.h"
#include "torrentgen/queue.h"

enum {
    WINDOW = 512,     /* files that are hashed or wait for it, or for the catalogue */
    BATCH = 256,      /* torrents in a transaction */
    BATCH_BYTES = 32 * 1024 * 1024,
    TRIES = 3
};

static const apr_time_t BATCH_TIME = 500000; /* what is done waits no longer */

/* What a worker leaves; in a pool of its own. */
typedef struct done {
    struct done *next;
    apr_pool_t *pool;
    cmd_found *file;
    apr_status_t status;
    tg_result result;
} done;

typedef struct {
    cmd_scan *scan;
    tg_queue *queue;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    done *first, **last; /* results that nobody has taken, oldest first */
    int results;
    apr_size_t result_bytes;
    int out;             /* files with the workers */
    int next;            /* in scan->found */
    apr_time_t published;
    apr_status_t status; /* of the catalogue, or of memory: it ends the scan */
} making;

/* What a worker's callback is given. */
typedef struct {
    making *m;
    cmd_found *file;
} ticket;

/* --- on a worker's thread ------------------------------------------------------------------------------------------- */

static void keep(done *d, const tg_result *result)
{
    tg_torrent *torrent = &d->result.torrent;

    d->result = *result;
    d->result.culprit = NULL;
    d->result.sidecar_why = result->sidecar_why ? apr_pstrdup(d->pool, result->sidecar_why) : NULL;
    if (torrent->infodict)
        torrent->infodict = apr_pmemdup(d->pool, torrent->infodict, torrent->infodict_length);
    if (torrent->layer)
        torrent->layer = apr_pmemdup(d->pool, torrent->layer, torrent->layer_length);
    torrent->members = NULL; /* it is of one file */
}

static void worker_done(void *baton, apr_status_t status, const tg_result *result)
{
    ticket *t = baton;
    making *m = t->m;
    apr_pool_t *pool = NULL;
    done *d = apr_pool_create(&pool, NULL) == APR_SUCCESS ? apr_pcalloc(pool, sizeof *d) : NULL;

    if (d) {
        d->pool = pool;
        d->file = t->file;
        d->status = status;
        keep(d, result);
    }
    free(t);
    pthread_mutex_lock(&m->lock);
    m->out--;
    if (d) {
        *m->last = d;
        m->last = &d->next;
        m->results++;
        m->result_bytes += d->result.torrent.infodict_length + d->result.torrent.layer_length;
    } else if (m->status == APR_SUCCESS) {
        m->status = APR_ENOMEM;
    }
    pthread_cond_signal(&m->changed);
    pthread_mutex_unlock(&m->lock);
}

/* --- results -------------------------------------------------------------------------------------------------------- */

static void tell_made(const cmd_scan *scan, const done *d)
{
    const tg_torrent *torrent = &d->result.torrent;
    cmd_json json;

    if (!scan->json) {
        if (scan->verbose)
            cmd_line(stdout, "%s  %s", d->result.adopted ? "taken" : "made ", d->file->path);
        return;
    }
    cmd_json_begin(&json);
    cmd_json_text(&json, "event", d->result.adopted ? "adopted" : "made");
    cmd_json_path(&json, "path", d->file->path);
    cmd_json_number(&json, "size", d->result.stamp.size);
    cmd_json_text(&json, "version", cmd_version_text(torrent->version));
    cmd_json_hash(&json, "infohash_v1", torrent->v1.b, BT_HASH_SIZE);
    cmd_json_hash(&json, "infohash_v2", torrent->v2.b, BT_HASH_V2_SIZE);
    cmd_json_print(&json, stdout);
}

/* A server that runs may have made it meanwhile: what it published stays published. */
static int is_there(const cmd_scan *scan, const done *d)
{
    cat_entry entry;

    return cat_find_path(scan->catalog, d->file->path, d->pool, &entry) == APR_SUCCESS &&
           bt_stamp_equal(&entry.stamp, &d->result.stamp) && bt_stamp_equal(&entry.sidecar, &d->result.sidecar);
}

static cat_publication publication_of(const done *d)
{
    cat_publication p = {.path = d->file->path,
                         .url = "",
                         .stamp = d->result.stamp,
                         .sidecar = d->result.sidecar,
                         .adopted = d->result.adopted,
                         .has_digest = d->result.has_digest,
                         .torrent = &d->result.torrent};

    memcpy(p.digest, d->result.digest, sizeof p.digest);
    return p;
}

static apr_status_t publish(making *m, const done *list)
{
    cat_publication *batch = malloc(WINDOW * sizeof *batch);
    apr_size_t count = 0;
    apr_status_t status = APR_SUCCESS;

    if (!batch)
        return APR_ENOMEM;
    for (; list; list = list->next)
        if (list->status == APR_SUCCESS && !is_there(m->scan, list))
            batch[count++] = publication_of(list);
    if (count)
        status = cat_publish(m->scan->catalog, batch, count);
    free(batch);
    return status;
}

static void fail(making *m, done *d)
{
    char reason[160];

    if (d->status == APR_EBUSY)
        cmd_scan_fail(m->scan, d->file->path,
                      apr_psprintf(d->pool, "given up: it changed each of %d times while it was read", TRIES));
    else if (d->status == ENOENT)
        cmd_scan_fail(m->scan, d->file->path, "it went away");
    else
        cmd_scan_fail(m->scan, d->file->path, cmd_reason(d->status, reason));
}

static apr_status_t add(making *m, cmd_found *file);

static void settle(making *m, done *d, apr_status_t published)
{
    cmd_scan *scan = m->scan;

    if (d->status == APR_EBUSY && ++d->file->tries < TRIES && !cmd_signal() && add(m, d->file) == APR_SUCCESS)
        return;
    if (d->status == APR_EINTR || published != APR_SUCCESS)
        return;
    if (d->status != APR_SUCCESS) {
        fail(m, d);
        return;
    }
    scan->made++;
    scan->adopted += d->result.adopted;
    scan->bytes_made += d->result.stamp.size;
    if (d->result.sidecar_why && !scan->quiet)
        cmd_complain("%s.torrent: left alone: %s", d->file->path, d->result.sidecar_why);
    tell_made(scan, d);
}

/* With the lock held, which it gives up meanwhile. */
static void take_results(making *m)
{
    done *list = m->first, *next;
    apr_status_t status;

    m->first = NULL;
    m->last = &m->first;
    m->results = 0;
    m->result_bytes = 0;
    pthread_mutex_unlock(&m->lock);
    status = publish(m, list);
    for (; list; list = next) {
        next = list->next;
        settle(m, list, status);
        apr_pool_destroy(list->pool);
    }
    fflush(stdout);
    pthread_mutex_lock(&m->lock);
    m->published = apr_time_now();
    if (status != APR_SUCCESS && m->status == APR_SUCCESS)
        m->status = status;
}

/* --- what is to be done --------------------------------------------------------------------------------------------- */

static apr_status_t add(making *m, cmd_found *file)
{
    cmd_scan *scan = m->scan;
    apr_pool_t *pool;
    ticket *t = malloc(sizeof *t);
    apr_status_t status = t ? apr_pool_create(&pool, NULL) : APR_ENOMEM;
    tg_request request = {.path = file->path, .version = scan->version, .piece_length = scan->piece_length,
                          .digest = scan->digest, .size = file->size};

    if (status != APR_SUCCESS) {
        free(t);
        return status;
    }
    *t = (ticket){m, file};
    request.name = tg_name_of(pool, file->path);
    request.sidecar = apr_pstrcat(pool, file->path, ".torrent", NULL);
    pthread_mutex_lock(&m->lock);
    m->out++;
    pthread_mutex_unlock(&m->lock);
    status = tg_queue_add(m->queue, &request, NULL, worker_done, t);
    apr_pool_destroy(pool);
    if (status == APR_SUCCESS)
        return status;
    free(t);
    pthread_mutex_lock(&m->lock);
    m->out--;
    pthread_mutex_unlock(&m->lock);
    return status;
}

static int is_over(const making *m)
{
    return m->status != APR_SUCCESS || cmd_signal() || m->next == m->scan->found->nelts;
}

/* With the lock held. */
static void feed(making *m)
{
    while (!is_over(m) && m->out + m->results < WINDOW) {
        apr_status_t status;

        pthread_mutex_unlock(&m->lock);
        status = add(m, &APR_ARRAY_IDX(m->scan->found, m->next, cmd_found));
        pthread_mutex_lock(&m->lock);
        if (status != APR_SUCCESS && m->status == APR_SUCCESS)
            m->status = status;
        m->next++;
    }
}

static int batch_is_due(const making *m)
{
    return m->results && (m->results >= BATCH || m->result_bytes >= BATCH_BYTES || m->out == 0 ||
                          apr_time_now() - m->published >= BATCH_TIME);
}

static void show(making *m, cmd_progress *progress)
{
    tg_queue_figures figures;
    char note[64];

    tg_queue_stats(m->queue, &figures);
    snprintf(note, sizeof note, "%" APR_INT64_T_FMT " of %d files", m->scan->made + m->scan->failed, m->scan->found->nelts);
    cmd_progress_show(progress, (apr_int64_t)figures.bytes_done, m->scan->bytes_found, note);
}

static void pump(making *m)
{
    cmd_progress progress;

    cmd_progress_begin(&progress, "hashing", m->scan->quiet);
    pthread_mutex_lock(&m->lock);
    for (;;) {
        feed(m);
        if (batch_is_due(m)) {
            take_results(m);
            continue;
        }
        if (m->status != APR_SUCCESS || cmd_signal() || (m->out == 0 && m->results == 0 && is_over(m)))
            break;
        cmd_progress_wait(&m->changed, &m->lock);
        pthread_mutex_unlock(&m->lock);
        show(m, &progress);
        pthread_mutex_lock(&m->lock);
    }
    pthread_mutex_unlock(&m->lock);
    tg_queue_stop(m->queue); /* what is at work now is given up; what is done is kept */
    pthread_mutex_lock(&m->lock);
    if (m->status == APR_SUCCESS && m->results)
        take_results(m);
    pthread_mutex_unlock(&m->lock);
    cmd_progress_end(&progress);
}

int cmd_scan_make(cmd_scan *scan)
{
    making m = {.scan = scan, .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    char reason[160];
    apr_status_t status;

    m.last = &m.first;
    m.published = apr_time_now();
    status = tg_queue_create_eager(&m.queue, scan->threads ? scan->threads : cmd_cores(), WINDOW, scan->pool);
    if (status != APR_SUCCESS) {
        cmd_complain("%s", cmd_reason(status, reason));
        return CMD_FAILED;
    }
    pump(&m);
    return m.status == APR_SUCCESS ? CMD_OK : cmd_state_failed(m.status);
}
