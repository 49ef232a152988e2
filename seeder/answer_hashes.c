#include "seeder/answer_hashes.h"

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/log.h"
#include "seeder/answer.h"

/* One file of a torrent, with what is needed to read it. */
typedef struct {
    seed_hash_tree tree;
    const bt_stamp *stamp;
    const char *path; /* below the torrent's directory; NULL for a single file */
} file;

/* --- which file --- */

static apr_size_t layer_of(const tg_torrent *torrent, const tg_member *member)
{
    return member->stamp.size > torrent->piece_length
               ? (apr_size_t)tg_piece_count(member->stamp.size, torrent->piece_length) * BT_HASH_V2_SIZE
               : 0;
}

/* Searches on from where the last one was found, for clients ask file by file. @return NULL if there is none */
static const tg_member *find_member(const tg_torrent *torrent, const unsigned char *root, seed_last_asked *at)
{
    apr_size_t left = torrent->member_count;

    if (at->member >= left)
        *at = (seed_last_asked){0, 0};
    for (; left > 0; left--) {
        const tg_member *member = &torrent->members[at->member];
        if (memcmp(member->root, root, BT_HASH_V2_SIZE) == 0)
            return member;
        at->layer += layer_of(torrent, member);
        if (++at->member == torrent->member_count)
            *at = (seed_last_asked){0, 0};
    }
    return NULL;
}

static int find_file(seed_swarm *swarm, const unsigned char *root, file *found)
{
    const tg_torrent *torrent = &swarm->knowledge->torrent;
    const tg_member *member = NULL;
    apr_size_t offset = 0, size;

    if (torrent->member_count) {
        member = find_member(torrent, root, &swarm->last_asked);
        offset = swarm->last_asked.layer;
    } else if (memcmp(torrent->root, root, BT_HASH_V2_SIZE) != 0) {
        return 0;
    }
    if (torrent->member_count && !member)
        return 0;
    found->stamp = member ? &member->stamp : &swarm->entry.stamp;
    found->path = member ? member->path : NULL;
    found->tree = (seed_hash_tree){member ? member->root : torrent->root, member ? member->stamp.size : torrent->length,
                                   torrent->piece_length, NULL};
    if (found->tree.length <= 0)
        return 0;
    size = (apr_size_t)tg_piece_count(found->tree.length, torrent->piece_length) * BT_HASH_V2_SIZE;
    if (found->tree.length > (apr_int64_t)torrent->piece_length) {
        if (!torrent->layer || offset > torrent->layer_length || size > torrent->layer_length - offset)
            return 0;
        found->tree.layer = torrent->layer + offset;
    }
    return 1;
}

/* --- what it takes --- */

static seed_leaves *store_of(seed_loop *loop)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &loop->leaves_watch};

    if (loop->leaves || seed_leaves_open(&loop->leaves) != APR_SUCCESS)
        return loop->leaves;
    loop->leaves_watch = (seed_watch){SEED_WATCH_LEAVES, seed_leaves_event(loop->leaves)};
    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->leaves_watch.fd, &event) != 0) {
        seed_leaves_close(loop->leaves);
        loop->leaves = NULL;
    }
    return loop->leaves;
}

static apr_status_t get_leaves(seed_loop *loop, const seed_swarm *swarm, const file *of, const seed_hash_plan *plan,
                               const unsigned char **leaves)
{
    char path[APR_PATH_MAX];
    int length = snprintf(path, sizeof path, "%s%s", swarm->entry.path, of->path ? of->path : "");

    if (length < 0 || (apr_size_t)length >= sizeof path)
        return APR_ENAMETOOLONG;
    return seed_leaves_get(loop->leaves, &of->tree, plan, path, of->stamp, loop->now, leaves);
}

static apr_status_t write_answer(seed_loop *loop, seed_conn *conn, const unsigned char *body, const file *of,
                                 const seed_hash_plan *plan)
{
    const unsigned char *leaves = NULL, *crown = NULL;
    apr_status_t status = store_of(loop) ? APR_SUCCESS : APR_ENOMEM;

    if (status == APR_SUCCESS && plan->crown)
        status = seed_leaves_crown(loop->leaves, &of->tree, loop->now, &crown);
    if (status == APR_SUCCESS && plan->leaves)
        status = get_leaves(loop, conn->swarm, of, plan, &leaves);
    if (status == APR_SUCCESS)
        seed_count(&loop->config->counters->hashes_sent, 1);
    if (status == APR_SUCCESS)
        status = seed_hashes_write(&conn->peer.out, seed_leaves_nodes(loop->leaves), &of->tree, body, plan, leaves, crown);
    return status;
}

/* What must be read or computed costs by its size, once. @return 0 if that was too much */
static int pay(seed_loop *loop, seed_conn *conn, apr_uint32_t size, apr_uint32_t size_of_a_unit)
{
    apr_uint32_t units = (size + size_of_a_unit - 1) / size_of_a_unit;

    if (seed_rules_spend_many(&conn->peer.rules, SEED_RULE_HASHES, units, loop->now))
        return 1;
    seed_conn_close(loop, conn, seed_rule_reason(SEED_RULE_HASHES));
    return 0;
}

seed_answered seed_answer_hashes(seed_loop *loop, seed_conn *conn, const unsigned char *body, int again)
{
    enum { BLOCKS_OF_A_UNIT = 64 * 1024 / TG_BLOCK, HASHES_OF_A_UNIT = 64 };
    apr_status_t status = APR_NOTFOUND;
    seed_hash_request request;
    seed_hash_plan plan;
    file of;

    if (!seed_check_fresh(loop, conn->swarm))
        return SEED_CLOSED;
    seed_hash_request_read(body, &request);
    if (seed_know(loop, conn->swarm) == APR_SUCCESS && find_file(conn->swarm, request.root, &of) &&
        seed_hashes_plan(&of.tree, &request, &plan)) {
        if (!again && !pay(loop, conn, plan.computed, HASHES_OF_A_UNIT))
            return SEED_CLOSED;
        status = write_answer(loop, conn, body, &of, &plan);
    }
    if (status == APR_EAGAIN)
        return again || pay(loop, conn, plan.leaves, BLOCKS_OF_A_UNIT) ? SEED_WAITS : SEED_CLOSED;
    if (status != APR_SUCCESS) {
        bt_log(BT_LOG_DEBUG, 432, status, "a hash request for %s was rejected", conn->swarm->entry.path);
        pw_add_hash_reject(&conn->peer.out, body);
    }
    return SEED_ANSWERED;
}

void seed_leaves_ready(seed_loop *loop)
{
    seed_conn *conn;

    seed_leaves_heard(loop->leaves);
    APR_RING_FOREACH(conn, &loop->all, seed_conn, all)
    {
        if (!conn->peer.asks.waiting)
            continue;
        conn->peer.asks.waiting = 0;
        seed_conn_park(loop, conn);
    }
}
