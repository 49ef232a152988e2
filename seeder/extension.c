#include "config.h"

#include "seeder/extension.h"

#include "base/bencode.h"
#include "seeder/metadata.h"
#include "seeder/peer_input.h"

/* --- what we say --- */

static void name_message(bt_buf *out, const char *name, int id)
{
    bt_ben_add_text(out, name);
    bt_ben_add_integer(out, id);
}

/* No "p": libtorrent would take it for the port by which everybody reaches us. No "upload_only": to have every piece says
 * it, and libtorrent leaves whoever says so before it has shown a piece. */
void seed_extension_greet(seed_peer *peer)
{
    bt_buf *out = &peer->out;
    apr_size_t start = pw_begin_extended(out, SEED_EXT_HANDSHAKE);
    apr_uint32_t size = peer->content->metadata_size;

    bt_ben_open(out, 'd');
    bt_ben_add_text(out, "m");
    bt_ben_open(out, 'd');
    name_message(out, "lt_donthave", SEED_EXT_DONTHAVE);
    name_message(out, "upload_only", SEED_EXT_UPLOAD_ONLY);
    if (size)
        name_message(out, "ut_metadata", SEED_EXT_METADATA);
    name_message(out, "ut_pex", SEED_EXT_PEX);
    bt_ben_close(out);
    if (size) {
        bt_ben_add_text(out, "metadata_size");
        bt_ben_add_integer(out, size);
    }
    bt_ben_add_text(out, "reqq");
    bt_ben_add_integer(out, peer->limits->requests);
    bt_ben_add_text(out, "v");
    bt_ben_add_text(out, "mod_bthttp/" PACKAGE_VERSION);
    if (peer->ip_length) {
        bt_ben_add_text(out, "yourip");
        bt_ben_add_string(out, peer->ip, peer->ip_length);
    }
    bt_ben_close(out);
    pw_end_extended(out, start);
}

/* --- what it says --- */

/* The number of a message, as far as it says one: 0 takes it back. */
static void read_id(const bt_ben *names, const char *name, unsigned char *id)
{
    bt_ben value;

    if (bt_ben_get(names, name, BT_BEN_INTEGER, &value))
        *id = value.integer > 0 && value.integer <= 255 ? (unsigned char)value.integer : 0;
}

static void set_upload_only(seed_peer *peer, int on, apr_time_t now)
{
    peer->flags &= ~(unsigned)SEED_PEER_UPLOAD_ONLY;
    if (on)
        peer->flags |= SEED_PEER_UPLOAD_ONLY;
    seed_peer_check_complete(peer, now);
}

/* It may come again, to change what it names. */
static void on_handshake(seed_peer *peer, const unsigned char *bytes, apr_size_t length, apr_time_t now)
{
    bt_ben handshake, names, value;

    if (bt_ben_read_lenient(bytes, length, &handshake) != APR_SUCCESS || handshake.type != BT_BEN_DICT)
        return;
    if (bt_ben_get(&handshake, "m", BT_BEN_DICT, &names)) {
        read_id(&names, "ut_metadata", &peer->extension.metadata);
        read_id(&names, "ut_pex", &peer->extension.pex);
    }
    if (!peer->extension.port && bt_ben_get(&handshake, "p", BT_BEN_INTEGER, &value) && value.integer > 0 &&
        value.integer <= 65535) /* its first word counts: others may have been told of it */
        peer->extension.port = (apr_uint16_t)value.integer;
    if (bt_ben_get(&handshake, "upload_only", BT_BEN_INTEGER, &value))
        set_upload_only(peer, value.integer != 0, now);
}

static seed_verdict on_donthave(seed_peer *peer, const unsigned char *bytes, apr_size_t length, apr_time_t now)
{
    apr_uint32_t piece = length == 4 ? pw_get_u32(bytes) : 0;
    seed_pieces_change change;

    if (length != 4 || piece >= peer->content->pieces)
        return seed_peer_close_for(peer, SEED_CLOSE_BAD_MESSAGE);
    if (!peer->pieces.unknown) {
        change = seed_pieces_clear(&peer->pieces, peer->content->pieces, piece);
        if (change == SEED_PIECES_NO_MEMORY)
            return seed_peer_close_for(peer, SEED_CLOSE_NO_MEMORY);
        seed_peer_check_complete(peer, now);
        if (change == SEED_PIECES_CHANGED && peer->events)
            peer->events->has(peer->baton, piece, 0);
    }
    return seed_peer_spend(peer, SEED_RULE_HAVE, now);
}

/* What it tells of others is worth knowing only as a number: we never connect to anybody. */
static seed_verdict on_pex(seed_peer *peer, const unsigned char *bytes, apr_size_t length, apr_time_t now)
{
    seed_pex_hear(&peer->pex, bytes, length);
    return seed_peer_spend(peer, SEED_RULE_PEX, now);
}

seed_verdict seed_extension_input(seed_peer *peer, const unsigned char *body, apr_size_t length, apr_time_t now)
{
    if (length == 0)
        return seed_peer_spend(peer, SEED_RULE_USELESS, now);
    switch (body[0]) {
    case SEED_EXT_HANDSHAKE:
        on_handshake(peer, body + 1, length - 1, now);
        break;
    case SEED_EXT_METADATA:
        if (peer->content->metadata_size)
            return seed_metadata_input(peer, body + 1, length - 1, now);
        break;
    case SEED_EXT_PEX:
        return on_pex(peer, body + 1, length - 1, now);
    case SEED_EXT_DONTHAVE:
        return on_donthave(peer, body + 1, length - 1, now);
    case SEED_EXT_UPLOAD_ONLY:
        if (length > 1)
            set_upload_only(peer, body[1] != 0, now);
        break;
    default: /* nothing that we have named */
        break;
    }
    return seed_peer_spend(peer, SEED_RULE_USELESS, now);
}

/* --- in hand-over records: the numbers, and the port --- */

void seed_extension_save(bt_buf *out, const seed_peer *peer)
{
    const seed_extension *extension = &peer->extension;

    if (!(peer->flags & SEED_PEER_EXTENDED))
        return;
    seed_put_u32(out, (apr_uint32_t)extension->metadata << 8 | extension->pex);
    seed_put_u32(out, extension->port);
}

apr_status_t seed_extension_restore(seed_record *in, const seed_content *content, seed_peer *peer)
{
    apr_uint32_t ids = seed_take_u32(in), port = seed_take_u32(in);

    (void)content;
    if (in->broken || ids > 0xffff || port > 0xffff || !(peer->flags & SEED_PEER_EXTENDED))
        return APR_EINVAL;
    peer->extension.metadata = (unsigned char)(ids >> 8);
    peer->extension.pex = (unsigned char)(ids & 0xff);
    peer->extension.port = (apr_uint16_t)port;
    return APR_SUCCESS;
}
