/* One peer's state machine, replayed with byte strings: the rules that close a peer, and the bounds of what it holds. */
#include "t/unit/peer_kit.h"

static const apr_time_t s = APR_USEC_PER_SEC;

static void garbage_is_found_at_once(void **state)
{
    bt_buf_add_string(&bytes, "G");
    expect_close(SEED_CLOSE_GARBAGE);
    tear_down(state);
    set_up(state);
    bt_buf_add_string(&bytes, "\23BitTorrent proto-col");
    expect_close(SEED_CLOSE_GARBAGE);
}

static void bad_requests_close(void **state)
{
    static const seed_block bad[] = {
        {11, 0, 1}, {0xffffffff, 0, 1}, {0, 0, 0},           {0, 65536, 1},          {0, 65535, 2},
        {10, 0, 101}, {10, 100, 1},     {0, 0xffffffff, 1}, {0, 1, 0xffffffff}, {10, 0xffffff9c, 100},
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        for (unsigned reserved = 0; reserved <= FAST; reserved += FAST) {
            ready(reserved);
            say_request(&bytes, bad[i].piece, bad[i].begin, bad[i].length);
            expect_close(SEED_CLOSE_BAD_REQUEST);
            tear_down(state);
            set_up(state);
        }
    }
}

static void more_requests_than_the_limit(void **state)
{
    for (unsigned reserved = 0; reserved <= FAST; reserved += FAST) {
        ready(reserved);
        for (int i = 0; i < 1999; i++)
            say_request(&bytes, 0, 0, 1);
        assert_int_equal(feed(9999, &content), SEED_PEER_GO_ON);
        assert_true(seed_peer_wants_input(&peer));
        for (int i = 0; i < 16384 / 17; i++) /* as many as come with one reading */
            say_request(&bytes, 0, 0, 1);
        assert_int_equal(feed(16384, &content), SEED_PEER_GO_ON);
        assert_int_equal(peer.requests.count, reserved ? 2000 : 1999 + 16384 / 17);
        assert_int_equal(peer.rejects, reserved ? 16384 / 17 - 1 : 0);
        assert_int_equal(seed_peer_wants_input(&peer), reserved != 0);
        for (int i = 0; i < 16384 / 17; i++) {
            assert_true(seed_peer_next_block(&peer));
            seed_peer_sent_block(&peer, PW_PIECE_HEADER + 1, START);
        }
        assert_true(seed_peer_wants_input(&peer));
        tear_down(state);
        set_up(state);
    }
}

static void a_peer_that_does_not_read_is_not_read(void **state)
{
    int sent = 0;

    shake(FAST, &content);
    while (seed_peer_wants_input(&peer) && sent < 1000000) {
        say_request(&bytes, 0, 0, 1);
        if (feed(1000, &content) != SEED_PEER_GO_ON)
            break;
        sent++;
    }
    assert_true(sent < 5000);
    assert_true(peer.out.length < 128 * 1024);
}

/* One message again and again. @return how many it took to be closed */
static int repeat(pw_id id, int fields, apr_uint32_t a, apr_uint32_t b, apr_uint32_t c)
{
    int sent = 0;

    do {
        say(&bytes, id, fields, a, b, c);
        peer.out.length = 0; /* it reads */
    } while (++sent < 100000 && feed(1000, &content) == SEED_PEER_GO_ON);
    return sent;
}

static void a_flood_of_haves_closes(void **state)
{
    shake(FAST, &content);
    assert_int_equal(repeat(PW_HAVE, 1, 2, 0, 0), 2002); /* the first one is news */
    assert_int_equal(peer.reason, SEED_CLOSE_HAVE_FLOOD);
}

static void a_flood_of_requests_that_are_choked_closes(void **state)
{
    shake(FAST, &content);
    assert_int_equal(repeat(PW_REQUEST, 3, 0, 0, 16384), 24001);
    assert_int_equal(peer.reason, SEED_CLOSE_REQUEST_FLOOD);
}

static void a_flood_of_cancels_closes(void **state)
{
    ready(FAST);
    assert_int_equal(repeat(PW_CANCEL, 3, 0, 0, 16384), 24001);
    assert_int_equal(peer.reason, SEED_CLOSE_REQUEST_FLOOD);
}

static void a_flood_of_idle_messages_closes(void **state)
{
    static const pw_id ids[] = {PW_CHOKE, PW_UNCHOKE, PW_NOT_INTERESTED};
    int sent = 0;

    shake(FAST, &content);
    do {
        say(&bytes, ids[sent % 3], 0, 0, 0, 0);
    } while (++sent < 100000 && feed(1000, &content) == SEED_PEER_GO_ON);
    assert_int_equal(peer.reason, SEED_CLOSE_FLOOD);
    assert_true(sent > 3000 && sent < 5000);
}

static void what_a_seed_never_gets_closes(void **state)
{
    static const pw_id ids[] = {PW_PIECE, PW_REJECT, PW_HASHES, PW_HASH_REJECT, (pw_id)99};

    for (size_t i = 0; i < 5; i++) {
        shake(FAST | V2, &content);
        say(&bytes, ids[i], 3, 0, 0, 0);
        expect_close(SEED_CLOSE_BAD_MESSAGE);
        tear_down(state);
        set_up(state);
    }
    shake(FAST, &content);
    say(&bytes, PW_HAVE, 1, 11, 0, 0);
    expect_close(SEED_CLOSE_BAD_MESSAGE);
}

