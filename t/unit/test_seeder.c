/* A real seeder over a real catalogue and loopback sockets. */
#include "t/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <apr_strings.h>

#include "seeder/seeder.h"
#include "t/unit/mse_client.h"
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

static void expect_closed(int peer, seed_close_reason reason)
{
    world_expect_closed(peer);
    world_wait(&page->closed[reason], 1);
}

static void downloads(void **state)
{
    seed_seeder *seeder = world_start(w);
    int peer;

    world_file(w, "hybrid", 3 * MIB + 12345, TG_HYBRID, &v1, &v2);
    for (unsigned reserved = 0; reserved <= FAST; reserved += FAST) {
        for (int by_v2 = 0; by_v2 <= 1; by_v2++) {
            peer = world_connect(w, 0);
            world_shake(peer, by_v2 ? &v2 : &v1, reserved, 49);
            world_get_unchoked(peer);
            world_download(peer, 3 * MIB + 12345);
            close(peer);
        }
    }
    world_wait(&page->closed[SEED_CLOSE_GONE], 4);
    assert_int_equal(now(&page->bytes_sent), 4 * (3 * MIB + 12345));
    assert_int_equal(now(&page->handshakes), 4);
    world_wait_for(&page->peers, 0);
    world_wait_for(&page->swarms, 0);
    assert_int_equal(now(&page->seeder_pid), getpid());
    assert_int_equal(w->elected, 1);
    world_file(w, "two", 100000, TG_V2, &v1, &v2);
    peer = world_connect(w, 0);
    world_shake(peer, &v2, FAST | PW_BIT_V2, 2);
    world_get_unchoked(peer);
    world_download(peer, 100000);
    world_stop(seeder, 0);
    expect_closed(peer, SEED_CLOSE_SHUTDOWN);
    assert_int_equal(now(&page->seeder_pid), 0);
}

static void sizes_around_a_piece(void **state)
{
    static const apr_uint64_t sizes[] = {1, TG_BLOCK, WORLD_PIECE - 1, WORLD_PIECE, WORLD_PIECE + 1};
    seed_seeder *seeder = world_start(w);

    for (int i = 0; i < 5; i++) {
        char name[20];
        int peer = world_connect(w, 0);
        snprintf(name, sizeof name, "f%d", i);
        world_file(w, name, sizes[i], TG_V1, &v1, &v2);
        world_shake(peer, &v1, 0, sizes[i] > WORLD_PIECE ? 2 : 1);
        world_get_unchoked(peer);
        world_download(peer, sizes[i]);
        close(peer);
    }
    world_stop(seeder, 0);
}

static void an_empty_file(void **state)
{
    seed_seeder *seeder = world_start(w);
    int peer;

    world_file(w, "empty", 0, TG_HYBRID, &v1, &v2);
    peer = world_connect(w, 0);
    world_shake(peer, &v1, FAST, 0);
    world_ask(peer, 0, 0, 1);
    expect_closed(peer, SEED_CLOSE_BAD_REQUEST);
    world_stop(seeder, 0);
}

