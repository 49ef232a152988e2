/* Who is sent what now: swarms by turns of equal size, their peers one after the other. */
#include "seeder/loop.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/log.h"
#include "seeder/send.h"

static void count_sent(seed_loop *loop, seed_conn *conn, const seed_sent *sent)
{
    seed_counters *counters = loop->config->counters;

    seed_rate_spend(&loop->rate, sent->bytes);
    if (sent->payload)
        seed_count(&counters->bytes_sent, (apr_int64_t)sent->payload);
    if (sent->blocks)
        seed_count(&counters->blocks_sent, sent->blocks);
    if (conn->peer.rejects)
        seed_count(&counters->rejects_sent, conn->peer.rejects);
    conn->peer.rejects = 0;
}

/* A block could not be read. For want of descriptors, this peer goes; else nobody gets more of an unreadable file. */
static void on_file_failure(seed_loop *loop, seed_conn *conn)
{
    seed_swarm *swarm = conn->swarm;
    apr_status_t status = errno;

    if (seed_source_shortage(swarm->source) != APR_SUCCESS) {
        bt_log(BT_LOG_WARNING, 431, seed_source_shortage(swarm->source), "a file of %s could not be opened for now",
               swarm->entry.path);
        seed_conn_close(loop, conn, SEED_CLOSE_READ_ERROR);
    } else if (seed_check_fresh_now(loop, swarm)) {
        bt_log(BT_LOG_WARNING, 414, status, "%s could not be sent", seed_source_culprit(swarm->source));
        cat_withdraw_stale(loop->config->catalog, swarm->entry.path, &swarm->entry.stamp);
        seed_dissolve(loop, swarm, SEED_CLOSE_READ_ERROR);
    }
}

/* --- what sockets keep --- */

/* A socket takes up to 4 MiB for a slow peer, in the kernel's memory, which go out even after it was choked; so it keeps no more
 * than a quarter of one. Who takes 1 MiB in a second fares better with a large buffer, by fewer turns (bench/seed). */
enum { UNSENT = 256 * 1024, FAST = 1024 * 1024 };

void seed_bound_unsent(int socket, int bounded)
{
    int bytes = bounded ? UNSENT : -1;

    setsockopt(socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof bytes);
}

static void note_speed(const seed_loop *loop, seed_conn *conn, apr_size_t bytes)
{
    if (conn->fast)
        return;
    if (loop->now - conn->spurt_began >= APR_USEC_PER_SEC) {
        conn->spurt_began = loop->now;
        conn->spurt = 0;
    }
    conn->spurt += (apr_uint32_t)bytes;
    if (conn->spurt < FAST)
        return;
    conn->fast = 1;
    seed_bound_unsent(conn->watch.fd, 0);
}

/* --- waiting for a disk --- */

static void stop_waiting(seed_loop *loop, seed_conn *conn)
{
    if (!conn->reading)
        APR_RING_REMOVE(conn, thirst);
    conn->reading = NULL;
    conn->thirsty = 0;
    loop->reading--;
}

/* Who stands first in line tries again. */
static void call_thirsty(seed_loop *loop)
{
    int room = seed_reader_room(loop->reader);

    while (room-- > 0 && !APR_RING_EMPTY(&loop->thirsty, seed_conn, thirst)) {
        seed_conn *conn = APR_RING_FIRST(&loop->thirsty);
        stop_waiting(loop, conn);
        seed_conn_park(loop, conn);
    }
}

void seed_forget_read(seed_loop *loop, seed_conn *conn)
{
    if (!conn->thirsty)
        return;
    if (conn->reading)
        seed_reader_abandon(loop->reader, conn->reading);
    stop_waiting(loop, conn);
    call_thirsty(loop);
}

/* What was read counts for so long: if it has left the page cache by then, it is read again. */
static void note_fetched(seed_loop *loop, seed_conn *conn)
{
    conn->fetched.until = loop->now + loop->limits->fetched;
}

/* Has what a peer waits for read on a thread that may wait. While too much is being read, it stands in line; where no read
 * can be begun at all, the loop waits. */
