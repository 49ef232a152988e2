#include "seeder/peer.h"

#include <stdlib.h>
#include <string.h>

#include "torrentgen/torrent.h"

enum {
    OUT_ENOUGH = 64 * 1024,    /* unsent control bytes, beyond which a peer is not read */
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
    return content->pieces / 8 + (content->pieces % 8 ? 1 : 0);
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
    seed_requests_free(&peer->requests);
    free(peer->have);
    peer->have = NULL;
}

static seed_verdict close_for(seed_peer *peer, seed_close_reason reason)
{
    peer->reason = reason;
    return SEED_PEER_CLOSE;
}

seed_verdict seed_peer_spend(seed_peer *peer, seed_rule rule, apr_time_t now)
{
    return seed_rules_spend(&peer->rules, rule, now) ? SEED_PEER_GO_ON : close_for(peer, seed_rule_reason(rule));
}

/* A message that brings nothing costs credit, so that nobody can keep us busy for free. */
static seed_verdict useless(seed_peer *peer, apr_time_t now)
{
    return seed_peer_spend(peer, SEED_RULE_USELESS, now);
}

/* --- what it has --- */

static void check_complete(seed_peer *peer, apr_time_t now)
{
    if (peer->have_count == peer->content->pieces && !peer->complete && !(peer->flags & SEED_PEER_HAVE_UNKNOWN))
        peer->complete = now;
}

static int make_have(seed_peer *peer)
{
    apr_uint32_t bytes = seed_content_bitfield(peer->content);

    if (!peer->have)
        peer->have = calloc(bytes ? bytes : 1, 1);
    return peer->have != NULL;
}

static seed_verdict on_have(seed_peer *peer, apr_uint32_t piece, apr_time_t now)
{
    unsigned char bit = (unsigned char)(0x80 >> (piece % 8));

    if (piece >= peer->content->pieces)
        return close_for(peer, SEED_CLOSE_BAD_MESSAGE);
    if (peer->flags & SEED_PEER_HAVE_UNKNOWN || peer->complete)
        return useless(peer, now);
    if (!make_have(peer))
        return close_for(peer, SEED_CLOSE_FULL);
    if (peer->have[piece / 8] & bit)
        return useless(peer, now);
    peer->have[piece / 8] |= bit;
    peer->have_count++;
    check_complete(peer, now);
    return SEED_PEER_GO_ON;
}

static void merge_have(seed_peer *peer, const unsigned char *bits, apr_uint32_t bytes)
{
    apr_uint32_t i;

    for (i = 0, peer->have_count = 0; i < bytes; i++) {
        peer->have[i] |= bits[i];
        peer->have_count += (apr_uint32_t)__builtin_popcount(peer->have[i]);
    }
    peer->flags &= ~(unsigned)SEED_PEER_HAVE_UNKNOWN;
}

/* Bitfield, have all or have none. Not only as the first message: aria2 sends a bitfield in place of many haves. */
static seed_verdict on_pieces(seed_peer *peer, const pw_message *message, apr_time_t now)
{
    apr_uint32_t spare = peer->content->pieces % 8;

    if (message->id == PW_HAVE_ALL) {
        free(peer->have);
        peer->have = NULL;
        peer->have_count = peer->content->pieces;
        peer->flags &= ~(unsigned)SEED_PEER_HAVE_UNKNOWN;
    } else if (message->id == PW_BITFIELD && message->body_length && !peer->complete) {
        if (spare && message->body[message->body_length - 1] & (0xff >> spare))
            return close_for(peer, SEED_CLOSE_BAD_MESSAGE);
        if (!make_have(peer))
            return close_for(peer, SEED_CLOSE_FULL);
        merge_have(peer, message->body, message->body_length);
    }
    check_complete(peer, now);
    return useless(peer, now);
}

/* --- what it wants --- */

