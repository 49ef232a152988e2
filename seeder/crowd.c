/* The spread of a swarm and its connections: who is in it, who is shown something now. */
#include "seeder/loop.h"

#include <openssl/rand.h>

/* --- what peers have --- */

static void on_piece(void *baton, apr_uint32_t piece, int now_has)
{
    seed_conn *conn = baton;
    const seed_peer *peer = &conn->peer;

    seed_spread_has(conn->swarm->spread, &conn->share, piece, now_has, peer->shown && seed_peer_is_shown(peer, piece),
                    conn->swarm->loop->now);
}

static void on_many(void *baton)
{
    seed_conn *conn = baton;
    apr_uint32_t piece, total = conn->peer.content->pieces;

    for (piece = 0; piece < total; piece++)
        on_piece(conn, piece, seed_pieces_has(&conn->peer.pieces, total, piece));
}

static const seed_peer_events crowd_events = {on_piece, on_many};

/* --- who is in it --- */

static void join(seed_loop *loop, seed_conn *conn)
{
    seed_peer *peer = &conn->peer;

    if (!peer->content || conn->share.id)
        return;
    if (!seed_spread_join(conn->swarm->spread, &conn->share, peer->flags & SEED_PEER_SHOWING ? NULL : peer->shown, loop->now)) {
        seed_peer_show_all(peer);
        return;
    }
    peer->events = &crowd_events;
    peer->baton = conn;
    if (!peer->pieces.unknown)
        on_many(conn);
}

static void leave(seed_conn *conn)
{
    if (!conn->share.id)
        return;
    conn->peer.events = NULL;
    seed_spread_leave(conn->swarm->spread, &conn->share);
}

static int make_spread(seed_loop *loop, seed_swarm *swarm)
{
    const seed_content *content = &swarm->content;
    apr_uint64_t dice;

    if (RAND_bytes((unsigned char *)&dice, sizeof dice) != 1)
        return 0;
    swarm->spread = seed_spread_make(content->pieces, content->piece_length, dice, loop->now);
    if (swarm->spread)
        APR_RING_INSERT_TAIL(&loop->crowds, swarm, seed_swarm, crowds);
    return swarm->spread != NULL;
}

static void join_all(seed_loop *loop, seed_swarm *swarm)
{
    seed_conn *conn;

    APR_RING_FOREACH(conn, &swarm->mates, seed_conn, mates)
        join(loop, conn);
}

static void drop_spread(seed_swarm *swarm)
{
    seed_conn *conn;

    if (!swarm->spread)
        return;
    APR_RING_FOREACH(conn, &swarm->mates, seed_conn, mates)
        leave(conn);
    APR_RING_REMOVE(swarm, crowds);
    seed_spread_free(swarm->spread);
    swarm->spread = NULL;
}

seed_show seed_crowd_first(seed_loop *loop, seed_swarm *swarm)
{
    if (swarm->spread)
        return SEED_SHOW_NONE;
    if (swarm->peers < loop->limits->crowd || swarm->content.pieces > SEED_SPREAD_PIECES || swarm->content.pieces < 2 ||
        !make_spread(loop, swarm))
        return SEED_SHOW_ALL;
    join_all(loop, swarm);
    return SEED_SHOW_NONE;
}

void seed_crowd_join(seed_loop *loop, seed_conn *conn)
{
    if (conn->swarm->spread)
        join(loop, conn);
}

void seed_crowd_resume(seed_loop *loop, seed_conn *conn)
{
    int is_crowd = seed_crowd_first(loop, conn->swarm) == SEED_SHOW_NONE;

    if (is_crowd || !conn->peer.shown)
        seed_crowd_join(loop, conn);
    else if (make_spread(loop, conn->swarm)) /* its mates are still to come */
        join_all(loop, conn->swarm);
    else
        seed_peer_show_all(&conn->peer);
}

void seed_crowd_leave(seed_conn *conn)
{
    leave(conn);
    if (conn->swarm->peers <= 1) /* it was the last */
        drop_spread(conn->swarm);
}

