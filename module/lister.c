#include "module/lister.h"

#include <apr_hash.h>
#include <apr_strings.h>

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "module/child.h"

/* Listings that a child remembers, the files in them (before one more: the same directory under another host name, which
 * clients choose, is another one), and directories that wait to be listed. How long a listing counts, and one that nobody
 * waited for. How many times as long as judging all took until it is done again. */
enum {
    MEMOS_MAX = 64,
    FILES_MAX = 2 * BTH_LISTING_FILES,
    ORDERS_MAX = 64,
    MEMO_TIME = APR_USEC_PER_SEC,
    KEEP_TIME = 30 * APR_USEC_PER_SEC,
    REST = 20
};

/* What was last found of a directory under one URL. In `memos`; its listing is the thread's own. */
typedef struct {
    apr_pool_t *pool; /* of its own: owns all of it but the listing */
    apr_pool_t *listing_pool;
    const char *key;
    bth_listing *listing; /* NULL if there is none */
    apr_status_t status;
    apr_uint64_t grant;
    apr_time_t began;          /* when that look was begun */
    apr_time_t kept_until;     /* for who takes what is older than a second */
    int told;                  /* once it is, it is not kept any longer */
    apr_time_t judged;         /* when all files were */
    apr_interval_time_t cost;  /* of judging all */
} memo;

/* A directory that somebody wants to know of. */
typedef struct {
    apr_pool_t *pool; /* of its own; NULL: no order */
    const char *key, *origin, *directory;
} order;

/* All below is under it; held for moments. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ordered = PTHREAD_COND_INITIALIZER; /* or stopping */
static pthread_cond_t found = PTHREAD_COND_INITIALIZER;   /* or ended, or stopping */
static apr_hash_t *memos;                                 /* of memo by key */
static order orders[ORDERS_MAX];                          /* the oldest first */
static int order_count;
static int running, stopping;

/* --- memos ----------------------------------------------------------------- */

static void forget_oldest(void)
{
    memo *oldest = NULL;

    for (apr_hash_index_t *at = apr_hash_first(NULL, memos); at; at = apr_hash_next(at)) {
        memo *each = apr_hash_this_val(at);

        if (!oldest || each->began < oldest->began)
            oldest = each;
    }
    apr_hash_set(memos, oldest->key, APR_HASH_KEY_STRING, NULL);
    if (oldest->listing_pool)
        apr_pool_destroy(oldest->listing_pool);
    apr_pool_destroy(oldest->pool);
}

static int are_many(void)
{
    int files = 0;

    for (apr_hash_index_t *at = apr_hash_first(NULL, memos); at; at = apr_hash_next(at)) {
        const memo *each = apr_hash_this_val(at);

        files += each->listing && each->listing->files ? each->listing->files->nelts : 0;
    }
    return apr_hash_count(memos) >= MEMOS_MAX || files > FILES_MAX;
}

/* For the thread alone: nobody else makes a memo come or go. */
static memo *memo_for(const char *key)
{
    memo *known = apr_hash_get(memos, key, APR_HASH_KEY_STRING);
    apr_pool_t *pool;

    if (known)
        return known;
    while (are_many())
        forget_oldest();
    apr_pool_create_unmanaged(&pool);
    known = apr_pcalloc(pool, sizeof *known);
    known->pool = pool;
    known->key = apr_pstrdup(pool, key);
    apr_hash_set(memos, known->key, APR_HASH_KEY_STRING, known);
    return known;
}

static void tell(const memo *from, bth_collection_state *state)
{
    *state = (bth_collection_state){.status = from->status};
    if (!from->listing)
        return;
    state->files = from->listing->eligible;
    state->listed = from->listing->listed;
    memcpy(state->digest, from->listing->digest, sizeof state->digest);
}

/* @return NULL if nothing is known that was found after `since`, and nothing that was kept for who takes that */
static memo *recall(const char *key, apr_time_t since, int kept)
{
    memo *known = apr_hash_get(memos, key, APR_HASH_KEY_STRING);
    apr_time_t now = apr_time_now();

    if (!known || known->grant != bth_this_child()->grant || known->began > now)
        return NULL;
    return known->began >= since || (kept && now < known->kept_until) ? known : NULL;
}

/* --- the thread ------------------------------------------------------------ */

/* Said once, not at every look. */
static void complain(const char *directory, apr_status_t status)
{
    if (status == APR_ENOSPC)
        bt_log(BT_LOG_WARNING, 61, APR_SUCCESS, "%s has too many files for a collection (more than %d, or than %d names)",
               directory, BTH_LISTING_FILES, BTH_LISTING_NAMES);
    else if (APR_STATUS_IS_ENOENT(status))
        bt_log(BT_LOG_INFO, 62, APR_SUCCESS, "%s has no file that a stranger would be offered: it is no collection",
               directory);
    else if (status != APR_SUCCESS && status != APR_EACCES && status != APR_EINTR)
        bt_log(BT_LOG_WARNING, 63, status, "%s cannot be read: it is no collection", directory);
}

