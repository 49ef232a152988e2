#include "seeder/loop.h"

#include <stdlib.h>

#include "base/log.h"

/* Gathers the peers of a swarm that the choker may consider. */
static int gather(seed_swarm *swarm, seed_candidate *candidates)
{
    seed_conn *conn;
    int count = 0;

    APR_RING_FOREACH(conn, &swarm->mates, seed_conn, mates)
    {
        const seed_peer *peer = &conn->peer;
        if (peer->state != SEED_PEER_LIVE || !(peer->flags & (SEED_PEER_INTERESTED | SEED_PEER_UNCHOKED)))
            continue;
        candidates[count].peer = conn;
        candidates[count].since = peer->since;
        candidates[count].turns = peer->turns;
        candidates[count].interested = (peer->flags & SEED_PEER_INTERESTED) != 0;
        candidates[count].unchoked = (peer->flags & SEED_PEER_UNCHOKED) != 0;
        count++;
    }
    return count;
}

static void choke_swarm(seed_loop *loop, seed_swarm *swarm)
{
    seed_candidate *candidates = malloc((apr_size_t)swarm->peers * sizeof *candidates);
    int count, i;

    if (!candidates)
        return;
    count = gather(swarm, candidates);
    seed_choker_decide(candidates, count, loop->slots, loop->now, loop->limits->turn);
    for (i = 0; i < count; i++) {
        seed_conn *conn = candidates[i].peer;
        if (candidates[i].serve == candidates[i].unchoked)
            continue;
        if (candidates[i].serve)
            seed_peer_unchoke(&conn->peer, loop->now);
        else
            seed_peer_choke(&conn->peer, loop->now);
        seed_conn_park(loop, conn);
    }
    free(candidates);
}

void seed_choke_due(seed_loop *loop)
{
    while (!APR_RING_EMPTY(&loop->due, seed_swarm, due)) {
        seed_swarm *swarm = APR_RING_FIRST(&loop->due);
        APR_RING_REMOVE(swarm, due);
        swarm->is_due = 0;
        choke_swarm(loop, swarm);
    }
}

/* Is it still what the catalogue publishes, may it still be seeded, and is the file as it was? */
static void check_swarm(seed_loop *loop, seed_swarm *swarm)
{
    const seed_config *config = loop->config;
    apr_status_t status;
    cat_entry entry;

    apr_pool_clear(loop->scratch);
    status = cat_find_path(config->catalog, swarm->entry.path, loop->scratch, &entry);
    if (status == APR_NOTFOUND || (status == APR_SUCCESS && (!entry.published ||
                                                             !seed_swarm_is_of(swarm, &entry)))) {
        seed_dissolve(loop, swarm, SEED_CLOSE_WITHDRAWN);
        return;
    }
    if (!seed_check_fresh_by_turns(loop, swarm) || status != APR_SUCCESS)
        return;
    status = config->permit(config->baton, &entry);
    if (status != APR_SUCCESS && !APR_STATUS_IS_EAGAIN(status))
        seed_dissolve(loop, swarm, SEED_CLOSE_WITHDRAWN);
    else
        seed_swarm_make_due(loop, swarm); /* turns may be over */
}

static void check_swarms(seed_loop *loop)
{
    apr_hash_index_t *at;

    for (at = apr_hash_first(NULL, loop->swarms); at; at = apr_hash_next(at)) { /* removing the current one is allowed */
        void *swarm;
        apr_hash_this(at, NULL, NULL, &swarm);
        check_swarm(loop, swarm);
    }
}

/* While one that was taken over waits for its torrent, nothing is expected of it. */
static seed_verdict tick(seed_loop *loop, seed_conn *conn)
{
    if (!conn->settling)
        return seed_peer_tick(&conn->peer, conn->writable, loop->now);
    conn->peer.reason = SEED_CLOSE_WITHDRAWN;
    return loop->now - conn->peer.started >= loop->limits->handshake ? SEED_PEER_CLOSE : SEED_PEER_GO_ON;
}

/* Peers whose torrent is still being looked up. */
void seed_ask_again(seed_loop *loop)
{
    seed_conn *conn, *next;

    for (conn = APR_RING_FIRST(&loop->asking); conn != APR_RING_SENTINEL(&loop->asking, seed_conn, here); conn = next) {
        next = APR_RING_NEXT(conn, here);
        if (conn->settling ? seed_settle(loop, conn) : seed_admit(loop, conn))
            seed_conn_park(loop, conn);
    }
}

void seed_tick(seed_loop *loop)
{
    seed_conn *conn, *next;

    for (conn = APR_RING_FIRST(&loop->all); conn != APR_RING_SENTINEL(&loop->all, seed_conn, all); conn = next) {
        next = APR_RING_NEXT(conn, all);
        if (tick(loop, conn) == SEED_PEER_CLOSE)
            seed_conn_close(loop, conn, conn->peer.reason);
        else if (conn->place == SEED_NOWHERE)
            seed_conn_park(loop, conn);
    }
    check_swarms(loop);
    if (loop->jobs)
        seed_jobs_tick(loop->jobs);
}
