/* The extension protocol, byte by byte: handshakes, parts of the infodict, pieces lost, partial seeds. */
#include "t/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "seeder/extension.h"
#include "seeder/handover.h"
#include "seeder/metadata.h"
#include "t/unit/peer_bytes.h"

static const bt_infohash hash = {"0123456789abcdefghi"};
static const unsigned char own_id[] = "-BH0100-0123456789ab";
static const seed_content content = {10 * 65536 + 100, 65536, 11, 1, 0, {{0}}, 2 * 16384};
static const seed_content no_metadata = {10 * 65536 + 100, 65536, 11, 1, 0, {{0}}, 0};

enum { START = 1000000, FAST = PW_BIT_FAST };

static seed_peer peer;
static bt_buf bytes;

static int set_up(void **state)
{
    seed_peer_init(&peer, &seed_limits_default, START);
    bt_buf_init(&bytes, 1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    seed_peer_free(&peer);
    bt_buf_free(&bytes);
    return 0;
}

static seed_verdict feed(size_t step)
{
    seed_verdict verdict = SEED_PEER_GO_ON;

    for (size_t at = 0; at < bytes.length && verdict == SEED_PEER_GO_ON; at += step)
        verdict = seed_peer_input(&peer, bytes.data + at, bytes.length - at < step ? bytes.length - at : step, START);
    bt_buf_reset(&bytes);
    return verdict;
}

static void shake(unsigned reserved, const seed_content *what)
{
    tear_down(NULL);
    set_up(NULL);
    memcpy(peer.ip, "\177\0\0\1", 4);
    peer.ip_length = 4;
    say_handshake(&bytes, &hash, reserved);
    assert_int_equal(seed_peer_input(&peer, bytes.data, bytes.length, START), SEED_PEER_ASK);
    bt_buf_reset(&bytes);
    assert_int_equal(seed_peer_admit(&peer, what, own_id, SEED_SHOW_ALL, START), SEED_PEER_GO_ON);
}

/* One that has shaken hands in both ways, and to which nothing is left to send. */
static void ready(const char *handshake)
{
    shake(FAST | SAY_EXTENDED, &content);
    say_extended(&bytes, 0, handshake, strlen(handshake));
    assert_int_equal(feed(1000), SEED_PEER_GO_ON);
    seed_peer_sent_out(&peer, peer.out.length, START);
}

static void says(unsigned id, const char *text)
{
    say_extended(&bytes, id, text, strlen(text));
}

static void expect_out(const char *expected, size_t length)
{
    assert_int_equal(peer.out.length - peer.out_sent, length);
    if (length)
        assert_memory_equal(peer.out.data + peer.out_sent, expected, length);
    seed_peer_sent_out(&peer, peer.out.length - peer.out_sent, START);
}

static void our_handshake(void **state)
{
    static const char with[] = "d1:md11:lt_donthavei3e11:upload_onlyi4e11:ut_metadatai1e6:ut_pexi2ee13:metadata_sizei32768e"
                               "4:reqqi2000e1:v";
    static const char without[] = "d1:md11:lt_donthavei3e11:upload_onlyi4e6:ut_pexi2ee4:reqqi2000e1:v";

    for (int given = 0; given < 2; given++) {
        const char *expected = given ? with : without;
        size_t length;

        shake(FAST | SAY_EXTENDED, given ? &content : &no_metadata);
        assert_int_equal(peer.out.data[25], PW_BIT_EXTENDED);
        length = peer.out.length - 68 - 5;
        assert_memory_equal(peer.out.data + 68, "\0\0\0\1\16", 5);
        assert_int_equal(pw_get_u32(peer.out.data + 73), length - 4);
        assert_memory_equal(peer.out.data + 77, "\24\0", 2);
        assert_memory_equal(peer.out.data + 79, expected, strlen(expected));
        assert_memory_equal(peer.out.data + peer.out.length - 15, "6:yourip4:\177\0\0\1e", 15);
    }
    shake(FAST, &content); /* our bit is there, our handshake is not */
    assert_int_equal(peer.out.data[25], PW_BIT_EXTENDED);
    assert_int_equal(peer.out.length, 68 + 5);
    shake(SAY_EXTENDED, &content); /* after the bitfield */
    assert_memory_equal(peer.out.data + 68, "\0\0\0\3\5\377\340", 7);
    assert_int_equal(peer.out.data[79], PW_EXTENDED);
}

/* Whatever stands in a handshake: it is taken for what it says, or passed over. */
static void their_handshake(void **state)
{
    static const struct {
        const char *text;
        int metadata, pex, port, upload_only;
    } cases[] = {
        {"d1:md11:ut_metadatai7e6:ut_pexi1ee1:pi6881ee", 7, 1, 6881, 0},
        {"d1:md6:ut_pexi255eee", 0, 255, 0, 0},
        {"d1:md6:ut_pexi256e11:ut_metadatai-1eee", 0, 0, 0, 0},
        {"d1:md11:ut_metadata1:xe1:pi65536e11:upload_onlyi1ee", 0, 0, 0, 1},
        {"d1:md11:ut_metadatai3ee1:pi0e11:upload_onlyi0ee", 3, 0, 0, 0},
        {"d1:mi3e1:p1:xe", 0, 0, 0, 0},
        {"de", 0, 0, 0, 0},
        {"le", 0, 0, 0, 0},
        {"d1:md11:ut_metadatai3ee", 0, 0, 0, 0}, /* it does not end */
        {"", 0, 0, 0, 0},
        {"1:pi7e1:m", 0, 0, 0, 0},
        {"d1:pi7e1:md11:ut_metadatai3eeetrailing", 3, 0, 7, 0}, /* keys in any order, something behind */
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t step = 1; step < 70; step += 1 + i) {
            shake(SAY_EXTENDED, &content);
            says(0, cases[i].text);
            assert_int_equal(feed(step), SEED_PEER_GO_ON);
            assert_int_equal(peer.extension.metadata, cases[i].metadata);
            assert_int_equal(peer.extension.pex, cases[i].pex);
            assert_int_equal(peer.extension.port, cases[i].port);
            assert_int_equal(!!(peer.flags & SEED_PEER_UPLOAD_ONLY), cases[i].upload_only);
            assert_null(peer.in.data);
        }
    }
}

