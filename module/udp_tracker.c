#include "module/udp_tracker.h"

#include <httpd.h>
#include <http_log.h>

#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "module/announce_token.h"
#include "module/child.h"
#include "module/gate.h"
#include "module/random.h"
#include "module/seed_address.h"
#include "module/tracker_rules.h"
#include "module/udp_batch.h"
#include "module/udp_known.h"
#include "tracker/address.h"

APLOG_USE_MODULE(bthttp);

/* An announce of what must be tested first (after a reload, or when its file has changed) waits, for the thread cannot. */
enum { WAITING_MAX = 64, WAIT_MS = 20 };
#define WAIT_LIMIT apr_time_from_sec(5)

_Static_assert((int)BTH_SEEDS_MAX <= (int)TRK_UDP_SEEDS_MAX, "all seeds can be told");

/* Who closes the sockets: whoever leaves IDLE, or the thread. */
typedef enum { IDLE, RUNNING, CLOSED } udp_state;

typedef struct {
    bth_datagram datagram;
    int socket; /* its number */
    apr_time_t until;
} waiting;

/* What is the same for most datagrams of a batch: found for the last address of ours, and for clients that are private or not. */
typedef struct {
    trk_address local;
    trk_policy policy;
    int has_seeds[2], seed_counts[2]; /* for global clients, for private ones */
    trk_address seeds[2][BTH_SEEDS_MAX];
} local_rules;

/* Made before the thread and then its own, but for `state`, `leaving` and `wake`. */
typedef struct {
    void (*urge)(const cat_entry *entry);
    apr_pool_t *scratch;
    bth_batch *batch;
    bth_known *known;
    local_rules rules;
    int has_rules;
    struct pollfd polls[BTH_LISTENERS_MAX + 1]; /* the sockets, then `wake` */
    trk_address bound[BTH_LISTENERS_MAX];       /* the only address of a socket, with port 0 */
    int is_bound[BTH_LISTENERS_MAX];
    int sockets;
    waiting *waiting;
    int waiting_count;
    int must_wait; /* of the datagram in hand */
    int was_admitted;      /* the same: it has waited, and was counted against the rate of its sender */
    trk_result result;     /* the same: what comes of it */
    pthread_t thread;
    int has_thread;
    int wake;
    udp_state state;
    int leaving;
} udp_tracker;

static udp_tracker *udp; /* NULL: nothing to do */

/* --- what a client is told ------------------------------------------------- */

/* As bth_gate_find, but what takes time is left to the steward. */
static cat_standing standing_now(const bt_infohash *hash)
{
    cat_catalog *catalog = bth_this_child()->catalog;
    cat_entry entry;
    int must_wait = 0;

    if (bth_known_is_open(udp->known, hash))
        return CAT_PUBLISHED;
    for (int nth = 0; cat_find_hash(catalog, hash, nth, udp->scratch, &entry) == APR_SUCCESS && entry.published; nth++) {
        bth_gate gate = bth_gate_look(&entry);

        if (gate == BTH_GATE_OPEN) {
            if (bth_gate_is_due(&entry))
                udp->urge(&entry);
            bth_known_note(udp->known, hash);
            return CAT_PUBLISHED;
        }
        if (gate != BTH_GATE_SHUT && !must_wait) {
            udp->urge(&entry);
            must_wait = 1;
        }
    }
    udp->must_wait |= must_wait;
    return cat_standing_of(catalog, hash);
}

static const local_rules *rules_of(const trk_address *local)
{
    local_rules *rules = &udp->rules;

    if (!udp->has_rules || !trk_address_same_ip(&rules->local, local)) {
        rules->local = *local;
        rules->policy = bth_tracker_policy(local);
        rules->has_seeds[0] = rules->has_seeds[1] = 0;
        udp->has_rules = 1;
    }
    return rules;
}

/* For all clients of one kind the seeds are the same. */
static int seeds_for(const trk_address *local, const trk_address *client, trk_address *seeds)
{
    local_rules *rules = &udp->rules;
    int kind = bth_is_private(client);

    if (!rules->has_seeds[kind]) {
        rules->seed_counts[kind] = bth_seeds_at(local, client, rules->seeds[kind]);
        rules->has_seeds[kind] = 1;
    }
    memcpy(seeds, rules->seeds[kind], (apr_size_t)rules->seed_counts[kind] * sizeof *seeds);
    return rules->seed_counts[kind];
}

