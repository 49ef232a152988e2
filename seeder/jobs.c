#include "seeder/jobs.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <apr_hash.h>

#include "base/log.h"
#include "seeder/outcome.h"
#include "seeder/pace.h"
#include "seeder/publisher.h"

enum { DIGESTS_MAX = 1024, QUEUE_MAX = SEED_JOB_SLOTS + SEED_WAITING_MAX + DIGESTS_MAX };

/* One "make", malloc'd, from the mail to its end. */
typedef struct job {
    struct job *next; /* of those that are tried again */
    seed_jobs *jobs;
    seed_make make;   /* its strings follow the struct */
    bt_stamp stamp;   /* of the file whose digest is made */
    /* Under the mutex: */
    int is_urgent;    /* and so has a slot on the page */
    int is_withdrawn;
    int tries;
} job;

struct seed_jobs {
    const seed_config *config;
    tg_queue *queue;
    seed_publisher *publisher;
    seed_publisher_seams seams;
    pthread_mutex_t mutex;
    apr_hash_t *by_path; /* those whose torrent is being made; under the mutex, as all below */
    int waiting;         /* of them, those that nobody waits for */
    job *again;          /* those that are tried again with the next tick */
    int stopping, repost;
    seed_pace pace;      /* seeder's thread, as below */
    int is_shown;        /* the page has figures that are not zero, or will have */
};

/* --- the list of jobs ------------------------------------------------------------------------------------------------ */

static char *put(char *to, const char **text)
{
    apr_size_t length = strlen(*text) + 1;

    *text = memcpy(to, *text, length);
    return to + length;
}

static job *make_job(seed_jobs *jobs, const seed_make *make)
{
    const char *sidecar = make->sidecar ? make->sidecar : "";
    job *made = calloc(1, sizeof *made + strlen(make->path) + strlen(make->name) + strlen(make->url) + strlen(sidecar) + 4);
    char *to = (char *)(made + 1);

    if (!made)
        return NULL;
    made->jobs = jobs;
    made->make = *make;
    made->make.sidecar = sidecar;
    to = put(to, &made->make.path);
    to = put(to, &made->make.name);
    to = put(to, &made->make.url);
    put(to, &made->make.sidecar);
    return made;
}

/* Under the mutex. */
static void enlist(job *one)
{
    apr_hash_set(one->jobs->by_path, one->make.path, APR_HASH_KEY_STRING, one);
    one->jobs->waiting += !one->is_urgent;
}

static void delist(job *one)
{
    pthread_mutex_lock(&one->jobs->mutex);
    apr_hash_set(one->jobs->by_path, one->make.path, APR_HASH_KEY_STRING, NULL);
    one->jobs->waiting -= !one->is_urgent;
    pthread_mutex_unlock(&one->jobs->mutex);
}

/* Reads a member that is under the mutex. */
static int look(job *one, const int *member)
{
    int value;

    pthread_mutex_lock(&one->jobs->mutex);
    value = *member;
    pthread_mutex_unlock(&one->jobs->mutex);
    return value;
}

static int should_repost(job *one)
{
    int should;

    pthread_mutex_lock(&one->jobs->mutex);
    should = one->jobs->repost && !one->is_withdrawn;
    pthread_mutex_unlock(&one->jobs->mutex);
    return should;
}

static void repost(job *one)
{
    if (should_repost(one) && seed_post_make(one->jobs->config->mailbox, &one->make) != APR_SUCCESS)
        seed_count(&one->jobs->config->counters->mailbox_full, 1);
}

static void tell(const seed_jobs *jobs, const char *path, apr_status_t status)
{
    if (jobs->config->made)
        jobs->config->made(jobs->config->baton, path, status);
}

/* --- digests ----------------------------------------------------------------------------------------------------------- */

/* On a worker's thread. The torrent is published already: only whoever asked for nothing but the digest is told. */
static void digest_done(void *baton, apr_status_t status, const unsigned char digest[32])
{
    job *done = baton;

    if (status == APR_SUCCESS)
        cat_set_digest(done->jobs->config->catalog, done->make.path, &done->stamp, digest);
    else if (status == APR_EINTR)
        repost(done); /* the torrent will be found right, and the digest missing */
    if (!done->make.urgent)
        tell(done->jobs, done->make.path, status);
    free(done);
}

