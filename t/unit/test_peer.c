/* One peer's state machine, replayed with byte strings: what is said to whom, and what comes of it. */
#include "t/unit/peer_kit.h"

#include <stdio.h>

static void the_answer_to_a_handshake(void **state)
{
    static const struct {
        unsigned theirs, ours;
        const seed_content *what;
        const char *first;
        size_t length;
    } cases[] = {
        {FAST, FAST, &v1_only, "\0\0\0\1\16", 5},
        {0, FAST, &v1_only, "\0\0\0\3\5\377\340", 7},
        {FAST | V2, FAST | V2, &content, "\0\0\0\1\16", 5},
        {FAST | V2, FAST, &v1_only, "\0\0\0\1\16", 5},
        {V2, FAST | V2, &content, "\0\0\0\3\5\377\340", 7},
        {0, FAST | V2, &empty, "", 0},
        {FAST, FAST | V2, &empty, "\0\0\0\1\16", 5},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t step = 1; step <= 80; step++) {
            set_up(state);
            say_handshake(&bytes, &hash, cases[i].theirs);
            assert_int_equal(feed(step, cases[i].what), SEED_PEER_GO_ON);
            assert_int_equal(peer.state, SEED_PEER_LIVE);
            assert_int_equal(peer.out.length, 68 + cases[i].length);
            assert_memory_equal(peer.out.data, "\23BitTorrent protocol\0\0\0\0\0\20\0", 27);
            assert_int_equal(peer.out.data[27], cases[i].ours);
            assert_memory_equal(peer.out.data + 28, hash.b, 20);
            assert_memory_equal(peer.out.data + 48, own_id, 20);
            assert_memory_equal(peer.out.data + 68, cases[i].first, cases[i].length);
            assert_memory_equal(peer.theirs.peer_id, "-TT0001-abcdefghijkl", 20);
            assert_int_equal(!!(peer.flags & SEED_PEER_V2), (cases[i].theirs & V2) && cases[i].what->v2);
            tear_down(state);
        }
    }
    set_up(state);
}

static void nothing_is_said_before_the_hash_is_known(void **state)
{
    say_handshake(&bytes, &hash, FAST);
    for (size_t i = 0; i < 47; i++)
        assert_int_equal(seed_peer_input(&peer, bytes.data + i, 1, START), SEED_PEER_GO_ON);
    assert_int_equal(seed_peer_input_size(&peer, 9999), 1);
    assert_int_equal(peer.out.length, 0);
    assert_int_equal(seed_peer_input(&peer, bytes.data + 47, 1, START), SEED_PEER_ASK);
    assert_memory_equal(peer.theirs.hash.b, hash.b, 20);
    assert_int_equal(peer.out.length, 0);
    assert_false(seed_peer_wants_input(&peer));
    assert_int_equal(seed_peer_admit(&peer, &content, own_id, SEED_SHOW_ALL, START), SEED_PEER_GO_ON);
    assert_int_equal(peer.out.length, 73); /* the peer id need not be there yet */
    assert_int_equal(peer.state, SEED_PEER_ID);
    assert_int_equal(seed_peer_input_size(&peer, 9999), 20);
}

/* BEP 52's upgrade path: by which hash it came, with or without the bit; by which it is answered. */
static void a_hybrid_is_spoken_as_v2_where_both_can(void **state)
{
    static const bt_infohash v1 = {{1}}, v2 = {{2}}, keyless = {{3}};
    seed_content hybrid = content, v1_alone = content;
    const struct {
        const bt_infohash *by, *answer;
        unsigned theirs;
        int is_v2, alone;
    } cases[] = {
        {&v1, &v1, FAST, 0, 0},      {&v1, &v2, FAST | V2, 1, 0}, {&v2, &v2, FAST, 1, 0},
        {&v2, &v2, FAST | V2, 1, 0}, {&keyless, &keyless, V2, 0, 1},
    };

    hybrid.v2 = 1;
    hybrid.v2_hash = v2;
    v1_alone.v2 = 0;
    v1_alone.v2_hash = v2; /* as the hybrid that it belongs to; of no meaning */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        say_handshake(&bytes, cases[i].by, cases[i].theirs);
        assert_int_equal(feed(1000, cases[i].alone ? &v1_alone : &hybrid), SEED_PEER_GO_ON);
        assert_memory_equal(peer.out.data + 28, cases[i].answer->b, 20);
        assert_int_equal(!!(peer.flags & SEED_PEER_V2), cases[i].is_v2);
        assert_int_equal(!!(peer.out.data[27] & V2), !cases[i].alone);
        assert_memory_equal(peer.theirs.hash.b, cases[i].by->b, 20); /* by which the next seeder finds its torrent */
        tear_down(state);
        set_up(state);
    }
}

