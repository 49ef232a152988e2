#include "seeder/publisher.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

enum { GROUP_MAX = 256, GROUP_BYTES_MAX = 16 * 1024 * 1024, GATHER_MS = 100 };

typedef struct {
    cat_publication list[GROUP_MAX];
    tg_torrent torrents[GROUP_MAX];
    void *jobs[GROUP_MAX];
    apr_size_t count, bytes;
    struct timespec due;
    apr_pool_t *pool; /* of what its torrents point to */
} group;

struct seed_publisher {
    cat_catalog *catalog;
    const seed_publisher_seams *seams;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;   /* the group has its first torrent, is full, or is taken; stopping */
    group *filling, *writing; /* the latter is the thread's alone */
    int stopping;
};

static int is_full(const group *one)
{
    return one->count == GROUP_MAX || one->bytes >= GROUP_BYTES_MAX;
}

/* --- the thread ---------------------------------------------------------------------------------------------------- */

/* Leaves out those that are not wanted any more. */
static void sift(seed_publisher *publisher, group *one)
{
    apr_size_t kept = 0;

    for (apr_size_t i = 0; i < one->count; i++) {
        if (!publisher->seams->is_wanted(one->jobs[i])) {
            publisher->seams->done(one->jobs[i], APR_EACCES);
            continue;
        }
        one->list[kept] = one->list[i];
        one->jobs[kept++] = one->jobs[i];
    }
    one->count = kept;
}

static void write_group(seed_publisher *publisher, group *one)
{
    apr_status_t status = APR_SUCCESS;

    sift(publisher, one);
    if (one->count)
        status = cat_publish(publisher->catalog, one->list, one->count);
    for (apr_size_t i = 0; i < one->count; i++) /* one that is impossible does not keep the others out */
        publisher->seams->done(one->jobs[i], status == APR_EINVAL && one->count > 1
                                                 ? cat_publish(publisher->catalog, &one->list[i], 1)
                                                 : status);
    one->count = one->bytes = 0;
    apr_pool_clear(one->pool);
}

/* Under the mutex. @return 0 when it is time to end */
static int wait_for_group(seed_publisher *publisher)
{
    int late = 0;

    while (!publisher->filling->count && !publisher->stopping)
        pthread_cond_wait(&publisher->changed, &publisher->mutex);
    while (!late && !is_full(publisher->filling) && !publisher->stopping)
        late = pthread_cond_timedwait(&publisher->changed, &publisher->mutex, &publisher->filling->due) != 0;
    return publisher->filling->count > 0;
}

static void *run(void *baton)
{
    seed_publisher *publisher = baton;

    pthread_setname_np(pthread_self(), "bthttp-publish");
    pthread_mutex_lock(&publisher->mutex);
    while (wait_for_group(publisher)) {
        group *taken = publisher->filling;

        publisher->filling = publisher->writing;
        publisher->writing = taken;
        pthread_cond_broadcast(&publisher->changed);
        pthread_mutex_unlock(&publisher->mutex);
        write_group(publisher, taken);
        pthread_mutex_lock(&publisher->mutex);
    }
    pthread_mutex_unlock(&publisher->mutex);
    return NULL;
}

/* --- from outside -------------------------------------------------------------------------------------------------- */

static apr_status_t make_group(group **made, apr_pool_t *pool)
{
    *made = apr_pcalloc(pool, sizeof **made);
    return apr_pool_create_unmanaged_ex(&(*made)->pool, NULL, NULL); /* used on other threads than its parent would be */
}

apr_status_t seed_publisher_start(seed_publisher **publisher, cat_catalog *catalog, const seed_publisher_seams *seams,
                                  apr_pool_t *pool)
{
    seed_publisher *made = apr_pcalloc(pool, sizeof *made);
    pthread_condattr_t monotonic;
    sigset_t all, old;
    apr_status_t status;

    made->catalog = catalog;
    made->seams = seams;
    pthread_mutex_init(&made->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&made->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    status = make_group(&made->filling, pool);
    if (status == APR_SUCCESS)
        status = make_group(&made->writing, pool);
    if (status != APR_SUCCESS)
        return status;
    sigfillset(&all); /* signals are for others */
    pthread_sigmask(SIG_SETMASK, &all, &old);
    status = pthread_create(&made->thread, NULL, run, made);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    *publisher = made;
    return status;
}

static struct timespec due_from_now(void)
{
    struct timespec due;

    clock_gettime(CLOCK_MONOTONIC, &due);
    due.tv_nsec += GATHER_MS * 1000000L;
    due.tv_sec += due.tv_nsec / 1000000000;
    due.tv_nsec %= 1000000000;
    return due;
}

void seed_publisher_add(seed_publisher *publisher, const cat_publication *publication, void *job)
{
    group *to;

    pthread_mutex_lock(&publisher->mutex);
    while (is_full(publisher->filling))
        pthread_cond_wait(&publisher->changed, &publisher->mutex);
    to = publisher->filling;
    if (!to->count)
        to->due = due_from_now();
    to->list[to->count] = *publication;
    tg_torrent_copy(&to->torrents[to->count], publication->torrent, to->pool);
    to->list[to->count].torrent = &to->torrents[to->count];
    to->jobs[to->count++] = job;
    to->bytes += publication->torrent->infodict_length + publication->torrent->layer_length +
                 publication->torrent->member_count * sizeof(tg_member);
    if (to->count == 1 || is_full(to))
        pthread_cond_broadcast(&publisher->changed);
    pthread_mutex_unlock(&publisher->mutex);
}

void seed_publisher_stop(seed_publisher *publisher)
{
    pthread_mutex_lock(&publisher->mutex);
    publisher->stopping = 1;
    pthread_cond_broadcast(&publisher->changed);
    pthread_mutex_unlock(&publisher->mutex);
    pthread_join(publisher->thread, NULL);
    apr_pool_destroy(publisher->filling->pool);
    apr_pool_destroy(publisher->writing->pool);
    pthread_cond_destroy(&publisher->changed);
    pthread_mutex_destroy(&publisher->mutex);
}
