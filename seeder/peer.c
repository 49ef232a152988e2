#include "seeder/peer_input.h"

#include <stdlib.h>
#include <string.h>

#include "seeder/extension.h"
#include "torrentgen/torrent.h"

enum {
    OUT_ENOUGH = 64 * 1024,    /* unsent control bytes, beyond which a peer is not read */
    REQUESTS_OF_A_READING = 1024, /* more than 16 KiB hold */
    OUT_MAX = 1024 * 1024,     /* a bitfield of 2^21 pieces, a full queue of rejects, and room */
    IN_MAX = 1024 * 1024       /* a bitfield of as many pieces; the codec bounds it by the torrent's own */
};

apr_uint32_t seed_content_piece_size(const seed_content *content, apr_uint32_t piece)
{
    apr_int64_t rest = content->length - (apr_int64_t)piece * content->piece_length;

    return rest < content->piece_length ? (apr_uint32_t)rest : content->piece_length;
}

apr_uint32_t seed_content_bitfield(const seed_content *content)
{
    return seed_bitfield_size(content->pieces);
}

void seed_peer_init(seed_peer *peer, const seed_limits *limits, apr_time_t now)
{
    memset(peer, 0, sizeof *peer);
    peer->limits = limits;
    bt_buf_init(&peer->in, IN_MAX);
    bt_buf_init(&peer->out, OUT_MAX);
    seed_rules_init(&peer->rules, limits->rules);
    peer->started = peer->heard = peer->spoken = peer->since = now;
}

void seed_peer_free(seed_peer *peer)
{
    bt_buf_free(&peer->in);
    bt_buf_free(&peer->out);
    free(peer->mse);
    free(peer->stream);
    peer->mse = NULL;
    peer->stream = NULL;
    seed_requests_free(&peer->requests);
    seed_pieces_free(&peer->pieces);
    seed_asks_free(&peer->asks);
    free(peer->shown);
    peer->shown = NULL;
}

seed_verdict seed_peer_close_for(seed_peer *peer, seed_close_reason reason)
{
    peer->reason = reason;
    return SEED_PEER_CLOSE;
}

seed_verdict seed_peer_spend_many(seed_peer *peer, seed_rule rule, apr_uint32_t units, apr_time_t now)
{
    return seed_rules_spend_many(&peer->rules, rule, units, now) ? SEED_PEER_GO_ON
                                                                 : seed_peer_close_for(peer, seed_rule_reason(rule));
}

seed_verdict seed_peer_spend(seed_peer *peer, seed_rule rule, apr_time_t now)
{
    return seed_peer_spend_many(peer, rule, 1, now);
}

int seed_content_has_block(const seed_content *content, const seed_block *block)
{
    apr_uint32_t size;

    if (block->piece >= content->pieces || block->length == 0)
        return 0;
    size = seed_content_piece_size(content, block->piece);
    if (block->begin >= size)
        return 0;
    if (content->padded)
        size = (size + TG_BLOCK - 1) / TG_BLOCK * TG_BLOCK;
    return (apr_uint64_t)block->begin + block->length <= size;
}

void seed_peer_reject(seed_peer *peer, const seed_block *block)
{
    if (!(peer->flags & SEED_PEER_FAST))
        return;
    pw_add_reject(&peer->out, block->piece, block->begin, block->length);
    peer->rejects++;
}

/* v2 is spoken by who came by the v2 hash (libtorrent then does not set the bit), and by who came by the v1 hash of a
 * hybrid with the bit set: it is answered with the v2 hash, by which it knows (BEP 52, "upgrade path"). */
static void agree_on_version(seed_peer *peer, pw_handshake *ours)
{
    const seed_content *content = peer->content;

    if (!content->v2)
        return;
    ours->reserved[PW_BYTE_V2] |= PW_BIT_V2;
    if (peer->theirs.reserved[PW_BYTE_V2] & PW_BIT_V2 || bt_infohash_equal(&peer->theirs.hash, &content->v2_hash)) {
        peer->flags |= SEED_PEER_V2;
        if (!bt_infohash_is_zero(&content->v2_hash))
            ours->hash = content->v2_hash;
    }
}