static void a_request_becomes_a_block(void **state)
{
    ready(FAST);
    say_request(&bytes, 2, 32768, 16384);
    say_request(&bytes, 10, 0, 100);
    say_request(&bytes, 0, 0, 65536);
    assert_int_equal(feed(7, &content), SEED_PEER_GO_ON);
    assert_true(seed_peer_next_block(&peer));
    assert_int_equal(seed_content_offset(peer.content, &peer.block), 2 * 65536 + 32768);
    seed_peer_sent_block(&peer, 13 + 100, START);
    assert_int_equal(peer.block.length, 16384);
    assert_true(seed_peer_next_block(&peer)); /* the same one */
    seed_peer_sent_block(&peer, 16384 - 100, START);
    assert_int_equal(peer.block.length, 0);
    assert_true(seed_peer_next_block(&peer));
    assert_int_equal(peer.block.length, 100);
    seed_peer_sent_block(&peer, 113, START);
    assert_true(seed_peer_next_block(&peer));
    seed_peer_sent_block(&peer, 13 + 65536, START);
    assert_false(seed_peer_next_block(&peer));
    assert_false(seed_peer_has_output(&peer));
}

static void a_large_request_is_rejected(void **state)
{
    static const seed_content large = {1 << 22, 1 << 20, 4, 0, 0, {{0}}, 0};

    for (unsigned reserved = 0; reserved <= FAST; reserved += FAST) {
        shake(reserved, &large);
        seed_peer_unchoke(&peer, START);
        seed_peer_sent_out(&peer, peer.out.length, START);
        say_request(&bytes, 0, 0, 128 * 1024);
        assert_int_equal(feed(1000, &large), SEED_PEER_GO_ON);
        assert_int_equal(peer.requests.count, 1);
        say_request(&bytes, 0, 0, 128 * 1024 + 1);
        assert_int_equal(feed(1000, &large), reserved ? SEED_PEER_GO_ON : SEED_PEER_CLOSE);
        if (reserved)
            expect_out("\0\0\0\15\20\0\0\0\0\0\0\0\0\0\2\0\1", 17);
        tear_down(state);
        set_up(state);
    }
}

/* Choke first, then the rejects; the block that is begun ends. */
static void choking_ends_every_request(void **state)
{
    ready(FAST);
    say_request(&bytes, 0, 0, 1);
    say_request(&bytes, 1, 0, 2);
    say_request(&bytes, 2, 0, 3);
    feed(1000, &content);
    seed_peer_next_block(&peer);
    seed_peer_sent_block(&peer, 5, START);
    seed_peer_choke(&peer, START);
    expect_out("\0\0\0\1\0"
               "\0\0\0\15\20\0\0\0\1\0\0\0\0\0\0\0\2"
               "\0\0\0\15\20\0\0\0\2\0\0\0\0\0\0\0\3", 39);
    assert_int_equal(peer.rejects, 2);
    assert_int_equal(peer.block.length, 1);
    assert_int_equal(peer.requests.count, 0);
    say_request(&bytes, 3, 0, 4); /* crossed the choke on its way */
    assert_int_equal(feed(1000, &content), SEED_PEER_GO_ON);
    assert_int_equal(peer.rejects, 3);
}

static void choking_without_fast_just_drops(void **state)
{
    ready(0);
    say_request(&bytes, 0, 0, 1);
    feed(1000, &content);
    seed_peer_choke(&peer, START);
    expect_out("\0\0\0\1\0", 5);
    say_request(&bytes, 0, 0, 1);
    assert_int_equal(feed(1000, &content), SEED_PEER_GO_ON);
    assert_int_equal(peer.requests.count, 0);
    expect_out("\0\0\0\1\0", 5);
}