static void an_oversized_length_closes(void **state)
{
    shake(FAST, &content);
    bt_buf_add(&bytes, "\xff\xff\xff\xff", 4);
    expect_close(SEED_CLOSE_BAD_LENGTH);
    tear_down(state);
    set_up(state);
    shake(FAST, &content);
    bt_buf_add(&bytes, "\0\0\0\4\5\1\2\3", 8); /* a bitfield of three bytes, not two */
    expect_close(SEED_CLOSE_BAD_LENGTH);
}

static void a_seed_leaves_after_a_grace(void **state)
{
    shake(FAST, &content);
    bt_buf_add(&bytes, "\0\0\0\3\5\377\300", 7); /* all but the last piece */
    feed(1000, &content);
    assert_int_equal(peer.pieces.count, 10);
    assert_int_equal(peer.complete, 0);
    say(&bytes, PW_HAVE, 1, 3, 0, 0); /* known already */
    say(&bytes, PW_HAVE, 1, 10, 0, 0);
    feed(1000, &content);
    assert_int_equal(peer.complete, START);
    seed_peer_sent_out(&peer, peer.out.length, START);
    assert_int_equal(seed_peer_tick(&peer, 1, 0, START + 9 * APR_USEC_PER_SEC), SEED_PEER_GO_ON);
    assert_int_equal(seed_peer_tick(&peer, 1, 0, START + 10 * APR_USEC_PER_SEC), SEED_PEER_CLOSE);
    assert_int_equal(peer.reason, SEED_CLOSE_ALSO_SEED);
}

static void time_outs(void **state)
{
    assert_int_equal(seed_peer_tick(&peer, 1, 0, START + 19 * s), SEED_PEER_GO_ON);
    assert_int_equal(seed_peer_tick(&peer, 1, 0, START + 20 * s), SEED_PEER_CLOSE);
    assert_int_equal(peer.reason, SEED_CLOSE_HANDSHAKE_TIMEOUT);
    ready(FAST);
    assert_int_equal(seed_peer_tick(&peer, 1, 0, START + 89 * s), SEED_PEER_GO_ON);
    expect_out("", 0);
    assert_int_equal(seed_peer_tick(&peer, 1, 0, START + 90 * s), SEED_PEER_GO_ON);
    expect_out("\0\0\0\0", 4);
    assert_int_equal(seed_peer_tick(&peer, 1, 0, START + 149 * s), SEED_PEER_GO_ON);
    assert_int_equal(seed_peer_tick(&peer, 1, 0, START + 150 * s), SEED_PEER_CLOSE);
    assert_int_equal(peer.reason, SEED_CLOSE_IDLE);
}

/* A peer to which the first block is being sent. */
static void begin_a_block(void)
{
    ready(FAST);
    say_request(&bytes, 0, 0, 16384);
    feed(1000, &content);
    seed_peer_next_block(&peer);
}

static void a_slow_reader_is_closed_but_not_a_throttled_one(void **state)
{
    begin_a_block();
    assert_int_equal(seed_peer_tick(&peer, 1, 0, START + 60 * s), SEED_PEER_GO_ON);
    assert_int_equal(seed_peer_tick(&peer, 0, 700, START + 61 * s), SEED_PEER_GO_ON);
    assert_int_equal(seed_peer_tick(&peer, 0, 700, START + 100 * s), SEED_PEER_GO_ON);
    assert_int_equal(seed_peer_tick(&peer, 0, 20000, START + 101 * s), SEED_PEER_GO_ON);
    assert_int_equal(seed_peer_tick(&peer, 0, 20000, START + 121 * s), SEED_PEER_GO_ON);
    assert_int_equal(seed_peer_tick(&peer, 0, 20000, START + 161 * s), SEED_PEER_CLOSE);
    assert_int_equal(peer.reason, SEED_CLOSE_SLOW_READER);
}

static void who_reads_by_drops_is_closed(void **state)
{
    begin_a_block();
    for (int i = 0; i < 60; i++)
        assert_int_equal(seed_peer_tick(&peer, 0, (apr_uint64_t)i, START + i * s), SEED_PEER_GO_ON);
    assert_int_equal(seed_peer_tick(&peer, 0, 60, START + 60 * s), SEED_PEER_CLOSE);
    assert_int_equal(peer.reason, SEED_CLOSE_TRICKLE);
}

static void an_idle_peer_holds_no_buffers(void **state)
{
    ready(FAST);
    for (int i = 0; i < 500; i++)
        say_request(&bytes, 0, 0, 1);
    feed(1001, &content);
    while (seed_peer_next_block(&peer))
        seed_peer_sent_block(&peer, 14, START);
    assert_null(peer.in.data);
    assert_null(peer.out.data);
    assert_null(peer.requests.ring);
    assert_true(sizeof(seed_peer) <= 464);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(garbage_is_found_at_once),
        TEST(bad_requests_close),
        TEST(more_requests_than_the_limit),
        TEST(a_peer_that_does_not_read_is_not_read),
        TEST(a_flood_of_haves_closes),
        TEST(a_flood_of_requests_that_are_choked_closes),
        TEST(a_flood_of_cancels_closes),
        TEST(a_flood_of_idle_messages_closes),
        TEST(what_a_seed_never_gets_closes),
        TEST(an_oversized_length_closes),
        TEST(a_seed_leaves_after_a_grace),
        TEST(time_outs),
        TEST(a_slow_reader_is_closed_but_not_a_throttled_one),
        TEST(who_reads_by_drops_is_closed),
        TEST(an_idle_peer_holds_no_buffers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
