/* The scanner's life, and the order in which it does things. */
#include "module/scan_internal.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "module/child.h"

enum {
    FILES_IN_MEMORY = 65536, /* that a walk finds; with more, it is walked again */
    BYTES_IN_MEMORY = 16 * 1024 * 1024,
    WATCHES_MAX = 16384,     /* about 16 MiB of the kernel's memory */
    PENDING_MAX = 65536
};

#define QUIET apr_time_from_sec(1)          /* a file is left alone so long before it is hashed */
#define PERIOD apr_time_from_sec(600)       /* between walks, where not everything can be watched */
#define LONG_PERIOD apr_time_from_sec(3600) /* where it can: what changes without an event (a link above, a memory map) */
#define BETWEEN_WALKS apr_time_from_sec(5)  /* at least, however much is lost */
#define FULL_DISK_REST apr_time_from_sec(60)
#define FULL_MAILBOX_REST 50000             /* microseconds */

/* --- small things ---------------------------------------------------------- */

void bth_scan_figure(apr_uint64_t *figure, apr_int64_t change)
{
    seed_count(figure, change);
}

void bth_scan_show(apr_uint64_t *figure, apr_uint64_t value)
{
    __atomic_store_n(figure, value, __ATOMIC_RELAXED);
}

int bth_scan_is_leaving(bth_scan *scan)
{
    return __atomic_load_n(&scan->leaving, __ATOMIC_RELAXED);
}

apr_int64_t bth_scan_tuned(const char *name, apr_int64_t otherwise)
{
    const char *value = getenv(name);
    char *end;
    apr_int64_t number;

    if (!value || !*value)
        return otherwise;
    errno = 0;
    number = strtoll(value, &end, 10);
    return *end || errno || number < 0 ? otherwise : number;
}

void bth_scan_add_late(bth_scan *scan, bth_candidate *file)
{
    bth_scan_late *added = scan->late_count < BTH_SCAN_LATE_MAX ? malloc(sizeof *added) : NULL;

    if (!added) {
        scan->walk_is_due = 1; /* which will find it */
        free(file);
        return;
    }
    *added = (bth_scan_late){scan->late, file};
    scan->late = added;
    scan->late_count++;
    scan->left++;
    scan->bytes_left += file->size;
}

/* --- what is shown --------------------------------------------------------- */

static void reckon_rate(bth_scan *scan, apr_time_t now)
{
    apr_uint64_t lately = scan->figures->rate, rate;

    if (now - scan->reckoned < APR_USEC_PER_SEC)
        return;
    rate = (apr_uint64_t)(scan->bytes_made * APR_USEC_PER_SEC / (now - scan->reckoned));
    bth_scan_show(&scan->figures->rate, scan->left + (apr_size_t)scan->flight_count == 0 ? 0
                                        : lately ? (3 * lately + rate) / 4 : rate);
    scan->bytes_made = 0;
    scan->reckoned = now;
}

static void show(bth_scan *scan)
{
    seed_scan_figures *figures = scan->figures;
    int busy = scan->left > 0 || scan->flight_count > 0;

    reckon_rate(scan, apr_time_now());
    bth_scan_show(&figures->roots, (apr_uint64_t)scan->roots->nelts);
    bth_scan_show(&figures->state, scan->roots->nelts == 0 ? SEED_SCAN_OFF : busy ? SEED_SCAN_MAKING : SEED_SCAN_WATCHING);
    bth_scan_show(&figures->queued, scan->left + (apr_uint64_t)scan->flight_count);
    bth_scan_show(&figures->bytes_left, (apr_uint64_t)(scan->bytes_left + scan->flight_bytes));
    bth_scan_show(&figures->watched, scan->watch ? (apr_uint64_t)tg_watch_count(scan->watch) : 0);
    bth_scan_show(&figures->unwatched, scan->unwatched);
}

/* --- walks ----------------------------------------------------------------- */

static apr_interval_time_t period(const bth_scan *scan)
{
    return scan->unwatched > 0 ? scan->period : LONG_PERIOD;
}

static void begin_walk(bth_scan *scan)
{
    bth_scan_flush(scan); /* a walk may be long, and who may have a file is not to be noted long after the test */
    if (!scan->goes_on) {
        scan->walk_is_due = 0;
        scan->in_walk = 1;
        scan->made_before = scan->figures->made;
        scan->failed_before = scan->figures->failed;
    }
    bth_scan_show(&scan->figures->state, SEED_SCAN_WALKING);
    bth_scan_walk(scan);
    scan->goes_on = 0;
    scan->walked = apr_time_now();
    show(scan);
}

static void tell_unwatched(bth_scan *scan)
{
    if (scan->unwatched > 0 && !scan->unwatched_told)
        bt_log(BT_LOG_NOTICE, 85, scan->unwatched_why,
               "scan: %lu directories cannot be watched: they are walked every %ld seconds", (unsigned long)scan->unwatched,
               (long)apr_time_sec(scan->period));
    scan->unwatched_told = scan->unwatched > 0;
}

