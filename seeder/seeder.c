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

/* Made before its thread; `leaving` and `graceful` are then written by whoever calls seed_leave, all else is the
 * thread's until seed_join. */
struct seed_seeder {
    seed_config config;
    const seed_limits *limits;
    apr_pool_t *pool; /* with an allocator of its own: used by the thread alone */
    pthread_t thread;
    int wake; /* eventfd, written by seed_leave and never read: once awake, always awake */
    int leaving, graceful;
};

static int is_leaving(const seed_seeder *seeder)
{
    return __atomic_load_n(&seeder->leaving, __ATOMIC_ACQUIRE);
}

/* Waits until the lock is ours. @return 0 if we are to leave first */
static int wait_for_lock(seed_seeder *seeder, int *lock)
{
    struct pollfd wake = {seeder->wake, POLLIN, 0};
    apr_status_t status, told = APR_SUCCESS;

    for (*lock = -1; !is_leaving(seeder); poll(&wake, 1, (int)(seeder->limits->lock / 1000))) {
        status = *lock < 0 ? seed_lock_open(lock, seeder->config.state_dir) : APR_SUCCESS;
        if (status == APR_SUCCESS)
            status = seed_lock_try(*lock);
        if (status == APR_SUCCESS)
            return 1;
        if (status != APR_EAGAIN && status != told) {
            bt_log(BT_LOG_ERR, 400, status, "no lock can be had on %s/seeder.lock: nobody seeds",
                   seeder->config.state_dir);
            told = status;
        }
    }
    if (*lock >= 0)
        seed_lock_close(*lock);
    return 0;
}

static void become_seeder(seed_seeder *seeder)
{
    seed_counters *counters = seeder->config.counters;

    __atomic_store_n(&counters->peers, 0, __ATOMIC_RELAXED); /* those of a seeder that died */
    __atomic_store_n(&counters->swarms, 0, __ATOMIC_RELAXED);
    seed_job_clear(counters);
    __atomic_store_n(&counters->seeder_pid, (apr_uint64_t)getpid(), __ATOMIC_RELAXED);
    bt_log(BT_LOG_INFO, 401, APR_SUCCESS, "process %ld is the seeder now", (long)getpid());
    if (seeder->config.elected)
        seeder->config.elected(seeder->config.baton);
}

/* Ends a term of office: jobs first, for their mail is short, then peers; then the lock is freed, so that the next one
 * can empty the mailbox of what did not fit. */
static void resign(seed_seeder *seeder, seed_loop *loop, int lock)
{
    seed_counters *counters = seeder->config.counters;
    int graceful = __atomic_load_n(&seeder->graceful, __ATOMIC_ACQUIRE), left = 0;

    if (loop->jobs)
        seed_jobs_stop(loop->jobs, graceful);
    if (graceful)
        left = seed_hand_over(loop);
    __atomic_store_n(&counters->seeder_pid, 0, __ATOMIC_RELAXED);
    seed_lock_close(lock);
    if (left)
        seed_hand_over_rest(loop);
    seed_loop_close(loop);
}

static void serve(seed_seeder *seeder, int lock)
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
        seed_loop_run(loop, &seeder->leaving);
    }
    resign(seeder, loop, lock);
}

static void *thread_main(void *baton)
{
    seed_seeder *seeder = baton;
    int lock;

    if (wait_for_lock(seeder, &lock))
        serve(seeder, lock);
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

void seed_leave(seed_seeder *seeder, int graceful)
{
    static const apr_uint64_t one = 1;
    int saved = errno;

    if (!is_leaving(seeder))
        __atomic_store_n(&seeder->graceful, graceful, __ATOMIC_RELEASE);
    __atomic_store_n(&seeder->leaving, 1, __ATOMIC_RELEASE);
    if (write(seeder->wake, &one, sizeof one) < 0)
        saved = errno; /* the counter is full: it has been woken before */
    errno = saved;
}

void seed_join(seed_seeder *seeder)
{
    pthread_join(seeder->thread, NULL);
    close(seeder->wake);
    apr_pool_destroy(seeder->pool);
}
