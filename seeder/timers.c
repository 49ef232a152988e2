#include "seeder/opening.h"

#include "base/log.h"
#include "seeder/exchange.h"
#include "seeder/send.h"

/* Is it still what the catalogue publishes, and may it still be seeded? @return 0 if it was dissolved */
static int look_up(seed_loop *loop, seed_swarm *swarm)
{
    const seed_config *config = loop->config;
    apr_status_t status;
    cat_entry entry;

    apr_pool_clear(loop->scratch);
    status = cat_find_path(config->catalog, swarm->entry.path, loop->scratch, &entry);
    if (status == APR_NOTFOUND || (status == APR_SUCCESS && (!entry.published || !seed_swarm_is_of(swarm, &entry)))) {
        seed_dissolve(loop, swarm, SEED_CLOSE_WITHDRAWN);
        return 0;
    }
    if (status != APR_SUCCESS)
        return 1;
    status = config->permit(config->baton, &entry);
    if (APR_STATUS_IS_EAGAIN(status))
        seed_swarm_note_use(loop, swarm); /* and asked again at the next tick */
    if (status == APR_SUCCESS || APR_STATUS_IS_EAGAIN(status))
        return 1;
    seed_dissolve(loop, swarm, SEED_CLOSE_WITHDRAWN);
    return 0;
}

static void check_swarm(seed_loop *loop, seed_swarm *swarm)
{
    if (look_up(loop, swarm) && seed_check_fresh_by_turns(loop, swarm))
        seed_swarm_make_due(loop, swarm); /* turns may be over */
}

/* Takes the next swarm of the round through all, which then is its last. */
static seed_swarm *next_known(seed_loop *loop)
{
    seed_swarm *swarm = APR_RING_FIRST(&loop->known);

    APR_RING_REMOVE(swarm, all);
    APR_RING_INSERT_TAIL(&loop->known, swarm, seed_swarm, all);
    return swarm;
}

void seed_look_up_some(seed_loop *loop)
{
    enum { AT_ONCE = 256 };
    int i;

    for (i = 0; i < AT_ONCE && loop->to_look_up > 0; i++, loop->to_look_up--) {
        if (APR_RING_EMPTY(&loop->known, seed_swarm, all))
            loop->to_look_up = 1;
        else
            look_up(loop, next_known(loop));
    }
}

/* Where something happens, each tick looks; of the rest, at some by turns, so that it costs the same however many there
 * are. What is withdrawn otherwise is told by mail, or changes the catalogue, and then all are looked up. */
static void check_swarms(seed_loop *loop)
{
    apr_uint64_t version = cat_version(loop->config->catalog);
    unsigned count = apr_hash_count(loop->swarms), left = count < SEED_SOURCE_SWEEP ? count : SEED_SOURCE_SWEEP;
    seed_swarm *swarm, *next;

    if (version != loop->catalog_version)
        loop->to_look_up = count;
    loop->catalog_version = version;
    for (swarm = APR_RING_FIRST(&loop->active); swarm != APR_RING_SENTINEL(&loop->active, seed_swarm, active);
         swarm = next) {
        next = APR_RING_NEXT(swarm, active);
        if (loop->now - swarm->used > 2 * loop->limits->tick)
            seed_swarm_note_rest(swarm);
        check_swarm(loop, swarm);
    }
    for (; left > 0 && !APR_RING_EMPTY(&loop->known, seed_swarm, all); left--) {
        swarm = next_known(loop);
        if (!swarm->is_active)
            check_swarm(loop, swarm);
    }
    seed_files_close_idle(loop->files, loop->now - loop->limits->file_idle);
}

/* While one that was taken over waits for its torrent, nothing is expected of it. */
static seed_verdict tick(seed_loop *loop, seed_conn *conn)
{
    apr_uint64_t taken = seed_peer_is_waited_for(&conn->peer, conn->writable) ? seed_taken(conn->watch.fd) : 0;

    if (!conn->settling)
        return seed_peer_tick(&conn->peer, conn->writable, taken, loop->now);
    conn->peer.reason = SEED_CLOSE_WITHDRAWN;
    return loop->now - conn->peer.started >= loop->limits->handshake ? SEED_PEER_CLOSE : SEED_PEER_GO_ON;
}

static int ask_again(seed_loop *loop, seed_conn *conn)
{
    if (conn->settling)
        return seed_settle(loop, conn);
    return seed_opening_waits(&conn->peer) ? seed_opening_input(loop, conn, loop->input, 0) : seed_admit(loop, conn);
}

/* Peers whose torrent is still being looked up, or whose key exchange was put off. */
void seed_ask_again(seed_loop *loop)
{
    seed_conn *conn, *next;

    for (conn = APR_RING_FIRST(&loop->asking); conn != APR_RING_SENTINEL(&loop->asking, seed_conn, here); conn = next) {
        next = APR_RING_NEXT(conn, here);
        if (ask_again(loop, conn))
            seed_conn_park(loop, conn);
    }
}

static void count_slots(seed_loop *loop)
{
    const seed_config *config = loop->config;
    apr_uint64_t sent = __atomic_load_n(&config->counters->bytes_sent, __ATOMIC_RELAXED);

    loop->slots = seed_choker_slots(config->upload_slots, config->upload_rate, seed_uplink_look(&loop->uplink, sent, loop->now));
}

static int is_waiting(const seed_peer *peer)
{
    return peer->state == SEED_PEER_LIVE && (peer->flags & (SEED_PEER_INTERESTED | SEED_PEER_UNCHOKED)) == SEED_PEER_INTERESTED;
}

/* Are peers kept waiting by the limit of the rate? A rate within a tenth of it is at it. */
static void note_waiting(seed_loop *loop, apr_uint64_t waiting)
{
    seed_counters *page = loop->config->counters;
    apr_uint64_t limit = (apr_uint64_t)seed_leftover_rate(&loop->leftover);
    int at_limit = limit > 0 && __atomic_load_n(&page->upload_rate, __ATOMIC_RELAXED) >= limit - limit / 10;

    __atomic_store_n(&page->waiting, waiting, __ATOMIC_RELAXED);
    __atomic_store_n(&page->saturated, waiting > 0 && at_limit, __ATOMIC_RELAXED);
}

void seed_tick(seed_loop *loop)
{
    apr_uint64_t waiting = 0;
    seed_conn *conn, *next;

    count_slots(loop);
    for (conn = APR_RING_FIRST(&loop->all); conn != APR_RING_SENTINEL(&loop->all, seed_conn, all); conn = next) {
        next = APR_RING_NEXT(conn, all);
        if (tick(loop, conn) == SEED_PEER_CLOSE) {
            seed_conn_close(loop, conn, conn->peer.reason);
            continue;
        }
        waiting += (apr_uint64_t)is_waiting(&conn->peer);
        seed_exchange_tick(loop, conn);
        if (conn->place == SEED_NOWHERE && !conn->sending && seed_peer_has_output(&conn->peer))
            seed_conn_park(loop, conn); /* it is told something */
    }
    note_waiting(loop, waiting);
    check_swarms(loop);
    seed_crowds_tick(loop);
    seed_library_tick(&loop->library, loop->now);
    if (loop->leaves)
        seed_leaves_tick(loop->leaves, loop->now);
    if (loop->jobs)
        seed_jobs_tick(loop->jobs);
}