static void begin_read(seed_loop *loop, seed_conn *conn, apr_int64_t cold)
{
    seed_segment run;
    apr_status_t status;

    if (seed_source_at(conn->swarm->source, cold, seed_send_wants(&conn->peer, cold), loop->now, &run) != APR_SUCCESS ||
        run.file < 0)
        return; /* the next try to send says why */
    conn->fetched.from = cold;
    conn->fetched.to = cold + (apr_int64_t)run.length;
    status = seed_reader_begin(loop->reader, run.file, run.offset, run.length, conn, &conn->reading);
    if (status == APR_ENOMEM) {
        note_fetched(loop, conn);
        return;
    }
    conn->thirsty = 1;
    loop->reading++;
    if (status == APR_SUCCESS)
        seed_count(&loop->config->counters->reads, 1);
    else
        APR_RING_INSERT_TAIL(&loop->thirsty, conn, seed_conn, thirst);
}

void seed_take_read(seed_loop *loop)
{
    apr_status_t status;
    seed_conn *conn;

    while ((conn = seed_reader_finished(loop->reader, &status))) {
        stop_waiting(loop, conn);
        note_fetched(loop, conn);
        if (status == APR_SUCCESS) {
            seed_conn_park(loop, conn);
        } else {
            errno = status;
            on_file_failure(loop, conn);
        }
    }
    call_thirsty(loop);
}

/* --- sending --- */

/* Sends to one peer. @return 0 if it was closed, and perhaps its swarm with it */
static int transmit(seed_loop *loop, seed_conn *conn, seed_flow *flow, apr_size_t allowed)
{
    seed_swarm *swarm = conn->swarm;
    seed_send_result result;
    seed_sent sent;

    if (seed_peer_check_output(&conn->peer) == SEED_PEER_CLOSE) { /* before half of a message goes out */
        seed_conn_close(loop, conn, conn->peer.reason);
        return 0;
    }
    if (swarm && !seed_check_fresh(loop, swarm))
        return 0;
    if (swarm)
        seed_swarm_note_use(loop, swarm);
    result = seed_send(&conn->peer, conn->watch.fd, swarm ? swarm->source : NULL, &conn->fetched, loop->output,
                       allowed, loop->now, &sent);
    count_sent(loop, conn, &sent);
    seed_fair_spend(&loop->fair, flow, sent.bytes);
    note_speed(loop, conn, sent.bytes);
    if (result == SEED_SEND_BLOCKED)
        conn->writable = 0;
    if (result == SEED_SEND_GONE)
        seed_conn_close(loop, conn, SEED_CLOSE_GONE);
    if (result == SEED_SEND_COLD)
        begin_read(loop, conn, sent.cold);
    if (result == SEED_SEND_FILE)
        on_file_failure(loop, conn);
    else if (result != SEED_SEND_GONE)
        seed_crowd_sent(loop, conn, sent.payload);
    return result != SEED_SEND_GONE && result != SEED_SEND_FILE;
}

/* Bytes that one peer gets at once: under a rate limit so few that each has several turns in a second. */
static apr_size_t slice(const seed_loop *loop)
{
    enum { TURNS = 8, SMALLEST = PW_PIECE_HEADER + 16 * 1024 };
    apr_int64_t part = loop->sending > 0 ? loop->rate.rate / TURNS / loop->sending : 0;

    if (loop->rate.rate == 0 || part >= (apr_int64_t)loop->limits->quantum)
        return loop->limits->quantum;
    return part > SMALLEST ? (apr_size_t)part : SMALLEST;
}

/* One peer of the swarm whose turn it is. @return 0 if there is none, or the rate is used up */
static int serve_next(seed_loop *loop, apr_size_t most)
{
    seed_line *line = (seed_line *)seed_fair_next(&loop->fair);
    apr_size_t allowed = line ? seed_rate_allow(&loop->rate, most, loop->now) : 0;
    seed_conn *conn;

    if (allowed == 0)
        return 0;
    conn = APR_RING_FIRST(&line->conns);
    APR_RING_REMOVE(conn, line); /* to the end */
    APR_RING_INSERT_TAIL(&line->conns, conn, seed_conn, line);
    if (transmit(loop, conn, &line->flow, allowed))
        seed_conn_park(loop, conn);
    return 1;
}

void seed_transmit(seed_loop *loop)
{
    apr_size_t most = slice(loop);
    int left = loop->sending;

    loop->fair.quantum = (apr_int64_t)most;
    while (left-- > 0 && serve_next(loop, most))
        ;
}
