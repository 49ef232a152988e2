#include "seeder/loop.h"

#include <poll.h>
#include <unistd.h>

#include "base/log.h"
#include "seeder/handover.h"
#include "seeder/mail.h"

/* Posts one peer and lets go of it here. @return APR_EAGAIN if the mailbox is full */
static apr_status_t hand_over(seed_loop *loop, seed_conn *conn)
{
    apr_status_t status;
    bt_buf record;

    if (conn->settling) /* its torrent was not found yet: what its record said of it goes on */
        conn->peer.content = &conn->expected;
    bt_buf_init(&record, SEED_RECORD_MAX);
    status = seed_handover_write(&record, &conn->peer);
    if (status == APR_SUCCESS)
        status = seed_post_live(loop->config->mailbox, conn->watch.fd, record.data, record.length);
    bt_buf_free(&record);
    if (status == APR_EAGAIN)
        return status;
    if (status != APR_SUCCESS) {
        bt_log(BT_LOG_INFO, 409, status, "a peer could not be handed over");
        seed_conn_close(loop, conn, SEED_CLOSE_SHUTDOWN);
        return APR_SUCCESS;
    }
    seed_count(&loop->config->counters->handovers, 1);
    seed_conn_release(loop, conn);
    return APR_SUCCESS;
}

int seed_hand_over(seed_loop *loop)
{
    while (!APR_RING_EMPTY(&loop->all, seed_conn, all)) {
        if (hand_over(loop, APR_RING_FIRST(&loop->all)) == APR_EAGAIN)
            break;
    }
    seed_conn_bury(loop);
    return loop->peers;
}

void seed_hand_over_rest(seed_loop *loop)
{
    apr_time_t until = seed_now() + loop->limits->handover, now;

    while (seed_hand_over(loop) > 0 && (now = seed_now()) < until) {
        struct pollfd room = {loop->config->mailbox->write_fd, POLLOUT, 0};
        poll(&room, 1, (int)((until - now) / 1000 + 1));
    }
}

void seed_take_live(seed_loop *loop, int fd, const unsigned char *record, apr_size_t length)
{
    seed_conn *conn = seed_conn_take(loop, fd, 0);

    if (!conn)
        return;
    if (seed_handover_read(record, length, &conn->peer, &conn->expected) != APR_SUCCESS) {
        bt_log(BT_LOG_INFO, 415, APR_EINVAL, "a peer that was handed over could not be understood");
        seed_conn_close(loop, conn, SEED_CLOSE_SHUTDOWN);
        return;
    }
    conn->settling = conn->peer.state != SEED_PEER_HANDSHAKE;
    if (conn->settling ? !seed_settle(loop, conn) : !seed_conn_resume(loop, conn))
        return;
    seed_conn_park(loop, conn);
}