/* Under the mutex, which it lets go of while it walks. */
static void look(const order *what)
{
    apr_time_t began = apr_time_now();
    memo *into = memo_for(what->key);
    apr_pool_t *pool, *old = into->listing_pool;
    bth_listing *made;
    apr_status_t status;
    int known = into->listing && into->status == APR_SUCCESS && into->grant == bth_this_child()->grant &&
                began - into->judged < (into->cost * REST > MEMO_TIME ? into->cost * REST : MEMO_TIME);

    pthread_mutex_unlock(&mutex);
    apr_pool_create_unmanaged(&pool);
    status = bth_listing_make(&made, what->origin, what->directory, known ? into->listing : NULL, pool, NULL);
    if (status == APR_SUCCESS && made->eligible == 0)
        status = APR_ENOENT;
    if (status != into->status || !into->listing)
        complain(what->directory, status);
    pthread_mutex_lock(&mutex);
    into->listing_pool = pool;
    into->listing = made;
    into->status = status;
    into->began = began;
    into->kept_until = apr_time_now() + KEEP_TIME;
    into->told = status == APR_ENOSPC; /* too many stay too many: kept though it is told */
    into->grant = bth_this_child()->grant;
    if (!known) {
        into->judged = began;
        into->cost = apr_time_now() - began;
    }
    if (old)
        apr_pool_destroy(old);
}

static order next_order(void)
{
    order next = orders[0];

    memmove(orders, orders + 1, (size_t)--order_count * sizeof orders[0]);
    return next;
}

static void *run(void *baton)
{
    (void)baton;
    pthread_setname_np(pthread_self(), "bthttp-list");
    pthread_mutex_lock(&mutex);
    while (!stopping) {
        order next;

        if (order_count == 0) {
            pthread_cond_wait(&ordered, &mutex);
            continue;
        }
        next = next_order();
        look(&next);
        apr_pool_destroy(next.pool);
        pthread_cond_broadcast(&found);
    }
    running = 0;
    pthread_cond_broadcast(&found);
    pthread_mutex_unlock(&mutex);
    return NULL;
}

/* --- who asks -------------------------------------------------------------- */

/* One that is waiting does for all; one that is under way was begun too early. @return 0 if there are too many */
static int add_order(const char *key, const char *origin, const char *directory)
{
    order *added = &orders[order_count];

    for (int i = 0; i < order_count; i++)
        if (!strcmp(orders[i].key, key))
            return 1;
    if (order_count == ORDERS_MAX)
        return 0;
    if (!running && !(running = bth_start_detached(run, NULL)))
        return 0;
    apr_pool_create_unmanaged(&added->pool);
    added->key = apr_pstrdup(added->pool, key);
    added->origin = apr_pstrdup(added->pool, origin);
    added->directory = apr_pstrdup(added->pool, directory);
    order_count++;
    pthread_cond_signal(&ordered);
    return 1;
}

/* @return NULL if it is not known in time */
static memo *wait_for(const char *key, apr_time_t since, int kept, apr_time_t until)
{
    struct timespec deadline = {.tv_sec = apr_time_sec(until), .tv_nsec = apr_time_usec(until) * 1000};
    memo *known = NULL;
    int late = 0;

    while (!stopping && !late && !(known = recall(key, since, kept)))
        late = pthread_cond_timedwait(&found, &mutex, &deadline) != 0;
    return known ? known : recall(key, since, kept);
}

static const char *key_of(apr_pool_t *pool, const char *origin, const char *directory)
{
    return apr_pstrcat(pool, origin, "\n", directory, NULL);
}

void bth_lister_look(const char *origin, const char *directory, bth_lister_age age, apr_interval_time_t patience,
                     bth_collection_state *state)
{
    apr_time_t now = apr_time_now(), since = age == BTH_LISTER_NOW ? now : now - MEMO_TIME;
    int kept = age == BTH_LISTER_RECENT;
    apr_pool_t *pool;
    const char *key;
    memo *known;

    *state = (bth_collection_state){.status = APR_TIMEUP};
    apr_pool_create_unmanaged(&pool);
    key = key_of(pool, origin, directory);
    pthread_mutex_lock(&mutex);
    known = recall(key, since, kept);
    if (!known && !stopping && add_order(key, origin, directory))
        known = wait_for(key, since, kept, now + patience);
    if (known) {
        tell(known, state);
        if (!known->told)
            known->kept_until = apr_time_now() + MEMO_TIME;
        known->told = 1;
    }
    pthread_mutex_unlock(&mutex);
    apr_pool_destroy(pool);
}

int bth_lister_is_recent(const char *origin, const char *directory)
{
    apr_pool_t *pool;
    int is;

    apr_pool_create_unmanaged(&pool);
    pthread_mutex_lock(&mutex);
    is = recall(key_of(pool, origin, directory), apr_time_now() - MEMO_TIME, 0) != NULL;
    pthread_mutex_unlock(&mutex);
    apr_pool_destroy(pool);
    return is;
}

/* --- life ------------------------------------------------------------------ */

void bth_lister_init(void)
{
    apr_pool_t *own; /* allocated from under the mutex alone */

    apr_pool_create_unmanaged(&own);
    memos = apr_hash_make(own);
}

int bth_lister_stop(apr_interval_time_t limit)
{
    apr_time_t end = apr_time_now() + limit;
    struct timespec until = {.tv_sec = apr_time_sec(end), .tv_nsec = apr_time_usec(end) * 1000};
    int ended, late = 0;

    bth_listing_stop();
    if (pthread_mutex_timedlock(&mutex, &until)) /* an MPM that ends in its signal handler may have interrupted who has it */
        return 0;
    stopping = 1;
    pthread_cond_broadcast(&ordered);
    pthread_cond_broadcast(&found);
    while (running && !late)
        late = pthread_cond_timedwait(&found, &mutex, &until) != 0;
    ended = !running;
    pthread_mutex_unlock(&mutex);
    return ended;
}
