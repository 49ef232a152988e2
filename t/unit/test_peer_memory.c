/* The most memory that one peer can make us hold, by all means that it has, as docs/protocol.md states it. */
#include "t/unit/unit.h"

#include <string.h>

#include "seeder/extension.h"
#include "seeder/hashes.h"
#include "seeder/loop.h"
#include "t/unit/peer_bytes.h"

enum { FAST = PW_BIT_FAST, V2 = PW_BIT_V2, START = 1000000, IDLE = 1024 };

static const bt_infohash hash = {"0123456789abcdefghi"};
static const unsigned char own_id[] = "-BH0100-0123456789ab";

static seed_peer peer;
static bt_buf bytes;
static seed_content content;

static size_t held(void)
{
    size_t bits = seed_bitfield_size(content.pieces);

    return sizeof(seed_conn) + peer.in.capacity + peer.out.capacity + peer.requests.capacity * sizeof(seed_block) +
           peer.asks.capacity * sizeof(seed_ask) + (peer.pieces.bits ? bits : 0) + (peer.shown ? bits : 0) +
           (peer.mse ? sizeof *peer.mse : 0) + (peer.stream ? sizeof *peer.stream : 0);
}

static size_t most(void)
{
    return 768 * 1024 + 6 * (size_t)seed_bitfield_size(content.pieces);
}

/* As the loop does it: 16 KiB at once, and none while it does not take our answers. @return the most that was held */
static size_t feed(void)
{
    size_t peak = held(), step;

    for (size_t at = 0; at < bytes.length; at += step) {
        seed_verdict verdict;
        if (!seed_peer_wants_input(&peer) && peer.state != SEED_PEER_ASKING)
            break;
        step = bytes.length - at < SEED_INPUT_SIZE ? bytes.length - at : SEED_INPUT_SIZE;
        verdict = seed_peer_input(&peer, bytes.data + at, step, START);
        if (verdict == SEED_PEER_ASK)
            verdict = seed_peer_admit(&peer, &content, own_id, SEED_SHOW_NONE, START);
        peak = held() > peak ? held() : peak;
        if (verdict != SEED_PEER_GO_ON)
            break;
    }
    bt_buf_reset(&bytes);
    return peak;
}

static void begin(apr_uint32_t pieces)
{
    content = (seed_content){.length = (apr_int64_t)pieces * 16384, .piece_length = 16384, .pieces = pieces, .v2 = 1,
                             .metadata_size = 100000};
    seed_peer_init(&peer, &seed_limits_default, START);
    bt_buf_init(&bytes, 4 << 20);
    say_handshake(&bytes, &hash, FAST | V2);
    bytes.data[25] |= 0x10;
    feed();
    assert_int_equal(peer.state, SEED_PEER_LIVE);
}

static void end(void)
{
    seed_peer_free(&peer);
    bt_buf_free(&bytes);
}

static void an_idle_peer(void **state)
{
    begin(2000);
    seed_peer_show_all(&peer);
    seed_peer_sent_out(&peer, peer.out.length - peer.out_sent, START);
    while (peer.out.length) /* what it is told by and by */
        seed_peer_sent_out(&peer, peer.out.length - peer.out_sent, START);
    assert_true(held() <= IDLE);
    say(&bytes, PW_HAVE, 1, 7, 0, 0);
    feed();
    assert_true(held() <= IDLE + seed_bitfield_size(content.pieces));
    end();
    (void)state;
}

/* Everything at once, and nothing is read of what we answer. */
static void a_greedy_one(void **state)
{
    static const apr_uint32_t sizes[] = {1, 2000, 100000, 1 << 21};
    static const char metadata[] = "d8:msg_typei0e5:piecei0ee";

    for (int s = 0; s < 4; s++) {
        size_t peak, step;

        begin(sizes[s]);
        for (apr_uint32_t p = 0; p < content.pieces && p < 5000; p++)
            seed_peer_show(&peer, p);
        seed_peer_sent_out(&peer, peer.out.length - peer.out_sent, START);
        say_extended(&bytes, SEED_EXT_HANDSHAKE, "d1:md11:ut_metadatai2eee", 24);
        say(&bytes, PW_INTERESTED, 0, 0, 0, 0);
        say(&bytes, PW_HAVE, 1, 0, 0, 0);
        feed();
        seed_peer_unchoke(&peer, START);
        for (int i = 0; i < 100; i++)
            say_extended(&bytes, SEED_EXT_METADATA, metadata, sizeof metadata - 1);
        for (int i = 0; i < 2000; i++)
            say_request(&bytes, 0, 0, 1);
        peak = feed();
        for (int i = 0; i < 20000; i++)
            say_request(&bytes, 0, 0, 1); /* each is rejected */
        if ((step = feed()) > peak)
            peak = step;
        if (seed_peer_wants_answer(&peer)) /* the longest that there is: hashes */
            bt_buf_extend(&peer.out, 5 + PW_HASH_REQUEST_BODY + (SEED_HASHES_MAX + SEED_HASHES_LEVELS) * BT_HASH_V2_SIZE);
        seed_peer_choke(&peer, START); /* and now the waiting ones, too */
        peak = held() > peak ? held() : peak;
        if (peak > most())
            fail_msg("%ld bytes for %u pieces", (long)peak, (unsigned)content.pieces);
        end();
    }
    (void)state;
}

/* Half of the longest message that there is. */
static void half_a_message(void **state)
{
    static const apr_uint32_t sizes[] = {1, 2000, 100000, 1 << 21};

    for (int s = 0; s < 4; s++) {
        apr_uint32_t bitfield;
        unsigned char *at;

        begin(sizes[s]);
        bitfield = seed_bitfield_size(content.pieces);
        at = bt_buf_extend(&bytes, bitfield + 4); /* all but the last byte */
        memset(at, 0, bitfield + 4);
        pw_put_u32(at, bitfield + 1);
        at[4] = PW_BITFIELD;
        assert_true(feed() <= most());
        end();
        begin(sizes[s]);
        at = bt_buf_extend(&bytes, PW_IGNORED_MAX);
        memset(at, 0, PW_IGNORED_MAX);
        pw_put_u32(at, PW_IGNORED_MAX);
        at[4] = PW_EXTENDED;
        assert_true(feed() <= most());
        end();
    }
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_peer),
        cmocka_unit_test(a_greedy_one),
        cmocka_unit_test(half_a_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
