/* A torrent with many peers and one with one peer share a limited rate alike; so do the peers of one torrent. And what a
 * slow peer may keep to itself. */
#include "t/unit/unit.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "t/unit/peer_bytes.h"
#include "t/unit/seed_world.h"

enum { PIECES = 16, CROWD = 60, AHEAD = 40, RATE = 16 << 20, BLOCK = 16384 + PW_PIECE_HEADER };

typedef struct {
    int fd;
    apr_uint64_t got, asked; /* bytes; blocks */
} greedy;

static world *w;
static greedy peers[CROWD + 1];

static void ask_ahead(greedy *peer)
{
    bt_buf bytes;

    bt_buf_init(&bytes, 100000);
    for (; peer->asked < peer->got / BLOCK + AHEAD; peer->asked++)
        say_request(&bytes, (apr_uint32_t)(peer->asked / 4 % PIECES), (apr_uint32_t)(peer->asked % 4 * 16384), 16384);
    if (bytes.length)
        world_send(peer->fd, &bytes);
}

static void join(greedy *peer, const bt_infohash *hash)
{
    *peer = (greedy){world_connect(w, 0), 0, 0};
    world_shake(peer->fd, hash, PW_BIT_FAST, PIECES);
    world_get_unchoked(peer->fd);
}

static apr_uint64_t sum(int first, int last)
{
    apr_uint64_t total = 0;

    for (int i = first; i <= last; i++)
        total += peers[i].got;
    return total;
}

/* Takes whatever comes until so many bytes have come for everybody together. */
static void take_until(apr_uint64_t total)
{
    static unsigned char bytes[1 << 20];
    struct pollfd wait[CROWD + 1];

    while (sum(0, CROWD) < total) {
        for (int i = 0; i <= CROWD; i++)
            wait[i] = (struct pollfd){.fd = peers[i].fd, .events = POLLIN};
        assert_true(poll(wait, CROWD + 1, 10000) > 0);
        for (int i = 0; i <= CROWD; i++) {
            ssize_t n = wait[i].revents ? recv(peers[i].fd, bytes, sizeof bytes, MSG_DONTWAIT) : 0;
            if (wait[i].revents)
                assert_true(n > 0);
            peers[i].got += (apr_uint64_t)n;
            ask_ahead(&peers[i]);
        }
    }
}

static void one_against_a_crowd(void **state)
{
    bt_infohash popular, other, v2;
    apr_uint64_t lone, crowd;
    greedy before[CROWD + 1];
    seed_seeder *seeder;

    w = world_make();
    w->config.upload_rate = RATE;
    w->config.upload_slots = CROWD;
    world_file(w, "popular", PIECES * WORLD_PIECE, TG_HYBRID, &popular, &v2);
    world_file(w, "other", PIECES * WORLD_PIECE, TG_HYBRID, &other, &v2);
    seeder = world_start(w);
    for (int i = 0; i < CROWD; i++)
        join(&peers[i], &popular);
    join(&peers[CROWD], &other);
    for (int i = 0; i <= CROWD; i++)
        ask_ahead(&peers[i]);
    take_until(RATE / 4); /* what was saved up goes to whoever was first */
    memcpy(before, peers, sizeof before);
    crowd = sum(0, CROWD - 1);
    take_until(RATE);
    lone = peers[CROWD].got - before[CROWD].got;
    crowd = sum(0, CROWD - 1) - crowd;
    assert_in_range(lone * 100 / (lone + crowd), 40, 60);
    for (int i = 0; i < CROWD; i++) /* and nobody of the crowd was left out */
        assert_in_range((peers[i].got - before[i].got) * CROWD * 100 / crowd, 30, 300);
    for (int i = 0; i <= CROWD; i++)
        close(peers[i].fd);
    world_stop(seeder, 0);
    world_free(w);
}

/* --- what a slow peer may keep in the kernel --- */

/* The seed's end of a connection, which is in this very process. */
static int other_end(int peer)
{
    struct sockaddr_in own, theirs;
    socklen_t length = sizeof own;

    assert_int_equal(getsockname(peer, (struct sockaddr *)&own, &length), 0);
    for (int fd = 0; fd < 1000; fd++) {
        length = sizeof theirs;
        if (getpeername(fd, (struct sockaddr *)&theirs, &length) == 0 && theirs.sin_family == AF_INET && theirs.sin_port == own.sin_port)
            return fd;
    }
    fail_msg("no other end");
    return -1;
}

static int keeps(int fd)
{
    int bytes = 0;
    socklen_t length = sizeof bytes;

    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, &length), 0);
    return bytes;
}

/* Bytes that the seed has given to the kernel, and the kernel not to the peer. */
static int waits(int fd)
{
    int bytes = 0;

    assert_int_equal(ioctl(fd, SIOCOUTQNSD, &bytes), 0);
    return bytes;
}

static void the_socket_of_a_slow_peer(void **state)
{
    bt_infohash hash, v2;
    seed_seeder *seeder;
    greedy quick, slow;

    w = world_make();
    world_file(w, "file", PIECES * WORLD_PIECE, TG_HYBRID, &hash, &v2);
    seeder = world_start(w);
    join(&quick, &hash);
    join(&slow, &hash);
    for (apr_uint32_t i = 0; i < 1500; i++) /* 24 MB: more than any socket keeps */
        world_ask(slow.fd, i % PIECES, 0, 16384);
    for (int i = 0; i < 10000 && keeps(other_end(quick.fd)) != -1; i++)
        world_download(quick.fd, PIECES * WORLD_PIECE);
    assert_int_equal(keeps(other_end(quick.fd)), -1);
    assert_int_equal(keeps(other_end(slow.fd)), 256 * 1024);
    assert_in_range(waits(other_end(slow.fd)), 1, 1024 * 1024);
    for (apr_uint32_t i = 0; i < 1500; i++) /* and it gets all it asked for */
        assert_int_equal(world_take_block(slow.fd, i % PIECES, 0), 16384);
    close(slow.fd);
    close(quick.fd);
    world_stop(seeder, 0);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_against_a_crowd), cmocka_unit_test(the_socket_of_a_slow_peer)};

    apr_initialize();
    return cmocka_run_group_tests_name("sharing", tests, NULL, NULL);
}