static void a_later_handshake_changes_what_it_names(void **state)
{
    ready("d1:md11:ut_metadatai7e6:ut_pexi1ee1:pi6881ee");
    says(0, "d1:md11:ut_metadatai0eee");
    assert_int_equal(feed(1), SEED_PEER_GO_ON);
    assert_int_equal(peer.extension.metadata, 0);
    assert_int_equal(peer.extension.pex, 1);
    assert_int_equal(peer.extension.port, 6881);
}

static void requests_for_metadata(void **state)
{
    ready("d1:md11:ut_metadatai7eee");
    says(1, "d8:msg_typei0e5:piecei1ee");
    says(1, "d8:msg_typei0e5:piecei0e10:total_sizei99ee");
    assert_int_equal(feed(3), SEED_PEER_GO_ON);
    assert_int_equal(peer.asks.count, 2);
    assert_int_equal(seed_asks_first(&peer.asks)->kind, SEED_ASK_METADATA);
    assert_int_equal(seed_asks_first(&peer.asks)->piece, 1);
    assert_int_equal(seed_asks_at(&peer.asks, 1)->piece, 0);
    assert_true(seed_peer_wants_answer(&peer));
    expect_out("", 0);
    says(1, "d8:msg_typei0e5:piecei2ee"); /* off the end: the size is a multiple of 16 KiB */
    assert_int_equal(feed(1000), SEED_PEER_GO_ON);
    assert_int_equal(peer.asks.count, 2);
    expect_out("\0\0\0\33\24\7d8:msg_typei2e5:piecei2ee", 31);
    says(1, "d8:msg_typei0e5:piecei-1ee");
    assert_int_equal(feed(1000), SEED_PEER_GO_ON);
    expect_out("\0\0\0\34\24\7d8:msg_typei2e5:piecei-1ee", 32);
}