static void a_peer_by_mail(void **state)
{
    seed_seeder *seeder = world_start(w);
    struct timeval patience = {10, 0};
    int pair[2];

    world_file(w, "f", 200000, TG_V1, &v1, &v2);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    setsockopt(pair[1], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(seed_post_peer(w->config.mailbox, pair[0]), APR_SUCCESS);
    close(pair[0]);
    world_shake(pair[1], &v1, FAST, 4);
    world_get_unchoked(pair[1]);
    world_download(pair[1], 200000);
    close(pair[1]);
    world_stop(seeder, 0);
}

/* httpd may hold its copy of a socket for longer than the peer is served: a closed peer must not come back in epoll. */
static void a_copy_that_lives_on(void **state)
{
    seed_seeder *seeder = world_start(w);
    struct timeval patience = {10, 0};
    int pair[2], peer;
    bt_buf bytes;

    bt_buf_init(&bytes, 1000);
    world_file(w, "f", 200000, TG_V1, &v1, &v2);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    setsockopt(pair[1], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(seed_post_peer(w->config.mailbox, pair[0]), APR_SUCCESS);
    bt_buf_add_string(&bytes, "what is no handshake at all");
    world_send(pair[1], &bytes);
    world_wait(&page->closed[SEED_CLOSE_GARBAGE], 1);
    for (int i = 0; i < 50; i++)
        assert_int_equal(write(pair[1], "x", 1), 1);
    peer = world_connect(w, 0);
    world_shake(peer, &v1, FAST, 4);
    close(pair[0]);
    close(pair[1]);
    world_get_unchoked(peer);
    world_download(peer, 200000);
    close(peer);
    world_stop(seeder, 0);
}

static void who_is_not_let_in(void **state)
{
    static const bt_infohash other = {"nobody knows this on"};
    seed_seeder *seeder = world_start(w);
    bt_buf bytes;
    int peer = world_connect(w, 0);

    bt_buf_init(&bytes, 1000);
    world_file(w, "f", 200000, TG_V1, &v1, &v2);
    bt_buf_add_string(&bytes, "GET / HTTP/1.0\r\n\r\n");
    world_send(peer, &bytes);
    expect_closed(peer, SEED_CLOSE_GARBAGE);
    peer = world_connect(w, 0);
    say_handshake(&bytes, &other, FAST);
    world_send(peer, &bytes);
    expect_closed(peer, SEED_CLOSE_UNKNOWN_HASH);
    w->permit = APR_EACCES;
    peer = world_connect(w, 0);
    say_handshake(&bytes, &v1, FAST);
    world_send(peer, &bytes);
    world_expect_closed(peer);
    world_wait(&page->closed[SEED_CLOSE_UNKNOWN_HASH], 2);
    world_stop(seeder, 0);
}

static void permission_may_take_a_while(void **state)
{
    seed_seeder *seeder;
    const struct timespec moment = {0, 1000000};
    bt_buf bytes;
    int peer;

    w->limits.ask = 1000;
    seeder = world_start(w);
    bt_buf_init(&bytes, 1000);
    world_file(w, "f", 200000, TG_V1, &v1, &v2);
    __atomic_store_n(&w->permit, APR_EAGAIN, __ATOMIC_RELAXED);
    peer = world_connect(w, 0);
    say_handshake(&bytes, &v1, FAST);
    world_send(peer, &bytes);
    while (__atomic_load_n(&w->asked, __ATOMIC_RELAXED) < 5)
        nanosleep(&moment, NULL);
    assert_int_equal(recv(peer, &bytes, 1, MSG_DONTWAIT), -1);
    __atomic_store_n(&w->permit, APR_SUCCESS, __ATOMIC_RELAXED);
    unsigned char answer[73];
    assert_true(world_read(peer, answer, 73));
    world_get_unchoked(peer);
    world_download(peer, 200000);
    __atomic_store_n(&w->permit, APR_EACCES, __ATOMIC_RELAXED); /* the directory became protected */
    expect_closed(peer, SEED_CLOSE_WITHDRAWN);
    world_stop(seeder, 0);
}

static void time_outs_of_the_handshake(void **state)
{
    seed_seeder *seeder;
    int silent, half;

    w->limits.handshake = 50000;
    seeder = world_start(w);
    silent = world_connect(w, 0);
    half = world_connect(w, 0);
    assert_int_equal(send(half, "\23BitTorrent", 11, 0), 11);
    world_expect_closed(silent);
    world_expect_closed(half);
    world_wait(&page->closed[SEED_CLOSE_HANDSHAKE_TIMEOUT], 2);
    world_stop(seeder, 0);
}

/* Keys beyond the bound wait, and everybody gets one. */
static void key_exchanges_are_bounded(void **state)
{
    enum { PEERS = 4 };
    const apr_interval_time_t each = APR_USEC_PER_SEC / 10;
    apr_time_t before;
    mse_client client;
    seed_seeder *seeder;
    int peers[PEERS];

    w->limits.key_exchanges = (seed_rule_bound){1, each};
    w->limits.ask = 1000;
    seeder = world_start(w);
    world_file(w, "f", 200000, TG_V1, &v1, &v2);
    before = seed_now();
    for (int i = 0; i < PEERS; i++) {
        peers[i] = world_connect(w, 0);
        assert_int_equal(mse_client_shake(&client, peers[i], &v1, SEED_MSE_PLAIN), SEED_MSE_PLAIN);
    }
    assert_true(seed_now() - before >= (PEERS - 1) * each - APR_USEC_PER_SEC / 50);
    assert_int_equal(now(&page->encrypted_plain), PEERS);
    for (int i = 0; i < PEERS; i++) {
        world_shake(peers[i], &v1, FAST, 4);
        world_get_unchoked(peers[i]);
        world_download(peers[i], 200000);
        close(peers[i]);
    }
    world_stop(seeder, 0);
}

static void rules_are_kept(void **state)
{
    static const struct {
        pw_id id;
        apr_uint32_t a, b, c;
        seed_close_reason reason;
    } cases[] = {
        {PW_REQUEST, 3, 200000 - 3 * WORLD_PIECE, 1, SEED_CLOSE_BAD_REQUEST},
        {PW_REQUEST, 4, 0, 1, SEED_CLOSE_BAD_REQUEST},
        {PW_REQUEST, 0, 0, 0, SEED_CLOSE_BAD_REQUEST},
        {PW_PIECE, 0, 0, 0, SEED_CLOSE_BAD_MESSAGE},
        {PW_HAVE, 0, 0, 0, SEED_CLOSE_BAD_LENGTH},
    };
    seed_seeder *seeder = world_start(w);
    bt_buf bytes;

    bt_buf_init(&bytes, 1000);
    world_file(w, "f", 200000, TG_V1, &v1, &v2);
    for (int i = 0; i < 5; i++) {
        int peer = world_connect(w, 0);
        world_shake(peer, &v1, FAST, 4);
        say(&bytes, cases[i].id, 3, cases[i].a, cases[i].b, cases[i].c);
        world_send(peer, &bytes);
        expect_closed(peer, cases[i].reason);
    }
    world_stop(seeder, 0);
}

static void a_slow_reader_does_not_hold_up_others(void **state)
{
    seed_seeder *seeder;
    int slow, quick;

    w->limits.stalled = 200000;
    seeder = world_start(w);
    world_file(w, "f", 16 * MIB, TG_V1, &v1, &v2);
    slow = world_connect(w, 4096);
    world_shake(slow, &v1, FAST, 256);
    world_get_unchoked(slow);
    for (apr_uint32_t i = 0; i < 1000; i++)
        world_ask(slow, i % 256, i / 256 * TG_BLOCK, TG_BLOCK);
    quick = world_connect(w, 0);
    world_shake(quick, &v1, FAST, 256);
    world_get_unchoked(quick);
    world_download(quick, 16 * MIB);
    world_wait(&page->closed[SEED_CLOSE_SLOW_READER], 1);
    world_ask(quick, 0, 0, 1);
    assert_int_equal(world_take_block(quick, 0, 0), 1);
    close(slow);
    close(quick);
    world_stop(seeder, 0);
}

static void limits_of_peers(void **state)
{
    seed_seeder *seeder;
    int peers[4];

    world_file(w, "f", 200000, TG_V1, &v1, &v2);
    w->config.max_peers_per_ip = 3;
    seeder = world_start(w);
    for (int i = 0; i < 3; i++) {
        peers[i] = world_connect(w, 0);
        world_shake(peers[i], &v1, FAST, 4);
    }
    expect_closed(world_connect(w, 0), SEED_CLOSE_FULL_ADDRESS);
    close(peers[0]);
    world_wait(&page->closed[SEED_CLOSE_GONE], 1);
    peers[3] = world_connect(w, 0);
    world_shake(peers[3], &v1, FAST, 4); /* there is room again */
    world_stop(seeder, 0);
    for (int i = 1; i < 4; i++)
        world_expect_closed(peers[i]);
    w->config.max_peers_per_ip = 0;
    w->config.max_peers = 1;
    seeder = world_start(w);
    peers[0] = world_connect(w, 0);
    world_shake(peers[0], &v1, FAST, 4);
    expect_closed(world_connect(w, 0), SEED_CLOSE_FULL);
    close(peers[0]);
    world_stop(seeder, 0);
}

/* Both get their turns on the only slot. */
static void leechers_take_turns(void **state)
{
    seed_seeder *seeder;
    int first, second;
    unsigned char message[5];

    w->config.upload_slots = 1;
    w->limits.turn = 50000;
    seeder = world_start(w);
    world_file(w, "f", 200000, TG_V1, &v1, &v2);
    first = world_connect(w, 0);
    second = world_connect(w, 0);
    world_shake(first, &v1, FAST, 4);
    world_shake(second, &v1, FAST, 4);
    world_get_unchoked(first);
    world_get_unchoked(second);
    assert_true(world_read(first, message, 5));
    assert_memory_equal(message, "\0\0\0\1\0", 5); /* choked for it */
    assert_true(world_read(first, message, 5));
    assert_memory_equal(message, "\0\0\0\1\1", 5);
    close(first);
    close(second);
    world_stop(seeder, 0);
}

/* Every peer is closed, and the catalogue knows why. */
static void expect_withdrawn(int peer)
{
    expect_closed(peer, SEED_CLOSE_WITHDRAWN);
    assert_int_equal(cat_standing_of(w->config.catalog, &v1), CAT_CHANGED);
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

static void a_file_that_changes(void **state)
{
    seed_seeder *seeder = world_start(w);
    char other[100];
    const char *path;
    FILE *file;
    int peer;

    path = world_file(w, "rewritten", 200000, TG_V1, &v1, &v2);
    peer = live_peer();
    file = fopen(path, "r+b");
    fputc('x', file);
    fclose(file);
    expect_withdrawn(peer);

    path = world_file(w, "truncated", 200000, TG_V1, &v1, &v2);
    peer = live_peer();
    assert_int_equal(truncate(path, 1000), 0);
    expect_withdrawn(peer);

    path = world_file(w, "replaced", 200000, TG_V1, &v1, &v2);
    peer = live_peer();
    snprintf(other, sizeof other, "%s/other", w->directory);
    file = fopen(other, "wb");
    fputc('x', file);
    fclose(file);
    assert_int_equal(rename(other, path), 0);
    expect_withdrawn(peer);

    path = world_file(w, "deleted", 200000, TG_V1, &v1, &v2);
    peer = live_peer();
    unlink(path);
    expect_withdrawn(peer);

    path = world_file(w, "early", 200000, TG_V1, &v1, &v2); /* changed before anybody came */
    assert_int_equal(truncate(path, 1000), 0);
    bt_buf bytes;
    bt_buf_init(&bytes, 100);
    peer = world_connect(w, 0);
    say_handshake(&bytes, &v1, FAST);
    world_send(peer, &bytes);
    expect_withdrawn(peer);
    world_stop(seeder, 0);
}

static void a_collection(void **state)
{
    seed_seeder *seeder = world_start(w);
    int peer;

    world_collection(w, "many", 60, WORLD_PIECE, &v1, &v2);
    for (int by_v2 = 0; by_v2 <= 1; by_v2++) {
        peer = world_connect(w, 0);
        world_shake(peer, by_v2 ? &v2 : &v1, FAST, 60);
        world_get_unchoked(peer);
        world_download(peer, 60 * WORLD_PIECE);
        close(peer);
    }
    world_wait_for(&page->swarms, 0);
    world_stop(seeder, 0);
}

/* Whatever becomes of one of its files, the collection goes, and the file's own torrent stays as it is. */
static void a_collection_with_a_file_that_changes(void **state)
{
    seed_seeder *seeder = world_start(w);
    bt_infohash single, unused;
    const char *path;
    int peer, other;

    world_file(w, "alone", 200000, TG_V1, &single, &unused);
    for (int i = 0; i < 4; i++) {
        path = world_collection(w, apr_psprintf(w->pool, "many%d", i), 60, WORLD_PIECE, &v1, &v2);
        path = apr_pstrcat(w->pool, path, i % 2 ? "00000" : "00059", NULL); /* being read, or never */
        peer = world_connect(w, 0);
        world_shake(peer, &v1, FAST, 60);
        world_get_unchoked(peer);
        world_ask(peer, 0, 0, 100);
        assert_int_equal(world_take_block(peer, 0, 0), 100);
        other = world_connect(w, 0);
        world_shake(other, &single, FAST, 4);
        assert_int_equal(i < 2 ? truncate(path, 1000) : unlink(path), 0);
        expect_withdrawn(peer);
        world_get_unchoked(other);
        world_download(other, 200000);
        close(other);
    }
    world_stop(seeder, 0);
}

static void a_collection_that_changed_before(void **state)
{
    seed_seeder *seeder = world_start(w);
    const char *path = world_collection(w, "many", 3, WORLD_PIECE, &v1, &v2);
    int peer = world_connect(w, 0);
    bt_buf bytes;

    assert_int_equal(unlink(apr_pstrcat(w->pool, path, "00001", NULL)), 0);
    bt_buf_init(&bytes, 100);
    say_handshake(&bytes, &v1, FAST);
    world_send(peer, &bytes);
    expect_withdrawn(peer);
    world_stop(seeder, 0);
}

static void the_second_file_of_one_torrent(void **state)
{
    seed_seeder *seeder = world_start(w);
    const char *path = world_file(w, "a", 200000, TG_V1, &v1, &v2), *copy;
    cat_entry entry;
    bt_stamp stamp;
    tg_torrent torrent;
    int peer;

    assert_int_equal(cat_find_path(w->config.catalog, path, w->pool, &entry), APR_SUCCESS);
    assert_int_equal(cat_read_torrent(w->config.catalog, &entry, w->pool, &torrent), APR_SUCCESS);
    bt_infohash first = v1, unused;
    copy = world_file(w, "b", 200000, TG_V1, &unused, &v2);
    bt_stamp_path(copy, &stamp);
    const cat_publication publication = {
        .path = copy, .url = "127.0.0.1 80 http x /b", .grant = 1, .published = 1, .stamp = stamp, .torrent = &torrent};
    assert_int_equal(cat_publish(w->config.catalog, &publication, 1), APR_SUCCESS);
    unlink(path);
    v1 = first;
    peer = live_peer();
    world_download(peer, 200000);
    unlink(copy);
    expect_closed(peer, SEED_CLOSE_WITHDRAWN);
    world_stop(seeder, 0);
}

static void withdrawn_by_mail(void **state)
{
    seed_seeder *seeder;
    const char *path = world_file(w, "f", 200000, TG_V1, &v1, &v2);
    int peer;

    w->limits.tick = 100 * APR_USEC_PER_SEC; /* so that only the mail can be the cause */
    w->limits.freshness = w->limits.tick;
    seeder = world_start(w);
    peer = live_peer();
    assert_int_equal(cat_withdraw(w->config.catalog, path, CAT_PROTECTED), APR_SUCCESS);
    assert_int_equal(seed_post_withdraw(w->config.mailbox, path), APR_SUCCESS);
    expect_closed(peer, SEED_CLOSE_WITHDRAWN);
    world_stop(seeder, 0);
}

static void torrents_are_made(void **state)
{
    seed_seeder *seeder = world_start(w);
    char path[100], gone[100];
    seed_make make = {
        .path = path, .name = "new", .url = "t http://x/new", .grant = 7, .version = TG_HYBRID, .urgent = 1};
    FILE *file;
    cat_entry entry;

    snprintf(path, sizeof path, "%s/new", w->directory);
    snprintf(gone, sizeof gone, "%s/gone", w->directory);
    file = fopen(path, "wb");
    for (int i = 0; i < 300000; i++)
        fputc(world_byte((apr_uint64_t)i), file);
    fclose(file);
    assert_int_equal(seed_post_make(w->config.mailbox, &make), APR_SUCCESS);
    world_wait(&page->hashed_files, 1);
    assert_int_equal(cat_find_path(w->config.catalog, path, w->pool, &entry), APR_SUCCESS);
    assert_int_equal(entry.version, TG_HYBRID);
    assert_true(entry.grant == 7);
    assert_string_equal(entry.url, "t http://x/new");
    make.path = gone;
    assert_int_equal(seed_post_make(w->config.mailbox, &make), APR_SUCCESS);
    world_wait(&page->hash_failures, 1);
    world_stop(seeder, 0);
    assert_int_equal(seed_job_progress(page, path), -1);
    assert_int_equal(seed_job_progress(page, gone), -2);
}

static int is_open(const char *path)
{
    char name[64], target[4096];

    for (int fd = 0; fd < 200; fd++) {
        ssize_t length;
        snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
        length = readlink(name, target, sizeof target - 1);
        target[length > 0 ? length : 0] = 0;
        if (!strcmp(target, path))
            return 1;
    }
    return 0;
}

/* A file that is being read is not opened anew after each tick; one that nobody reads is closed in the end. */
static void a_file_stays_open_for_a_while(void **state)
{
    for (int idle = 0; idle <= 1; idle++) {
        const char *path = world_file(w, idle ? "g" : "f", WORLD_PIECE, TG_V1, &v1, &v2);
        seed_seeder *seeder;
        int peer;

        w->limits.file_idle = idle ? 100 : seed_limits_default.file_idle;
        seeder = world_start(w);
        peer = world_connect(w, 0);
        world_shake(peer, &v1, FAST, 1);
        world_get_unchoked(peer);
        world_ask(peer, 0, 0, 16384);
        world_take_block(peer, 0, 0);
        for (int ticks = 0; ticks < 3; ticks++) {
            apr_uint64_t before = now(&page->measured);
            world_wait(&page->measured, before + 1);
        }
        assert_int_equal(is_open(path), !idle);
        close(peer);
        world_stop(seeder, 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(downloads),
        TEST(sizes_around_a_piece),
        TEST(an_empty_file),
        TEST(a_peer_by_mail),
        TEST(a_copy_that_lives_on),
        TEST(who_is_not_let_in),
        TEST(permission_may_take_a_while),
        TEST(time_outs_of_the_handshake),
        TEST(key_exchanges_are_bounded),
        TEST(rules_are_kept),
        TEST(a_slow_reader_does_not_hold_up_others),
        TEST(limits_of_peers),
        TEST(leechers_take_turns),
        TEST(a_file_that_changes),
        TEST(a_collection),
        TEST(a_collection_with_a_file_that_changes),
        TEST(a_collection_that_changed_before),
        TEST(the_second_file_of_one_torrent),
        TEST(withdrawn_by_mail),
        TEST(torrents_are_made),
        TEST(a_file_stays_open_for_a_while),
    };
    apr_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
