#include "seeder/wire.h"

#include <string.h>

static const unsigned char pw_protocol[20] = "\x13"
                                             "BitTorrent protocol";

apr_uint32_t pw_get_u32(const unsigned char *bytes)
{
    return (apr_uint32_t)bytes[0] << 24 | (apr_uint32_t)bytes[1] << 16 | (apr_uint32_t)bytes[2] << 8 | bytes[3];
}

void pw_put_u32(unsigned char *out, apr_uint32_t value)
{
    out[0] = (unsigned char)(value >> 24);
    out[1] = (unsigned char)(value >> 16);
    out[2] = (unsigned char)(value >> 8);
    out[3] = (unsigned char)value;
}

int pw_handshake_plausible(const unsigned char *bytes, apr_size_t length)
{
    return memcmp(bytes, pw_protocol, length < sizeof pw_protocol ? length : sizeof pw_protocol) == 0;
}

void pw_handshake_read(const unsigned char *bytes, pw_handshake *handshake)
{
    memcpy(handshake->reserved, bytes + 20, sizeof handshake->reserved);
    memcpy(handshake->hash.b, bytes + 28, BT_HASH_SIZE);
    memset(handshake->peer_id, 0, PW_PEER_ID_SIZE);
}

void pw_handshake_write(unsigned char out[PW_HANDSHAKE_SIZE], const pw_handshake *handshake)
{
    memcpy(out, pw_protocol, sizeof pw_protocol);
    memcpy(out + 20, handshake->reserved, sizeof handshake->reserved);
    memcpy(out + 28, handshake->hash.b, BT_HASH_SIZE);
    memcpy(out + 48, handshake->peer_id, PW_PEER_ID_SIZE);
}

/* The greatest length prefix that any message here can have. */
static apr_uint32_t largest(const pw_bounds *bounds)
{
    apr_uint32_t most = 1 + PW_IGNORED_MAX;

    return 1 + bounds->bitfield > most ? 1 + bounds->bitfield : most;
}

/* Is this id welcome here, and how long is its body? -1: not welcome. */
static apr_int64_t body_length_of(unsigned id, const pw_bounds *bounds)
{
    switch (id) {
    case PW_CHOKE:
    case PW_UNCHOKE:
    case PW_INTERESTED:
    case PW_NOT_INTERESTED:
        return 0;
    case PW_HAVE:
        return 4;
    case PW_BITFIELD:
        return bounds->bitfield;
    case PW_REQUEST:
    case PW_CANCEL:
        return 12;
    case PW_PORT:
        return 2;
    case PW_SUGGEST:
    case PW_ALLOWED_FAST:
        return bounds->fast ? 4 : -1;
    case PW_HAVE_ALL:
    case PW_HAVE_NONE:
        return bounds->fast ? 0 : -1;
    case PW_HASH_REQUEST:
        return bounds->v2 ? PW_HASH_REQUEST_BODY : -1;
    default:
        return -1; /* piece, reject, hashes: a seed never gets them */
    }
}

static void read_fields(pw_message *message)
{
    message->piece = message->begin = message->length = 0;
    if (message->id == PW_HAVE || message->id == PW_SUGGEST || message->id == PW_ALLOWED_FAST) {
        message->piece = pw_get_u32(message->body);
    } else if (message->id == PW_REQUEST || message->id == PW_CANCEL) {
        message->piece = pw_get_u32(message->body);
        message->begin = pw_get_u32(message->body + 4);
        message->length = pw_get_u32(message->body + 8);
    }
}

