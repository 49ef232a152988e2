/* Whatever a peer asks of a file's hash tree: it is rejected, or answered within bounds from no more than the plan says.
 * Input: blocks of the file (2 bytes), log2 of the piece length above 16 KiB (1 byte), then the request's four integers. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "seeder/hashes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
    if (!holds)
        abort();
}

/* Hashes of no content: the bounds do not depend on it. */
static unsigned char *hashes(size_t count)
{
    return calloc(count ? count : 1, 32);
}

static void answer(seed_nodes *nodes, const seed_hash_tree *tree, const unsigned char *body, const seed_hash_plan *plan)
{
    unsigned char *leaves = hashes(plan->leaves), *crown = hashes(seed_crown_size(tree) / 32);
    bt_buf out;
    int right;

    must(plan->leaves <= SEED_HASHES_LEAVES && plan->uncles < SEED_HASHES_LEVELS);
    must(plan->first_leaf + plan->leaves <= seed_hash_blocks(tree));
    bt_buf_init(&out, 1024 * 1024);
    must(seed_hashes_write(&out, nodes, tree, body, plan, leaves, crown) == APR_SUCCESS);
    must(out.length == 5 + PW_HASH_REQUEST_BODY + 32 * (size_t)(pw_get_u32(body + 40) + plan->uncles));
    must(plan->leaves == 0 || seed_leaves_check(nodes, tree, plan, leaves, &right) == APR_SUCCESS);
    bt_buf_free(&out);
    free(crown);
    free(leaves);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static seed_nodes nodes;
    unsigned char body[PW_HASH_REQUEST_BODY] = {0}, *layer;
    seed_hash_tree tree = {body, 0, 0, NULL};
    seed_hash_request request;
    seed_hash_plan plan;

    if (size < 3 + 16)
        return 0;
    if (!nodes.hasher)
        must(seed_nodes_init(&nodes) == APR_SUCCESS);
    tree.length = 1 + (apr_int64_t)(data[0] << 8 | data[1]) * TG_BLOCK;
    tree.piece_length = (apr_uint32_t)TG_BLOCK << (data[2] % 12);
    layer = hashes((size_t)tg_piece_count(tree.length, tree.piece_length));
    tree.layer = tree.length > tree.piece_length ? layer : NULL;
    memcpy(body + 32, data + 3, 16);
    seed_hash_request_read(body, &request);
    if (seed_hashes_plan(&tree, &request, &plan))
        answer(&nodes, &tree, body, &plan);
    free(layer);
    return 0;
}