/* All that the last walk found is made, or given up. */
static void end_walk(bth_scan *scan)
{
    seed_scan_figures *figures = scan->figures;

    scan->in_walk = 0;
    bth_scan_flush(scan);
    if (scan->sweep_is_due)
        bth_scan_sweep(scan);
    bt_log(BT_LOG_INFO, 83, APR_SUCCESS,
           "scan: %lu files below %d directories: %lu torrents made, %lu failed, %lu names could not be looked at",
           (unsigned long)figures->found, scan->roots->nelts, (unsigned long)(figures->made - scan->made_before),
           (unsigned long)(figures->failed - scan->failed_before), (unsigned long)scan->errors);
    tell_unwatched(scan);
    scan->sweep_is_due = 1; /* after the next one: the first is the steward's, who has just looked at everything */
    scan->next_walk = apr_time_now() + period(scan);
    bth_scan_figure(&figures->walks, 1);
}

/* --- one step -------------------------------------------------------------- */

static bth_candidate *next_file(bth_scan *scan)
{
    bth_scan_late *first = scan->late;
    bth_candidate *file = scan->held;

    if (file) {
        scan->held = NULL;
    } else if (first) {
        file = first->file;
        scan->late = first->next;
        scan->late_count--;
        free(first);
    } else {
        file = bth_newest_take(scan->newest);
    }
    return file;
}

static int walk_is_due(const bth_scan *scan, apr_time_t now)
{
    apr_interval_time_t rest = scan->period < BETWEEN_WALKS ? scan->period : BETWEEN_WALKS;

    if (scan->walk_is_due)
        return now - scan->walked >= rest;
    return !scan->in_walk && now >= scan->next_walk;
}

/* Nothing is left of what was found. @return 1 if something was done about it */
static int find_more(bth_scan *scan)
{
    if (bth_newest_has_more(scan->newest)) {
        scan->goes_on = 1;
        begin_walk(scan);
        return 1;
    }
    scan->left = 0; /* whatever the walk counted */
    scan->bytes_left = 0;
    if (scan->flight_count == 0 && scan->in_walk)
        end_walk(scan);
    return 0;
}

/* @return 0 if there is nothing to do before something happens */
static int step(bth_scan *scan)
{
    apr_time_t now = apr_time_now();
    bth_candidate *file;

    if (walk_is_due(scan, now)) {
        begin_walk(scan);
        return 1;
    }
    if (scan->sweep_at_once) {
        scan->sweep_at_once = 0;
        bth_scan_sweep(scan);
        return 1;
    }
    if (now - scan->mailbox_full < FULL_MAILBOX_REST || now - scan->disk_full < scan->disk_rest)
        return 0;
    if (!(file = next_file(scan)))
        return find_more(scan);
    if (!bth_scan_has_room(scan, file->size)) {
        scan->held = file;
        return 0;
    }
    scan->left -= scan->left > 0;
    scan->bytes_left -= scan->bytes_left > file->size ? file->size : scan->bytes_left;
    if (bth_scan_take(scan, file) == BTH_SCAN_WAIT) {
        scan->held = file;
        scan->left++;
        scan->bytes_left += file->size;
    }
    return 1;
}

static int least(apr_interval_time_t a, apr_interval_time_t b)
{
    apr_interval_time_t less = a < b ? a : b;

    return less < 0 ? 0 : less > APR_USEC_PER_SEC * 3600 ? 3600 * 1000 : (int)((less + 999) / 1000);
}

static void wait_for_something(bth_scan *scan)
{
    struct pollfd ready[2] = {{.fd = scan->wake, .events = POLLIN}, {.fd = -1, .events = POLLIN}};
    apr_time_t now = apr_time_now();
    apr_interval_time_t due = scan->walk_is_due ? BETWEEN_WALKS : scan->in_walk ? LONG_PERIOD : scan->next_walk - now;
    apr_interval_time_t watched = -1;
    apr_uint64_t count;
    int timeout;

    if (scan->watch) {
        ready[1].fd = tg_watch_descriptor(scan->watch);
        watched = tg_watch_due(scan->watch, now);
    }
    timeout = least(due, watched >= 0 ? watched : due);
    if (now - scan->mailbox_full < FULL_MAILBOX_REST)
        timeout = least(FULL_MAILBOX_REST, (apr_interval_time_t)timeout * 1000);
    else if (scan->flight_count > 0 || scan->figures->rate > 0 || scan->walk_is_due)
        timeout = least(APR_USEC_PER_SEC, (apr_interval_time_t)timeout * 1000);
    if (now - scan->disk_full < scan->disk_rest)
        timeout = least(APR_USEC_PER_SEC, (apr_interval_time_t)timeout * 1000);
    poll(ready, 2, timeout);
    if (read(scan->wake, &count, sizeof count) < 0)
        return; /* it was something else */
}

/* --- the thread ------------------------------------------------------------ */