pw_result pw_next(const unsigned char *bytes, apr_size_t length, const pw_bounds *bounds, pw_message *message,
                  apr_size_t *used)
{
    apr_uint32_t prefix;
    apr_int64_t body;

    if (length < 4)
        return PW_MORE;
    prefix = pw_get_u32(bytes);
    if (prefix > largest(bounds))
        return PW_BAD_LENGTH;
    *used = 4 + (apr_size_t)prefix;
    message->body_length = prefix ? prefix - 1 : 0;
    if (prefix == 0) {
        message->id = PW_KEEP_ALIVE;
        return PW_READ;
    }
    if (length < 5)
        return PW_MORE;
    message->id = (pw_id)bytes[4];
    if (bytes[4] == PW_EXTENDED && (!bounds->extended || message->body_length > PW_EXTENDED_MAX)) {
        *used = 5;
        return message->body_length > PW_IGNORED_MAX ? PW_BAD_LENGTH : PW_SKIP;
    }
    body = bytes[4] == PW_EXTENDED ? message->body_length : body_length_of(bytes[4], bounds);
    if (body < 0)
        return PW_BAD_ID;
    if (body != message->body_length)
        return PW_BAD_LENGTH;
    if (length < *used)
        return PW_MORE;
    message->body = bytes + 5;
    read_fields(message);
    return PW_READ;
}

/* Opens a message and returns where its body goes, or NULL when the buffer is full. */
static unsigned char *add_message(bt_buf *out, pw_id id, apr_uint32_t body)
{
    unsigned char *at = bt_buf_extend(out, 5 + (apr_size_t)body);

    if (!at)
        return NULL;
    pw_put_u32(at, 1 + body);
    at[4] = (unsigned char)id;
    return at + 5;
}

void pw_add_plain(bt_buf *out, pw_id id)
{
    add_message(out, id, 0);
}

void pw_add_keep_alive(bt_buf *out)
{
    bt_buf_add(out, "\0\0\0\0", 4);
}

void pw_add_full_bitfield(bt_buf *out, apr_uint32_t pieces)
{
    apr_uint32_t bytes = pieces / 8 + (pieces % 8 ? 1 : 0);
    unsigned char *at = add_message(out, PW_BITFIELD, bytes);

    if (!at || bytes == 0)
        return;
    memset(at, 0xff, bytes);
    if (pieces % 8)
        at[bytes - 1] = (unsigned char)(0xff00 >> (pieces % 8));
}

void pw_add_have(bt_buf *out, apr_uint32_t piece)
{
    unsigned char *at = add_message(out, PW_HAVE, 4);

    if (at)
        pw_put_u32(at, piece);
}

void pw_add_reject(bt_buf *out, apr_uint32_t piece, apr_uint32_t begin, apr_uint32_t length)
{
    unsigned char *at = add_message(out, PW_REJECT, 12);

    if (!at)
        return;
    pw_put_u32(at, piece);
    pw_put_u32(at + 4, begin);
    pw_put_u32(at + 8, length);
}

void pw_add_hash_reject(bt_buf *out, const unsigned char *body)
{
    unsigned char *at = add_message(out, PW_HASH_REJECT, PW_HASH_REQUEST_BODY);

    if (at)
        memcpy(at, body, PW_HASH_REQUEST_BODY);
}

unsigned char *pw_add_hashes(bt_buf *out, const unsigned char *body, apr_uint32_t count)
{
    unsigned char *at = add_message(out, PW_HASHES, PW_HASH_REQUEST_BODY + count * BT_HASH_V2_SIZE);

    if (!at)
        return NULL;
    memcpy(at, body, PW_HASH_REQUEST_BODY);
    return at + PW_HASH_REQUEST_BODY;
}

apr_size_t pw_begin_extended(bt_buf *out, unsigned char id)
{
    apr_size_t start = out->length;
    unsigned char *at = add_message(out, PW_EXTENDED, 1);

    if (at)
        *at = id;
    return start;
}

void pw_end_extended(bt_buf *out, apr_size_t start)
{
    if (out->status == APR_SUCCESS)
        pw_put_u32(out->data + start, (apr_uint32_t)(out->length - start - 4));
}

void pw_piece_header(unsigned char out[PW_PIECE_HEADER], apr_uint32_t piece, apr_uint32_t begin, apr_uint32_t length)
{
    pw_put_u32(out, 9 + length);
    out[4] = PW_PIECE;
    pw_put_u32(out + 5, piece);
    pw_put_u32(out + 9, begin);
}