/* Writes our handshake; both sides speak what both have said. */
static void greet(seed_peer *peer, const unsigned char *own_id)
{
    pw_handshake ours = {{0}, peer->theirs.hash, {0}};
    unsigned char *at = bt_buf_extend(&peer->out, PW_HANDSHAKE_SIZE);

    ours.reserved[PW_BYTE_EXTENDED] |= PW_BIT_EXTENDED;
    if (peer->theirs.reserved[PW_BYTE_EXTENDED] & PW_BIT_EXTENDED)
        peer->flags |= SEED_PEER_EXTENDED;
    ours.reserved[PW_BYTE_FAST] |= PW_BIT_FAST;
    if (peer->theirs.reserved[PW_BYTE_FAST] & PW_BIT_FAST)
        peer->flags |= SEED_PEER_FAST;
    agree_on_version(peer, &ours);
    memcpy(ours.peer_id, own_id, PW_PEER_ID_SIZE);
    if (at)
        pw_handshake_write(at, &ours);
}

/* The first message: what we have. */
static void say_pieces(seed_peer *peer, seed_show first)
{
    apr_uint32_t total = peer->content->pieces;

    if (first == SEED_SHOW_NONE && total) /* without memory for it, all is shown */
        peer->shown = calloc(seed_bitfield_size(total), 1);
    if (peer->flags & SEED_PEER_FAST)
        pw_add_plain(&peer->out, peer->shown ? PW_HAVE_NONE : PW_HAVE_ALL);
    else if (total && !peer->shown)
        pw_add_full_bitfield(&peer->out, total);
}

seed_verdict seed_peer_admit(seed_peer *peer, const seed_content *content, const unsigned char *own_id, seed_show first,
                             apr_time_t now)
{
    peer->content = content;
    peer->state = SEED_PEER_ID;
    greet(peer, own_id);
    say_pieces(peer, first);
    if (peer->flags & SEED_PEER_EXTENDED)
        seed_extension_greet(peer);
    if (peer->out.status != APR_SUCCESS)
        return seed_peer_close_for(peer, SEED_CLOSE_NO_MEMORY);
    return seed_peer_read_kept(peer, now);
}

int seed_peer_wants_answer(const seed_peer *peer)
{
    return peer->asks.count && !peer->asks.waiting && peer->out.length - peer->out_sent < OUT_ENOUGH;
}

apr_uint32_t seed_peer_most_requests(const seed_peer *peer)
{
    return peer->limits->requests + (peer->flags & SEED_PEER_FAST ? 0 : REQUESTS_OF_A_READING);
}

int seed_peer_wants_input(const seed_peer *peer)
{
    return peer->state != SEED_PEER_ASKING && peer->out.length - peer->out_sent < OUT_ENOUGH &&
           (peer->flags & SEED_PEER_FAST || peer->requests.count < peer->limits->requests);
}

apr_size_t seed_peer_input_size(const seed_peer *peer, apr_size_t capacity)
{
    if (peer->state == SEED_PEER_HANDSHAKE)
        return PW_HANDSHAKE_HASH_END - peer->in.length;
    if (peer->state == SEED_PEER_ID && peer->in.length < PW_PEER_ID_SIZE)
        return PW_PEER_ID_SIZE - peer->in.length;
    return capacity;
}

/* --- what it is told of --- */

int seed_peer_is_shown(const seed_peer *peer, apr_uint32_t piece)
{
    return !peer->shown || peer->shown[piece / 8] & 0x80 >> (piece % 8);
}

static void end_showing(seed_peer *peer)
{
    free(peer->shown);
    peer->shown = NULL;
    peer->shown_count = 0;
    peer->flags &= ~(unsigned)SEED_PEER_SHOWING;
}

void seed_peer_show(seed_peer *peer, apr_uint32_t piece)
{
    if (seed_peer_is_shown(peer, piece))
        return;
    pw_add_have(&peer->out, piece);
    peer->shown[piece / 8] |= (unsigned char)(0x80 >> (piece % 8));
    if (++peer->shown_count == peer->content->pieces)
        end_showing(peer);
}

/* As many as the unsent bytes leave room for; the rest follows when those are sent. */
static void show_some(seed_peer *peer)
{
    apr_uint32_t piece = 0;

    while (peer->shown && peer->out.length - peer->out_sent < OUT_ENOUGH) {
        if (piece % 8 == 0 && peer->shown[piece / 8] == 0xff)
            piece += 8;
        else
            seed_peer_show(peer, piece++);
    }
}

void seed_peer_show_all(seed_peer *peer)
{
    if (!peer->shown)
        return;
    peer->flags |= SEED_PEER_SHOWING;
    show_some(peer);
}

/* --- bytes out --- */

void seed_peer_choke(seed_peer *peer, apr_time_t now)
{
    seed_block block;

    if (!(peer->flags & SEED_PEER_UNCHOKED))
        return;
    peer->flags &= ~(unsigned)SEED_PEER_UNCHOKED;
    peer->since = now;
    pw_add_plain(&peer->out, PW_CHOKE);
    while (seed_requests_pop(&peer->requests, &block))
        seed_peer_reject(peer, &block);
    seed_requests_free(&peer->requests);
}

