#include "seeder/exchange.h"

#include <string.h>

enum { SAMPLE = 4 * SEED_PEX_MOST }; /* mates that are looked at for a first message */

/* By which hashes others can meet it: the one it came by; and both of a hybrid, if it knows the other as well. */
static unsigned hashes_of(const seed_conn *conn)
{
    const seed_peer *peer = &conn->peer;

    switch (seed_swarm_known_by(conn->swarm, &peer->theirs.hash)) {
    case SEED_KNOWN_KEYLESS:
        return SEED_PEX_KEYLESS;
    case SEED_KNOWN_ALONE:
        return SEED_PEX_ALONE;
    default:
        break;
    }
    if (!bt_infohash_equal(&peer->theirs.hash, &conn->swarm->entry.v1))
        return SEED_PEX_V2;
    return peer->flags & SEED_PEER_V2 ? SEED_PEX_V1 | SEED_PEX_V2 : SEED_PEX_V1;
}

static unsigned char flags_of(const seed_peer *peer)
{
    return peer->complete ? SEED_PEX_IS_SEED : 0;
}

static int may_be_named(const seed_loop *loop, const seed_peer *peer)
{
    if (!peer->extension.port || !peer->ip_length)
        return 0;
    return !loop->config->hide_private || bt_reach_of(peer->ip, peer->ip_length == 16) == BT_REACH_GLOBAL;
}

/* Where it listens. One that did not say a port has an address all the same, which says whom it may be told of. */
static seed_pex_address address_of(const seed_conn *conn)
{
    const seed_peer *peer = &conn->peer;
    seed_pex_address address;

    seed_pex_address_set(&address, peer->ip, peer->ip_length, peer->extension.port, hashes_of(conn));
    return address;
}

static void note(seed_swarm *swarm, const seed_conn *conn, int came)
{
    seed_pex_address address = address_of(conn);

    seed_pex_note(&swarm->journal, swarm->peers, &address, flags_of(&conn->peer), came);
}

void seed_exchange_meet(seed_loop *loop, seed_conn *conn)
{
    seed_peer *peer = &conn->peer;
    seed_pex_peer *pex = &peer->pex;
    int is_back = pex->resume && !pex->next; /* taken over: the others know of it */

    if (!conn->swarm || (!peer->extension.pex && !peer->extension.port))
        return;
    if (!pex->next)
        pex->next = loop->now + (is_back ? loop->limits->pex : loop->limits->pex_first);
    if (is_back)
        pex->told = seed_pex_end(conn->swarm->journal);
    if (pex->named || !may_be_named(loop, peer))
        return;
    pex->named = 1;
    if (!is_back)
        note(conn->swarm, conn, 1);
}

void seed_exchange_part(seed_swarm *swarm, seed_conn *conn)
{
    if (conn->peer.pex.named)
        note(swarm, conn, 0);
    conn->peer.pex.named = 0;
}

/* Adds who is there: the latest of them. */
static void sample(const seed_swarm *swarm, const seed_pex_address *to, seed_pex_news *news)
{
    const seed_conn *mate;
    int left = SAMPLE;

    for (mate = APR_RING_LAST(&swarm->mates); mate != APR_RING_SENTINEL(&swarm->mates, seed_conn, mates) && left-- > 0;
         mate = APR_RING_PREV(mate, mates)) {
        seed_pex_address of = address_of(mate);
        if (mate->peer.pex.named && !seed_pex_add(news, to, &of, flags_of(&mate->peer)))
            return;
    }
}

static void collect(seed_conn *conn, seed_pex_news *news)
{
    seed_pex_peer *pex = &conn->peer.pex;
    seed_pex_address to = address_of(conn);

    memset(news, 0, sizeof *news);
    if (pex->begun)
        pex->told = seed_pex_since(conn->swarm->journal, pex->told, &to, news);
    else
        pex->told = seed_pex_end(conn->swarm->journal);
    if (!pex->begun || pex->resume)
        sample(conn->swarm, &to, news);
    pex->resume = 0;
}

static int is_time(const seed_loop *loop, const seed_conn *conn)
{
    const seed_peer *peer = &conn->peer;
    const seed_pex_peer *pex = &peer->pex;

    return conn->swarm && peer->extension.pex && pex->next && loop->now >= pex->next && !peer->complete &&
           (pex->resume || pex->told != seed_pex_end(conn->swarm->journal)) &&
           peer->out.length - peer->out_sent < SEED_PEX_OUT;
}

void seed_exchange_tick(seed_loop *loop, seed_conn *conn)
{
    seed_peer *peer = &conn->peer;
    seed_pex_news news;
    apr_size_t start;

    if (!is_time(loop, conn))
        return;
    collect(conn, &news);
    if (news.added_count + news.dropped_count == 0)
        return; /* and when there is news, it is told at once */
    peer->pex.begun = 1;
    peer->pex.next = loop->now + loop->limits->pex;
    start = pw_begin_extended(&peer->out, peer->extension.pex);
    seed_pex_write(&peer->out, &news);
    pw_end_extended(&peer->out, start);
    seed_count(&loop->config->counters->pex_sent, 1);
}