/* Nothing comes back, and nothing is kept. */
static void metadata_that_is_no_question(void **state)
{
    static const char *const texts[] = {"d8:msg_typei1e5:piecei0e10:total_sizei32768eexxxx",
                                        "d8:msg_typei2e5:piecei0ee",
                                        "d8:msg_typei9e5:piecei0ee",
                                        "d5:piecei0ee",
                                        "d8:msg_typei0ee",
                                        "d8:msg_typei0e5:piece1:0e",
                                        "d8:msg_typei0e5:piecei18446744073709551616ee",
                                        "i0e",
                                        "garbage",
                                        ""};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        ready("d1:md11:ut_metadatai7eee");
        says(1, texts[i]);
        assert_int_equal(feed(1 + i), SEED_PEER_GO_ON);
        assert_int_equal(peer.asks.count, 0);
        expect_out("", 0);
    }
    ready("d1:mdee"); /* it takes no answers */
    says(1, "d8:msg_typei0e5:piecei0ee");
    assert_int_equal(feed(1000), SEED_PEER_GO_ON);
    assert_int_equal(peer.asks.count, 0);
    expect_out("", 0);
    shake(FAST | SAY_EXTENDED, &no_metadata);
    seed_peer_sent_out(&peer, peer.out.length, START);
    says(0, "d1:md11:ut_metadatai7eee");
    says(1, "d8:msg_typei0e5:piecei0ee");
    assert_int_equal(feed(1000), SEED_PEER_GO_ON);
    expect_out("", 0);
}

/* More than may wait are rejected; asking on and on closes. */
static void a_flood_of_requests_for_metadata(void **state)
{
    seed_verdict verdict = SEED_PEER_GO_ON;
    int asked = 0;

    ready("d1:md11:ut_metadatai7eee");
    for (; verdict == SEED_PEER_GO_ON && asked < 10000; asked++) {
        says(1, "d8:msg_typei0e5:piecei1ee");
        verdict = feed(1000);
        if (verdict == SEED_PEER_GO_ON)
            assert_int_equal(peer.asks.count, asked < SEED_ASKS_MAX ? asked + 1 : SEED_ASKS_MAX);
        if (asked < SEED_ASKS_MAX && verdict == SEED_PEER_GO_ON)
            expect_out("", 0);
    }
    assert_int_equal(verdict, SEED_PEER_CLOSE);
    assert_int_equal(peer.reason, seed_rule_reason(SEED_RULE_METADATA));
    /* A copy of the infodict in two parts may be asked for sixteen times, and once in a while. */
    assert_int_equal(asked, 16 * 2 + 1);
}

static void parts_of_an_infodict(void **state)
{
    static const unsigned char infodict[3 * 16384] = {1, 2, 3, [16384] = 4, [32768] = 5, [32769] = 6, [49151] = 7};
    static const struct {
        apr_uint32_t size, piece, bytes;
        const char *dict;
    } cases[] = {
        {1, 0, 1, "d8:msg_typei1e5:piecei0e10:total_sizei1ee"},
        {16384, 0, 16384, "d8:msg_typei1e5:piecei0e10:total_sizei16384ee"},
        {16385, 1, 1, "d8:msg_typei1e5:piecei1e10:total_sizei16385ee"},
        {32768, 1, 16384, "d8:msg_typei1e5:piecei1e10:total_sizei32768ee"},
        {49152, 2, 16384, "d8:msg_typei1e5:piecei2e10:total_sizei49152ee"},
        {49151, 2, 16383, "d8:msg_typei1e5:piecei2e10:total_sizei49151ee"},
    };

    assert_int_equal(seed_metadata_parts(0), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t dict = strlen(cases[i].dict);

        bt_buf_reset(&bytes);
        bt_buf_add(&bytes, "before", 6);
        seed_metadata_add_part(&bytes, 9, cases[i].piece, infodict, cases[i].size);
        assert_int_equal(bytes.status, APR_SUCCESS);
        assert_int_equal(bytes.length, 6 + 6 + dict + cases[i].bytes);
        assert_int_equal(pw_get_u32(bytes.data + 6), 2 + dict + cases[i].bytes);
        assert_memory_equal(bytes.data + 10, "\24\11", 2);
        assert_memory_equal(bytes.data + 12, cases[i].dict, dict);
        assert_memory_equal(bytes.data + 12 + dict, infodict + cases[i].piece * 16384, cases[i].bytes);
        assert_int_equal(seed_metadata_parts(cases[i].size), cases[i].piece + 1);
    }
}

static char told[200];

static void on_has(void *baton, apr_uint32_t piece, int now_has)
{
    snprintf(told + strlen(told), sizeof told - strlen(told), "%c%d ", now_has ? '+' : '-', (int)piece);
}

