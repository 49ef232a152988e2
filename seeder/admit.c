#include "seeder/answer.h"

#include <string.h>

#include "base/log.h"
#include "seeder/exchange.h"

enum { SAME_HASH_MAX = 32 }; /* files with the same content that are tried in one look-up */

void seed_swarm_make_due(seed_loop *loop, seed_swarm *swarm)
{
    if (swarm->is_due)
        return;
    swarm->is_due = 1;
    APR_RING_INSERT_TAIL(&loop->due, swarm, seed_swarm, due);
}

void seed_swarm_note_use(seed_loop *loop, seed_swarm *swarm)
{
    swarm->used = loop->now;
    if (swarm->is_active)
        return;
    swarm->is_active = 1;
    APR_RING_INSERT_TAIL(&loop->active, swarm, seed_swarm, active);
}

void seed_swarm_note_rest(seed_swarm *swarm)
{
    APR_RING_REMOVE(swarm, active);
    swarm->is_active = 0;
}

void seed_join_swarm(seed_loop *loop, seed_conn *conn, seed_swarm *swarm)
{
    seed_conn_line_up(loop, conn, 0); /* its line is another one now */
    conn->swarm = swarm;
    swarm->loop = loop;
    swarm->peers++;
    seed_swarm_note_use(loop, swarm);
    APR_RING_INSERT_TAIL(&swarm->mates, conn, seed_conn, mates);
}

/* A swarm without peers is not kept. */
static void drop_if_empty(seed_loop *loop, seed_swarm *swarm)
{
    if (swarm->peers)
        return;
    if (swarm->is_due)
        APR_RING_REMOVE(swarm, due);
    if (swarm->is_active)
        seed_swarm_note_rest(swarm);
    APR_RING_REMOVE(swarm, all);
    apr_hash_set(loop->swarms, swarm->entry.path, APR_HASH_KEY_STRING, NULL);
    seed_knowledge_drop(&loop->library, &swarm->knowledge);
    seed_swarm_close(swarm);
}

void seed_leave_swarm(seed_loop *loop, seed_conn *conn)
{
    seed_swarm *swarm = conn->swarm;

    if (!swarm)
        return;
    seed_crowd_leave(conn);
    seed_exchange_part(swarm, conn);
    conn->swarm = NULL;
    APR_RING_REMOVE(conn, mates);
    swarm->peers--;
    if (conn->peer.flags & SEED_PEER_UNCHOKED)
        seed_swarm_make_due(loop, swarm);
    drop_if_empty(loop, swarm);
}

void seed_dissolve(seed_loop *loop, seed_swarm *swarm, seed_close_reason reason)
{
    int left = swarm->peers;

    while (left-- > 0) /* the last one takes the swarm with it */
        seed_conn_close(loop, APR_RING_FIRST(&swarm->mates), reason);
}

/* Takes a torrent back, unless another one has taken its place already. */
static void withdraw(seed_loop *loop, const cat_entry *entry)
{
    cat_withdraw_stale(loop->config->catalog, entry->path, &entry->stamp);
}

/* @return `fresh` */
static int keep_if(seed_loop *loop, seed_swarm *swarm, int fresh)
{
    if (fresh)
        return 1;
    if (seed_entry_is_collection(&swarm->entry))
        bt_log(BT_LOG_INFO, 430, APR_SUCCESS, "%s has changed: the torrent of %s is withdrawn",
               seed_source_culprit(swarm->source), swarm->entry.path);
    else
        bt_log(BT_LOG_INFO, 406, APR_SUCCESS, "%s has changed: its torrent is withdrawn", swarm->entry.path);
    withdraw(loop, &swarm->entry);
    seed_dissolve(loop, swarm, SEED_CLOSE_WITHDRAWN);
    return 0;
}

int seed_check_fresh(seed_loop *loop, seed_swarm *swarm)
{
    return keep_if(loop, swarm, seed_source_fresh(swarm->source, loop->now));
}

int seed_check_fresh_now(seed_loop *loop, seed_swarm *swarm)
{
    return keep_if(loop, swarm, seed_source_fresh_now(swarm->source, loop->now));
}

int seed_check_fresh_by_turns(seed_loop *loop, seed_swarm *swarm)
{
    return keep_if(loop, swarm, seed_source_sweep(swarm->source, loop->now));
}

/* The swarm that is there already for an entry; one of an older version is dissolved. */
static seed_swarm *existing(seed_loop *loop, const cat_entry *entry)
{
    seed_swarm *swarm = apr_hash_get(loop->swarms, entry->path, APR_HASH_KEY_STRING);

    if (swarm && !seed_swarm_is_of(swarm, entry)) {
        seed_dissolve(loop, swarm, SEED_CLOSE_WITHDRAWN);
        return NULL;
    }
    return swarm && seed_check_fresh(loop, swarm) ? swarm : NULL;
}

