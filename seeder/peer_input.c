#include "seeder/peer_input.h"

#include <string.h>

#include "seeder/extension.h"

/* A message that brings nothing costs credit, so that nobody can keep us busy for free. */
static seed_verdict useless(seed_peer *peer, apr_time_t now)
{
    return seed_peer_spend(peer, SEED_RULE_USELESS, now);
}

/* The same for what it says of its pieces when that is no news. */
static seed_verdict no_news(seed_peer *peer, apr_uint32_t bytes, apr_time_t now)
{
    enum { BYTES_OF_A_UNIT = 16 * 1024 };

    return seed_peer_spend_many(peer, SEED_RULE_HAVE, 1 + bytes / BYTES_OF_A_UNIT, now);
}

/* --- what it has --- */

void seed_peer_check_complete(seed_peer *peer, apr_time_t now)
{
    int all = peer->pieces.count == peer->content->pieces && !peer->pieces.unknown;
    int enough = peer->flags & SEED_PEER_UPLOAD_ONLY && !(peer->flags & SEED_PEER_INTERESTED);

    if (!all && !enough)
        peer->complete = 0;
    else if (!peer->complete)
        peer->complete = now;
}

static void tell_of_many(seed_peer *peer, seed_pieces_change change)
{
    if (change == SEED_PIECES_CHANGED && peer->events)
        peer->events->has_many(peer->baton);
}

static seed_verdict on_have(seed_peer *peer, apr_uint32_t piece, apr_time_t now)
{
    seed_pieces_change change;

    if (piece >= peer->content->pieces)
        return seed_peer_close_for(peer, SEED_CLOSE_BAD_MESSAGE);
    if (peer->pieces.unknown)
        return no_news(peer, 0, now);
    change = seed_pieces_set(&peer->pieces, peer->content->pieces, piece);
    if (change == SEED_PIECES_NO_MEMORY)
        return seed_peer_close_for(peer, SEED_CLOSE_NO_MEMORY);
    if (change == SEED_PIECES_SAME)
        return no_news(peer, 0, now);
    seed_peer_check_complete(peer, now);
    if (peer->events)
        peer->events->has(peer->baton, piece, 1);
    return SEED_PEER_GO_ON;
}

static seed_verdict on_bitfield(seed_peer *peer, const pw_message *message)
{
    apr_uint32_t spare = peer->content->pieces % 8;
    seed_pieces_change change;

    if (spare && message->body[message->body_length - 1] & (0xff >> spare))
        return seed_peer_close_for(peer, SEED_CLOSE_BAD_MESSAGE);
    change = seed_pieces_merge(&peer->pieces, peer->content->pieces, message->body);
    if (change == SEED_PIECES_NO_MEMORY)
        return seed_peer_close_for(peer, SEED_CLOSE_NO_MEMORY);
    tell_of_many(peer, change);
    return SEED_PEER_GO_ON;
}

/* Bitfield, have all or have none. Not only as the first message: aria2 sends a bitfield in place of many haves. */
static seed_verdict on_pieces(seed_peer *peer, const pw_message *message, apr_time_t now)
{
    apr_uint32_t before = peer->pieces.count;
    seed_verdict verdict = SEED_PEER_GO_ON;

    if (message->id == PW_HAVE_ALL) {
        seed_pieces_all(&peer->pieces, peer->content->pieces);
        tell_of_many(peer, before == peer->pieces.count ? SEED_PIECES_SAME : SEED_PIECES_CHANGED);
    } else if (message->id == PW_BITFIELD && message->body_length) {
        verdict = on_bitfield(peer, message);
    }
    if (verdict != SEED_PEER_GO_ON)
        return verdict;
    seed_peer_check_complete(peer, now);
    return no_news(peer, message->body_length, now);
}

/* --- what it wants --- */

