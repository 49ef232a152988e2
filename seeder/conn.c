#include "seeder/opening.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "seeder/answer.h"
#include "seeder/exchange.h"

static struct seed_conns *ring_of(seed_loop *loop, seed_place place)
{
    switch (place) {
    case SEED_RUNNING:
        return &loop->running;
    case SEED_ASKING:
        return &loop->asking;
    case SEED_DEAD:
        return &loop->dead;
    default:
        return NULL;
    }
}

void seed_conn_place(seed_loop *loop, seed_conn *conn, seed_place place)
{
    struct seed_conns *ring = ring_of(loop, place);

    if (conn->place == place)
        return;
    if (conn->place != SEED_NOWHERE)
        APR_RING_REMOVE(conn, here);
    conn->place = place;
    if (ring)
        APR_RING_INSERT_TAIL(ring, conn, seed_conn, here);
}

void seed_conn_line_up(seed_loop *loop, seed_conn *conn, int sending)
{
    seed_line *line = conn->swarm ? &conn->swarm->line : &loop->strangers;

    if (conn->sending == (sending != 0))
        return;
    conn->sending = sending != 0;
    if (sending) {
        loop->sending++;
        APR_RING_INSERT_TAIL(&line->conns, conn, seed_conn, line);
        seed_fair_add(&loop->fair, &line->flow);
        return;
    }
    loop->sending--;
    APR_RING_REMOVE(conn, line);
    if (APR_RING_EMPTY(&line->conns, seed_conn, line))
        seed_fair_remove(&loop->fair, &line->flow);
}

static void refuse(seed_loop *loop, int fd, seed_close_reason reason)
{
    seed_count(&loop->config->counters->closed[reason], 1);
    close(fd);
}

/* @return its length, 0 if it is not known */
static socklen_t name_of(int fd, struct sockaddr_storage *name)
{
    socklen_t length = sizeof *name;

    memset(name, 0, sizeof *name);
    return getpeername(fd, (struct sockaddr *)name, &length) == 0 ? length : 0;
}

/* Counts the peer's address; 0 if it has too many connections. */
static int count_address(seed_loop *loop, seed_address *address, int is_new)
{
    int most = loop->config->max_peers_per_ip, count = seed_addresses_add(loop->addresses, address);

    if (count == 0)
        address->family = 0; /* no memory: what is not counted must not be taken back */
    if (count <= most || most <= 0 || !is_new)
        return 1;
    seed_addresses_remove(loop->addresses, address);
    return 0;
}

static int watch(seed_loop *loop, seed_conn *conn)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = conn};
    int fd = conn->watch.fd, on = 1, flags = fcntl(fd, F_GETFL);

    /* httpd may have a time-out on its socket, which APR then makes non-blocking; do not rely on it. */
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
        return 0;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    seed_bound_unsent(fd, 1);
    return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

seed_conn *seed_conn_take(seed_loop *loop, int fd, int is_new)
{
    struct sockaddr_storage name;
    socklen_t length = name_of(fd, &name);
    seed_address address = seed_address_of((const struct sockaddr *)&name, length);
    seed_conn *conn;

    seed_count(&loop->config->counters->peers_taken, is_new);
    if (is_new && seed_bans_refuses(&loop->config->counters->banned, &address, loop->now)) {
        refuse(loop, fd, SEED_CLOSE_BANNED);
        return NULL;
    }
    if (is_new && loop->peers >= loop->max_peers) {
        refuse(loop, fd, SEED_CLOSE_FULL);
        return NULL;
    }
    if (!count_address(loop, &address, is_new)) {
        refuse(loop, fd, SEED_CLOSE_FULL_ADDRESS);
        return NULL;
    }
    conn = calloc(1, sizeof *conn);
    if (!conn) {
        seed_addresses_remove(loop->addresses, &address);
        refuse(loop, fd, SEED_CLOSE_NO_MEMORY);
        return NULL;
    }
    conn->watch = (seed_watch){SEED_WATCH_PEER, fd};
    conn->address = address;
    seed_peer_init(&conn->peer, loop->limits, loop->now);
    conn->peer.ip_length = seed_address_bytes((const struct sockaddr *)&name, length, conn->peer.ip);
    APR_RING_ELEM_INIT(conn, all);
    APR_RING_ELEM_INIT(conn, here);
    APR_RING_ELEM_INIT(conn, line);
    APR_RING_ELEM_INIT(conn, mates);
    APR_RING_INSERT_TAIL(&loop->all, conn, seed_conn, all);
    loop->peers++;
    if (!watch(loop, conn)) {
        seed_conn_close(loop, conn, SEED_CLOSE_GONE);
        return NULL;
    }
    return conn;
}

/* Whoever breaks rules again and again is refused for a while. */
static void note_malice(seed_loop *loop, const seed_conn *conn, seed_close_reason reason)
{
    const seed_ban_bound *bound = &loop->limits->ban;
    char text[SEED_ADDRESS_TEXT];

    if (!seed_bans_note(&loop->config->counters->banned, &conn->address, bound, loop->now))
        return;
    seed_count(&loop->config->counters->bans, 1);
    bt_log(BT_LOG_INFO, 440, APR_SUCCESS, "%s broke rules %u times, lastly: %s; it is refused for %d minutes",
           seed_address_text(&conn->address, text), (unsigned)bound->faults, seed_close_name(reason),
           (int)(bound->lasts / APR_USEC_PER_SEC / 60));
}

