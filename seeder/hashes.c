#include "seeder/hashes.h"

#include <string.h>

#include "torrentgen/merkle.h"

enum { NODE = BT_HASH_V2_SIZE };

static const tg_engine *const engine = &tg_engine_openssl;

apr_status_t seed_nodes_init(seed_nodes *nodes)
{
    apr_status_t status;
    int level;

    memset(nodes, 0, sizeof *nodes);
    status = engine->create(&nodes->hasher);
    for (level = 1; status == APR_SUCCESS && level < SEED_HASHES_LEVELS; level++) {
        unsigned char pair[2 * NODE];
        memcpy(pair, nodes->padding[level - 1], NODE);
        memcpy(pair + NODE, nodes->padding[level - 1], NODE);
        status = engine->sha256_blocks(nodes->hasher, pair, sizeof pair, 1, nodes->padding[level]);
    }
    return status;
}

void seed_nodes_free(seed_nodes *nodes)
{
    engine->destroy(nodes->hasher);
    nodes->hasher = NULL;
}

void seed_hash_request_read(const unsigned char *body, seed_hash_request *request)
{
    memcpy(request->root, body, NODE);
    request->base = pw_get_u32(body + NODE);
    request->index = pw_get_u32(body + NODE + 4);
    request->length = pw_get_u32(body + NODE + 8);
    request->proofs = pw_get_u32(body + NODE + 12);
}

/* --- the shape of a tree --- */

apr_uint64_t seed_hash_blocks(const seed_hash_tree *tree)
{
    return ((apr_uint64_t)tree->length + TG_BLOCK - 1) / TG_BLOCK;
}

apr_uint32_t seed_hash_levels(const seed_hash_tree *tree)
{
    return (apr_uint32_t)tg_merkle_levels(seed_hash_blocks(tree));
}

static apr_uint32_t piece_level(const seed_hash_tree *tree)
{
    return (apr_uint32_t)tg_merkle_levels(tree->piece_length / TG_BLOCK);
}

/* The level below which nodes must be computed from blocks: the piece layer, or the root of a file without one. */
static apr_uint32_t known_level(const seed_hash_tree *tree)
{
    return tree->layer ? piece_level(tree) : seed_hash_levels(tree);
}

/* Nodes of a level that are not padding. */
static apr_uint64_t nodes_of(const seed_hash_tree *tree, apr_uint32_t level)
{
    return (seed_hash_blocks(tree) + ((apr_uint64_t)1 << level) - 1) >> level;
}

static int has_crown(const seed_hash_tree *tree, apr_uint32_t level)
{
    return tree->layer && level >= piece_level(tree) + SEED_HASHES_CROWN && level < seed_hash_levels(tree);
}

/* --- may it be answered? --- */

static int is_power_of_two(apr_uint32_t number)
{
    return number != 0 && (number & (number - 1)) == 0;
}

static int is_on_tree(const seed_hash_tree *tree, const seed_hash_request *request)
{
    apr_uint32_t levels = seed_hash_levels(tree);

    return request->base < levels && request->proofs <= levels && is_power_of_two(request->length) &&
           request->length <= SEED_HASHES_MAX && request->index % request->length == 0 &&
           (apr_uint64_t)request->index + request->length <= (apr_uint64_t)1 << (levels - request->base);
}

/* Nodes below the piece layer take blocks, of whole pieces, so that these can be checked. @return 0: too many */
static int plan_leaves(const seed_hash_tree *tree, const seed_hash_request *request, seed_hash_plan *plan)
{
    apr_uint32_t known = known_level(tree);
    apr_uint64_t width, first;

    if (request->base >= known)
        return 1;
    width = (apr_uint64_t)request->length << request->base;
    if (width < (apr_uint64_t)1 << known)
        width = (apr_uint64_t)1 << known;
    if (width > SEED_HASHES_LEAVES)
        return 0;
    first = ((apr_uint64_t)request->index << request->base) & ~(width - 1);
    if (first >= seed_hash_blocks(tree))
        return 1; /* padding alone */
    if (width > seed_hash_blocks(tree) - first)
        width = seed_hash_blocks(tree) - first;
    plan->first_leaf = first;
    plan->leaves = (apr_uint32_t)width;
    return 1;
}

/* Nodes between the piece layer and the crown are computed from the layer. @return 0: it would take too long */
static int is_cheap(const seed_hash_tree *tree, const seed_hash_request *request)
{
    apr_uint32_t known = known_level(tree);

    return request->base <= known || has_crown(tree, request->base) ||
           (apr_uint64_t)request->length << (request->base - known) <= SEED_HASHES_MAX;
}

/* Hashes below nodes that neither stand in the layer or the crown nor are leaves. */
static apr_uint32_t to_compute(const seed_hash_tree *tree, const seed_hash_request *request)
{
    apr_uint32_t known = known_level(tree);

    if (request->base == 0 || request->base == known || has_crown(tree, request->base))
        return 0;
    return request->length << (request->base > known ? request->base - known : request->base);
}

int seed_hashes_plan(const seed_hash_tree *tree, const seed_hash_request *request, seed_hash_plan *plan)
{
    apr_uint32_t levels = seed_hash_levels(tree), top;

    memset(plan, 0, sizeof *plan);
    if (!is_on_tree(tree, request) || !plan_leaves(tree, request, plan) || !is_cheap(tree, request))
        return 0;
    /* The first log2(length) - 1 proof layers follow from the nodes themselves. The root has no uncle. A length of 1, which
     * libtorrent asks for the last of 513 pieces, takes the node's own sibling as well. */
    plan->first_uncle = request->base + (apr_uint32_t)tg_merkle_levels(request->length);
    top = request->base + request->proofs < levels - 1 ? request->base + request->proofs : levels - 1;
    plan->uncles = plan->first_uncle <= top ? top - plan->first_uncle + 1 : 0;
    plan->computed = to_compute(tree, request);
    plan->crown = has_crown(tree, request->base) || (plan->uncles && has_crown(tree, top));
    return 1;
}

