#include "module/steward.h"

#include <http_core.h>
#include <apr_strings.h>
#include <apr_thread_proc.h>

#include <pthread.h>
#include <string.h>

#include "module/audit.h"
#include "module/child.h"
#include "module/gate.h"
#include "module/load.h"
#include "module/seed_address.h"

enum { URGENT_MAX = 64, NAME_SECONDS = 600 };

/* Created before the seeder and used by its thread; `urgent`, `running` and `leaving` under the mutex. */
struct bth_steward {
    apr_pool_t *pool;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    int running, leaving;
    char *urgent[URGENT_MAX]; /* paths, malloc'd */
    int urgent_count;
};

apr_status_t bth_steward_create(bth_steward **steward, apr_pool_t *pool)
{
    *steward = apr_pcalloc(pool, sizeof **steward);
    (*steward)->pool = pool;
    pthread_mutex_init(&(*steward)->mutex, NULL);
    pthread_cond_init(&(*steward)->wake, NULL);
    return APR_SUCCESS;
}

void bth_steward_urge(bth_steward *steward, const cat_entry *entry)
{
    int known = 0;

    pthread_mutex_lock(&steward->mutex);
    for (int i = 0; i < steward->urgent_count; i++)
        known |= !strcmp(steward->urgent[i], entry->path);
    if (!known && steward->urgent_count < URGENT_MAX && (steward->urgent[steward->urgent_count] = strdup(entry->path)))
        steward->urgent_count++;
    pthread_cond_signal(&steward->wake);
    pthread_mutex_unlock(&steward->mutex);
}

static int is_leaving(bth_steward *steward)
{
    int leaving;

    pthread_mutex_lock(&steward->mutex);
    leaving = steward->leaving;
    pthread_mutex_unlock(&steward->mutex);
    return leaving;
}

static char *next_urgent(bth_steward *steward)
{
    char *path = NULL;

    pthread_mutex_lock(&steward->mutex);
    if (steward->urgent_count > 0)
        path = steward->urgent[--steward->urgent_count];
    pthread_mutex_unlock(&steward->mutex);
    return path;
}

static void test_path(const char *path, apr_pool_t *scratch)
{
    cat_entry entry;

    if (cat_find_path(bth_this_child()->catalog, path, scratch, &entry) == APR_SUCCESS && entry.published)
        bth_gate_pass(&entry, scratch, NULL);
    apr_pool_clear(scratch);
}

static void test_urgent(bth_steward *steward, apr_pool_t *scratch)
{
    char *path;

    while ((path = next_urgent(steward)) != NULL) {
        test_path(path, scratch);
        free(path);
    }
}

static void rest(bth_steward *steward, apr_interval_time_t time)
{
    apr_time_t end = apr_time_now() + time;
    struct timespec until = {.tv_sec = apr_time_sec(end), .tv_nsec = apr_time_usec(end) * 1000};

    pthread_mutex_lock(&steward->mutex);
    if (!steward->leaving && steward->urgent_count == 0)
        pthread_cond_timedwait(&steward->wake, &steward->mutex, &until);
    pthread_mutex_unlock(&steward->mutex);
}

/* What the tracker needs done each second. */
static void keep_swarms(apr_time_t *expired, unsigned *turn)
{
    const bth_child *child = bth_this_child();

    if (!child->swarms || apr_time_now() - *expired < APR_USEC_PER_SEC)
        return;
    *expired = apr_time_now();
    bth_load_sample(child->shared->counters);
    trk_swarms_expire(child->swarms, *turn, *expired, bth_server()->tracker_interval);
    if (child->unpublished)
        trk_swarms_expire(child->unpublished, *turn, *expired, bth_server()->tracker_interval);
    ++*turn;
}

/* What waits at the seeder goes first, and interrupts a rest, but hastens nothing else. */
static void *keep_house(void *baton)
{
    bth_steward *steward = baton;
    apr_time_t expired = 0, due = 0;
    apr_pool_t *pool, *scratch;
    bth_audit *audit = NULL;
    unsigned turn = 0;

    apr_pool_create(&pool, NULL);
    apr_pool_create(&scratch, pool);
    if (bth_audit_create(&audit, pool) != APR_SUCCESS)
        audit = NULL;
    while (!is_leaving(steward)) {
        apr_time_t now = apr_time_now();

        test_urgent(steward, scratch);
        keep_swarms(&expired, &turn);
        if (audit && now >= due)
            due = apr_time_now() + bth_audit_step(audit);
        now = apr_time_now();
        rest(steward, !audit || due - now > APR_USEC_PER_SEC ? APR_USEC_PER_SEC : due > now ? due - now : 1);
    }
    if (audit)
        bth_audit_flush(audit);
    apr_pool_destroy(pool);
    pthread_mutex_lock(&steward->mutex);
    steward->running = 0;
    pthread_cond_broadcast(&steward->wake);
    pthread_mutex_unlock(&steward->mutex);
    return NULL;
}

/* On a thread of its own, because a resolver may hang for minutes; nobody waits for it, and it holds nothing but its
 * own pool and shared memory, so it may die with the process at any point. */
static void *keep_names(void *baton)
{
    apr_pool_t *pool;

    (void)baton;
    apr_pool_create_unmanaged(&pool);
    for (;;) {
        bth_resolve_names(bth_this_child()->shared->names, bth_this_child()->server, pool);
        apr_pool_clear(pool);
        apr_sleep(apr_time_from_sec(NAME_SECONDS));
    }
    return NULL;
}

void bth_steward_start(bth_steward *steward)
{
    pthread_mutex_lock(&steward->mutex);
    steward->running = 1;
    if (!bth_start_detached(keep_house, steward))
        steward->running = 0;
    pthread_mutex_unlock(&steward->mutex);
    bth_start_detached(keep_names, NULL);
}

int bth_steward_stop(bth_steward *steward, apr_interval_time_t limit)
{
    apr_time_t deadline = apr_time_now() + limit;
    struct timespec until = {.tv_sec = apr_time_sec(deadline), .tv_nsec = apr_time_usec(deadline) * 1000};
    int ended, late = 0;

    pthread_mutex_lock(&steward->mutex);
    steward->leaving = 1;
    pthread_cond_broadcast(&steward->wake);
    while (steward->running && !late)
        late = pthread_cond_timedwait(&steward->wake, &steward->mutex, &until) != 0;
    ended = !steward->running;
    pthread_mutex_unlock(&steward->mutex);
    return ended;
}