static void on_has_many(void *baton)
{
    snprintf(told + strlen(told), sizeof told - strlen(told), "= ");
}

static void a_piece_that_is_lost(void **state)
{
    static const seed_peer_events events = {on_has, on_has_many};

    told[0] = 0;
    ready("de");
    peer.events = &events;
    bt_buf_add(&bytes, "\0\0\0\1\16", 5); /* have all */
    say_extended(&bytes, 3, "\0\0\0\12", 4);
    say_extended(&bytes, 3, "\0\0\0\12", 4);
    assert_int_equal(feed(1), SEED_PEER_GO_ON);
    assert_int_equal(peer.pieces.count, 10);
    assert_false(seed_pieces_has(&peer.pieces, 11, 10));
    assert_int_equal(peer.complete, 0);
    say(&bytes, PW_HAVE, 1, 10, 0, 0);
    assert_int_equal(feed(1), SEED_PEER_GO_ON);
    assert_int_equal(peer.complete, START);
    assert_string_equal(told, "= -10 +10 ");
    peer.pieces.unknown = 1;
    say_extended(&bytes, 3, "\0\0\0\1", 4);
    assert_int_equal(feed(1), SEED_PEER_GO_ON);
    assert_int_equal(peer.pieces.count, 11);
}

static void a_lost_piece_that_does_not_exist(void **state)
{
    static const struct {
        const char *text;
        size_t length;
    } bad[] = {{"\0\0\0\13", 4}, {"\377\377\377\377", 4}, {"\0\0\0", 3}, {"\0\0\0\1\0", 5}, {"", 0}};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ready("de");
        say_extended(&bytes, 3, bad[i].text, bad[i].length);
        assert_int_equal(feed(2), SEED_PEER_CLOSE);
        assert_int_equal(peer.reason, SEED_CLOSE_BAD_MESSAGE);
    }
}

/* It wants nothing now, but may want something later; one that has asked something gets its answer first. */
static void a_partial_seed(void **state)
{
    const apr_time_t later = START + seed_limits_default.seed_grace;
    seed_ask ask = {.kind = SEED_ASK_METADATA};

    ready("d11:upload_onlyi1ee");
    assert_int_equal(peer.complete, START);
    say(&bytes, PW_INTERESTED, 0, 0, 0, 0);
    feed(1000);
    assert_int_equal(peer.complete, 0);
    say(&bytes, PW_NOT_INTERESTED, 0, 0, 0, 0);
    feed(1000);
    assert_int_equal(peer.complete, START);
    say_extended(&bytes, 4, "\0", 1);
    feed(1);
    assert_int_equal(peer.complete, 0);
    say_extended(&bytes, 4, "", 0);
    feed(1);
    assert_int_equal(peer.complete, 0);
    say_extended(&bytes, 4, "\1", 1);
    feed(1);
    assert_int_equal(peer.complete, START);
    assert_int_equal(seed_peer_tick(&peer, 1, 0, later - 1), SEED_PEER_GO_ON);
    seed_asks_push(&peer.asks, &ask);
    assert_int_equal(seed_peer_tick(&peer, 1, 0, later), SEED_PEER_GO_ON);
    seed_asks_drop(&peer.asks);
    assert_int_equal(seed_peer_tick(&peer, 1, 0, later), SEED_PEER_CLOSE);
    assert_int_equal(peer.reason, SEED_CLOSE_ALSO_SEED);
}

/* Messages that nobody named, or too long ones, are passed over and cost credit. */
static void what_was_not_named(void **state)
{
    static char text[PW_EXTENDED_MAX + 1];
    seed_verdict verdict = SEED_PEER_GO_ON;
    int said = 0;

    ready("de");
    bt_buf_add(&bytes, "\0\0\0\1\24", 5); /* not even a number */
    says(99, "abc");
    says(2, "d5:added0:e");
    memset(text, 'x', sizeof text);
    say_extended(&bytes, 0, text, PW_EXTENDED_MAX - 1);
    say_extended(&bytes, 0, text, PW_EXTENDED_MAX);
    say(&bytes, PW_INTERESTED, 0, 0, 0, 0);
    assert_int_equal(feed(100), SEED_PEER_GO_ON);
    assert_true(peer.flags & SEED_PEER_INTERESTED);
    expect_out("", 0);
    for (; verdict == SEED_PEER_GO_ON && said < 10000; said++) {
        says(99, "abc");
        verdict = feed(100);
    }
    assert_int_equal(verdict, SEED_PEER_CLOSE);
    assert_int_equal(peer.reason, SEED_CLOSE_FLOOD);
    ready("de");
    bt_buf_add(&bytes, "\0\1\0\2\24", 5);
    assert_int_equal(feed(100), SEED_PEER_CLOSE);
    assert_int_equal(peer.reason, SEED_CLOSE_BAD_LENGTH);
}