/* --- what they are shown --- */

int seed_crowd_is_hungry(const seed_conn *conn)
{
    return conn->share.id && !conn->share.whole && conn->share.has < conn->peer.content->pieces;
}

int seed_crowd_may_serve(const seed_loop *loop, const seed_conn *conn)
{
    /* Without the fast extension a choke leaves requests without an answer, and rtorrent waits a minute for that. */
    return !conn->share.id || !(conn->peer.flags & SEED_PEER_FAST) ||
           seed_spread_may_serve(conn->swarm->spread, &conn->share, loop->now);
}

static void show_all(seed_conn *conn)
{
    seed_spread_whole(conn->swarm->spread, &conn->share);
    seed_peer_show_all(&conn->peer);
}

/* It may want some files alone, or does not say what it has got: it has no further turn before it says that it is interested,
 * and can only say so of pieces that it knows of. */
static int is_at_a_loss(const seed_conn *conn)
{
    return seed_crowd_is_hungry(conn) && conn->share.waiting &&
           !(conn->peer.flags & (SEED_PEER_INTERESTED | SEED_PEER_UPLOAD_ONLY));
}

void seed_crowd_choked(seed_conn *conn)
{
    if (is_at_a_loss(conn))
        show_all(conn);
    else if (conn->share.id)
        seed_spread_release(conn->swarm->spread, &conn->share);
}

static int may_ask(const seed_conn *conn)
{
    return conn->peer.state == SEED_PEER_LIVE && conn->peer.flags & SEED_PEER_UNCHOKED;
}

void seed_crowd_feed(seed_loop *loop, seed_conn *conn)
{
    seed_peer *peer = &conn->peer;
    apr_uint32_t piece;

    if (!may_ask(conn) || !seed_crowd_is_hungry(conn))
        return;
    if (seed_spread_is_fast(conn->swarm->spread, &conn->share)) {
        show_all(conn);
        return;
    }
    while ((piece = seed_spread_next(conn->swarm->spread, &conn->share, peer->shown, loop->now)) != SEED_SPREAD_NOTHING) {
        seed_peer_show(peer, piece);
        if (!peer->shown) { /* that was the last one */
            seed_spread_whole(conn->swarm->spread, &conn->share);
            return;
        }
    }
}

void seed_crowd_sent(seed_loop *loop, seed_conn *conn, apr_size_t payload)
{
    seed_spread *spread = conn->swarm ? conn->swarm->spread : NULL;

    if (!spread || !conn->share.id)
        return;
    if (payload)
        seed_spread_sent(spread, &conn->share, payload, loop->now);
    if (may_ask(conn) && !seed_peer_has_output(&conn->peer)) {
        seed_spread_dry(spread, &conn->share, loop->now);
        seed_crowd_feed(loop, conn);
    }
}

static void tick_crowd(seed_loop *loop, seed_swarm *swarm)
{
    seed_conn *conn;

    APR_RING_FOREACH(conn, &swarm->mates, seed_conn, mates)
    {
        if (!may_ask(conn) || seed_peer_has_output(&conn->peer))
            continue;
        seed_spread_idle(swarm->spread, &conn->share);
        if (loop->sending == 0)
            seed_spread_spare(swarm->spread, &conn->share, loop->now);
    }
    seed_spread_tick(swarm->spread, loop->now);
    APR_RING_FOREACH(conn, &swarm->mates, seed_conn, mates)
    {
        if (!may_ask(conn))
            continue;
        seed_crowd_feed(loop, conn);
        seed_conn_park(loop, conn);
    }
    seed_swarm_make_due(loop, swarm); /* who is kept back may have changed */
}

void seed_crowds_tick(seed_loop *loop)
{
    seed_swarm *swarm;

    APR_RING_FOREACH(swarm, &loop->crowds, seed_swarm, crowds)
        tick_crowd(loop, swarm);
}