static const char *find(void *baton, const bt_infohash *hash, const trk_address *client, const trk_address *local,
                        trk_swarms **swarms, trk_address *seeds, int *seed_count)
{
    cat_standing standing = standing_now(hash);

    (void)baton;
    udp->result = bth_tracker_result(standing);
    *swarms = bth_tracker_table(standing);
    if (udp->must_wait || !*swarms)
        return bth_tracker_refusal(standing);
    if (standing == CAT_PUBLISHED)
        *seed_count = seeds_for(local, client, seeds);
    return NULL;
}

static const char *authorize(void *baton, const bt_infohash *hash, const char *url, apr_size_t length, apr_time_t now)
{
    (void)baton;
    return bth_token_refusal(hash, url, length, now);
}

static const char *admit(void *baton, const trk_address *client, int scraped, apr_time_t now)
{
    (void)baton;
    udp->result = udp->was_admitted ? TRK_RESULT_OK : bth_tracker_admit(client, scraped, now);
    return udp->result == TRK_RESULT_OK ? NULL : bth_tracker_too_many(udp->result);
}

static void decided(void *baton, apr_status_t status)
{
    (void)baton;
    udp->result = trk_result_of(status);
}

/* --- datagrams ------------------------------------------------------------- */

/* @return 0 if it must wait */
static int answer(const bth_datagram *datagram, apr_time_t now)
{
    trk_udp tracker = {.swarms = bth_this_child()->swarms,
                       .policy = &rules_of(&datagram->local)->policy,
                       .secret = bth_this_child()->shared->udp_secret,
                       .find = find,
                       .admit = admit,
                       .decided = decided,
                       .authorize = authorize};
    trk_udp_result result;
    apr_size_t length;

    udp->must_wait = 0;
    length = trk_udp_answer(&tracker, datagram->data, datagram->length, &datagram->from, &datagram->local, now,
                            bth_random(), bth_batch_room(udp->batch), &result);
    if (udp->must_wait)
        return 0;
    if (result == TRK_UDP_REFUSED)
        trk_count_announce(bth_this_child()->shared->announces, TRK_FORM_UDP, TRK_RESULT_TOKEN, now);
    else if (result == TRK_UDP_ANNOUNCE || result == TRK_UDP_ERROR)
        trk_count_announce(bth_this_child()->shared->announces, TRK_FORM_UDP, udp->result, now);
    else if (result == TRK_UDP_SILENT)
        trk_count_silence(bth_this_child()->shared->announces);
    if (length > 0)
        bth_batch_push(udp->batch, datagram, length);
    return 1;
}

/* Where there is no room it is lost; clients ask again. */
static void keep_waiting(const bth_datagram *datagram, int socket, apr_time_t now)
{
    if (udp->waiting_count < WAITING_MAX)
        udp->waiting[udp->waiting_count++] = (waiting){*datagram, socket, now + WAIT_LIMIT};
    else
        trk_count_silence(bth_this_child()->shared->announces);
}

/* What is found once for many datagrams is found anew. */
static apr_time_t begin(void)
{
    apr_time_t now = apr_time_now();

    udp->has_rules = 0;
    bth_known_at(udp->known, now, cat_version(bth_this_child()->catalog));
    return now;
}

/* With many torrents, what is known of each is far from the processor: for a whole batch it comes side by side. */
static void fetch_known(const bth_datagram *datagram)
{
    bt_infohash hash;

    if (trk_udp_hash(datagram->data, datagram->length, &hash))
        bth_known_fetch(udp->known, &hash);
}

static void serve_socket(int socket)
{
    int count = bth_batch_receive(udp->batch, udp->polls[socket].fd, udp->is_bound[socket] ? &udp->bound[socket] : NULL);
    apr_time_t now;

    if (count == 0)
        return;
    now = begin();
    for (int i = 0; i < count; i++)
        fetch_known(bth_batch_get(udp->batch, i));
    for (int i = 0; i < count; i++) {
        const bth_datagram *datagram = bth_batch_get(udp->batch, i);

        if (datagram->length > 0 && !answer(datagram, now))
            keep_waiting(datagram, socket, now);
    }
    bth_batch_send(udp->batch, udp->polls[socket].fd);
    apr_pool_clear(udp->scratch);
}