/* Takes over a job that is in no list. */
static void add_digest(job *one)
{
    apr_status_t status = tg_queue_digest(one->jobs->queue, one->make.path, &one->stamp, digest_done, one);

    if (status != APR_SUCCESS)
        digest_done(one, status, NULL);
}

/* --- torrents: what came of them ---------------------------------------------------------------------------------------- */

/* The end of a job whose torrent is in the catalogue, or will not be. On a worker's or the publisher's thread. */
static void end(job *one, apr_status_t status, int wants_digest)
{
    delist(one); /* nobody else knows it any more */
    if (one->is_urgent)
        seed_job_end(one->jobs->config->counters, one->make.path,
                     status != APR_SUCCESS && status != APR_EINTR && !one->is_withdrawn);
    tell(one->jobs, one->make.path, status);
    if (status == APR_SUCCESS && wants_digest) {
        one->make.urgent = 1; /* told already */
        add_digest(one);
    } else {
        free(one);
    }
}

static int is_wanted(void *baton)
{
    job *one = baton;

    return !look(one, &one->is_withdrawn);
}

static void published(job *one, apr_status_t status, int wants_digest)
{
    const seed_config *config = one->jobs->config;

    if (status == APR_SUCCESS && !is_wanted(one)) { /* in the very moment */
        cat_withdraw(config->catalog, one->make.path, CAT_PROTECTED);
        status = APR_EACCES;
    }
    seed_outcome_published(config->counters, &one->make, status);
    end(one, status, wants_digest);
}

static void published_in_group(void *baton, apr_status_t status)
{
    published(baton, status, 0);
}

static void publish(job *one, const tg_result *result)
{
    seed_jobs *jobs = one->jobs;
    cat_publication publication = {.path = one->make.path,
                                   .url = one->make.url,
                                   .grant = one->make.grant,
                                   .published = *one->make.url != 0,
                                   .listed = one->make.listed,
                                   .stamp = result->stamp,
                                   .sidecar = result->sidecar,
                                   .adopted = result->adopted,
                                   .has_digest = result->has_digest,
                                   .torrent = &result->torrent};

    memcpy(publication.digest, result->digest, sizeof publication.digest);
    one->stamp = result->stamp;
    seed_count(&jobs->config->counters->hashed_bytes, tg_content_length(&result->torrent));
    if (!look(one, &one->is_urgent))
        seed_publisher_add(jobs->publisher, &publication, one);
    else if (!is_wanted(one))
        published(one, APR_EACCES, 0);
    else
        published(one, cat_publish(jobs->config->catalog, &publication, 1), !result->has_digest && !one->make.collection);
}

/* --- torrents: to the queue --------------------------------------------------------------------------------------------- */

static void worker_done(void *baton, apr_status_t status, const tg_result *result);

static void worker_progress(void *baton, int percent)
{
    job *one = baton;

    if (look(one, &one->is_urgent))
        seed_job_percent(one->jobs->config->counters, one->make.path, percent);
}

/* The module lists the files, and is told where the collection was asked for. */
static apr_status_t list_collection(void *baton, const char *path, apr_pool_t *pool, const tg_source_file **files,
                                    apr_size_t *count)
{
    job *one = baton;
    const seed_config *config = one->jobs->config;

    return config->list ? config->list(config->baton, &one->make, pool, files, count) : APR_ENOTIMPL;
}

static apr_status_t add_to_queue(job *one, int is_urgent)
{
    const seed_make *make = &one->make;
    const tg_request request = {.path = make->path,
                                .name = make->name,
                                .version = make->version,
                                .piece_length = make->piece_length,
                                .list = make->collection ? list_collection : NULL,
                                .list_baton = one,
                                .sidecar = make->collection ? NULL : make->sidecar,
                                .urgent = is_urgent,
                                .digest = !is_urgent && !make->collection,
                                .size = make->size};

    return tg_queue_add(one->jobs->queue, &request, worker_progress, worker_done, one);
}

