/* One connection of bench/drain: bytes out, bytes in, and away with them. */
#include "bench/drain.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    TURN = 256 * 1024, /* bytes from one connection before the others have their turn */
    SEND_MAX = 4096,   /* bytes sent at once: requests */
    TRIES = 4          /* of an encrypted handshake */
};

int drain_flowing, drain_lost;
static int events_of_all = -1;

/* --- opening --- */

/* 127.99.0.1 to 127.99.255.250 */
static void bind_own_address(int fd, int number)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    int on = 1;

    from.sin_addr.s_addr = htonl(0x7f630000u + (uint32_t)(number / 250 * 256 + number % 250 + 1));
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&from, sizeof from) != 0)
        drain_die("no address for connection %d: %s", number, strerror(errno));
}

static void open_socket(drain_conn *c)
{
    int on = 1;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd >= 0 && options.many_addresses)
        bind_own_address(c->fd, c->number);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&options.address, sizeof options.address) != 0)
        drain_die("no connection: %s", strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void drain_watch(drain_conn *c)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};

    if (events_of_all < 0)
        events_of_all = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ctl(events_of_all, EPOLL_CTL_ADD, c->fd, &event) != 0)
        drain_die("epoll: %s", strerror(errno));
}

/* Some seeds fail once in a few hundred times: those that forget the zeros that a secret may begin with. */
static void encrypt(drain_conn *c)
{
    int tries;

    for (tries = 1; !drain_encrypt(c); tries++) {
        if (tries == TRIES)
            drain_die("connection %d: no encrypted handshake", c->number);
        close(c->fd);
        open_socket(c);
    }
}

void drain_open(drain_conn *c, int number)
{
    c->number = number;
    open_socket(c);
    if (options.paths) {
        drain_http_ask(c);
    } else { /* each starts somewhere else, at a piece */
        uint64_t pieces = (options.length + options.piece_length - 1) / options.piece_length;
        c->next = pieces * (uint64_t)number / (uint64_t)options.connections * options.piece_length;
        if (options.encrypted)
            encrypt(c);
        drain_peer_greet(c);
    }
    drain_watch(c);
}

/* httpd has closed after its response, as it was asked to. */
static void connect_again(drain_conn *c)
{
    close(c->fd);
    open_socket(c);
    c->ended = 0;
    drain_http_ask(c);
    drain_watch(c);
}

/* The seed has closed: the others go on. */
static void lose(drain_conn *c)
{
    close(c->fd);
    c->fd = -1;
    if (++drain_lost == options.connections)
        drain_die("the seed has closed every connection");
}

/* --- bytes out --- */

static void send_all(const drain_conn *c, const unsigned char *at, size_t length)
{
    while (length) {
        ssize_t n = send(c->fd, at, length, MSG_NOSIGNAL | MSG_DONTWAIT);
        struct pollfd room = {.fd = c->fd, .events = POLLOUT};

        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return; /* reading will tell */
        if (n < 0 && poll(&room, 1, DRAIN_PATIENCE_MS) == 0)
            drain_die("the seed does not read");
        if (n > 0) {
            at += n;
            length -= (size_t)n;
        }
    }
}

void drain_send(drain_conn *c, const void *bytes, size_t length)
{
    unsigned char sealed[SEND_MAX];

    if (!c->keys) {
        send_all(c, bytes, length);
        return;
    }
    if (length > sizeof sealed)
        drain_die("too much to encrypt at once");
    RC4(&c->keys->to_seed, length, bytes, sealed);
    send_all(c, sealed, length);
}

/* --- bytes in --- */

void drain_consume(drain_conn *c, size_t count)
{
    memmove(c->in, c->in + count, c->have - count);
    c->have -= count;
}

void drain_skip(drain_conn *c, uint64_t size, int counts)
{
    size_t here = c->have < size ? c->have : (size_t)size;

    drain_consume(c, here);
    c->skip = size - here;
    c->skip_counts = counts;
    if (counts) {
        c->received += (int64_t)here;
        drain_flowing += !c->flowing;
        c->flowing = 1;
    }
}

/* How many bytes to read into `in`: of messages, never more than the head of a piece, so that payload stays out. */
static size_t wanted(const drain_conn *c)
{
    if (options.paths)
        return sizeof c->in - c->have;
    return (c->greeted ? DRAIN_PIECE_HEADER : DRAIN_HANDSHAKE) - c->have;
}

static ssize_t throw_away(const drain_conn *c, size_t most)
{
    return recv(c->fd, NULL, most, MSG_TRUNC | MSG_DONTWAIT);
}

/* What is encrypted must be decrypted in order, as long as anything of it is looked at. */
static ssize_t decrypt(drain_conn *c, unsigned char *to, size_t most)
{
    ssize_t n = recv(c->fd, to, most, MSG_DONTWAIT);

    if (n > 0 && c->keys)
        RC4(&c->keys->from_seed, (size_t)n, to, to);
    return n;
}

static ssize_t receive(drain_conn *c)
{
    static unsigned char heap[64 * 1024];

    if (c->blind)
        return throw_away(c, TURN);
    if (!c->skip)
        return decrypt(c, c->in + c->have, wanted(c));
    if (c->keys)
        return decrypt(c, heap, c->skip < sizeof heap ? (size_t)c->skip : sizeof heap);
    return throw_away(c, c->skip < TURN ? (size_t)c->skip : TURN);
}

static void take(drain_conn *c, size_t count)
{
    if (c->blind) {
        drain_peer_count(c, count);
    } else if (c->skip) {
        c->skip -= count;
        c->received += c->skip_counts ? (int64_t)count : 0;
    } else {
        c->have += count;
        while (!c->skip && !c->blind && (options.paths ? c->have && drain_http_read(c) : drain_peer_read(c)))
            ;
    }
}

static ssize_t receive_once(drain_conn *c)
{
    ssize_t n = receive(c);

    if (n == 0 && options.closing && c->ended && !c->skip) {
        connect_again(c);
        return -1;
    }
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        lose(c);
        return -1;
    }
    if (n > 0)
        take(c, (size_t)n);
    return n;
}

void drain_readable(drain_conn *c)
{
    ssize_t n, taken = 0;

    while (taken < TURN && (n = receive_once(c)) > 0) {
        taken += n;
        if (!options.paths)
            drain_peer_ask(c);
    }
}

void drain_turn(void)
{
    struct epoll_event events[64];
    int i, count = epoll_wait(events_of_all, events, 64, 100);

    for (i = 0; i < count; i++)
        drain_readable(events[i].data.ptr);
}
