#include "seeder/handover.h"

#include <stdlib.h>
#include <string.h>

#include "seeder/crypt_record.h"
#include "seeder/extension.h"

/* All integers big-endian, 32 bits unless said. Version 2 is a core,
 *     version, state, flags, reserved[8], info-hash[20], peer id[20],
 *     length (64 bits), piece length, pieces, v2 (1) and padded (2),
 *     have count, bytes to skip, block {piece, begin, length}, bytes of it sent,
 * then sections {tag, length, bytes} in any order, none twice; after `version` stands the length of the whole record.
 * Version 1 has no such length, the same core, and then four counted strings. */
enum { VERSION_1 = 1, VERSION = 2, FLAG_UNKNOWN = 16, FLAGS_1 = 31, FLAGS_ALL = 255 };

enum { CRITICAL = 0x80000000u };

/* The tags. One that is marked critical must be understood by who takes the peer up. */
enum {
    TAG_PIECES = CRITICAL | 1,
    TAG_REQUESTS = CRITICAL | 2,
    TAG_INPUT = CRITICAL | 3,
    TAG_OUTPUT = CRITICAL | 4,
    TAG_SHOWN = CRITICAL | 5,
    TAG_ENCRYPTION = CRITICAL | 6,
    TAG_EXTENSION = 7,
    TAG_ASKS = CRITICAL | 8,
    TAG_PEX = 9
};

/* --- the sections that have no file of their own --- */

static void save_pieces(bt_buf *out, const seed_peer *peer)
{
    if (peer->pieces.bits)
        bt_buf_add(out, peer->pieces.bits, seed_content_bitfield(peer->content));
}

/* A copy of a bitfield of this content and how many bits it has. @return APR_EINVAL if it is not one */
static apr_status_t restore_bits(seed_record *in, const seed_content *content, unsigned char **bits, apr_uint32_t *count)
{
    apr_uint32_t spare = content->pieces % 8;
    apr_size_t length, i;
    const unsigned char *bytes = seed_take_rest(in, &length);

    if (!bytes || length == 0 || length != seed_content_bitfield(content) ||
        (spare && bytes[length - 1] & (0xff >> spare)))
        return APR_EINVAL;
    for (i = 0, *count = 0; i < length; i++)
        *count += (apr_uint32_t)__builtin_popcount(bytes[i]);
    *bits = malloc(length);
    if (!*bits)
        return APR_ENOMEM;
    memcpy(*bits, bytes, length);
    return APR_SUCCESS;
}

static apr_status_t restore_pieces(seed_record *in, const seed_content *content, seed_peer *peer)
{
    apr_uint32_t count;
    apr_status_t status = restore_bits(in, content, &peer->pieces.bits, &count);

    return status == APR_SUCCESS && count != peer->pieces.count ? APR_EINVAL : status;
}

static void save_requests(bt_buf *out, const seed_peer *peer)
{
    apr_uint32_t i;

    for (i = 0; i < peer->requests.count; i++)
        seed_put_block(out, seed_requests_at(&peer->requests, i));
}

static int is_block(const seed_content *content, const seed_block *block)
{
    return block->length <= PW_BLOCK_MAX && seed_content_has_block(content, block);
}

static apr_status_t restore_requests(seed_record *in, const seed_content *content, seed_peer *peer)
{
    if (in->at != in->end && !(peer->flags & SEED_PEER_UNCHOKED))
        return APR_EINVAL;
    while (in->at != in->end) {
        seed_block block = seed_take_block(in);
        if (in->broken || !is_block(content, &block) || peer->requests.count == seed_peer_most_requests(peer))
            return APR_EINVAL;
        if (!seed_requests_push(&peer->requests, &block, seed_peer_most_requests(peer)))
            return APR_ENOMEM;
    }
    return APR_SUCCESS;
}

static void save_input(bt_buf *out, const seed_peer *peer)
{
    if (peer->state == SEED_PEER_ASKING) { /* its handshake was taken from the input: put it back */
        unsigned char handshake[PW_HANDSHAKE_SIZE];
        pw_handshake_write(handshake, &peer->theirs);
        bt_buf_add(out, handshake, PW_HANDSHAKE_HASH_END);
    }
    if (peer->in.length)
        bt_buf_add(out, peer->in.data, peer->in.length);
}

static apr_status_t restore_buffer(seed_record *in, bt_buf *buffer)
{
    apr_size_t length;
    const unsigned char *bytes = seed_take_rest(in, &length);

    return !bytes ? APR_EINVAL : length ? bt_buf_add(buffer, bytes, length) : APR_SUCCESS;
}

static apr_status_t restore_input(seed_record *in, const seed_content *content, seed_peer *peer)
{
    (void)content;
    return restore_buffer(in, &peer->in);
}

static void save_output(bt_buf *out, const seed_peer *peer)
{
    if (peer->out.length)
        bt_buf_add(out, peer->out.data + peer->out_sent, peer->out.length - peer->out_sent);
}