static void a_cancelled_request_is_rejected(void **state)
{
    ready(FAST);
    say_request(&bytes, 0, 0, 1);
    say_request(&bytes, 0, 0, 2);
    say(&bytes, PW_CANCEL, 3, 0, 0, 2);
    say(&bytes, PW_CANCEL, 3, 0, 0, 9);
    assert_int_equal(feed(1000, &content), SEED_PEER_GO_ON);
    assert_int_equal(peer.requests.count, 1);
    expect_out("\0\0\0\15\20\0\0\0\0\0\0\0\0\0\0\0\2", 17);
}

/* The last block of a v2-only torrent may be asked for in full; what is behind it may not. */
static void only_the_last_block_is_padded(void **state)
{
    static const seed_content padded = {10 * 65536 + 100, 65536, 11, 1, 1, {{0}}, 0};
    const seed_block in_full = {10, 0, 16384}, exact = {10, 0, 100}, behind = {10, 16384, 16384}, longer = {10, 0, 16385},
                     middle = {9, 49152, 16384};

    (void)state;
    assert_true(seed_content_has_block(&padded, &in_full));
    assert_true(seed_content_has_block(&padded, &exact));
    assert_true(seed_content_has_block(&padded, &middle));
    assert_false(seed_content_has_block(&padded, &behind));
    assert_false(seed_content_has_block(&padded, &longer));
    assert_false(seed_content_has_block(&content, &in_full));
    assert_true(seed_content_has_block(&content, &exact));
}

/* aria2 sends a bitfield in the middle, in place of many haves; what it has adds up. */
static void bitfields_add_up(void **state)
{
    shake(FAST, &content);
    bt_buf_add(&bytes, "\0\0\0\1\17", 5); /* have none */
    say(&bytes, PW_HAVE, 1, 1, 0, 0);
    bt_buf_add(&bytes, "\0\0\0\3\5\200\0", 7);
    assert_int_equal(feed(1000, &content), SEED_PEER_GO_ON);
    assert_int_equal(peer.pieces.count, 2);
    bt_buf_add(&bytes, "\0\0\0\3\5\300\0", 7);
    assert_int_equal(feed(1000, &content), SEED_PEER_GO_ON);
    assert_int_equal(peer.pieces.count, 2);
    bt_buf_add(&bytes, "\0\0\0\1\16", 5); /* have all */
    assert_int_equal(feed(1000, &content), SEED_PEER_GO_ON);
    assert_int_equal(peer.pieces.count, content.pieces);
    tear_down(state);
    set_up(state);
    shake(0, &content);
    bt_buf_add(&bytes, "\0\0\0\3\5\200\1", 7); /* a spare bit is set */
    expect_close(SEED_CLOSE_BAD_MESSAGE);
}

/* Admits a peer that is told of nothing at first. */
static void shake_unseen(unsigned reserved)
{
    say_handshake(&bytes, &hash, reserved);
    assert_int_equal(seed_peer_input(&peer, bytes.data, bytes.length, START), SEED_PEER_ASK);
    assert_int_equal(seed_peer_admit(&peer, &content, own_id, SEED_SHOW_NONE, START), SEED_PEER_GO_ON);
    bt_buf_reset(&bytes);
}

