/* What the tests of one peer's state machine share: a peer, bytes that are gathered for it, and what it holds of them. */
#ifndef PEER_KIT_H
#define PEER_KIT_H

#include "t/unit/unit.h"

#include <string.h>

#include "seeder/peer.h"
#include "t/unit/peer_bytes.h"

static const bt_infohash hash = {"0123456789abcdefghi"};
static const unsigned char own_id[] = "-BH0100-0123456789ab";
static const seed_content content = {10 * 65536 + 100, 65536, 11, 1, 0, {{0}}, 0}; /* the last piece has 100 bytes */
static const seed_content v1_only = {10 * 65536 + 100, 65536, 11, 0, 0, {{0}}, 0};
static const seed_content empty = {0, 16384, 0, 1, 0, {{0}}, 0};

enum { START = 1000000, FAST = PW_BIT_FAST, V2 = PW_BIT_V2 };

static seed_peer peer;
static bt_buf bytes;

static inline int set_up(void **state)
{
    seed_peer_init(&peer, &seed_limits_default, START);
    bt_buf_init(&bytes, 1 << 20);
    return 0;
}

static inline int tear_down(void **state)
{
    seed_peer_free(&peer);
    bt_buf_free(&bytes);
    return 0;
}

/* Gives the gathered bytes to the peer, `step` at a time. */
static inline seed_verdict feed(size_t step, const seed_content *what)
{
    seed_verdict verdict = SEED_PEER_GO_ON;

    for (size_t at = 0; at < bytes.length && verdict == SEED_PEER_GO_ON; at += step) {
        size_t n = bytes.length - at < step ? bytes.length - at : step;
        verdict = seed_peer_input(&peer, bytes.data + at, n, START);
        if (verdict == SEED_PEER_ASK)
            verdict = seed_peer_admit(&peer, what, own_id, SEED_SHOW_ALL, START);
    }
    bt_buf_reset(&bytes);
    return verdict;
}

static inline void shake(unsigned reserved, const seed_content *what)
{
    say_handshake(&bytes, &hash, reserved);
    assert_int_equal(feed(1000, what), SEED_PEER_GO_ON);
    assert_int_equal(peer.state, SEED_PEER_LIVE);
}

/* A live, interested, unchoked peer with nothing left to send to it. */
static inline void ready(unsigned reserved)
{
    shake(reserved, &content);
    say(&bytes, PW_INTERESTED, 0, 0, 0, 0);
    feed(1000, &content);
    seed_peer_unchoke(&peer, START);
    seed_peer_sent_out(&peer, peer.out.length, START);
}

static inline void expect_close(seed_close_reason reason)
{
    assert_int_equal(feed(1000, &content), SEED_PEER_CLOSE);
    assert_int_equal(peer.reason, reason);
}

static inline void expect_out(const char *expected, size_t length)
{
    assert_int_equal(peer.out.length - peer.out_sent, length);
    if (length)
        assert_memory_equal(peer.out.data + peer.out_sent, expected, length);
}

#endif