static apr_status_t restore_output(seed_record *in, const seed_content *content, seed_peer *peer)
{
    (void)content;
    return restore_buffer(in, &peer->out);
}

static void save_shown(bt_buf *out, const seed_peer *peer)
{
    if (peer->shown)
        bt_buf_add(out, peer->shown, seed_content_bitfield(peer->content));
}

static apr_status_t restore_shown(seed_record *in, const seed_content *content, seed_peer *peer)
{
    apr_status_t status = restore_bits(in, content, &peer->shown, &peer->shown_count);

    return status == APR_SUCCESS && peer->shown_count == content->pieces ? APR_EINVAL : status;
}

static void save_asks(bt_buf *out, const seed_peer *peer)
{
    seed_asks_save(out, &peer->asks);
}

static apr_status_t restore_asks(seed_record *in, const seed_content *content, seed_peer *peer)
{
    (void)content;
    return seed_asks_restore(in, &peer->asks);
}

static void save_pex(bt_buf *out, const seed_peer *peer)
{
    seed_pex_save(out, &peer->pex);
}

static apr_status_t restore_pex(seed_record *in, const seed_content *content, seed_peer *peer)
{
    (void)content;
    return seed_pex_restore(in, &peer->pex);
}

/* --- all sections --- */

typedef struct {
    apr_uint32_t tag;
    /** Appends the section's bytes; without any it is left out. */
    void (*save)(bt_buf *out, const seed_peer *peer);
    /** @param peer  the core is filled, but has no content yet */
    apr_status_t (*restore)(seed_record *in, const seed_content *content, seed_peer *peer);
} section;

static const section sections[] = {
    {TAG_PIECES, save_pieces, restore_pieces}, {TAG_REQUESTS, save_requests, restore_requests},
    {TAG_INPUT, save_input, restore_input},    {TAG_OUTPUT, save_output, restore_output},
    {TAG_SHOWN, save_shown, restore_shown},    {TAG_ENCRYPTION, seed_crypt_save, seed_crypt_restore},
    {TAG_EXTENSION, seed_extension_save, seed_extension_restore},
    {TAG_ASKS, save_asks, restore_asks},       {TAG_PEX, save_pex, restore_pex},
};

enum { SECTIONS = sizeof sections / sizeof *sections };

static void save_section(bt_buf *out, const section *what, const seed_peer *peer)
{
    apr_size_t start = out->length;

    seed_put_u32(out, what->tag);
    seed_put_u32(out, 0);
    what->save(out, peer);
    if (out->status != APR_SUCCESS)
        return;
    if (out->length == start + 8)
        out->length = start;
    else
        pw_put_u32(out->data + start + 4, (apr_uint32_t)(out->length - start - 8));
}

static apr_status_t restore_section(seed_record *in, const section *what, const seed_content *content, seed_peer *peer)
{
    apr_status_t status = in->broken ? APR_EINVAL : what->restore(in, content, peer);

    return status == APR_SUCCESS && (in->broken || in->at != in->end) ? APR_EINVAL : status;
}

static apr_status_t restore_sections(seed_record *in, const seed_content *content, seed_peer *peer)
{
    apr_status_t status = APR_SUCCESS;
    unsigned seen = 0;

    while (status == APR_SUCCESS && in->at != in->end) {
        apr_uint32_t tag = seed_take_u32(in);
        seed_record body = seed_take_string(in);
        unsigned i;

        for (i = 0; i < SECTIONS && sections[i].tag != tag; i++)
            ;
        if (body.broken || (i < SECTIONS ? seen & 1u << i : tag & CRITICAL))
            return APR_EINVAL;
        seen |= 1u << i;
        if (i < SECTIONS)
            status = restore_section(&body, &sections[i], content, peer);
    }
    return status;
}

/* Version 1: bitfield, requests, input, output. */
static apr_status_t restore_version_1(seed_record *in, const seed_content *content, seed_peer *peer)
{
    apr_status_t status = APR_SUCCESS;
    unsigned i;

    for (i = 0; status == APR_SUCCESS && i < 4; i++) {
        seed_record body = seed_take_string(in);
        if (body.broken)
            return APR_EINVAL;
        if (body.at != body.end)
            status = restore_section(&body, &sections[i], content, peer);
    }
    return status == APR_SUCCESS && in->at != in->end ? APR_EINVAL : status;
}

/* --- the core --- */

static void put_content(bt_buf *out, const seed_content *content)
{
    static const seed_content none;

    if (!content)
        content = &none;
    seed_put_u64(out, (apr_uint64_t)content->length);
    seed_put_u32(out, content->piece_length);
    seed_put_u32(out, content->pieces);
    seed_put_u32(out, (content->v2 ? 1u : 0) | (content->padded ? 2u : 0));
}

