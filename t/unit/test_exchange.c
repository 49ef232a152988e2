/* A seeder tells its peers of each other, over a hand-over as well. */
#include "t/unit/unit.h"

#include <string.h>
#include <unistd.h>

#include "base/bencode.h"
#include "seeder/pex.h"
#include "t/unit/peer_bytes.h"
#include "t/unit/seed_world.h"

enum { OURS = 9 }; /* the number under which our peers take ut_pex */

static world *w;
static seed_counters *page;
static bt_infohash v1, v2;

static int set_up(void **state)
{
    w = world_make();
    w->limits.pex_first = w->limits.pex = 100000;
    page = w->config.counters;
    world_file(w, "f", 200000, TG_HYBRID, &v1, &v2);
    return 0;
}

static int tear_down(void **state)
{
    world_free(w);
    return 0;
}

/* A peer that says where it listens; 0: that it takes peer exchange, and nothing else. */
static int exchanging_peer(const bt_infohash *hash, int port)
{
    pw_handshake theirs = {{0, 0, 0, 0, 0, 0x10, 0, PW_BIT_FAST}, *hash, "-TT0001-abcdefghijkl"};
    unsigned char answer[PW_HANDSHAKE_SIZE];
    int peer = world_connect(w, 0);
    bt_buf bytes, dict;

    bt_buf_init(&bytes, 4096);
    bt_buf_init(&dict, 4096);
    pw_handshake_write(bt_buf_extend(&bytes, PW_HANDSHAKE_SIZE), &theirs);
    bt_buf_printf(&dict, "d1:md6:ut_pexi%dee", OURS);
    if (port)
        bt_buf_printf(&dict, "1:pi%de", port);
    bt_buf_add_string(&dict, "e");
    say(&bytes, PW_EXTENDED, 0, 0, 0, 0);
    pw_put_u32(bytes.data + bytes.length - 5, (apr_uint32_t)(2 + dict.length));
    bt_buf_add(&bytes, "\0", 1);
    bt_buf_add(&bytes, dict.data, dict.length);
    world_send(peer, &bytes);
    assert_true(world_read(peer, answer, sizeof answer));
    assert_true(answer[25] & 0x10);
    bt_buf_free(&dict);
    bt_buf_free(&bytes);
    return peer;
}

/* Reads on to the next message of ut_pex. @return the ports of a key's addresses, in order, in a static array that 0 ends */
static const int *next_news(int peer, const char *key, const char *other)
{
    static unsigned char body[70000];
    static int ports[SEED_PEX_MOST + 1];
    unsigned char head[4];
    bt_ben news, value;
    apr_uint32_t length;
    size_t count = 0;

    do {
        assert_true(world_read(peer, head, 4));
        length = pw_get_u32(head);
        assert_true(length <= sizeof body);
        assert_true(length == 0 || world_read(peer, body, length));
    } while (length < 2 || body[0] != PW_EXTENDED || body[1] != OURS);
    assert_int_equal(bt_ben_read(body + 2, length - 2, &news), APR_SUCCESS);
    assert_false(bt_ben_get(&news, other, BT_BEN_STRING, &value));
    assert_true(bt_ben_get(&news, key, BT_BEN_STRING, &value));
    for (; 6 * count < value.string_length; count++)
        ports[count] = value.string[6 * count + 4] << 8 | value.string[6 * count + 5];
    ports[count] = 0;
    return ports;
}

static void expect_news(int peer, const char *key, int port)
{
    const int *ports = next_news(peer, key, strcmp(key, "added") == 0 ? "dropped" : "added");

    assert_int_equal(ports[0], port);
    assert_int_equal(ports[1], 0);
}

/* No news up to the next keep-alive. */
static void expect_silence(int peer)
{
    unsigned char head[4], body[200];
    apr_uint32_t length;

    for (;;) {
        assert_true(world_read(peer, head, 4));
        length = pw_get_u32(head);
        if (length == 0)
            return;
        assert_true(length <= sizeof body && world_read(peer, body, length));
        assert_false(body[0] == PW_EXTENDED && body[1] == OURS);
    }
}

static void who_comes_and_who_leaves(void **state)
{
    seed_seeder *seeder = world_start(w);
    int first = exchanging_peer(&v1, 7001), second = exchanging_peer(&v1, 7002), third;

    expect_news(first, "added", 7002);
    expect_news(second, "added", 7001);
    third = exchanging_peer(&v1, 7003);
    expect_news(first, "added", 7003);
    expect_news(second, "added", 7003);
    close(third);
    expect_news(first, "dropped", 7003);
    close(second);
    expect_news(first, "dropped", 7002);
    close(first);
    world_stop(seeder, 0);
}

static void nobody_is_told_of_who_does_not_say_where(void **state)
{
    seed_seeder *seeder = world_start(w);
    int silent = exchanging_peer(&v1, 0), first = exchanging_peer(&v1, 7001), second;

    expect_news(silent, "added", 7001);
    second = exchanging_peer(&v1, 7002);
    expect_news(first, "added", 7002);
    expect_news(silent, "added", 7002);
    expect_news(second, "added", 7001);
    close(silent);
    close(first);
    expect_news(second, "dropped", 7001);
    close(second);
    world_stop(seeder, 0);
}

static void swarms_of_a_hybrid_are_not_mixed(void **state)
{
    seed_seeder *seeder = world_start(w);
    int by_v1 = exchanging_peer(&v1, 7001), by_v2 = exchanging_peer(&v2, 7002);
    int more_v1 = exchanging_peer(&v1, 7003), more_v2 = exchanging_peer(&v2, 7004);

    expect_news(by_v1, "added", 7003);
    expect_news(more_v1, "added", 7001);
    expect_news(by_v2, "added", 7004);
    expect_news(more_v2, "added", 7002);
    close(by_v1);
    close(by_v2);
    close(more_v1);
    close(more_v2);
    world_stop(seeder, 0);
}

static void private_addresses_can_be_hidden(void **state)
{
    seed_seeder *seeder;
    int first, second;

    w->config.hide_private = 1;
    w->limits.keep_alive = 300000;
    seeder = world_start(w);
    first = exchanging_peer(&v1, 7001);
    second = exchanging_peer(&v1, 7002);
    expect_silence(first); /* well after its news would have come */
    expect_silence(second);
    close(first);
    close(second);
    world_stop(seeder, 0);
}

static void a_hand_over(void **state)
{
    seed_seeder *old = world_start(w), *new;
    int first = exchanging_peer(&v1, 7001), second = exchanging_peer(&v1, 7002), third;

    expect_news(first, "added", 7002);
    expect_news(second, "added", 7001);
    w->listener = w->config.listeners[0];
    new = world_start(w);
    world_stop(old, 1);
    world_wait(&page->handovers, 2);
    world_wait_for(&page->peers, 2);
    expect_news(first, "added", 7002); /* once more, for the next seeder does not know who was told */
    third = exchanging_peer(&v1, 7003);
    expect_news(first, "added", 7003);
    close(second);
    expect_news(first, "dropped", 7002);
    close(third);
    close(first);
    world_stop(new, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_comes_and_who_leaves, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_is_told_of_who_does_not_say_where, set_up, tear_down),
        cmocka_unit_test_setup_teardown(swarms_of_a_hybrid_are_not_mixed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(private_addresses_can_be_hidden, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_hand_over, set_up, tear_down),
    };

    apr_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