void seed_peer_unchoke(seed_peer *peer, apr_time_t now)
{
    if (peer->flags & SEED_PEER_UNCHOKED)
        return;
    peer->flags |= SEED_PEER_UNCHOKED;
    peer->turns++;
    peer->since = now;
    pw_add_plain(&peer->out, PW_UNCHOKE);
}

int seed_peer_has_output(const seed_peer *peer)
{
    return peer->block.length || peer->out.length || peer->requests.count;
}

int seed_peer_next_block(seed_peer *peer)
{
    if (peer->block.length)
        return 1;
    peer->block_sent = 0;
    return seed_requests_pop(&peer->requests, &peer->block);
}

apr_int64_t seed_content_offset(const seed_content *content, const seed_block *block)
{
    return (apr_int64_t)block->piece * content->piece_length + block->begin;
}

seed_verdict seed_peer_check_output(seed_peer *peer)
{
    if (peer->out.status == APR_SUCCESS)
        return SEED_PEER_GO_ON;
    /* Without room it is the peer's doing: it makes us answer and does not read. */
    return seed_peer_close_for(peer, peer->out.status == APR_ENOSPC ? SEED_CLOSE_FLOOD : SEED_CLOSE_NO_MEMORY);
}

void seed_peer_sent_out(seed_peer *peer, apr_size_t bytes, apr_time_t now)
{
    peer->out_sent += (apr_uint32_t)bytes;
    peer->spoken = now;
    if (peer->out_sent >= peer->out.length) {
        bt_buf_free(&peer->out);
        peer->out_sent = 0;
    } else if (peer->out_sent >= OUT_ENOUGH) {
        bt_buf_consume(&peer->out, peer->out_sent);
        peer->out_sent = 0;
    }
    if (peer->flags & SEED_PEER_SHOWING && !peer->out.length)
        show_some(peer);
}

void seed_peer_sent_block(seed_peer *peer, apr_size_t bytes, apr_time_t now)
{
    peer->block_sent += (apr_uint32_t)bytes;
    peer->spoken = peer->heard = now;
    if (peer->block_sent >= PW_PIECE_HEADER + peer->block.length) {
        peer->block.length = 0;
        peer->block_sent = 0;
        seed_rules_earn(&peer->rules, SEED_RULE_USELESS);
        seed_rules_earn(&peer->rules, SEED_RULE_REQUEST);
    }
}

int seed_peer_is_waited_for(const seed_peer *peer, int writable)
{
    return !writable && peer->state == SEED_PEER_LIVE && seed_peer_has_output(peer);
}

static seed_verdict check_reading(seed_peer *peer, int writable, apr_uint64_t taken, apr_time_t now)
{
    switch (seed_drip_look(&peer->drip, seed_peer_is_waited_for(peer, writable), taken, now, peer->limits->stalled,
                           peer->limits->stalled_least)) {
    case SEED_DRIP_NOTHING:
        return seed_peer_close_for(peer, SEED_CLOSE_SLOW_READER);
    case SEED_DRIP_TRICKLE:
        return seed_peer_close_for(peer, SEED_CLOSE_TRICKLE);
    default:
        return SEED_PEER_GO_ON;
    }
}

seed_verdict seed_peer_tick(seed_peer *peer, int writable, apr_uint64_t taken, apr_time_t now)
{
    const seed_limits *limits = peer->limits;

    if (seed_peer_check_output(peer) == SEED_PEER_CLOSE)
        return SEED_PEER_CLOSE;
    if (peer->state != SEED_PEER_LIVE)
        return now - peer->started >= limits->handshake ? seed_peer_close_for(peer, SEED_CLOSE_HANDSHAKE_TIMEOUT)
                                                        : SEED_PEER_GO_ON;
    if (check_reading(peer, writable, taken, now) == SEED_PEER_CLOSE)
        return SEED_PEER_CLOSE;
    if (now - peer->heard >= limits->idle)
        return seed_peer_close_for(peer, SEED_CLOSE_IDLE);
    if (peer->complete && now - peer->complete >= limits->seed_grace && !peer->block.length && !peer->asks.count)
        return seed_peer_close_for(peer, SEED_CLOSE_ALSO_SEED);
    if (now - peer->spoken >= limits->keep_alive && !seed_peer_has_output(peer)) {
        pw_add_keep_alive(&peer->out);
        peer->spoken = now;
    }
    return SEED_PEER_GO_ON;
}