apr_status_t seed_handover_write(bt_buf *out, const seed_peer *peer)
{
    apr_size_t start = out->length;
    unsigned i;

    if (peer->out.status != APR_SUCCESS) /* it misses a message: nobody may go on with it */
        return peer->out.status;
    seed_put_u32(out, VERSION);
    seed_put_u32(out, 0);
    /* A look-up under way is begun again by the next seeder. */
    seed_put_u32(out, peer->state == SEED_PEER_ASKING ? SEED_PEER_HANDSHAKE : peer->state);
    seed_put_u32(out, peer->flags | (peer->pieces.unknown ? FLAG_UNKNOWN : 0));
    bt_buf_add(out, peer->theirs.reserved, sizeof peer->theirs.reserved);
    bt_buf_add(out, peer->theirs.hash.b, BT_HASH_SIZE);
    bt_buf_add(out, peer->theirs.peer_id, PW_PEER_ID_SIZE);
    put_content(out, peer->content);
    seed_put_u32(out, peer->pieces.count);
    seed_put_u32(out, peer->skip);
    seed_put_block(out, &peer->block);
    seed_put_u32(out, peer->block_sent);
    for (i = 0; i < SECTIONS; i++)
        save_section(out, &sections[i], peer);
    if (out->status == APR_SUCCESS)
        pw_put_u32(out->data + start + 4, (apr_uint32_t)(out->length - start));
    return out->status;
}

static void take_bytes(seed_record *in, unsigned char *out, apr_size_t length)
{
    const unsigned char *at = seed_take(in, length);

    if (at)
        memcpy(out, at, length);
}

static void take_content(seed_record *in, seed_content *content)
{
    apr_uint32_t kind;

    content->length = (apr_int64_t)seed_take_u64(in);
    content->piece_length = seed_take_u32(in);
    content->pieces = seed_take_u32(in);
    kind = seed_take_u32(in);
    content->v2 = (kind & 1) != 0;
    content->padded = (kind & 2) != 0;
    if (content->length < 0 || (content->length > 0) != (content->pieces > 0) ||
        (content->pieces && (content->piece_length == 0 ||
                             (content->length - 1) / content->piece_length != (apr_int64_t)content->pieces - 1)))
        in->broken = 1;
}

static apr_status_t check(const seed_peer *peer, const seed_content *content, unsigned flags)
{
    int begun = peer->block.length > 0;

    if (peer->state > SEED_PEER_LIVE || peer->state == SEED_PEER_ASKING || peer->flags & ~flags)
        return APR_EINVAL;
    if (peer->state != SEED_PEER_LIVE && (begun || peer->pieces.count || peer->skip || peer->flags & SEED_PEER_UNCHOKED))
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

static void take_core(seed_record *in, seed_peer *peer, seed_content *content)
{
    peer->state = (seed_peer_state)seed_take_u32(in);
    peer->flags = seed_take_u32(in);
    take_bytes(in, peer->theirs.reserved, sizeof peer->theirs.reserved);
    take_bytes(in, peer->theirs.hash.b, BT_HASH_SIZE);
    take_bytes(in, peer->theirs.peer_id, PW_PEER_ID_SIZE);
    take_content(in, content);
    peer->pieces.count = seed_take_u32(in);
    peer->skip = seed_take_u32(in);
    peer->block = seed_take_block(in);
    peer->block_sent = seed_take_u32(in);
}

/* What must hold between core and sections, and follows from both. */
static apr_status_t conclude(seed_peer *peer, const seed_content *content)
{
    int all = peer->pieces.count == content->pieces;

    if (!peer->pieces.bits && peer->pieces.count && !all)
        return APR_EINVAL;
    if (peer->flags & SEED_PEER_SHOWING && !peer->shown)
        return APR_EINVAL;
    if (!seed_crypt_concludes(peer))
        return APR_EINVAL;
    if (peer->state == SEED_PEER_LIVE && ((all && content->pieces && !peer->pieces.unknown) ||
                                          (peer->flags & (SEED_PEER_UPLOAD_ONLY | SEED_PEER_INTERESTED)) == SEED_PEER_UPLOAD_ONLY))
        peer->complete = peer->started;
    return APR_SUCCESS;
}

apr_status_t seed_handover_read(const unsigned char *record, apr_size_t length, seed_peer *peer, seed_content *content)
{
    seed_record in = {record, record + length, 0};
    apr_uint32_t version = seed_take_u32(&in);
    apr_status_t status;

    if (version != VERSION_1 && (version != VERSION || seed_take_u32(&in) != length))
        return APR_EINVAL;
    take_core(&in, peer, content);
    status = in.broken ? APR_EINVAL : check(peer, content, version == VERSION_1 ? FLAGS_1 : FLAGS_ALL);
    if (status != APR_SUCCESS)
        return status;
    peer->pieces.unknown = (peer->flags & FLAG_UNKNOWN) != 0;
    peer->flags &= ~(unsigned)FLAG_UNKNOWN;
    status = version == VERSION_1 ? restore_version_1(&in, content, peer) : restore_sections(&in, content, peer);
    return status == APR_SUCCESS ? conclude(peer, content) : status;
}
