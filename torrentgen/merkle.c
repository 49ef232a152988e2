#include "torrentgen/merkle.h"

#include <stdlib.h>
#include <string.h>

enum { NODE = TG_SHA256_SIZE };

/* One level up for a node that stands for nothing. */
static apr_status_t parent_of_twins(const tg_engine *engine, tg_hasher *hasher, unsigned char *node)
{
    unsigned char pair[2 * NODE];

    memcpy(pair, node, NODE);
    memcpy(pair + NODE, node, NODE);
    return engine->sha256_blocks(hasher, pair, sizeof pair, 1, node);
}

apr_status_t tg_merkle_padding(const tg_engine *engine, tg_hasher *hasher, int levels, unsigned char *root)
{
    apr_status_t status = APR_SUCCESS;

    memset(root, 0, NODE);
    while (status == APR_SUCCESS && levels-- > 0)
        status = parent_of_twins(engine, hasher, root);
    return status;
}

int tg_merkle_levels(apr_uint64_t count)
{
    int levels = 0;

    while (levels < 63 && ((apr_uint64_t)1 << levels) < count)
        levels++;
    return levels;
}

apr_status_t tg_merkle_root(const tg_engine *engine, tg_hasher *hasher, unsigned char *nodes, apr_size_t count,
                            int levels, const unsigned char *padding, unsigned char *root)
{
    unsigned char missing[NODE], pair[2 * NODE];
    apr_status_t status = APR_SUCCESS;

    memcpy(missing, padding, NODE);
    for (; status == APR_SUCCESS && levels > 0; levels--) {
        apr_size_t pairs = count / 2;

        if (count & 1) { /* the last one's sibling is missing; its parent goes where the pairs' parents end */
            memcpy(pair, nodes + NODE * (count - 1), NODE);
            memcpy(pair + NODE, missing, NODE);
        }
        status = engine->sha256_blocks(hasher, nodes, 2 * NODE, pairs, nodes);
        if (status == APR_SUCCESS && count & 1)
            status = engine->sha256_blocks(hasher, pair, 2 * NODE, 1, nodes + NODE * pairs);
        if (status == APR_SUCCESS)
            status = parent_of_twins(engine, hasher, missing);
        count = pairs + (count & 1);
    }
    memcpy(root, nodes, NODE);
    return status;
}

apr_status_t tg_merkle_file_root(const tg_engine *engine, tg_hasher *hasher, const unsigned char *layer,
                                 apr_size_t pieces, apr_uint32_t piece_length, unsigned char *root)
{
    unsigned char padding[NODE], *nodes = malloc(pieces * NODE);
    apr_status_t status;

    if (!nodes)
        return APR_ENOMEM;
    memcpy(nodes, layer, pieces * NODE);
    status = tg_merkle_padding(engine, hasher, tg_merkle_levels(piece_length / TG_BLOCK), padding);
    if (status == APR_SUCCESS)
        status = tg_merkle_root(engine, hasher, nodes, pieces, tg_merkle_levels(pieces), padding, root);
    free(nodes);
    return status;
}