/* At once for the first time, then with the next tick. @return 0: that was its last try */
static int try_again(job *one)
{
    seed_jobs *jobs = one->jobs;
    int urgent, tries;

    pthread_mutex_lock(&jobs->mutex);
    tries = one->is_withdrawn || jobs->stopping ? SEED_RETRIES + 1 : ++one->tries;
    urgent = one->is_urgent;
    if (tries > 1 && tries <= SEED_RETRIES) {
        one->next = jobs->again;
        jobs->again = one;
    }
    pthread_mutex_unlock(&jobs->mutex);
    return tries <= SEED_RETRIES && (tries > 1 || add_to_queue(one, urgent) == APR_SUCCESS);
}

/* On a worker's thread. */
static void worker_done(void *baton, apr_status_t status, const tg_result *result)
{
    job *one = baton;

    if (status == APR_SUCCESS) {
        if (result->sidecar_why)
            seed_outcome_sidecar(&one->make, result->sidecar_why);
        publish(one, result);
        return;
    }
    if (status == APR_EBUSY && try_again(one))
        return;
    if (status == APR_EINTR)
        repost(one);
    else
        seed_outcome_failed(one->jobs->config->counters, &one->make, status, result->culprit);
    end(one, status, 0);
}

/* --- requests ------------------------------------------------------------------------------------------------------------ */

/* Is the torrent in the catalogue that of the file as it is now, and of the .torrent beside it? Of a collection it is not
 * known without listing it. */
static int is_made(seed_jobs *jobs, const seed_make *make, int *has_digest, bt_stamp *stamp)
{
    apr_pool_t *pool;
    bt_stamp sidecar = {0};
    cat_entry entry;
    int made = 0;

    if (make->collection || bt_stamp_path(make->path, stamp) != APR_SUCCESS ||
        apr_pool_create_unmanaged_ex(&pool, NULL, NULL) != APR_SUCCESS)
        return 0;
    if (cat_find_path(jobs->config->catalog, make->path, pool, &entry) == APR_SUCCESS) {
        if (make->sidecar && *make->sidecar && bt_stamp_path(make->sidecar, &sidecar) != APR_SUCCESS)
            memset(&sidecar, 0, sizeof sidecar);
        made = bt_stamp_equal(&entry.stamp, stamp) && bt_stamp_equal(&entry.sidecar, &sidecar) &&
               (!*make->url || (entry.published && entry.grant == make->grant));
        *has_digest = entry.has_digest;
    }
    apr_pool_destroy(pool);
    return made;
}

/* @return 1 if no torrent is to be made */
static int complete(seed_jobs *jobs, const seed_make *make)
{
    bt_stamp stamp;
    int has_digest = 0;
    job *added;

    if (!is_made(jobs, make, &has_digest, &stamp))
        return 0;
    added = has_digest ? NULL : make_job(jobs, make);
    if (added) {
        added->stamp = stamp;
        add_digest(added);
    }
    if (!added || make->urgent)
        tell(jobs, make->path, APR_SUCCESS);
    return 1;
}

/* Somebody waits now for what nobody waited for. @return 0 if there is no job of that path */
static int find_and_raise(seed_jobs *jobs, const seed_make *make)
{
    job *known;

    pthread_mutex_lock(&jobs->mutex);
    known = apr_hash_get(jobs->by_path, make->path, APR_HASH_KEY_STRING);
    if (known && make->urgent && !known->is_urgent && seed_job_begin(jobs->config->counters, make->path)) {
        known->is_urgent = 1;
        jobs->waiting--;
        tg_queue_raise(jobs->queue, make->path);
    }
    pthread_mutex_unlock(&jobs->mutex);
    return known != NULL;
}

static int has_room(seed_jobs *jobs, const seed_make *make)
{
    int room;

    if (make->urgent)
        return seed_job_begin(jobs->config->counters, make->path);
    pthread_mutex_lock(&jobs->mutex);
    room = jobs->waiting < SEED_WAITING_MAX;
    pthread_mutex_unlock(&jobs->mutex);
    return room;
}