static seed_verdict on_request(seed_peer *peer, const pw_message *message, apr_time_t now)
{
    seed_block block = {message->piece, message->begin, message->length};
    int fast = (peer->flags & SEED_PEER_FAST) != 0;

    if (!seed_content_has_block(peer->content, &block))
        return seed_peer_close_for(peer, SEED_CLOSE_BAD_REQUEST);
    if (block.length > PW_BLOCK_MAX && !fast)
        return seed_peer_close_for(peer, SEED_CLOSE_BAD_REQUEST);
    if (block.length <= PW_BLOCK_MAX && peer->flags & SEED_PEER_UNCHOKED && seed_peer_is_shown(peer, block.piece)) {
        if (seed_requests_push(&peer->requests, &block, seed_peer_most_requests(peer)))
            return SEED_PEER_GO_ON;
        if (!fast) /* it cannot be told; and it was not read while too many waited: see seed_peer_wants_input */
            return seed_peer_close_for(peer, peer->requests.count < seed_peer_most_requests(peer) ? SEED_CLOSE_NO_MEMORY
                                                                                                  : SEED_CLOSE_REQUEST_FLOOD);
    }
    seed_peer_reject(peer, &block); /* without the fast extension, a request that crossed our choke is just dropped */
    return seed_peer_spend(peer, SEED_RULE_REQUEST, now);
}

static seed_verdict on_cancel(seed_peer *peer, const pw_message *message, apr_time_t now)
{
    seed_block block = {message->piece, message->begin, message->length};

    if (!seed_requests_cancel(&peer->requests, &block))
        return seed_peer_spend(peer, SEED_RULE_REQUEST, now); /* sent already, or being sent: the piece is its answer */
    seed_peer_reject(peer, &block);
    return seed_peer_spend(peer, SEED_RULE_REQUEST, now);
}

static seed_verdict on_interest(seed_peer *peer, int interested, apr_time_t now)
{
    if (interested == !!(peer->flags & SEED_PEER_INTERESTED))
        return useless(peer, now);
    peer->flags ^= SEED_PEER_INTERESTED;
    if (peer->flags & SEED_PEER_UPLOAD_ONLY)
        seed_peer_check_complete(peer, now);
    if (!(peer->flags & SEED_PEER_UNCHOKED))
        peer->since = now;
    return useless(peer, now);
}

static seed_verdict on_hash_request(seed_peer *peer, const pw_message *message, apr_time_t now)
{
    seed_ask ask = {.kind = SEED_ASK_HASHES};

    memcpy(ask.request, message->body, sizeof ask.request);
    if (!seed_asks_push(&peer->asks, &ask))
        pw_add_hash_reject(&peer->out, message->body);
    return seed_peer_spend(peer, SEED_RULE_HASHES, now);
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
    case PW_HASH_REQUEST:
        return on_hash_request(peer, message, now);
    case PW_EXTENDED:
        return seed_extension_input(peer, message->body, message->body_length, now);
    default: /* choke, unchoke, port, suggest, allowed fast, keep-alive: nothing to a seed */
        return useless(peer, now);
    }
}

/* --- bytes in --- */

static pw_bounds bounds_of(const seed_peer *peer)
{
    pw_bounds bounds = {seed_content_bitfield(peer->content), (peer->flags & SEED_PEER_FAST) != 0,
                        (peer->flags & SEED_PEER_V2) != 0, (peer->flags & SEED_PEER_EXTENDED) != 0};
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
            return seed_peer_close_for(peer, SEED_CLOSE_BAD_LENGTH);
        case PW_BAD_ID:
            return seed_peer_close_for(peer, SEED_CLOSE_BAD_MESSAGE);
        case PW_SKIP:
            peer->skip = message.body_length;
            peer->heard = now;
            verdict = useless(peer, now);
            break;
        default:
            verdict = on_message(peer, &message, now);
        }
        if (seed_peer_check_output(peer) == SEED_PEER_CLOSE)
            return SEED_PEER_CLOSE;
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
            return seed_peer_close_for(peer, SEED_CLOSE_GARBAGE);
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

seed_verdict seed_peer_read_kept(seed_peer *peer, apr_time_t now)
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
        return seed_peer_close_for(peer, SEED_CLOSE_NO_MEMORY);
    return used ? SEED_PEER_GO_ON : seed_peer_read_kept(peer, now);
}

