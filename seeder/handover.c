#include "seeder/handover.h"

#include <stdlib.h>
#include <string.h>

/* All integers big-endian, 32 bits unless said. Version 1:
 * version, state, flags, reserved[8], info-hash[20], peer id[20], length (64 bits), piece length, pieces, v2 (1) and padded (2),
 * have count, bytes to skip, block {piece, begin, length}, bytes of it sent,
 * then four counted strings: bitfield, requests (12 bytes each), input, output. */
enum { VERSION = 1, HAVE_MAX = 16 * 1024, FLAGS_ALL = 31 };

static void put(bt_buf *out, apr_uint32_t value)
{
    unsigned char *at = bt_buf_extend(out, 4);

    if (at)
        pw_put_u32(at, value);
}

static void put_string(bt_buf *out, const unsigned char *bytes, apr_size_t length)
{
    put(out, (apr_uint32_t)length);
    if (length)
        bt_buf_add(out, bytes, length);
}

static void put_block(bt_buf *out, const seed_block *block)
{
    put(out, block->piece);
    put(out, block->begin);
    put(out, block->length);
}

static void put_content(bt_buf *out, const seed_content *content)
{
    static const seed_content none;

    if (!content)
        content = &none;
    put(out, (apr_uint32_t)(content->length >> 32));
    put(out, (apr_uint32_t)content->length);
    put(out, content->piece_length);
    put(out, content->pieces);
    put(out, (content->v2 ? 1u : 0) | (content->padded ? 2u : 0));
}

apr_status_t seed_handover_write(bt_buf *out, const seed_peer *peer)
{
    apr_size_t have = peer->have ? seed_content_bitfield(peer->content) : 0;
    int too_long = have > HAVE_MAX;
    apr_uint32_t i;

    put(out, VERSION);
    /* A look-up under way is begun again by the next seeder. */
    put(out, peer->state == SEED_PEER_ASKING ? SEED_PEER_HANDSHAKE : peer->state);
    put(out, peer->flags | (too_long ? SEED_PEER_HAVE_UNKNOWN : 0));
    bt_buf_add(out, peer->theirs.reserved, sizeof peer->theirs.reserved);
    bt_buf_add(out, peer->theirs.hash.b, BT_HASH_SIZE);
    bt_buf_add(out, peer->theirs.peer_id, PW_PEER_ID_SIZE);
    put_content(out, peer->content);
    put(out, too_long ? 0 : peer->have_count);
    put(out, peer->skip);
    put_block(out, &peer->block);
    put(out, peer->block_sent);
    put_string(out, peer->have, too_long ? 0 : have);
    put(out, peer->requests.count * 12);
    for (i = 0; i < peer->requests.count; i++)
        put_block(out, seed_requests_at(&peer->requests, i));
    if (peer->state == SEED_PEER_ASKING) { /* its handshake was taken from the input: put it back */
        unsigned char handshake[PW_HANDSHAKE_SIZE];
        pw_handshake_write(handshake, &peer->theirs);
        put(out, (apr_uint32_t)(PW_HANDSHAKE_HASH_END + peer->in.length));
        bt_buf_add(out, handshake, PW_HANDSHAKE_HASH_END);
        bt_buf_add(out, peer->in.data, peer->in.length);
    } else {
        put_string(out, peer->in.data, peer->in.length);
    }
    if (peer->out.data)
        put_string(out, peer->out.data + peer->out_sent, peer->out.length - peer->out_sent);
    else
        put(out, 0);
    return out->status;
}

/* A reader that gives zeros past the end and remembers that it did. */
typedef struct {
    const unsigned char *at, *end;
    int broken;
} reader;

static const unsigned char *take(reader *in, apr_size_t length)
{
    const unsigned char *at = in->at;

    if (in->broken || (apr_size_t)(in->end - in->at) < length) {
        in->broken = 1;
        return NULL;
    }
    in->at += length;
    return at;
}

static apr_uint32_t get(reader *in)
{
    const unsigned char *at = take(in, 4);

    return at ? pw_get_u32(at) : 0;
}

static void get_bytes(reader *in, unsigned char *out, apr_size_t length)
{
    const unsigned char *at = take(in, length);

    if (at)
        memcpy(out, at, length);
}

static seed_block get_block(reader *in)
{
    seed_block block;

    block.piece = get(in);
    block.begin = get(in);
    block.length = get(in);
    return block;
}

static void get_content(reader *in, seed_content *content)
{
    apr_uint64_t high = get(in);
    apr_uint32_t kind;

    content->length = (apr_int64_t)(high << 32 | get(in));
    content->piece_length = get(in);
    content->pieces = get(in);
    kind = get(in);
    content->v2 = (kind & 1) != 0;
    content->padded = (kind & 2) != 0;
    if (content->length < 0 || (content->length > 0) != (content->pieces > 0) ||
        (content->pieces && (content->piece_length == 0 ||
                             (content->length - 1) / content->piece_length != (apr_int64_t)content->pieces - 1)))
        in->broken = 1;
}