/* --- nodes --- */

typedef struct {
    seed_nodes *nodes;
    const seed_hash_tree *tree;
    const unsigned char *leaves, *crown;
    apr_uint64_t first_leaf;
} view;

static const unsigned char *in_crown(const view *from, apr_uint32_t level, apr_uint64_t index)
{
    apr_uint32_t below = piece_level(from->tree) + SEED_HASHES_CROWN;
    apr_uint64_t at = index;

    for (; below < level; below++)
        at += nodes_of(from->tree, below);
    return from->crown + at * NODE;
}

/* A node that need not be computed, or NULL. */
static const unsigned char *known(const view *from, apr_uint32_t level, apr_uint64_t index)
{
    const seed_hash_tree *tree = from->tree;

    if (index >= nodes_of(tree, level))
        return from->nodes->padding[level];
    if (level == seed_hash_levels(tree))
        return tree->root;
    if (tree->layer && level == piece_level(tree))
        return tree->layer + index * NODE;
    if (from->crown && has_crown(tree, level))
        return in_crown(from, level, index);
    return level == 0 ? from->leaves + (index - from->first_leaf) * NODE : NULL;
}

static apr_status_t compute(const view *from, apr_uint32_t level, apr_uint64_t index, unsigned char *out);

static apr_status_t node_at(const view *from, apr_uint32_t level, apr_uint64_t index, unsigned char *out)
{
    const unsigned char *is = known(from, level, index);

    if (!is)
        return compute(from, level, index, out);
    memcpy(out, is, NODE);
    return APR_SUCCESS;
}

/* Recurs at most SEED_HASHES_CROWN levels above the piece layer, or 10 below it. */
static apr_status_t compute(const view *from, apr_uint32_t level, apr_uint64_t index, unsigned char *out)
{
    unsigned char pair[2 * NODE];
    apr_status_t status = node_at(from, level - 1, 2 * index, pair);

    if (status == APR_SUCCESS)
        status = node_at(from, level - 1, 2 * index + 1, pair + NODE);
    if (status == APR_SUCCESS)
        status = engine->sha256_blocks(from->nodes->hasher, pair, sizeof pair, 1, out);
    return status;
}

apr_status_t seed_hashes_write(bt_buf *out, seed_nodes *nodes, const seed_hash_tree *tree, const unsigned char *body,
                               const seed_hash_plan *plan, const unsigned char *leaves, const unsigned char *crown)
{
    view from = {nodes, tree, leaves, crown, plan->first_leaf};
    apr_status_t status = APR_SUCCESS;
    apr_size_t before = out->length;
    seed_hash_request request;
    unsigned char *at;
    apr_uint32_t i;

    seed_hash_request_read(body, &request);
    at = pw_add_hashes(out, body, request.length + plan->uncles);
    if (!at)
        return out->status;
    for (i = 0; status == APR_SUCCESS && i < request.length; i++, at += NODE)
        status = node_at(&from, request.base, request.index + i, at);
    for (i = plan->first_uncle; status == APR_SUCCESS && i < plan->first_uncle + plan->uncles; i++, at += NODE)
        status = node_at(&from, i, (apr_uint64_t)(request.index >> (i - request.base)) ^ 1, at);
    if (status != APR_SUCCESS)
        out->length = before;
    return status;
}

apr_status_t seed_leaves_check(seed_nodes *nodes, const seed_hash_tree *tree, const seed_hash_plan *plan,
                               const unsigned char *leaves, int *right)
{
    view from = {nodes, tree, leaves, NULL, plan->first_leaf};
    apr_uint32_t level = known_level(tree);
    apr_uint64_t index = plan->first_leaf >> level, end = (plan->first_leaf + plan->leaves - 1) >> level;
    apr_status_t status = APR_SUCCESS;
    unsigned char is[NODE];

    for (*right = 1; status == APR_SUCCESS && *right && index <= end; index++) {
        status = level ? compute(&from, level, index, is) : node_at(&from, 0, index, is);
        *right = memcmp(is, known(&from, level, index), NODE) == 0;
    }
    return status;
}

/* --- the crown --- */

apr_size_t seed_crown_size(const seed_hash_tree *tree)
{
    apr_uint32_t level = piece_level(tree) + SEED_HASHES_CROWN;
    apr_uint64_t count = 0;

    for (; has_crown(tree, level); level++)
        count += nodes_of(tree, level);
    return (apr_size_t)count * NODE;
}

apr_status_t seed_crown_make(seed_nodes *nodes, const seed_hash_tree *tree, unsigned char *crown)
{
    apr_uint32_t level = piece_level(tree) + SEED_HASHES_CROWN, first = level;
    view from = {nodes, tree, NULL, NULL, 0};
    apr_status_t status = APR_SUCCESS;
    unsigned char *at = crown;
    apr_uint64_t i;

    for (; has_crown(tree, level); level++) {
        from.crown = level > first ? crown : NULL;
        for (i = 0; status == APR_SUCCESS && i < nodes_of(tree, level); i++, at += NODE)
            status = compute(&from, level, i, at);
    }
    return status;
}
