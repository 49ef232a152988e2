/* Seeders that leave, and those that take their place: no peer notices. */
#include "t/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "seeder/mail.h"
#include "t/unit/peer_bytes.h"
#include "t/unit/seed_world.h"

enum { MIB = 1024 * 1024, FAST = PW_BIT_FAST };

static world *w;
static seed_counters *page;
static bt_infohash v1, v2;

static apr_uint64_t now(const apr_uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static int set_up(void **state)
{
    w = world_make();
    page = w->config.counters;
    return 0;
}

static int tear_down(void **state)
{
    world_free(w);
    return 0;
}

static int live_peer(void)
{
    int peer = world_connect(w, 0);

    world_shake(peer, &v1, FAST, 4);
    world_get_unchoked(peer);
    world_ask(peer, 0, 0, 100);
    assert_int_equal(world_take_block(peer, 0, 0), 100);
    return peer;
}

/* The receive buffers are far smaller than what is asked for, so that the first seeder leaves in the middle of blocks. */
static void hand_over_in_the_middle_of_a_block(void)
{
    enum { PEERS = 20, BLOCKS = 120 };
    seed_seeder *old = world_start(w), *new;
    int peers[PEERS];

    for (int p = 0; p < PEERS; p++) {
        peers[p] = world_connect(w, 4096);
        world_shake(peers[p], &v1, p % 2 ? FAST : 0, 256);
        world_get_unchoked(peers[p]);
        for (apr_uint32_t i = 0; i < BLOCKS; i++)
            world_ask(peers[p], (i + (apr_uint32_t)p) % 256, 0, WORLD_PIECE);
        assert_int_equal(world_take_block(peers[p], (apr_uint32_t)p, 0), WORLD_PIECE);
    }
    w->listener = w->config.listeners[0];
    new = world_start(w);
    for (int round = 0; round < 3; round++) {
        world_stop(old, 1);
        old = new;
        world_wait(&page->handovers, (apr_uint64_t)(round + 1) * PEERS);
        world_wait_for(&page->peers, PEERS);
        new = world_start(w);
    }
    for (int p = 0; p < PEERS; p++) {
        for (apr_uint32_t i = 1; i < BLOCKS; i++)
            assert_int_equal(world_take_block(peers[p], (i + (apr_uint32_t)p) % 256, 0), WORLD_PIECE);
        world_ask(peers[p], 255, 65535, 1);
        assert_int_equal(world_take_block(peers[p], 255, 65535), 1);
        close(peers[p]);
    }
    assert_int_equal(now(&page->closed[SEED_CLOSE_SHUTDOWN]), 0);
    world_stop(new, 0);
    world_stop(old, 0);
}

static void a_hand_over_in_the_middle_of_a_block(void **state)
{
    world_file(w, "f", 16 * MIB, TG_V1, &v1, &v2);
    hand_over_in_the_middle_of_a_block();
}

static void a_hand_over_of_a_collection(void **state)
{
    world_collection(w, "many", 64, MIB / 4, &v1, &v2);
    hand_over_in_the_middle_of_a_block();
}

/* More peers than the mailbox holds: the rest follows while the next seeder reads. */
static void a_hand_over_of_many(void **state)
{
    enum { PEERS = 1000 };
    seed_seeder *old, *new;
    static int peers[PEERS];
    int small = 30000;

    setsockopt(w->config.mailbox->write_fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    w->config.max_peers = PEERS + PEERS / 3; /* one torrent does not get every place */
    old = world_start(w);
    world_file(w, "f", 200000, TG_V1, &v1, &v2);
    for (int p = 0; p < PEERS; p++) {
        peers[p] = world_connect(w, 0);
        if (p % 3)
            world_shake(peers[p], &v1, FAST, 4);
    }
    world_wait_for(&page->peers, PEERS);
    new = world_start(w);
    world_stop(old, 1);
    world_wait_for(&page->peers, PEERS);
    for (int p = 0; p < PEERS; p++) {
        if (p % 3 == 0)
            world_shake(peers[p], &v1, FAST, 4);
        if (p % 100 == 0) {
            world_get_unchoked(peers[p]);
            world_download(peers[p], 200000);
        }
    }
    assert_int_equal(now(&page->handovers), PEERS);
    for (int p = 0; p < PEERS; p++)
        close(peers[p]);
    world_stop(new, 0);
}

/* The new generation must first test again who may be seeded: peers wait, none is lost. */
static void a_hand_over_while_permission_is_tested(void **state)
{
    seed_seeder *old = world_start(w), *new;
    int peer;

    w->limits.ask = 1000;
    world_file(w, "f", 200000, TG_V1, &v1, &v2);
    peer = live_peer();
    __atomic_store_n(&w->permit, APR_EAGAIN, __ATOMIC_RELAXED);
    new = world_start(w);
    world_stop(old, 1);
    world_wait_for(&page->peers, 1);
    world_ask(peer, 1, 0, 16384);
    __atomic_store_n(&w->permit, APR_SUCCESS, __ATOMIC_RELAXED);
    assert_int_equal(world_take_block(peer, 1, 0), 16384);
    close(peer);
    world_stop(new, 0);
}

/* Each seeder leaves before it may know what its peers' torrents are: what the first one wrote goes on and on. */
static void hand_overs_while_permission_is_tested(void **state)
{
    enum { ROUNDS = 5 };
    seed_seeder *old = world_start(w), *new;
    int peer;

    w->limits.ask = 1000;
    world_file(w, "f", 200000, TG_V1, &v1, &v2);
    peer = live_peer();
    world_ask(peer, 1, 0, 16384);
    assert_int_equal(world_take_block(peer, 1, 0), 16384);
    __atomic_store_n(&w->permit, APR_EAGAIN, __ATOMIC_RELAXED);
    for (int round = 1; round <= ROUNDS; round++) {
        new = world_start(w);
        world_stop(old, 1);
        world_wait(&page->handovers, (apr_uint64_t)round);
        world_wait_for(&page->peers, 1);
        world_ask(peer, 2, (apr_uint32_t)round, 1000);
        old = new;
    }
    __atomic_store_n(&w->permit, APR_SUCCESS, __ATOMIC_RELAXED);
    for (int round = 1; round <= ROUNDS; round++)
        assert_int_equal(world_take_block(peer, 2, (apr_uint32_t)round), 1000);
    assert_int_equal(now(&page->closed[SEED_CLOSE_SHUTDOWN]), 0);
    close(peer);
    world_stop(old, 0);
}

static void serves(int peer)
{
    world_ask(peer, 1, 0, 16384);
    assert_int_equal(world_take_block(peer, 1, 0), 16384);
}

static void who_retires_serves_until_there_is_an_heir(void **state)
{
    seed_seeder *old, *new;
    int peer;

    w->limits.retire = 60 * APR_USEC_PER_SEC;
    old = world_start(w);
    world_file(w, "f", 200000, TG_V1, &v1, &v2);
    peer = live_peer();
    seed_retire(old);
    world_wait_for(&page->retiring, 1);
    serves(peer);
    assert_int_equal(now(&page->handovers), 0);
    new = world_start(w); /* of the same generation, as when a child has answered enough requests */
    world_wait(&page->handovers, 1);
    world_stop(old, 1);
    serves(peer);
    assert_int_equal(now(&page->retiring), 0);
    seed_retire(new);
    w->config.generation = now(&page->generation) + 1; /* the first of those that come after a restart */
    old = new;
    new = world_start(w);
    world_wait(&page->handovers, 2);
    serves(peer);
    world_stop(old, 1);
    world_stop(new, 0);
    close(peer);
}

static void who_retires_goes_even_without_an_heir(void **state)
{
    seed_seeder *seeder;
    int peer;

    w->limits.retire = 5000;
    seeder = world_start(w);
    world_file(w, "f", 200000, TG_V1, &v1, &v2);
    peer = live_peer();
    seed_retire(seeder);
    world_wait(&page->handovers, 1);
    world_wait_for(&page->seeder_pid, 0);
    world_stop(seeder, 1);
    seeder = world_start(w);
    serves(peer);
    close(peer);
    world_stop(seeder, 0);
}

/* httpd's prefork tells a child of a reload when it has answered its request, which may take hours. */
static void the_seeder_of_an_old_configuration_goes_by_itself(void **state)
{
    seed_seeder *old, *sibling, *new;
    int peer;

    w->limits.lock = 1000;
    w->limits.retire = 60 * APR_USEC_PER_SEC;
    old = world_start(w);
    world_wait_for(&page->seeder_pid, (apr_uint64_t)getpid());
    sibling = world_start(w);
    world_file(w, "f", 200000, TG_V1, &v1, &v2);
    peer = live_peer();
    for (int round = 0; round < 2; round++) { /* with a peer, then idle */
        seed_seeder *before = old;
        w->config.generation = __atomic_add_fetch(&page->generation, 1, __ATOMIC_RELAXED);
        new = world_start(w);
        world_wait_for(&page->seeder_generation, w->config.generation);
        old = new;
        if (round == 0) {
            serves(peer);
            close(peer);
            world_wait_for(&page->peers, 0);
        }
        world_stop(before, 1);
    }
    world_stop(sibling, 1);
    assert_int_equal(now(&page->handovers), 1);
    assert_int_equal(__atomic_load_n(&w->elected, __ATOMIC_RELAXED), 3); /* never the sibling */
    world_stop(old, 0);
}

static void nobody_takes_over(void **state)
{
    seed_seeder *seeder;
    int peer;

    w->limits.handover = 1000;
    seeder = world_start(w);
    world_file(w, "f", 200000, TG_V1, &v1, &v2);
    peer = live_peer();
    world_stop(seeder, 1);
    seeder = world_start(w); /* later, it finds the peer in the mailbox */
    world_ask(peer, 1, 0, 16384);
    assert_int_equal(world_take_block(peer, 1, 0), 16384);
    close(peer);
    world_stop(seeder, 0);
}

static void a_broken_record_closes_that_peer_only(void **state)
{
    seed_seeder *seeder = world_start(w);
    int pair[2], peer;
    char byte;

    world_file(w, "f", 200000, TG_V1, &v1, &v2);
    peer = live_peer();
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    unsigned char message[9] = "BTM1\0\0\0\4x";
    struct iovec part = {message, sizeof message};
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    struct msghdr mail = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    control.align.cmsg_level = SOL_SOCKET;
    control.align.cmsg_type = SCM_RIGHTS;
    control.align.cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(&control.align), &pair[0], sizeof(int));
    assert_int_equal(sendmsg(w->config.mailbox->write_fd, &mail, 0), 9);
    close(pair[0]);
    assert_int_equal(read(pair[1], &byte, 1), 0);
    close(pair[1]);
    world_ask(peer, 1, 0, 16384);
    assert_int_equal(world_take_block(peer, 1, 0), 16384);
    close(peer);
    world_stop(seeder, 0);
}
/* From another build: it is closed, not guessed at. */
static void a_record_of_another_version(void **state)
{
    seed_seeder *seeder = world_start(w);
    unsigned char record[400] = {0, 0, 0, 99, 0, 0, 1, 144};
    int pair[2], peer;
    char byte;

    world_file(w, "f", 200000, TG_V1, &v1, &v2);
    peer = live_peer();
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(seed_post_live(w->config.mailbox, pair[0], record, sizeof record), APR_SUCCESS);
    close(pair[0]);
    assert_int_equal(read(pair[1], &byte, 1), 0);
    close(pair[1]);
    serves(peer);
    assert_int_equal(now(&page->closed[SEED_CLOSE_SHUTDOWN]), 1);
    close(peer);
    world_stop(seeder, 0);
}

/* Who finds no descriptor is closed, the others go on. The last test: the limit is not raised again. */
static void a_seeder_that_lacks_descriptors(void **state)
{
    enum { PEERS = 60, ROOM = 40 };
    seed_seeder *seeder = world_start(w);
    int peers[PEERS], lived = 0, free_one;
    struct rlimit limit;

    world_file(w, "f", 200000, TG_V1, &v1, &v2);
    for (int p = 0; p < PEERS; p++) {
        peers[p] = world_connect(w, 0);
        world_shake(peers[p], &v1, FAST, 4);
        world_get_unchoked(peers[p]);
    }
    world_stop(seeder, 1);
    assert_int_equal(now(&page->handovers), PEERS);
    free_one = dup(0);
    close(free_one);
    limit.rlim_cur = limit.rlim_max = (rlim_t)free_one + ROOM;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    seeder = world_start(w);
    for (int p = 0; p < PEERS; p++) {
        bt_buf bytes;
        unsigned char first[4];
        bt_buf_init(&bytes, 100);
        say_request(&bytes, 1, 0, 16384);
        /* A peer that was closed may notice when it speaks, or when it listens. */
        if (send(peers[p], bytes.data, bytes.length, MSG_NOSIGNAL) == (ssize_t)bytes.length &&
            recv(peers[p], first, sizeof first, MSG_PEEK | MSG_WAITALL) == sizeof first) {
            assert_int_equal(world_take_block(peers[p], 1, 0), 16384);
            lived++;
        }
        bt_buf_free(&bytes);
        close(peers[p]);
    }
    assert_in_range(lived, 1, ROOM);
    world_stop(seeder, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_hand_over_in_the_middle_of_a_block),
        TEST(a_hand_over_of_a_collection),
        TEST(a_hand_over_of_many),
        TEST(a_hand_over_while_permission_is_tested),
        TEST(hand_overs_while_permission_is_tested),
        TEST(who_retires_serves_until_there_is_an_heir),
        TEST(who_retires_goes_even_without_an_heir),
        TEST(the_seeder_of_an_old_configuration_goes_by_itself),
        TEST(nobody_takes_over),
        TEST(a_broken_record_closes_that_peer_only),
        TEST(a_record_of_another_version),
        TEST(a_seeder_that_lacks_descriptors),
    };
    apr_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