static int is_block(const seed_content *content, const seed_block *block)
{
    return block->length <= PW_BLOCK_MAX && seed_content_has_block(content, block);
}

static apr_status_t get_have(reader *in, const seed_content *content, seed_peer *peer)
{
    apr_uint32_t length = get(in), i, count = 0, spare = content->pieces % 8;
    const unsigned char *bytes = take(in, length);

    if (!bytes)
        return APR_EINVAL;
    if (length == 0)
        return peer->have_count == 0 || peer->have_count == content->pieces ? APR_SUCCESS : APR_EINVAL;
    if (length != seed_content_bitfield(content) || (spare && bytes[length - 1] & (0xff >> spare)))
        return APR_EINVAL;
    for (i = 0; i < length; i++)
        count += (apr_uint32_t)__builtin_popcount(bytes[i]);
    if (count != peer->have_count)
        return APR_EINVAL;
    peer->have = malloc(length);
    if (!peer->have)
        return APR_ENOMEM;
    memcpy(peer->have, bytes, length);
    return APR_SUCCESS;
}

static apr_status_t get_requests(reader *in, const seed_content *content, seed_peer *peer)
{
    apr_uint32_t bytes = get(in), i;

    if (bytes % 12 || bytes / 12 > peer->limits->requests || (bytes && !(peer->flags & SEED_PEER_UNCHOKED)))
        return APR_EINVAL;
    for (i = 0; i < bytes / 12; i++) {
        seed_block block = get_block(in);
        if (in->broken || !is_block(content, &block))
            return APR_EINVAL;
        if (!seed_requests_push(&peer->requests, &block, peer->limits->requests))
            return APR_ENOMEM;
    }
    return APR_SUCCESS;
}

static apr_status_t get_buffer(reader *in, bt_buf *buffer)
{
    apr_uint32_t length = get(in);
    const unsigned char *bytes = take(in, length);

    return !bytes ? APR_EINVAL : length ? bt_buf_add(buffer, bytes, length) : APR_SUCCESS;
}

static apr_status_t check(const seed_peer *peer, const seed_content *content)
{
    int begun = peer->block.length > 0;

    if (peer->state > SEED_PEER_LIVE || peer->state == SEED_PEER_ASKING || peer->flags & ~(unsigned)FLAGS_ALL)
        return APR_EINVAL;
    if (peer->state != SEED_PEER_LIVE && (begun || peer->have_count || peer->skip || peer->flags & SEED_PEER_UNCHOKED))
        return APR_EINVAL;
    if (peer->state == SEED_PEER_HANDSHAKE && content->pieces)
        return APR_EINVAL;
    if (peer->skip > PW_IGNORED_MAX)
        return APR_EINVAL;
    if (begun ? !is_block(content, &peer->block) || peer->block_sent >= PW_PIECE_HEADER + peer->block.length
              : peer->block_sent > 0)
        return APR_EINVAL;
    return APR_SUCCESS;
}

apr_status_t seed_handover_read(const unsigned char *record, apr_size_t length, seed_peer *peer, seed_content *content)
{
    reader in = {record, record + length, 0};
    apr_status_t status;

    if (get(&in) != VERSION)
        return APR_EINVAL;
    peer->state = (seed_peer_state)get(&in);
    peer->flags = get(&in);
    get_bytes(&in, peer->theirs.reserved, sizeof peer->theirs.reserved);
    get_bytes(&in, peer->theirs.hash.b, BT_HASH_SIZE);
    get_bytes(&in, peer->theirs.peer_id, PW_PEER_ID_SIZE);
    get_content(&in, content);
    peer->have_count = get(&in);
    peer->skip = get(&in);
    peer->block = get_block(&in);
    peer->block_sent = get(&in);
    status = in.broken ? APR_EINVAL : check(peer, content);
    if (status == APR_SUCCESS)
        status = get_have(&in, content, peer);
    if (status == APR_SUCCESS)
        status = get_requests(&in, content, peer);
    if (status == APR_SUCCESS)
        status = get_buffer(&in, &peer->in);
    if (status == APR_SUCCESS)
        status = get_buffer(&in, &peer->out);
    if (status == APR_SUCCESS && (in.broken || in.at != in.end))
        status = APR_EINVAL;
    if (status == APR_SUCCESS && content->pieces == peer->have_count && peer->state == SEED_PEER_LIVE &&
        content->pieces && !(peer->flags & SEED_PEER_HAVE_UNKNOWN))
        peer->complete = peer->started;
    return status;
}
