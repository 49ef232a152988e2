#include "seeder/seeder.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <apr_allocator.h>

#include "base/log.h"
#include "seeder/internal.h"
#include "seeder/lock.h"
#include "seeder/loop.h"
#include "seeder/mail.h"

/* Made before its thread; `leaving` and `graceful` are then written by whoever calls seed_leave, all else is the
 * thread's until seed_join. */
struct seed_seeder {
    seed_config config;
    const seed_limits *limits;
    apr_pool_t *pool; /* with an allocator of its own: used by the thread alone */
    pthread_t thread;
    int wake; /* eventfd, written by seed_leave and never read: once awake, always awake */
    int leaving; /* how_to_leave */
    int graceful;
    int lock;                /* -1: not open */
    apr_time_t retires;      /* since when; 0: it does not */
    apr_time_t looked;       /* for an heir */
};

typedef enum { STAY, RETIRE, LEAVE } how_to_leave;

static how_to_leave is_leaving(const seed_seeder *seeder)
{
    return (how_to_leave)__atomic_load_n(&seeder->leaving, __ATOMIC_ACQUIRE);
}

/* Was the configuration read anew since this child was made? httpd does not tell each child, and some late. */
static int is_outdated(const seed_seeder *seeder)
{
    return __atomic_load_n(&seeder->config.counters->generation, __ATOMIC_RELAXED) > seeder->config.generation;
}

/* --- waiting for the place --- */

/* Milliseconds until the lock is tried again: it is free soon when its holder is about to go. */
static int pause_of_heir(const seed_seeder *seeder)
{
    const seed_counters *counters = seeder->config.counters;
    int soon = __atomic_load_n(&counters->retiring, __ATOMIC_RELAXED) ||
               __atomic_load_n(&counters->seeder_pid, __ATOMIC_RELAXED) == 0;

    return (int)((soon && !is_outdated(seeder) ? seeder->limits->heir : seeder->limits->lock) / 1000);
}

/* Tries to get the place; if another one has it, stands in line. @param told  whether the holder has been woken */
static apr_status_t try_for_lock(seed_seeder *seeder, int *told)
{
    const seed_config *config = &seeder->config;
    apr_status_t status = seeder->lock < 0 ? seed_lock_open(&seeder->lock, config->state_dir) : APR_SUCCESS;

    if (status != APR_SUCCESS)
        return status;
    if (is_outdated(seeder)) {
        seed_lock_step_back(seeder->lock, config->generation);
        return APR_EAGAIN;
    }
    status = seed_lock_try(seeder->lock);
    if (status == APR_SUCCESS) {
        seed_lock_step_back(seeder->lock, config->generation);
    } else if (status == APR_EAGAIN) {
        seed_lock_stand(seeder->lock, config->generation);
        if (!*told && __atomic_load_n(&config->counters->seeder_generation, __ATOMIC_RELAXED) != config->generation)
            *told = seed_post_heir(config->mailbox) == APR_SUCCESS;
    }
    return status;
}

/* Waits until the lock is ours. @return 0 if we are to leave first */
static int wait_for_lock(seed_seeder *seeder)
{
    struct pollfd wake = {seeder->wake, POLLIN, 0};
    apr_status_t status, said = APR_SUCCESS;
    int told = 0;

    for (; is_leaving(seeder) == STAY; poll(&wake, 1, pause_of_heir(seeder))) {
        status = try_for_lock(seeder, &told);
        if (status == APR_SUCCESS)
            return 1;
        if (status != APR_EAGAIN && status != said) {
            bt_log(BT_LOG_ERR, 400, status, "no lock can be had on %s/seeder.lock: nobody seeds",
                   seeder->config.state_dir);
            said = status;
        }
    }
    if (seeder->lock >= 0)
        seed_lock_close(seeder->lock);
    return 0;
}

/* --- the term of office --- */

static void become_seeder(seed_seeder *seeder)
{
    seed_counters *counters = seeder->config.counters;

    __atomic_store_n(&counters->peers, 0, __ATOMIC_RELAXED); /* those of a seeder that died */
    __atomic_store_n(&counters->swarms, 0, __ATOMIC_RELAXED);
    seed_job_clear(counters);
    __atomic_store_n(&counters->retiring, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&counters->seeder_generation, seeder->config.generation, __ATOMIC_RELAXED);
    __atomic_store_n(&counters->seeder_pid, (apr_uint64_t)getpid(), __ATOMIC_RELAXED);
    bt_log(BT_LOG_INFO, 401, APR_SUCCESS, "process %ld is the seeder now", (long)getpid());
    if (seeder->config.elected)
        seeder->config.elected(seeder->config.baton);
}

/* Is somebody there to go on? Those of the same generation may be about to leave as well: httpd tells all of them, and a
 * moment later there are newer ones. */
static int has_heir(seed_seeder *seeder, apr_time_t now)
{
    int newer = is_outdated(seeder) || now - seeder->retires < seeder->limits->siblings;

    seeder->looked = now;
    return seed_lock_has_heir(seeder->lock, seeder->config.generation + (newer ? 1 : 0));
}