static void pieces_shown_one_by_one(void **state)
{
    for (unsigned fast = 0; fast <= FAST; fast += FAST) {
        tear_down(state);
        set_up(state);
        shake_unseen(fast);
        seed_peer_sent_out(&peer, 68, START);
        expect_out("\0\0\0\1\17", fast ? 5 : 0);
        seed_peer_sent_out(&peer, fast ? 5 : 0, START);
        seed_peer_unchoke(&peer, START);
        seed_peer_sent_out(&peer, 5, START);
        seed_peer_show(&peer, 9);
        seed_peer_show(&peer, 9);
        expect_out("\0\0\0\5\4\0\0\0\11", 9);
        assert_int_equal(peer.shown_count, 1);
        seed_peer_sent_out(&peer, 9, START);
        say_request(&bytes, 9, 0, 16384);
        say_request(&bytes, 8, 0, 16384);
        assert_int_equal(feed(1000, &content), SEED_PEER_GO_ON);
        assert_int_equal(peer.requests.count, 1);
        expect_out("\0\0\0\15\20\0\0\0\10\0\0\0\0\0\0\100\0", fast ? 17 : 0);
        for (apr_uint32_t i = 0; i < content.pieces; i++)
            seed_peer_show(&peer, i);
        assert_null(peer.shown);
        assert_true(seed_peer_is_shown(&peer, 8));
        seed_peer_show(&peer, 8);
        assert_int_equal(peer.out.length - peer.out_sent, (fast ? 17 : 0) + 10 * 9);
    }
}

/* All that was not shown, bounded: of a large torrent by and by. */
static void showing_all(void **state)
{
    static const seed_content huge = {(apr_int64_t)100000 * 16384, 16384, 100000, 0, 0, {{0}}, 0};
    apr_size_t total = 0;

    shake_unseen(FAST);
    seed_peer_show(&peer, 3);
    seed_peer_show_all(&peer);
    seed_peer_show_all(&peer);
    assert_null(peer.shown);
    assert_false(peer.flags & SEED_PEER_SHOWING);
    assert_int_equal(peer.out.length, 68 + 5 + 11 * 9);
    tear_down(state);
    set_up(state);
    say_handshake(&bytes, &hash, FAST);
    seed_peer_input(&peer, bytes.data, bytes.length, START);
    seed_peer_admit(&peer, &huge, own_id, SEED_SHOW_NONE, START);
    seed_peer_sent_out(&peer, peer.out.length, START);
    seed_peer_show(&peer, 77777);
    seed_peer_show_all(&peer);
    while (peer.out.length) {
        apr_size_t step = peer.out.length - peer.out_sent;
        assert_true(step < 65 * 1024);
        step = step > 1000 ? 1000 : step;
        total += step;
        seed_peer_sent_out(&peer, step, START);
    }
    assert_int_equal(total, 9 * 100000);
    assert_null(peer.shown);
}

static char told[200];

static void on_has(void *baton, apr_uint32_t piece, int now_has)
{
    assert_ptr_equal(baton, &peer);
    snprintf(told + strlen(told), sizeof told - strlen(told), "%c%d ", now_has ? '+' : '-', (int)piece);
}

static void on_has_many(void *baton)
{
    snprintf(told + strlen(told), sizeof told - strlen(told), "=%d ", (int)((seed_peer *)baton)->pieces.count);
}

/* Who wants to know hears of each change once, and of nothing else. */
static void events_of_its_pieces(void **state)
{
    static const seed_peer_events events = {on_has, on_has_many};

    told[0] = 0;
    peer.events = &events;
    peer.baton = &peer;
    shake(FAST, &content);
    bt_buf_add(&bytes, "\0\0\0\1\17", 5); /* have none */
    say(&bytes, PW_HAVE, 1, 1, 0, 0);
    say(&bytes, PW_HAVE, 1, 1, 0, 0);
    bt_buf_add(&bytes, "\0\0\0\3\5\200\0", 7);
    bt_buf_add(&bytes, "\0\0\0\3\5\100\0", 7); /* known already */
    say(&bytes, PW_HAVE, 1, 10, 0, 0);
    bt_buf_add(&bytes, "\0\0\0\1\16", 5); /* have all */
    bt_buf_add(&bytes, "\0\0\0\1\16", 5);
    say(&bytes, PW_HAVE, 1, 2, 0, 0);
    assert_int_equal(feed(1000, &content), SEED_PEER_GO_ON);
    assert_string_equal(told, "+1 =2 +10 =11 ");
}