void seed_conn_close(seed_loop *loop, seed_conn *conn, seed_close_reason reason)
{
    if (conn->place == SEED_DEAD)
        return;
    seed_count(&loop->config->counters->closed[reason], 1);
    bt_log(BT_LOG_DEBUG, 410, APR_SUCCESS, "peer closed: %s", seed_close_name(reason));
    if (seed_close_is_malice(reason))
        note_malice(loop, conn, reason);
    seed_conn_release(loop, conn);
}

void seed_conn_release(seed_loop *loop, seed_conn *conn)
{
    loop->peers--;
    seed_addresses_remove(loop->addresses, &conn->address);
    /* Closing alone would leave it in epoll while another copy of the socket is open: httpd's, or the next seeder's. And
     * no shutdown, for it would reach that copy. */
    epoll_ctl(loop->epoll, EPOLL_CTL_DEL, conn->watch.fd, NULL);
    close(conn->watch.fd);
    APR_RING_REMOVE(conn, all);
    seed_conn_place(loop, conn, SEED_DEAD);
    seed_conn_line_up(loop, conn, 0);
    seed_forget_read(loop, conn);
    seed_leave_swarm(loop, conn);
    seed_peer_free(&conn->peer);
}

void seed_conn_bury(seed_loop *loop)
{
    while (!APR_RING_EMPTY(&loop->dead, seed_conn, here)) {
        seed_conn *conn = APR_RING_FIRST(&loop->dead);
        APR_RING_REMOVE(conn, here);
        free(conn);
    }
}

/* Acts on what the peer's state machine says. @return 0 if the connection was closed */
static int obey(seed_loop *loop, seed_conn *conn, seed_verdict verdict)
{
    if (verdict == SEED_PEER_ASK)
        return seed_admit(loop, conn);
    if (verdict == SEED_PEER_CLOSE) {
        seed_conn_close(loop, conn, conn->peer.reason);
        return 0;
    }
    return 1;
}

int seed_conn_input(seed_loop *loop, seed_conn *conn, const unsigned char *bytes, apr_size_t length)
{
    return obey(loop, conn, seed_peer_input(&conn->peer, bytes, length, loop->now));
}

int seed_conn_resume(seed_loop *loop, seed_conn *conn)
{
    return seed_opening_lasts(&conn->peer) ? seed_opening_input(loop, conn, loop->input, 0)
                                           : seed_conn_input(loop, conn, loop->input, 0);
}

/* What came, as it came. */
static int take_input(seed_loop *loop, seed_conn *conn, unsigned char *bytes, apr_size_t length)
{
    if (seed_opening_lasts(&conn->peer))
        return seed_opening_input(loop, conn, bytes, length);
    if (conn->peer.stream)
        seed_opening_decrypt(&conn->peer, bytes, length);
    return seed_conn_input(loop, conn, bytes, length);
}

static int receive(seed_loop *loop, seed_conn *conn)
{
    apr_size_t room = seed_opening_lasts(&conn->peer) ? seed_opening_room(&conn->peer)
                                                      : seed_peer_input_size(&conn->peer, SEED_INPUT_SIZE);
    unsigned before = conn->peer.flags;
    int live = conn->peer.state == SEED_PEER_LIVE;
    ssize_t got = recv(conn->watch.fd, loop->input, room, MSG_DONTWAIT);

    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        conn->readable = 0;
        return 1;
    }
    if (got <= 0) {
        seed_conn_close(loop, conn, SEED_CLOSE_GONE);
        return 0;
    }
    if ((apr_size_t)got < room && !conn->hung_up)
        conn->readable = 0;
    if (!take_input(loop, conn, loop->input, (apr_size_t)got))
        return 0;
    if (!live && conn->peer.state == SEED_PEER_LIVE)
        seed_count(&loop->config->counters->handshakes, 1);
    seed_exchange_meet(loop, conn);
    if (conn->swarm && ((before ^ conn->peer.flags) & SEED_PEER_INTERESTED || live != (conn->peer.state == SEED_PEER_LIVE)))
        seed_swarm_make_due(loop, conn->swarm);
    if (conn->swarm && conn->swarm->spread)
        seed_crowd_feed(loop, conn); /* it may have said that it has what it was shown */
    return 1;
}

void seed_conn_park(seed_loop *loop, seed_conn *conn)
{
    int asking = conn->peer.state == SEED_PEER_ASKING || conn->settling || seed_opening_waits(&conn->peer);

    if (asking)
        seed_conn_place(loop, conn, SEED_ASKING);
    else if ((conn->readable && seed_peer_wants_input(&conn->peer)) || seed_peer_wants_answer(&conn->peer))
        seed_conn_place(loop, conn, SEED_RUNNING);
    else
        seed_conn_place(loop, conn, SEED_NOWHERE);
    seed_conn_line_up(loop, conn, !asking && !conn->thirsty && conn->writable && seed_peer_has_output(&conn->peer));
}

void seed_conn_run(seed_loop *loop, seed_conn *conn)
{
    if (conn->readable && seed_peer_wants_input(&conn->peer) && !receive(loop, conn))
        return;
    while (conn->swarm && seed_peer_wants_answer(&conn->peer)) {
        if (!seed_answer(loop, conn))
            return;
    }
    seed_conn_park(loop, conn);
}