/* For seed_loop_run: while it retires, its peers are served until the next one can take them. */
static int stay(void *baton)
{
    seed_seeder *seeder = baton;
    how_to_leave how = is_leaving(seeder);
    apr_time_t now;

    if (how == LEAVE)
        return 0;
    if (how == STAY && !is_outdated(seeder))
        return -1;
    now = seed_now();
    if (!seeder->retires) {
        seeder->retires = now;
        __atomic_store_n(&seeder->config.counters->retiring, 1, __ATOMIC_RELAXED);
    }
    if (now - seeder->looked >= seeder->limits->heir && has_heir(seeder, now))
        return 0;
    return now - seeder->retires < seeder->limits->retire ? (int)(seeder->limits->heir / 1000) : 0;
}

/* Ends a term of office: jobs first, for their mail is short, then peers; then the lock is freed, so that the next one
 * can empty the mailbox of what did not fit. */
static void resign(seed_seeder *seeder, seed_loop *loop)
{
    seed_counters *counters = seeder->config.counters;
    int graceful = is_leaving(seeder) != LEAVE || __atomic_load_n(&seeder->graceful, __ATOMIC_ACQUIRE), left = 0;

    if (loop->jobs)
        seed_jobs_stop(loop->jobs, graceful);
    if (graceful)
        left = seed_hand_over(loop);
    __atomic_store_n(&counters->seeder_pid, 0, __ATOMIC_RELAXED);
    seed_lock_close(seeder->lock);
    if (left)
        seed_hand_over_rest(loop);
    seed_loop_close(loop);
}

static void serve(seed_seeder *seeder)
{
    seed_loop *loop;
    apr_status_t status;

    become_seeder(seeder);
    status = seed_loop_open(&loop, &seeder->config, seeder->limits, seeder->wake, seeder->pool);
    if (status != APR_SUCCESS) {
        bt_log(BT_LOG_ERR, 402, status, "the seeder cannot run");
    } else {
        status = seed_jobs_start(&loop->jobs, &seeder->config, seeder->pool);
        if (status != APR_SUCCESS) {
            bt_log(BT_LOG_ERR, 413, status, "no torrents can be made");
            loop->jobs = NULL;
        }
        seed_loop_run(loop, stay, seeder);
    }
    resign(seeder, loop);
}

static void *thread_main(void *baton)
{
    seed_seeder *seeder = baton;

    if (wait_for_lock(seeder))
        serve(seeder);
    return NULL;
}

static apr_status_t make_pool(apr_pool_t **made, apr_pool_t *parent)
{
    apr_allocator_t *allocator;
    apr_status_t status = apr_allocator_create(&allocator);

    if (status != APR_SUCCESS)
        return status;
    status = apr_pool_create_ex(made, parent, NULL, allocator);
    if (status == APR_SUCCESS)
        apr_allocator_owner_set(allocator, *made);
    else
        apr_allocator_destroy(allocator);
    return status;
}

/* Every signal is httpd's: its handlers are to run on its own threads. SIGPIPE, which sendfile may raise, too. */
static int start_thread(seed_seeder *seeder)
{
    sigset_t all, before;
    int failed;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&seeder->thread, NULL, thread_main, seeder);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

apr_status_t seed_start_limited(seed_seeder **seeder, const seed_config *config, const seed_limits *limits,
                                apr_pool_t *pool)
{
    seed_seeder *made = apr_pcalloc(pool, sizeof *made);
    apr_status_t status;
    int failed;

    made->config = *config;
    made->limits = limits;
    made->lock = -1;
    status = make_pool(&made->pool, pool);
    if (status != APR_SUCCESS)
        return status;
    made->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (made->wake < 0)
        return errno;
    failed = start_thread(made);
    if (failed) {
        close(made->wake);
        return failed;
    }
    *seeder = made;
    return APR_SUCCESS;
}

apr_status_t seed_start(seed_seeder **seeder, const seed_config *config, apr_pool_t *pool)
{
    return seed_start_limited(seeder, config, &seed_limits_default, pool);
}

static void wake(seed_seeder *seeder)
{
    static const apr_uint64_t one = 1;
    int saved = errno;

    if (write(seeder->wake, &one, sizeof one) < 0)
        errno = saved; /* the counter is full: it has been woken before */
    errno = saved;
}

void seed_leave(seed_seeder *seeder, int graceful)
{
    if (is_leaving(seeder) != LEAVE)
        __atomic_store_n(&seeder->graceful, graceful, __ATOMIC_RELEASE);
    __atomic_store_n(&seeder->leaving, LEAVE, __ATOMIC_RELEASE);
    wake(seeder);
}

void seed_retire(seed_seeder *seeder)
{
    int none = STAY;

    __atomic_compare_exchange_n(&seeder->leaving, &none, RETIRE, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
    wake(seeder);
}

void seed_join(seed_seeder *seeder)
{
    pthread_join(seeder->thread, NULL);
    close(seeder->wake);
    apr_pool_destroy(seeder->pool);
}
