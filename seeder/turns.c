/* Who is served: the choker and its connections. */
#include "seeder/loop.h"

#include <stdlib.h>

enum { MERIT_UNKNOWN = 50 };

/* In a crowd a peer that was shown nothing yet cannot say that it is interested. Once it was shown something that it does not
 * have, it says so soon, or does not care: see seed_crowd_choked. */
static int wants(const seed_loop *loop, const seed_conn *conn)
{
    enum { SOON = 2 * APR_USEC_PER_SEC };
    const seed_peer *peer = &conn->peer;

    return peer->flags & SEED_PEER_INTERESTED ||
           (seed_crowd_is_hungry(conn) && (!conn->share.waiting ||
                                           (peer->flags & SEED_PEER_UNCHOKED && loop->now - peer->since < SOON)));
}

/* It has a place and makes nothing of it: a snub, or a client that waits for others. */
static int is_idle(const seed_loop *loop, const seed_peer *peer)
{
    enum { PATIENCE = 3 * APR_USEC_PER_SEC };
    apr_time_t since = peer->spoken > peer->since ? peer->spoken : peer->since;

    return peer->flags & SEED_PEER_UNCHOKED && !seed_peer_has_output(peer) && loop->now - since > PATIENCE;
}

/* Gathers the peers of a swarm that the choker may consider. */
static int gather(const seed_loop *loop, seed_swarm *swarm, seed_candidate *candidates)
{
    seed_conn *conn;
    int count = 0;

    APR_RING_FOREACH(conn, &swarm->mates, seed_conn, mates)
    {
        const seed_peer *peer = &conn->peer;
        int is_wanting = wants(loop, conn);

        if (peer->state != SEED_PEER_LIVE || !(is_wanting || peer->flags & SEED_PEER_UNCHOKED))
            continue;
        candidates[count].peer = conn;
        candidates[count].since = peer->since;
        candidates[count].turns = peer->turns;
        candidates[count].interested = is_wanting && seed_crowd_may_serve(loop, conn);
        candidates[count].idle = is_idle(loop, peer);
        candidates[count].merit = conn->share.id ? seed_share_merit(&conn->share) : MERIT_UNKNOWN;
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
    count = gather(loop, swarm, candidates);
    seed_choker_decide(candidates, count, loop->slots, loop->now, loop->limits->turn);
    for (i = 0; i < count; i++) {
        seed_conn *conn = candidates[i].peer;
        if (candidates[i].serve == candidates[i].unchoked)
            continue;
        if (candidates[i].serve) {
            seed_peer_unchoke(&conn->peer, loop->now);
            seed_crowd_feed(loop, conn);
        } else {
            seed_peer_choke(&conn->peer, loop->now);
            seed_crowd_choked(conn);
        }
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
