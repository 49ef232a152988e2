/* Whatever a peer sends: it is closed or served within its torrent, its memory stays bounded, and however the bytes are
 * cut the outcome is the same. The first byte picks the torrent and where the bytes are cut. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "seeder/peer.h"
#include "torrentgen/torrent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
    if (!holds)
        abort();
}

static const seed_content contents[4] = {
    {0, 16384, 0, 1, 0, {{0}}, 40000},
    {1, 16384, 1, 1, 1, {{0}}, 40000},
    {(apr_int64_t)70000 * 65536 - 1, 65536, 70000, 1, 0, {{0}}, 40000},
    {APR_INT64_C(0x1000000000), 16 * 1024 * 1024, 4096, 0, 0, {{0}}, 40000},
};

/* Feeds everything, answering as a loop would. @return the last verdict */
static seed_verdict run(seed_peer *peer, const seed_content *content, const uint8_t *data, size_t size, size_t step)
{
    static const unsigned char id[PW_PEER_ID_SIZE] = "-BH0100-";
    seed_verdict verdict = SEED_PEER_GO_ON;

    for (size_t at = 0, n; at < size && verdict == SEED_PEER_GO_ON; at += n) {
        n = size - at < step ? size - at : step;
        if (at < PW_HANDSHAKE_HASH_END && at + n > PW_HANDSHAKE_HASH_END)
            n = PW_HANDSHAKE_HASH_END - at; /* so that both are unchoked before the same byte */
        verdict = seed_peer_input(peer, data + at, n, 1);
        if (verdict == SEED_PEER_ASK) {
            verdict = seed_peer_admit(peer, content, id, SEED_SHOW_ALL, 1);
            seed_peer_unchoke(peer, 1);
        }
    }
    must(verdict != SEED_PEER_ASK);
    must(peer->requests.count <= seed_limits_default.requests);
    must(peer->out.length <= 1024 * 1024 && peer->in.length <= 1024 * 1024);
    return verdict;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const seed_content *content;
    seed_peer whole, cut;
    seed_verdict a, b;

    if (size < 1)
        return 0;
    content = &contents[data[0] % 4];
    seed_peer_init(&whole, &seed_limits_default, 1);
    seed_peer_init(&cut, &seed_limits_default, 1);
    a = run(&whole, content, data + 1, size - 1, size);
    b = run(&cut, content, data + 1, size - 1, 1 + data[0] / 4);
    must(a == b && whole.flags == cut.flags && whole.pieces.count == cut.pieces.count);
    must(a != SEED_PEER_CLOSE || whole.reason == cut.reason);
    must(whole.requests.count == cut.requests.count);
    while (whole.content && seed_peer_next_block(&whole)) {
        must(whole.block.length <= PW_BLOCK_MAX);
        must(seed_content_offset(whole.content, &whole.block) + whole.block.length <=
             (content->padded ? (content->length + TG_BLOCK - 1) / TG_BLOCK * TG_BLOCK : content->length));
        seed_peer_sent_block(&whole, PW_PIECE_HEADER + whole.block.length, 1);
    }
    seed_peer_free(&whole);
    seed_peer_free(&cut);
    return 0;
}
