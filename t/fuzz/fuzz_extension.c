/* Whatever extension messages a peer sends: it is closed, or what it asked is answered within its bounds, and however the
 * bytes are cut the outcome is the same. The first byte picks the torrent and where the bytes are cut; the rest is a row of
 * extension messages, each with one byte for its number and two for its length, so that chance hits more of them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "seeder/extension.h"
#include "seeder/handover.h"
#include "seeder/mail.h"
#include "seeder/metadata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
    if (!holds)
        abort();
}

static const seed_content contents[4] = {
    {1000 * 16384, 16384, 1000, 1, 0, {{0}}, 0},
    {1000 * 16384, 16384, 1000, 1, 0, {{0}}, 1},
    {1000 * 16384, 16384, 1000, 1, 0, {{0}}, 3 * 16384},
    {1000 * 16384, 16384, 1000, 0, 0, {{0}}, 8 * 1024 * 1024},
};

static const unsigned char infodict[8 * 1024 * 1024];

/* The bytes on the wire. */
static void write_messages(bt_buf *out, const uint8_t *data, size_t size)
{
    while (size >= 3) {
        size_t length = ((size_t)data[1] << 8 | data[2]) % 10000;
        size_t start = pw_begin_extended(out, data[0]);

        data += 3;
        size -= 3;
        length = length < size ? length : size;
        bt_buf_add(out, data, length);
        pw_end_extended(out, start);
        data += length;
        size -= length;
    }
    bt_buf_add(out, data, size);
}

static void begin(seed_peer *peer, const seed_content *content)
{
    static const unsigned char id[PW_PEER_ID_SIZE] = "-BH0100-";
    unsigned char bytes[PW_HANDSHAKE_SIZE];
    pw_handshake theirs = {{0, 0, 0, 0, 0, PW_BIT_EXTENDED, 0, PW_BIT_FAST}, {{0}}, {0}};

    seed_peer_init(peer, &seed_limits_default, 1);
    pw_handshake_write(bytes, &theirs);
    must(seed_peer_input(peer, bytes, sizeof bytes, 1) == SEED_PEER_ASK);
    must(seed_peer_admit(peer, content, id, SEED_SHOW_ALL, 1) == SEED_PEER_GO_ON);
}

static seed_verdict feed(seed_peer *peer, const bt_buf *bytes, size_t step)
{
    seed_verdict verdict = SEED_PEER_GO_ON;

    for (size_t at = 0, n; at < bytes->length && verdict == SEED_PEER_GO_ON; at += n) {
        n = bytes->length - at < step ? bytes->length - at : step;
        verdict = seed_peer_input(peer, bytes->data + at, n, 1);
    }
    must(verdict != SEED_PEER_ASK);
    must(peer->asks.count <= SEED_ASKS_MAX && peer->pieces.count <= peer->content->pieces);
    must(peer->in.length <= PW_EXTENDED_MAX + 5);
    return verdict;
}

/* As answer.c does. */
static void answer(seed_peer *peer)
{
    apr_uint32_t size = peer->content->metadata_size;

    while (peer->asks.count) {
        const seed_ask *ask = seed_asks_first(&peer->asks);
        must(ask->kind == SEED_ASK_METADATA && ask->piece < seed_metadata_parts(size));
        if (seed_peer_wants_answer(peer) && peer->extension.metadata)
            seed_metadata_add_part(&peer->out, peer->extension.metadata, ask->piece, infodict, size);
        seed_asks_drop(&peer->asks);
    }
    must(peer->out.status == APR_SUCCESS);
}

/* The next seeder knows what this one knew. */
static void hand_over(const seed_peer *peer)
{
    seed_content content;
    seed_peer taken;
    bt_buf record;

    bt_buf_init(&record, SEED_RECORD_MAX);
    seed_peer_init(&taken, &seed_limits_default, 1);
    must(seed_handover_write(&record, peer) == APR_SUCCESS);
    must(seed_handover_read(record.data, record.length, &taken, &content) == APR_SUCCESS);
    must(taken.flags == peer->flags && taken.asks.count == peer->asks.count && taken.pieces.count == peer->pieces.count);
    must(memcmp(&taken.extension, &peer->extension, sizeof peer->extension) == 0);
    seed_peer_free(&taken);
    bt_buf_free(&record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    seed_peer whole, cut;
    seed_verdict a, b;
    bt_buf bytes;

    if (size < 1)
        return 0;
    bt_buf_init(&bytes, 4 * size + 100);
    write_messages(&bytes, data + 1, size - 1);
    begin(&whole, &contents[data[0] % 4]);
    begin(&cut, &contents[data[0] % 4]);
    a = feed(&whole, &bytes, bytes.length + 1);
    b = feed(&cut, &bytes, 1 + data[0] / 4);
    must(a == b && whole.flags == cut.flags && whole.pieces.count == cut.pieces.count);
    must(a != SEED_PEER_CLOSE || whole.reason == cut.reason);
    must(whole.asks.count == cut.asks.count && whole.out.length == cut.out.length);
    must(memcmp(&whole.extension, &cut.extension, sizeof whole.extension) == 0);
    if (a == SEED_PEER_GO_ON) {
        hand_over(&cut);
        answer(&whole);
    }
    bt_buf_free(&bytes);
    seed_peer_free(&whole);
    seed_peer_free(&cut);
    return 0;
}
