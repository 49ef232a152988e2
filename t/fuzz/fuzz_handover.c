/* Whatever stands in a hand-over record: it is refused, or gives a peer that keeps within its torrent and can be handed
 * over again with the same bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "seeder/handover.h"
#include "torrentgen/torrent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
    if (!holds)
        abort();
}

/* As it is, and again with the length of a version 2 record put right, which no chance would hit. */
static void run(const uint8_t *data, size_t size)
{
    seed_content content;
    seed_peer peer;
    bt_buf again;

    seed_peer_init(&peer, &seed_limits_default, 1);
    if (seed_handover_read(data, size, &peer, &content) == APR_SUCCESS) {
        if (peer.state != SEED_PEER_HANDSHAKE)
            peer.content = &content;
        bt_buf_init(&again, size + 256);
        must(seed_handover_write(&again, &peer) == APR_SUCCESS);
        must(peer.pieces.count <= content.pieces);
        bt_buf_free(&again);
        if (peer.state == SEED_PEER_LIVE && seed_peer_input(&peer, data, 0, 1) == SEED_PEER_GO_ON) {
            while (seed_peer_next_block(&peer)) {
                must(seed_content_offset(peer.content, &peer.block) >= 0);
                must(seed_content_offset(peer.content, &peer.block) + peer.block.length <=
                     (content.padded ? (content.length + TG_BLOCK - 1) / TG_BLOCK * TG_BLOCK : content.length));
                must(peer.block_sent < PW_PIECE_HEADER + peer.block.length);
                seed_peer_sent_block(&peer, PW_PIECE_HEADER + peer.block.length - peer.block_sent, 1);
            }
        }
    }
    seed_peer_free(&peer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = size >= 8 ? malloc(size) : NULL;

    run(data, size);
    if (copy) {
        memcpy(copy, data, size);
        pw_put_u32(copy + 4, (apr_uint32_t)size);
        run(copy, size);
    }
    free(copy);
    return 0;
}
