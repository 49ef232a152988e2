#include "tracker/redis_store.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "tracker/address.h"
#include "tracker/redis_store_internal.h"
#include "tracker/shard.h"

enum { RETRY_FIRST_MS = 100, RETRY_MOST_MS = 3000, REST_MS = 1000, BULLETINS_AT_ONCE = 64 };

static int must_leave(const trk_redis_store *store)
{
    struct pollfd poller = {.fd = store->config->leave, .events = POLLIN};

    return poll(&poller, 1, 0) > 0;
}

static void set_state(trk_redis_store *store, trk_store_state state)
{
    __atomic_store_n(&store->counters->state, (apr_uint64_t)state, __ATOMIC_RELAXED);
}

/* --- what others say --- */

static int is_own(const trk_address *seeds, int count, const trk_address *peer)
{
    for (int i = 0; i < count; i++)
        if (seeds[i].port == peer->port && trk_address_same_ip(&seeds[i], peer))
            return 1;
    return 0;
}

void trk_store_learn(trk_redis_store *store, const trk_change *change, uint32_t age, apr_time_t now)
{
    const trk_redis_config *config = store->config;
    trk_address seeds[TRK_REDIS_SEEDS_MAX];
    int count;

    if (!config->is_wanted(config->baton, &change->hash))
        return;
    count = config->seeds(config->baton, &store->link.local, &change->peer, seeds);
    for (int i = 0; i < count; i++)
        seeds[i] = trk_address_normal(&seeds[i]);
    if (change->is_seed && (is_own(seeds, count, &change->peer) || config->is_itself(config->baton, &change->peer)))
        return;
    trk_swarms_learn(config->swarms, change, age, now, config->interval, age == 0 ? trk_random(&store->random) | 1 : 0);
    if (age == 0)
        trk_store_add_read(store, &change->hash, now);
    __atomic_fetch_add(&store->counters->learned, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < count && !change->is_gone && store->count < TRK_STORE_OWN; i++)
        trk_store_add_own(store, &change->hash, &seeds[i], now);
}

/* @return how many bulletins were heard; the link may be lost */
static int hear(trk_redis_store *store, apr_time_t now)
{
    int count = 0;
    redisReply *reply;

    while (count < BULLETINS_AT_ONCE && (reply = trk_link_hear(&store->link, now)) != NULL) {
        const redisReply *said = reply->element[2];
        trk_bulletin bulletin;
        trk_change change;

        if (trk_bulletin_open(&bulletin, said->str, (apr_size_t)said->len, trk_outbox_host(store->config->outbox)))
            while (trk_bulletin_next(&bulletin, &change))
                trk_store_learn(store, &change, 0, now);
        freeReplyObject(reply);
        count++;
    }
    return count;
}

/* --- the thread --- */

/* @return 1 if it is to leave */
static int wait_for(trk_redis_store *store, int milliseconds)
{
    const int wake = trk_outbox_wake(store->config->outbox);
    const int bulletins = store->link.bulletins ? store->link.bulletins->fd : -1;
    struct pollfd pollers[] = {{.fd = store->config->leave, .events = POLLIN},
                               {.fd = store->link.bulletins ? wake : -1, .events = POLLIN},
                               {.fd = bulletins, .events = POLLIN}};
    apr_uint64_t times;

    if (poll(pollers, 3, milliseconds) > 0 && pollers[1].revents && read(wake, &times, sizeof times) < 0)
        return pollers[0].revents != 0; /* another child's thread was woken by it as well */
    return pollers[0].revents != 0;
}

/* One round while there is a link. */
static void serve(trk_redis_store *store)
{
    apr_time_t now = apr_time_now();
    int done = hear(store, now);

    if (!store->link.why[0])
        done += trk_store_send(store, now);
    if (!store->link.why[0] && store->read_count > 0)
        trk_store_read(store, now);
    if (!store->link.why[0] && store->cursor[0]) { /* nothing is left to be read */
        trk_store_catch_up(store, now);
        done++;
    }
    if (!trk_link_prove(&store->link, now))
        return;
    if (!done && trk_outbox_rest(store->config->outbox))
        wait_for(store, REST_MS);
}

static int connect_to(trk_redis_store *store)
{
    const trk_redis_place *place = &store->config->place;

    if (!trk_link_open(&store->link, place, apr_time_now()))
        return 0;
    set_state(store, TRK_STORE_SHARED);
    bt_log(BT_LOG_INFO, 310, APR_SUCCESS, "redis at %s, port %d: connected, the swarms are shared", place->host, place->port);
    memcpy(store->cursor, "0", 2);
    store->read_count = store->count = 0; /* what the outbox had of them, it has still */
    store->upto = 0;
    memset(store->recent, 0, sizeof store->recent); /* redis may have come back empty */
    store->refused = 0;
    return 1;
}

/* Says so once, until there is a link again. */
static void note_away(trk_redis_store *store, int *said)
{
    set_state(store, TRK_STORE_AWAY);
    if (!*said)
        bt_log(BT_LOG_WARNING, 311, APR_SUCCESS,
               "redis at %s, port %d: %s: until it is back, peers of other hosts are those known so far", store->config->place.host,
               store->config->place.port, store->link.why);
    *said = 1;
}

static void run(trk_redis_store *store)
{
    int retry = RETRY_FIRST_MS, said = 0;

    while (!must_leave(store)) {
        if (!connect_to(store)) {
            if (must_leave(store)) /* it took its time */
                break;
            note_away(store, &said);
            if (wait_for(store, retry / 2 + (int)(trk_random(&store->random) % (uint64_t)retry)))
                break;
            retry = 2 * retry < RETRY_MOST_MS ? 2 * retry : RETRY_MOST_MS;
            continue;
        }
        retry = RETRY_FIRST_MS;
        said = 0;
        while (!store->link.why[0] && !must_leave(store))
            serve(store);
        trk_link_close(&store->link);
        if (!store->link.why[0])
            continue;
        __atomic_fetch_add(&store->counters->lost, 1, __ATOMIC_RELAXED);
        note_away(store, &said);
        if (wait_for(store, retry))
            break;
    }
}

void trk_redis_run(const trk_redis_config *config)
{
    enum { BULLETIN_MAX = 1 << 20 };
    trk_redis_store *store = calloc(1, sizeof *store);

    if (!store)
        return;
    store->config = config;
    store->counters = trk_outbox_counters(config->outbox);
    store->limit = trk_limit_of(config->interval);
    store->random = (uint64_t)apr_time_now() | 1;
    bt_buf_init(&store->bulletin, BULLETIN_MAX);
    run(store);
    bt_buf_free(&store->bulletin);
    free(store);
}