static void lower_priority(void)
{
    enum { WHO_PROCESS = 1, CLASS_IDLE = 3, CLASS_SHIFT = 13 };
    pid_t thread = (pid_t)syscall(SYS_gettid);

    setpriority(PRIO_PROCESS, (id_t)thread, 19);
    syscall(SYS_ioprio_set, WHO_PROCESS, thread, CLASS_IDLE << CLASS_SHIFT);
}

static int prepare(bth_scan *scan)
{
    tg_watch_options options = {.watches_max = (int)bth_scan_tuned("BTHTTP_SCAN_WATCHES", WATCHES_MAX),
                                .pending_max = PENDING_MAX,
                                .quiet = QUIET};

    apr_pool_create(&scan->pool, NULL);
    apr_pool_create(&scan->scratch, scan->pool);
    apr_pool_create(&scan->grant_pool, scan->pool);
    pthread_mutex_lock(&scan->mutex);
    scan->by_path = apr_hash_make(scan->pool);
    pthread_mutex_unlock(&scan->mutex);
    scan->disk_rest = bth_scan_tuned("BTHTTP_SCAN_FULL_MS", FULL_DISK_REST / 1000) * 1000;
    scan->period = bth_scan_tuned("BTHTTP_SCAN_PERIOD_MS", PERIOD / 1000) * 1000;
    scan->roots = bth_scan_roots(bth_this_child()->server, scan->pool);
    memset(scan->figures, 0, sizeof *scan->figures);
    show(scan);
    if (scan->roots->nelts == 0)
        return 0;
    scan->newest = bth_newest_create((apr_size_t)bth_scan_tuned("BTHTTP_SCAN_FILES", FILES_IN_MEMORY), BYTES_IN_MEMORY);
    scan->unwatched_why = tg_watch_create(&scan->watch, &options, scan->pool);
    if (scan->unwatched_why != APR_SUCCESS)
        scan->watch = NULL;
    scan->walk_is_due = 1;
    return scan->newest != NULL;
}

static void clean_up(bth_scan *scan)
{
    bth_candidate *file;

    while (scan->newest && (file = next_file(scan)))
        free(file);
    bth_newest_free(scan->newest);
    if (scan->watch)
        tg_watch_destroy(scan->watch);
    pthread_mutex_lock(&scan->mutex);
    scan->by_path = NULL;
    for (int i = 0; i < BTH_SCAN_FLIGHTS; i++) {
        if (scan->flights[i].path) {
            free(scan->flights[i].path);
            free(scan->flights[i].file);
            scan->flights[i].path = NULL;
        }
    }
    pthread_mutex_unlock(&scan->mutex);
    apr_pool_destroy(scan->pool);
}

static void *run(void *baton)
{
    bth_scan *scan = baton;

    pthread_setname_np(pthread_self(), "bthttp-scan");
    lower_priority();
    if (prepare(scan)) {
        while (!bth_scan_is_leaving(scan)) {
            bth_scan_listen(scan);
            bth_scan_reap(scan);
            if (!step(scan)) {
                bth_scan_flush(scan);
                show(scan);
                wait_for_something(scan);
            }
        }
        bth_scan_flush(scan);
    }
    clean_up(scan);
    pthread_mutex_lock(&scan->mutex);
    scan->running = 0;
    pthread_cond_broadcast(&scan->ended);
    pthread_mutex_unlock(&scan->mutex);
    return NULL;
}

apr_status_t bth_scan_create(bth_scan **scan, apr_pool_t *pool)
{
    bth_scan *made = apr_pcalloc(pool, sizeof *made);

    made->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (made->wake < 0)
        return errno;
    pthread_mutex_init(&made->mutex, NULL);
    pthread_cond_init(&made->ended, NULL);
    made->figures = &bth_this_child()->shared->counters->scan;
    *scan = made;
    return APR_SUCCESS;
}

void bth_scan_start(bth_scan *scan)
{
    pthread_mutex_lock(&scan->mutex);
    scan->running = 1;
    if (!bth_start_detached(run, scan)) {
        bt_log(BT_LOG_ERR, 86, APR_SUCCESS, "scan: cannot start its thread: no torrents are made ahead");
        scan->running = 0;
    }
    pthread_mutex_unlock(&scan->mutex);
}

void bth_scan_leave(bth_scan *scan)
{
    apr_uint64_t one = 1;

    __atomic_store_n(&scan->leaving, 1, __ATOMIC_RELAXED);
    if (write(scan->wake, &one, sizeof one) < 0)
        return; /* it is awake already */
}

int bth_scan_stop(bth_scan *scan, apr_interval_time_t limit)
{
    apr_time_t deadline = apr_time_now() + limit;
    struct timespec until = {.tv_sec = apr_time_sec(deadline), .tv_nsec = apr_time_usec(deadline) * 1000};
    int ended, late = 0;

    bth_scan_leave(scan);
    pthread_mutex_lock(&scan->mutex);
    while (scan->running && !late)
        late = pthread_cond_timedwait(&scan->ended, &scan->mutex, &until) != 0;
    ended = !scan->running;
    pthread_mutex_unlock(&scan->mutex);
    return ended; /* the eventfd goes with the process: a signal's handler may write to it at any time */
}
