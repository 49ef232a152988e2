#include "module/store.h"

#include <httpd.h>
#include <http_log.h>

#include <errno.h>
#include <ifaddrs.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "module/child.h"
#include "module/seed_address.h"
#include "tracker/address.h"
#include "tracker/redis_store.h"

APLOG_USE_MODULE(bthttp);

_Static_assert((int)BTH_SEEDS_MAX <= (int)TRK_REDIS_SEEDS_MAX, "all seeds can be told");

/* Made before the thread; `is_running` under the mutex. It is never freed: a thread whose resolver hangs outlives the pools. */
typedef struct {
    trk_redis_config redis;
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    int is_running;
} sharing;

static sharing shared;
static int has_store;

enum { INTERFACES_MAX = 256 };
static trk_address interfaces[INTERFACES_MAX]; /* with port 0 */
static int interface_count;

static int is_published(void *baton, const bt_infohash *hash)
{
    (void)baton;
    return cat_standing_of(bth_this_child()->catalog, hash) == CAT_PUBLISHED;
}

/* Of no request: so this host is reached where it reaches redis, if nothing says better. */
static int own_seeds(void *baton, const trk_address *local, const trk_address *peer, trk_address *seeds)
{
    (void)baton;
    return bth_seeds_at(local, peer, seeds);
}

/* The machine's addresses, as they were when the thread was prepared. */
static void note_interfaces(void)
{
    struct ifaddrs *all;

    interface_count = 0;
    if (getifaddrs(&all) != 0)
        return;
    for (const struct ifaddrs *each = all; each && interface_count < INTERFACES_MAX; each = each->ifa_next) {
        if (!each->ifa_addr || (each->ifa_addr->sa_family != AF_INET && each->ifa_addr->sa_family != AF_INET6))
            continue;
        trk_address_of_socket(each->ifa_addr, &interfaces[interface_count++]);
    }
    freeifaddrs(all);
}

static int is_own_port(const trk_address *address)
{
    const apr_array_header_t *ports = bth_server()->peer_ports;

    for (int i = 0; i < ports->nelts; i++)
        if (APR_ARRAY_IDX(ports, i, bth_peer_port).address.port == address->port)
            return 1;
    return bth_http_port(address) == address->port;
}

static int is_itself(void *baton, const trk_address *address)
{
    (void)baton;
    for (int i = 0; i < interface_count; i++)
        if (trk_address_same_ip(&interfaces[i], address))
            return is_own_port(address);
    return 0;
}

int bth_store_is_built(void)
{
    return 1;
}

apr_status_t bth_store_create(apr_pool_t *pool)
{
    const bth_child *child = bth_this_child();

    (void)pool;
    has_store = 0;
    if (!bth_server()->tracker_store || !child->swarms || !child->shared->outbox)
        return APR_SUCCESS;
    shared.redis = (trk_redis_config){.place = *bth_server()->tracker_store,
                                      .swarms = child->swarms,
                                      .outbox = child->shared->outbox,
                                      .interval = bth_server()->tracker_interval,
                                      .leave = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
                                      .is_wanted = is_published,
                                      .seeds = own_seeds,
                                      .is_itself = is_itself};
    if (shared.redis.leave < 0)
        return errno;
    note_interfaces();
    pthread_mutex_init(&shared.mutex, NULL);
    pthread_cond_init(&shared.ended, NULL);
    has_store = 1;
    return APR_SUCCESS;
}

static void *share(void *baton)
{
    (void)baton;
    trk_redis_run(&shared.redis);
    pthread_mutex_lock(&shared.mutex);
    shared.is_running = 0;
    pthread_cond_broadcast(&shared.ended);
    pthread_mutex_unlock(&shared.mutex);
    return NULL;
}

void bth_store_start(void)
{
    if (!has_store)
        return;
    pthread_mutex_lock(&shared.mutex);
    shared.is_running = bth_start_detached(share, NULL);
    if (!shared.is_running)
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, bth_this_child()->server, "BTH0095: cannot start the thread of BTHTTPTrackerStore");
    pthread_mutex_unlock(&shared.mutex);
}

void bth_store_leave(void)
{
    const apr_uint64_t one = 1;

    if (has_store && write(shared.redis.leave, &one, sizeof one) < 0)
        return; /* it is full, so it is readable */
}

void bth_store_stop(apr_interval_time_t limit)
{
    apr_time_t deadline = apr_time_now() + limit;
    struct timespec until = {.tv_sec = apr_time_sec(deadline), .tv_nsec = apr_time_usec(deadline) * 1000};
    int late = 0;

    if (!has_store)
        return;
    bth_store_leave();
    pthread_mutex_lock(&shared.mutex);
    while (shared.is_running && !late)
        late = pthread_cond_timedwait(&shared.ended, &shared.mutex, &until) != 0;
    pthread_mutex_unlock(&shared.mutex);
}
