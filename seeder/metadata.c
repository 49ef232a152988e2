#include "seeder/metadata.h"

#include "base/bencode.h"

enum { REQUEST = 0, DATA = 1, REJECT = 2 };

apr_uint32_t seed_metadata_parts(apr_uint32_t size)
{
    return size / SEED_METADATA_PART + (size % SEED_METADATA_PART ? 1 : 0);
}

/* What a whole infodict costs is shared by its parts. */
static apr_uint32_t price(apr_uint32_t parts)
{
    return parts >= SEED_RULE_METADATA_COPY ? 1 : SEED_RULE_METADATA_COPY / parts;
}

static seed_verdict on_request(seed_peer *peer, apr_int64_t piece, apr_time_t now)
{
    apr_uint32_t parts = seed_metadata_parts(peer->content->metadata_size);
    seed_ask ask = {.kind = SEED_ASK_METADATA};

    if (!peer->extension.metadata) /* nobody could tell it anything */
        return seed_peer_spend(peer, SEED_RULE_USELESS, now);
    if (piece < 0 || piece >= parts) {
        seed_metadata_add_reject(&peer->out, peer->extension.metadata, piece);
        return seed_peer_spend(peer, SEED_RULE_METADATA, now);
    }
    ask.piece = (apr_uint32_t)piece;
    if (!seed_asks_push(&peer->asks, &ask))
        seed_metadata_add_reject(&peer->out, peer->extension.metadata, piece);
    return seed_peer_spend_many(peer, SEED_RULE_METADATA, price(parts), now);
}

seed_verdict seed_metadata_input(seed_peer *peer, const unsigned char *bytes, apr_size_t length, apr_time_t now)
{
    bt_ben message, type, piece;

    /* Data and rejects are answers to questions that we never ask. */
    if (bt_ben_read_lenient(bytes, length, &message) != APR_SUCCESS || message.type != BT_BEN_DICT ||
        !bt_ben_get(&message, "msg_type", BT_BEN_INTEGER, &type) || type.integer != REQUEST ||
        !bt_ben_get(&message, "piece", BT_BEN_INTEGER, &piece))
        return seed_peer_spend(peer, SEED_RULE_USELESS, now);
    return on_request(peer, piece.integer, now);
}

static void add_dict(bt_buf *out, int type, apr_int64_t piece, apr_uint32_t total)
{
    bt_ben_open(out, 'd');
    bt_ben_add_text(out, "msg_type");
    bt_ben_add_integer(out, type);
    bt_ben_add_text(out, "piece");
    bt_ben_add_integer(out, piece);
    if (total) {
        bt_ben_add_text(out, "total_size");
        bt_ben_add_integer(out, total);
    }
    bt_ben_close(out);
}

void seed_metadata_add_part(bt_buf *out, unsigned char id, apr_uint32_t piece, const unsigned char *infodict,
                            apr_uint32_t size)
{
    apr_uint32_t begin = piece * SEED_METADATA_PART;
    apr_size_t start = pw_begin_extended(out, id);

    add_dict(out, DATA, piece, size);
    bt_buf_add(out, infodict + begin, size - begin < SEED_METADATA_PART ? size - begin : SEED_METADATA_PART);
    pw_end_extended(out, start);
}

void seed_metadata_add_reject(bt_buf *out, unsigned char id, apr_int64_t piece)
{
    apr_size_t start = pw_begin_extended(out, id);

    add_dict(out, REJECT, piece, 0);
    pw_end_extended(out, start);
}