/* May this entry be seeded, and is its file the one that was hashed? */
static apr_status_t open_swarm(seed_loop *loop, const cat_entry *entry, seed_swarm **swarm)
{
    apr_status_t status = loop->config->permit(loop->config->baton, entry);

    if (status != APR_SUCCESS)
        return APR_STATUS_IS_EAGAIN(status) ? APR_EAGAIN : APR_NOTFOUND;
    *swarm = existing(loop, entry);
    if (*swarm)
        return APR_SUCCESS;
    status = seed_swarm_open(swarm, loop->config->catalog, entry, loop->files, loop->limits->freshness, loop->now,
                             loop->scratch);
    if (status == APR_SUCCESS) {
        apr_hash_set(loop->swarms, (*swarm)->entry.path, APR_HASH_KEY_STRING, *swarm);
        APR_RING_INSERT_TAIL(&loop->known, *swarm, seed_swarm, all);
        return APR_SUCCESS;
    }
    *swarm = NULL;
    if (status == APR_ENOMEM) {
        bt_log(BT_LOG_WARNING, 411, status, "%s could not be read", entry->path);
        return APR_NOTFOUND;
    }
    withdraw(loop, entry);
    return APR_EBUSY;
}

apr_status_t seed_find_swarm(seed_loop *loop, const bt_infohash *hash, seed_swarm **swarm)
{
    apr_status_t status = APR_SUCCESS, best = APR_NOTFOUND;
    int nth, i;

    *swarm = NULL;
    for (i = nth = 0; i < SAME_HASH_MAX && !*swarm; i++) {
        cat_entry entry;

        apr_pool_clear(loop->scratch);
        status = cat_find_hash(loop->config->catalog, hash, nth, loop->scratch, &entry);
        if (status == APR_SUCCESS) {
            apr_status_t tried = entry.published ? open_swarm(loop, &entry, swarm) : APR_NOTFOUND;
            if (tried == APR_EAGAIN || (tried == APR_EBUSY && best == APR_NOTFOUND))
                best = tried;
            nth += tried != APR_EBUSY; /* a withdrawn one is no longer counted */
        }
        if (status != APR_SUCCESS)
            break;
    }
    return *swarm ? APR_SUCCESS : best;
}

/* The fuller the house, the less of it one torrent may have: a popular one leaves a fifth of all places free when it is
 * alone, and two leave a ninth. Who is there already stays. */
static int has_its_share(const seed_loop *loop, const seed_swarm *swarm)
{
    int free = loop->max_peers - loop->peers + 1; /* the newcomer has a place already */

    return swarm->peers > loop->limits->swarm_share * (free > 0 ? free : 0);
}

int seed_admit(seed_loop *loop, seed_conn *conn)
{
    seed_verdict verdict;
    seed_swarm *swarm;
    apr_status_t status = seed_find_swarm(loop, &conn->peer.theirs.hash, &swarm);

    if (status == APR_EAGAIN)
        return 1; /* parked with those who wait for an answer */
    if (status != APR_SUCCESS) {
        seed_conn_close(loop, conn, status == APR_EBUSY ? SEED_CLOSE_WITHDRAWN : SEED_CLOSE_UNKNOWN_HASH);
        return 0;
    }
    if (has_its_share(loop, swarm)) {
        seed_conn_close(loop, conn, SEED_CLOSE_FULL_SWARM);
        return 0;
    }
    seed_join_swarm(loop, conn, swarm);
    verdict = seed_peer_admit(&conn->peer, seed_answer_content(loop, swarm, &conn->peer.theirs.hash), loop->own_id,
                              seed_crowd_first(loop, swarm), loop->now);
    if (verdict == SEED_PEER_CLOSE) {
        seed_conn_close(loop, conn, conn->peer.reason);
        return 0;
    }
    seed_crowd_join(loop, conn);
    return 1;
}

int seed_settle(seed_loop *loop, seed_conn *conn)
{
    seed_swarm *swarm;
    apr_status_t status = seed_find_swarm(loop, &conn->peer.theirs.hash, &swarm);

    if (status == APR_EAGAIN)
        return 1;
    if (status == APR_SUCCESS) {
        seed_join_swarm(loop, conn, swarm);
        conn->peer.content = seed_answer_content(loop, swarm, &conn->peer.theirs.hash);
        conn->settling = 0;
    }
    if (status != APR_SUCCESS || conn->expected.length != conn->peer.content->length ||
        conn->expected.piece_length != conn->peer.content->piece_length) {
        seed_conn_close(loop, conn, SEED_CLOSE_WITHDRAWN);
        return 0;
    }
    seed_crowd_resume(loop, conn);
    seed_exchange_meet(loop, conn);
    seed_swarm_make_due(loop, swarm);
    return seed_conn_resume(loop, conn);
}