static void extension_messages_are_passed_over(void **state)
{
    for (size_t step = 1; step < 20; step++) {
        set_up(state);
        shake(FAST, &content);
        bt_buf_add(&bytes, "\0\0\0\11\24\0d1:x1:", 12);
        bt_buf_add(&bytes, "e", 1);
        say(&bytes, PW_INTERESTED, 0, 0, 0, 0);
        assert_int_equal(feed(step, &content), SEED_PEER_GO_ON);
        assert_true(peer.flags & SEED_PEER_INTERESTED);
        assert_null(peer.in.data);
        tear_down(state);
    }
    set_up(state);
}

static void hash_requests_wait_where_v2_is_spoken(void **state)
{
    unsigned char body[PW_HASH_REQUEST_BODY];

    memset(body, 7, sizeof body);
    shake(FAST | V2, &content);
    seed_peer_sent_out(&peer, peer.out.length, START);
    for (int i = 0; i <= SEED_ASKS_MAX; i++) {
        bt_buf_add(&bytes, "\0\0\0\61\25", 5);
        bt_buf_add(&bytes, body, sizeof body);
    }
    assert_int_equal(feed(10, &content), SEED_PEER_GO_ON);
    assert_int_equal(peer.asks.count, SEED_ASKS_MAX);
    assert_int_equal(seed_asks_first(&peer.asks)->kind, SEED_ASK_HASHES);
    assert_memory_equal(seed_asks_first(&peer.asks)->request, body, sizeof body);
    assert_int_equal(peer.out.length, 53); /* one more than may wait */
    assert_int_equal(peer.out.data[4], PW_HASH_REJECT);
    assert_memory_equal(peer.out.data + 5, body, sizeof body);
    tear_down(state);
    set_up(state);
    shake(FAST, &content);
    bt_buf_add(&bytes, "\0\0\0\61\25", 5);
    expect_close(SEED_CLOSE_BAD_MESSAGE);
}

static void an_empty_file(void **state)
{
    shake(FAST, &empty);
    say(&bytes, PW_HAVE_NONE, 0, 0, 0, 0);
    assert_int_equal(feed(1000, &empty), SEED_PEER_GO_ON);
    say_request(&bytes, 0, 0, 1);
    assert_int_equal(feed(1000, &empty), SEED_PEER_CLOSE);
    assert_int_equal(peer.reason, SEED_CLOSE_BAD_REQUEST);
}

/* However the bytes are cut, the same comes of them. */
static void any_split_gives_the_same(void **state)
{
    size_t out = 0, queued = 0;

    for (size_t step = 1; step < 150; step++) {
        set_up(state);
        ready(FAST);
        say(&bytes, PW_HAVE_NONE, 0, 0, 0, 0);
        bt_buf_add(&bytes, "\0\0\0\0", 4);
        for (apr_uint32_t i = 0; i < 20; i++) {
            say_request(&bytes, i % 10, 0, 100 + i);
            say(&bytes, PW_HAVE, 1, i % 11, 0, 0);
            if (i % 3 == 0)
                say(&bytes, PW_CANCEL, 3, i % 10, 0, 100 + i);
        }
        assert_int_equal(feed(step, &content), SEED_PEER_GO_ON);
        if (step > 1) {
            assert_int_equal(peer.out.length, out);
            assert_int_equal(peer.requests.count, queued);
        }
        assert_int_equal(peer.pieces.count, 11);
        out = peer.out.length;
        queued = peer.requests.count;
        tear_down(state);
    }
    assert_int_equal(queued, 13);
    assert_int_equal(out, 7 * 17);
    set_up(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_answer_to_a_handshake),
        TEST(nothing_is_said_before_the_hash_is_known),
        TEST(a_hybrid_is_spoken_as_v2_where_both_can),
        TEST(a_request_becomes_a_block),
        TEST(a_large_request_is_rejected),
        TEST(choking_ends_every_request),
        TEST(choking_without_fast_just_drops),
        TEST(a_cancelled_request_is_rejected),
        TEST(only_the_last_block_is_padded),
        TEST(bitfields_add_up),
        TEST(pieces_shown_one_by_one),
        TEST(showing_all),
        TEST(events_of_its_pieces),
        TEST(extension_messages_are_passed_over),
        TEST(hash_requests_wait_where_v2_is_spoken),
        TEST(an_empty_file),
        TEST(any_split_gives_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