static void serve_waiting(void)
{
    apr_time_t now = begin();
    int kept = 0;

    for (int i = 0; i < udp->waiting_count; i++) {
        waiting *each = &udp->waiting[i];

        udp->was_admitted = 1;
        if (now >= each->until) {
            trk_count_silence(bth_this_child()->shared->announces);
            continue;
        }
        if (answer(&each->datagram, now))
            bth_batch_send(udp->batch, udp->polls[each->socket].fd);
        else
            udp->waiting[kept++] = *each;
    }
    udp->was_admitted = 0;
    udp->waiting_count = kept;
    apr_pool_clear(udp->scratch);
}

/* --- the thread ------------------------------------------------------------ */

static void close_sockets(void)
{
    for (int i = 0; i < udp->sockets; i++)
        close(udp->polls[i].fd);
}

static void *serve(void *baton)
{
    (void)baton;
    while (!__atomic_load_n(&udp->leaving, __ATOMIC_ACQUIRE)) {
        int ready = poll(udp->polls, (nfds_t)udp->sockets + 1, udp->waiting_count ? WAIT_MS : -1);

        if (udp->waiting_count > 0)
            serve_waiting();
        for (int i = 0; ready > 0 && i < udp->sockets; i++)
            if (udp->polls[i].revents)
                serve_socket(i);
    }
    close_sockets();
    return NULL;
}

apr_status_t bth_udp_create(apr_pool_t *pool, void (*urge)(const cat_entry *entry))
{
    const bth_listeners *listeners = &bth_this_child()->shared->udp;
    udp_tracker *made;

    udp = NULL;
    if (listeners->count == 0 || !bth_this_child()->swarms)
        return APR_SUCCESS;
    made = apr_pcalloc(pool, sizeof *made);
    made->urge = urge;
    made->batch = bth_batch_create(pool);
    if (!(made->known = bth_known_create(pool)))
        return APR_ENOMEM;
    made->waiting = apr_palloc(pool, WAITING_MAX * sizeof *made->waiting);
    made->sockets = listeners->count;
    for (int i = 0; i < listeners->count; i++) {
        const bth_listener *socket = &listeners->sockets[i];

        made->polls[i] = (struct pollfd){.fd = socket->fd, .events = POLLIN};
        made->is_bound[i] = !bth_listener_is_told(socket->any_address, &socket->address);
        made->bound[i] = socket->address;
        made->bound[i].port = 0;
    }
    made->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    made->polls[made->sockets] = (struct pollfd){.fd = made->wake, .events = POLLIN};
    if (made->wake < 0)
        return errno;
    apr_pool_create_unmanaged(&made->scratch); /* with an allocator of its own: the thread shares none */
    udp = made;
    return APR_SUCCESS;
}

void bth_udp_start(void)
{
    udp_state idle = IDLE;

    if (!udp || !__atomic_compare_exchange_n(&udp->state, &idle, RUNNING, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return;
    udp->has_thread = bth_start_thread(&udp->thread, serve, NULL);
    if (!udp->has_thread)
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, bth_this_child()->server,
                     "BTH0092: cannot start the thread of the tracker over UDP");
}

void bth_udp_leave(void)
{
    const apr_uint64_t one = 1;
    udp_state idle = IDLE;

    if (!udp)
        return;
    __atomic_store_n(&udp->leaving, 1, __ATOMIC_RELEASE);
    if (__atomic_compare_exchange_n(&udp->state, &idle, CLOSED, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        close_sockets();
    else if (write(udp->wake, &one, sizeof one) < 0)
        return; /* it is full, so it wakes */
}

void bth_udp_stop(void)
{
    bth_udp_leave();
    if (udp && udp->has_thread)
        pthread_join(udp->thread, NULL);
    if (udp)
        udp->has_thread = 0;
}