static void reject(seed_peer *peer, const seed_block *block)
{
    pw_add_reject(&peer->out, block->piece, block->begin, block->length);
    peer->rejects++;
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

static seed_verdict on_request(seed_peer *peer, const pw_message *message, apr_time_t now)
{
    seed_block block = {message->piece, message->begin, message->length};
    int fast = (peer->flags & SEED_PEER_FAST) != 0;

    if (!seed_content_has_block(peer->content, &block))
        return close_for(peer, SEED_CLOSE_BAD_REQUEST);
    if (block.length > PW_BLOCK_MAX && !fast)
        return close_for(peer, SEED_CLOSE_BAD_REQUEST);
    if (block.length <= PW_BLOCK_MAX && peer->flags & SEED_PEER_UNCHOKED) {
        if (seed_requests_push(&peer->requests, &block, peer->limits->requests))
            return SEED_PEER_GO_ON;
        if (!fast)
            return close_for(peer, SEED_CLOSE_FLOOD);
    }
    if (fast)
        reject(peer, &block);
    return useless(peer, now); /* without the fast extension, a request that crossed our choke is just dropped */
}

static seed_verdict on_cancel(seed_peer *peer, const pw_message *message, apr_time_t now)
{
    seed_block block = {message->piece, message->begin, message->length};

    if (!seed_requests_cancel(&peer->requests, &block))
        return useless(peer, now); /* sent already, or being sent: the piece is its answer */
    if (peer->flags & SEED_PEER_FAST)
        reject(peer, &block);
    return SEED_PEER_GO_ON;
}

static seed_verdict on_interest(seed_peer *peer, int interested, apr_time_t now)
{
    if (interested == !!(peer->flags & SEED_PEER_INTERESTED))
        return useless(peer, now);
    peer->flags ^= SEED_PEER_INTERESTED;
    if (!(peer->flags & SEED_PEER_UNCHOKED))
        peer->since = now;
    return useless(peer, now);
}

static seed_verdict on_message(seed_peer *peer, const pw_message *message, apr_time_t now)
{
    peer->heard = now;
    switch (message->id) {
    case PW_REQUEST:
        return on_request(peer, message, now);
    case PW_CANCEL:
        return on_cancel(peer, message, now);
    case PW_HAVE:
        return on_have(peer, message->piece, now);
    case PW_BITFIELD:
    case PW_HAVE_ALL:
    case PW_HAVE_NONE:
        return on_pieces(peer, message, now);
    case PW_INTERESTED:
    case PW_NOT_INTERESTED:
        return on_interest(peer, message->id == PW_INTERESTED, now);
    case PW_HASH_REQUEST: /* its torrent has the piece layers; serving them is a later step */
        pw_add_hash_reject(&peer->out, message->body);
        return useless(peer, now);
    default: /* choke, unchoke, port, suggest, allowed fast, keep-alive: nothing to a seed */
        return useless(peer, now);
    }
}

/* --- bytes in --- */

static pw_bounds bounds_of(const seed_peer *peer)
{
    pw_bounds bounds = {seed_content_bitfield(peer->content), (peer->flags & SEED_PEER_FAST) != 0,
                        (peer->flags & SEED_PEER_V2) != 0};
    return bounds;
}

/* Reads messages from bytes; *used says how many it has dealt with. */
static seed_verdict read_messages(seed_peer *peer, const unsigned char *bytes, apr_size_t length, apr_size_t *used,
                                  apr_time_t now)
{
    pw_bounds bounds = bounds_of(peer);
    pw_message message;
    seed_verdict verdict;
    apr_size_t step = 0;

    for (*used = 0; *used < length; *used += step) {
        if (peer->skip) {
            step = length - *used < peer->skip ? length - *used : peer->skip;
            peer->skip -= (apr_uint32_t)step;
            continue;
        }
        switch (pw_next(bytes + *used, length - *used, &bounds, &message, &step)) {
        case PW_MORE:
            return SEED_PEER_GO_ON;
        case PW_BAD_LENGTH:
            return close_for(peer, SEED_CLOSE_BAD_LENGTH);
        case PW_BAD_ID:
            return close_for(peer, SEED_CLOSE_BAD_MESSAGE);
        case PW_SKIP:
            peer->skip = message.body_length;
            peer->heard = now;
            verdict = useless(peer, now);
            break;
        default:
            verdict = on_message(peer, &message, now);
        }
        if (peer->out.status != APR_SUCCESS) /* it makes us answer and does not read */
            return close_for(peer, SEED_CLOSE_FLOOD);
        if (verdict != SEED_PEER_GO_ON)
            return verdict;
    }
    return SEED_PEER_GO_ON;
}

/* Deals with the handshake at the front of `in`. */
static seed_verdict read_handshake(seed_peer *peer)
{
    if (peer->state == SEED_PEER_HANDSHAKE) {
        if (!pw_handshake_plausible(peer->in.data, peer->in.length))
            return close_for(peer, SEED_CLOSE_GARBAGE);
        if (peer->in.length < PW_HANDSHAKE_HASH_END)
            return SEED_PEER_GO_ON;
        pw_handshake_read(peer->in.data, &peer->theirs);
        bt_buf_consume(&peer->in, PW_HANDSHAKE_HASH_END);
        peer->state = SEED_PEER_ASKING;
        return SEED_PEER_ASK;
    }
    if (peer->state == SEED_PEER_ID && peer->in.length >= PW_PEER_ID_SIZE) {
        memcpy(peer->theirs.peer_id, peer->in.data, PW_PEER_ID_SIZE);
        bt_buf_consume(&peer->in, PW_PEER_ID_SIZE);
        peer->state = SEED_PEER_LIVE;
    }
    return SEED_PEER_GO_ON;
}

/* Goes on with what is in `in`. */
static seed_verdict read_kept(seed_peer *peer, apr_time_t now)
{
    seed_verdict verdict = SEED_PEER_GO_ON;
    apr_size_t used;

    if (peer->state == SEED_PEER_HANDSHAKE || peer->state == SEED_PEER_ID)
        verdict = read_handshake(peer);
    if (verdict == SEED_PEER_GO_ON && peer->state == SEED_PEER_LIVE && peer->in.length) {
        verdict = read_messages(peer, peer->in.data, peer->in.length, &used, now);
        bt_buf_consume(&peer->in, used);
    }
    if (peer->in.length == 0)
        bt_buf_free(&peer->in);
    return verdict;
}

seed_verdict seed_peer_input(seed_peer *peer, const unsigned char *bytes, apr_size_t length, apr_time_t now)
{
    apr_size_t used = 0;

    if (peer->state == SEED_PEER_LIVE && peer->in.length == 0) { /* the usual way: nothing is copied */
        seed_verdict verdict = read_messages(peer, bytes, length, &used, now);
        if (verdict != SEED_PEER_GO_ON || used == length)
            return verdict;
    }
    if (bt_buf_add(&peer->in, bytes + used, length - used) != APR_SUCCESS)
        return close_for(peer, SEED_CLOSE_FULL);
    return used ? SEED_PEER_GO_ON : read_kept(peer, now);
}

seed_verdict seed_peer_admit(seed_peer *peer, const seed_content *content, const unsigned char *own_id, apr_time_t now)
{
    pw_handshake ours = {{0}, peer->theirs.hash, {0}};
    unsigned char *at = bt_buf_extend(&peer->out, PW_HANDSHAKE_SIZE);

    if (!at)
        return close_for(peer, SEED_CLOSE_FULL);
    peer->content = content;
    peer->state = SEED_PEER_ID;
    ours.reserved[PW_BYTE_FAST] |= PW_BIT_FAST;
    if (peer->theirs.reserved[PW_BYTE_FAST] & PW_BIT_FAST)
        peer->flags |= SEED_PEER_FAST;
    if (content->v2) {
        ours.reserved[PW_BYTE_V2] |= PW_BIT_V2;
        if (peer->theirs.reserved[PW_BYTE_V2] & PW_BIT_V2)
            peer->flags |= SEED_PEER_V2;
    }
    memcpy(ours.peer_id, own_id, PW_PEER_ID_SIZE);
    pw_handshake_write(at, &ours);
    if (peer->flags & SEED_PEER_FAST)
        pw_add_plain(&peer->out, PW_HAVE_ALL);
    else if (content->pieces)
        pw_add_full_bitfield(&peer->out, content->pieces);
    if (peer->out.status != APR_SUCCESS)
        return close_for(peer, SEED_CLOSE_FULL);
    return read_kept(peer, now);
}

int seed_peer_wants_input(const seed_peer *peer)
{
    return peer->state != SEED_PEER_ASKING && peer->out.length - peer->out_sent < OUT_ENOUGH;
}

apr_size_t seed_peer_input_size(const seed_peer *peer, apr_size_t capacity)
{
    if (peer->state == SEED_PEER_HANDSHAKE)
        return PW_HANDSHAKE_HASH_END - peer->in.length;
    if (peer->state == SEED_PEER_ID && peer->in.length < PW_PEER_ID_SIZE)
        return PW_PEER_ID_SIZE - peer->in.length;
    return capacity;
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
    while (seed_requests_pop(&peer->requests, &block)) {
        if (peer->flags & SEED_PEER_FAST)
            reject(peer, &block);
    }
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
}

void seed_peer_sent_block(seed_peer *peer, apr_size_t bytes, apr_time_t now)
{
    peer->block_sent += (apr_uint32_t)bytes;
    peer->spoken = peer->heard = now;
    if (peer->block_sent >= PW_PIECE_HEADER + peer->block.length) {
        peer->block.length = 0;
        peer->block_sent = 0;
        seed_rules_earn(&peer->rules, SEED_RULE_USELESS);
    }
}

seed_verdict seed_peer_tick(seed_peer *peer, int writable, apr_time_t now)
{
    const seed_limits *limits = peer->limits;

    if (peer->state != SEED_PEER_LIVE)
        return now - peer->started >= limits->handshake ? close_for(peer, SEED_CLOSE_HANDSHAKE_TIMEOUT)
                                                        : SEED_PEER_GO_ON;
    if (!writable && seed_peer_has_output(peer) && now - peer->spoken >= limits->stalled)
        return close_for(peer, SEED_CLOSE_SLOW_READER);
    if (now - peer->heard >= limits->idle)
        return close_for(peer, SEED_CLOSE_IDLE);
    if (peer->complete && now - peer->complete >= limits->seed_grace && !peer->block.length)
        return close_for(peer, SEED_CLOSE_ALSO_SEED);
    if (now - peer->spoken >= limits->keep_alive && !seed_peer_has_output(peer)) {
        pw_add_keep_alive(&peer->out);
        peer->spoken = now;
    }
    return SEED_PEER_GO_ON;
}