/* A peer that does not read is not answered. */
static void answers_wait_for_room(void **state)
{
    seed_ask ask = {.kind = SEED_ASK_METADATA};

    ready("de");
    assert_false(seed_peer_wants_answer(&peer));
    seed_asks_push(&peer.asks, &ask);
    assert_true(seed_peer_wants_answer(&peer));
    peer.asks.waiting = 1;
    assert_false(seed_peer_wants_answer(&peer));
    peer.asks.waiting = 0;
    bt_buf_extend(&peer.out, 64 * 1024);
    assert_false(seed_peer_wants_answer(&peer));
    seed_peer_sent_out(&peer, 1, START);
    assert_true(seed_peer_wants_answer(&peer));
}

static void asks_go_round(void **state)
{
    uint64_t random = 9;
    apr_uint32_t pushed = 0, dropped = 0;
    seed_asks asks = {0};

    for (int i = 0; i < 20000; i++) {
        seed_ask ask = {.kind = SEED_ASK_METADATA, .piece = pushed};
        if (unit_below(&random, 2)) {
            int room = asks.count < SEED_ASKS_MAX;
            assert_int_equal(seed_asks_push(&asks, &ask), room);
            pushed += (apr_uint32_t)room;
        } else if (asks.count) {
            assert_int_equal(seed_asks_first(&asks)->piece, dropped);
            seed_asks_drop(&asks);
            dropped++;
        }
        assert_int_equal(asks.count, pushed - dropped);
        assert_int_equal(asks.ring != NULL, asks.count > 0);
    }
    seed_asks_free(&asks);
    assert_null(seed_asks_first(&asks));
}

/* What it said and asked goes along with it to the next seeder. */
static void handed_over(void **state)
{
    seed_ask hashes = {.kind = SEED_ASK_HASHES};
    seed_peer taken;
    seed_content said;
    bt_buf record;

    ready("d1:md11:ut_metadatai7e6:ut_pexi9ee1:pi6881e11:upload_onlyi1ee");
    says(1, "d8:msg_typei0e5:piecei1ee");
    feed(1000);
    memset(hashes.request, 5, sizeof hashes.request);
    seed_asks_push(&peer.asks, &hashes);
    peer.asks.waiting = 1;
    bt_buf_init(&record, 100000);
    assert_int_equal(seed_handover_write(&record, &peer), APR_SUCCESS);
    seed_peer_init(&taken, &seed_limits_default, START);
    assert_int_equal(seed_handover_read(record.data, record.length, &taken, &said), APR_SUCCESS);
    assert_int_equal(taken.flags, peer.flags);
    assert_memory_equal(&taken.extension, &peer.extension, sizeof peer.extension);
    assert_int_not_equal(taken.complete, 0); /* it wants nothing, and goes when it has its answers */
    assert_int_equal(taken.asks.count, 2);
    assert_int_equal(taken.asks.waiting, 0);
    assert_int_equal(seed_asks_first(&taken.asks)->piece, 1);
    assert_memory_equal(seed_asks_at(&taken.asks, 1)->request, hashes.request, sizeof hashes.request);
    seed_peer_free(&taken);
    bt_buf_free(&record);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(our_handshake),
        TEST(their_handshake),
        TEST(a_later_handshake_changes_what_it_names),
        TEST(requests_for_metadata),
        TEST(metadata_that_is_no_question),
        TEST(a_flood_of_requests_for_metadata),
        TEST(parts_of_an_infodict),
        TEST(a_piece_that_is_lost),
        TEST(a_lost_piece_that_does_not_exist),
        TEST(a_partial_seed),
        TEST(what_was_not_named),
        TEST(answers_wait_for_room),
        TEST(asks_go_round),
        TEST(handed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