static apr_status_t add(seed_jobs *jobs, const seed_make *make)
{
    job *added = make_job(jobs, make);
    apr_status_t status = APR_ENOMEM;

    if (added) {
        added->is_urgent = make->urgent;
        pthread_mutex_lock(&jobs->mutex);
        enlist(added);
        pthread_mutex_unlock(&jobs->mutex);
        status = add_to_queue(added, make->urgent);
    }
    if (status != APR_SUCCESS && make->urgent)
        seed_job_end(jobs->config->counters, make->path, 0);
    if (status != APR_SUCCESS && added) {
        delist(added);
        free(added);
    }
    return status;
}

void seed_jobs_add(seed_jobs *jobs, const seed_make *make)
{
    apr_status_t status = APR_EAGAIN;

    jobs->is_shown = 1;
    if (find_and_raise(jobs, make) || complete(jobs, make))
        return;
    if (has_room(jobs, make))
        status = add(jobs, make);
    if (status == APR_EINVAL)
        seed_outcome_failed(jobs->config->counters, make, status, NULL);
    if (status != APR_SUCCESS)
        tell(jobs, make->path, status == APR_EINVAL ? status : APR_EAGAIN);
}

void seed_jobs_withdraw(seed_jobs *jobs, const char *path)
{
    job *known;

    pthread_mutex_lock(&jobs->mutex);
    known = apr_hash_get(jobs->by_path, path, APR_HASH_KEY_STRING);
    if (known)
        known->is_withdrawn = 1;
    pthread_mutex_unlock(&jobs->mutex);
}

/* --- the clock, the beginning and the end ----------------------------------------------------------------------------------- */

static job *take_again(seed_jobs *jobs)
{
    job *list;

    pthread_mutex_lock(&jobs->mutex);
    list = jobs->again;
    jobs->again = NULL;
    pthread_mutex_unlock(&jobs->mutex);
    return list;
}

void seed_jobs_tick(seed_jobs *jobs)
{
    tg_queue_figures figures;
    job *next;

    for (job *one = take_again(jobs); one; one = next) {
        apr_status_t status;

        next = one->next; /* once it is in the queue it may be gone */
        status = add_to_queue(one, look(one, &one->is_urgent));
        if (status != APR_SUCCESS)
            end(one, status, 0);
    }
    tg_queue_stats(jobs->queue, &figures);
    seed_pace_note(&jobs->pace, &figures, &jobs->config->counters->hashing, apr_time_now());
    jobs->is_shown = figures.urgent || figures.waiting || figures.hashing || jobs->pace.rate > 0;
}

int seed_jobs_are_busy(seed_jobs *jobs)
{
    int count;

    pthread_mutex_lock(&jobs->mutex);
    count = (int)apr_hash_count(jobs->by_path);
    pthread_mutex_unlock(&jobs->mutex);
    return count > 0 || jobs->is_shown;
}

apr_status_t seed_jobs_start(seed_jobs **jobs, const seed_config *config, apr_pool_t *pool)
{
    seed_jobs *made = apr_pcalloc(pool, sizeof *made);
    apr_status_t status;

    made->config = config;
    made->seams = (seed_publisher_seams){is_wanted, published_in_group};
    made->by_path = apr_hash_make(pool);
    pthread_mutex_init(&made->mutex, NULL);
    *jobs = made;
    status = seed_publisher_start(&made->publisher, config->catalog, &made->seams, pool);
    if (status != APR_SUCCESS)
        return status;
    status = tg_queue_create(&made->queue, config->hash_threads > 0 ? config->hash_threads : 1, QUEUE_MAX, pool);
    if (status != APR_SUCCESS)
        seed_publisher_stop(made->publisher);
    return status;
}

void seed_jobs_stop(seed_jobs *jobs, int repost_them)
{
    static const tg_queue_figures none;
    job *next;

    pthread_mutex_lock(&jobs->mutex);
    jobs->stopping = 1;
    jobs->repost = repost_them;
    pthread_mutex_unlock(&jobs->mutex);
    tg_queue_stop(jobs->queue);
    seed_publisher_stop(jobs->publisher);
    for (job *one = take_again(jobs); one; one = next) {
        next = one->next;
        repost(one);
        end(one, APR_EINTR, 0);
    }
    seed_pace_note(&jobs->pace, &none, &jobs->config->counters->hashing, apr_time_now());
    pthread_mutex_destroy(&jobs->mutex);
}
