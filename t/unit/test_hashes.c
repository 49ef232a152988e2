#include "t/unit/unit.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "seeder/hashes.h"
#include "t/unit/naive.h"

enum { BLOCK = 16384, LEVELS = 12 };

static seed_nodes nodes;

static int make_nodes(void **state)
{
    return seed_nodes_init(&nodes);
}

static int free_nodes(void **state)
{
    seed_nodes_free(&nodes);
    return 0;
}

/* A file and every node of its tree, padding included. */
typedef struct {
    unsigned char *data, *all[LEVELS], *layer;
    size_t length, blocks;
    unsigned levels;
    seed_hash_tree tree;
} file;

static void build(file *made, uint64_t *random, size_t length, apr_uint32_t piece_length)
{
    size_t i;
    unsigned level;

    memset(made, 0, sizeof *made);
    made->data = malloc(length);
    unit_fill(random, made->data, length);
    made->length = length;
    made->blocks = (length + BLOCK - 1) / BLOCK;
    while ((size_t)1 << made->levels < made->blocks)
        made->levels++;
    for (level = 0; level <= made->levels; level++) {
        made->all[level] = malloc((size_t)32 << (made->levels - level));
        for (i = 0; i < (size_t)1 << (made->levels - level); i++) {
            if (level == 0)
                naive_node(made->data, length, i, 1, made->all[0] + 32 * i);
            else
                SHA256(made->all[level - 1] + 64 * i, 64, made->all[level] + 32 * i);
        }
    }
    if (length > piece_length)
        made->layer = naive_layer(made->data, length, piece_length);
    made->tree = (seed_hash_tree){made->all[made->levels], (apr_int64_t)length, piece_length, made->layer};
}

static void destroy(file *made)
{
    unsigned level;

    for (level = 0; level <= made->levels; level++)
        free(made->all[level]);
    free(made->layer);
    free(made->data);
}

static void put_request(unsigned char *body, const file *of, apr_uint32_t base, apr_uint32_t index, apr_uint32_t length,
                        apr_uint32_t proofs)
{
    memcpy(body, of->tree.root, 32);
    pw_put_u32(body + 32, base);
    pw_put_u32(body + 36, index);
    pw_put_u32(body + 40, length);
    pw_put_u32(body + 44, proofs);
}

/* What a client does with an answer: hashes upwards, taking an uncle where it has no pair. @return levels it climbed */
static unsigned climb(const unsigned char *hashes, size_t length, const unsigned char *uncles, unsigned uncle_count,
                      size_t index, unsigned char *top)
{
    unsigned char *row = malloc(32 * length), pair[64];
    unsigned climbed = 0;
    size_t i;

    memcpy(row, hashes, 32 * length);
    for (; length > 1; length /= 2, index /= 2, climbed++)
        for (i = 0; i < length / 2; i++) {
            memcpy(pair, row + 64 * i, 64);
            SHA256(pair, 64, row + 32 * i);
        }
    for (; uncle_count--; uncles += 32, index /= 2, climbed++) {
        memcpy(pair + (index & 1 ? 32 : 0), row, 32);
        memcpy(pair + (index & 1 ? 0 : 32), uncles, 32);
        SHA256(pair, 64, row);
    }
    memcpy(top, row, 32);
    free(row);
    return climbed;
}

/* BEP 52 and libtorrent's on_hashes() agree on how many uncles there are. */
static int uncles_due(unsigned base, unsigned length, unsigned proofs, unsigned levels)
{
    int log = 0, due;

    while (1u << log < length)
        log++;
    if (base + proofs > levels - 1)
        proofs = levels - 1 - base;
    due = (int)proofs - (log - 1);
    return due > 0 ? due : 0;
}

static void check_answer(const file *of, const unsigned char *body, const bt_buf *out)
{
    unsigned base = pw_get_u32(body + 32), index = pw_get_u32(body + 36), length = pw_get_u32(body + 40);
    int uncles = uncles_due(base, length, pw_get_u32(body + 44), of->levels);
    const unsigned char *hashes = out->data + 5 + 48;
    unsigned char top[32];
    unsigned climbed;

    assert_int_equal(out->length, 5 + 48 + 32 * (length + (unsigned)uncles));
    assert_int_equal(pw_get_u32(out->data), out->length - 4);
    assert_int_equal(out->data[4], PW_HASHES);
    assert_memory_equal(out->data + 5, body, 48);
    assert_memory_equal(hashes, of->all[base] + 32 * (size_t)index, 32 * (size_t)length);
    climbed = climb(hashes, length, hashes + 32 * (size_t)length, (unsigned)uncles, index, top);
    assert_memory_equal(top, of->all[base + climbed] + 32 * (size_t)(index >> climbed), 32);
}

static void ask(const file *of, const unsigned char *crown, unsigned base, unsigned index, unsigned length,
                unsigned proofs)
{
    seed_hash_request request;
    unsigned char body[48], *leaves = NULL;
    seed_hash_plan plan;
    bt_buf out;
    int right;

    put_request(body, of, base, index, length, proofs);
    seed_hash_request_read(body, &request);
    assert_true(seed_hashes_plan(&of->tree, &request, &plan));
    if (plan.leaves) {
        assert_true(plan.first_leaf + plan.leaves <= of->blocks);
        leaves = malloc(32 * (size_t)plan.leaves); /* no more, for the sanitizer */
        memcpy(leaves, of->all[0] + 32 * plan.first_leaf, 32 * (size_t)plan.leaves);
        assert_int_equal(seed_leaves_check(&nodes, &of->tree, &plan, leaves, &right), APR_SUCCESS);
        assert_true(right);
    }
    bt_buf_init(&out, 1024 * 1024);
    assert_int_equal(seed_hashes_write(&out, &nodes, &of->tree, body, &plan, leaves, plan.crown ? crown : NULL), APR_SUCCESS);
    check_answer(of, body, &out);
    bt_buf_free(&out);
    free(leaves);
}

static void ask_everything(const file *of, const unsigned char *crown)
{
    unsigned base, index, length, proofs;

    for (base = 0; base < of->levels; base++)
        for (length = 1; length <= 1u << (of->levels - base); length *= 2)
            for (index = 0; index < 1u << (of->levels - base); index += length)
                for (proofs = 0; proofs <= of->levels; proofs++)
                    ask(of, crown, base, index, length, proofs);
}

static void test_every_request_of_small_trees(void **state)
{
    static const size_t lengths[] = {BLOCK + 1,      2 * BLOCK,      3 * BLOCK - 1,  4 * BLOCK, 5 * BLOCK + 77,
                                     8 * BLOCK - 99, 11 * BLOCK + 1, 16 * BLOCK + 1, 21 * BLOCK};
    uint64_t random = 0x52;

    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (apr_uint32_t piece = BLOCK; piece <= 32 * BLOCK; piece *= 2) {
            file of;

            build(&of, &random, lengths[i], piece);
            ask_everything(&of, NULL);
            destroy(&of);
        }
}

static void test_crown_gives_what_the_layer_gives(void **state)
{
    static const size_t pieces[] = {65, 128, 129, 200};
    uint64_t random = 0x77;

    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        unsigned char *crown;
        unsigned length, index, proofs;
        file of;

        build(&of, &random, pieces[i] * BLOCK - 5, BLOCK);
        crown = malloc(seed_crown_size(&of.tree));
        assert_int_equal(seed_crown_make(&nodes, &of.tree, crown), APR_SUCCESS);
        for (unsigned base = 0; base < of.levels; base += 3)
            for (length = 1; length <= 1u << (of.levels - base); length *= 4)
                for (index = 0; index < 1u << (of.levels - base); index += length)
                    for (proofs = 0; proofs <= of.levels; proofs++) {
                        ask(&of, crown, base, index, length, proofs);
                        ask(&of, NULL, base, index, length, proofs);
                    }
        free(crown);
        destroy(&of);
    }
}

static void test_small_trees_have_no_crown(void **state)
{
    uint64_t random = 3;
    file of;

    build(&of, &random, 64 * BLOCK, BLOCK);
    assert_int_equal(seed_crown_size(&of.tree), 0);
    destroy(&of);
    build(&of, &random, 65 * BLOCK, BLOCK);
    assert_int_equal(seed_crown_size(&of.tree), 2 * 32);
    destroy(&of);
}

/* A tree too large to be built: what is asked of its shape alone. */
static int plan_of(apr_int64_t length, apr_uint32_t piece_length, unsigned base, unsigned index, unsigned count,
                   unsigned proofs, seed_hash_plan *plan)
{
    static const unsigned char some[32];
    seed_hash_tree tree = {some, length, piece_length, length > piece_length ? some : NULL};
    seed_hash_request request = {{0}, base, index, count, proofs};

    return seed_hashes_plan(&tree, &request, plan);
}

static void test_bounds(void **state)
{
    const apr_int64_t mib = 1024 * 1024;
    seed_hash_plan plan;

    /* 100 pieces of 1 MiB: 13 levels, the piece layer is the sixth, 128 wide with padding. */
    assert_true(plan_of(100 * mib, (apr_uint32_t)mib, 6, 0, 128, 6, &plan));
    assert_int_equal(plan.uncles + plan.leaves, 0);
    assert_false(plan_of(100 * mib, (apr_uint32_t)mib, 6, 0, 256, 6, &plan));
    assert_false(plan_of(100 * mib, (apr_uint32_t)mib, 6, 0, 0, 6, &plan));
    assert_false(plan_of(100 * mib, (apr_uint32_t)mib, 6, 0, 3, 6, &plan));
    assert_false(plan_of(100 * mib, (apr_uint32_t)mib, 6, 1, 2, 6, &plan));
    assert_false(plan_of(100 * mib, (apr_uint32_t)mib, 6, 128, 2, 6, &plan));
    assert_false(plan_of(100 * mib, (apr_uint32_t)mib, 6, 0xfffffffe, 2, 6, &plan));
    assert_true(plan_of(100 * mib, (apr_uint32_t)mib, 6, 126, 2, 6, &plan)); /* all padding */
    assert_false(plan_of(100 * mib, (apr_uint32_t)mib, 13, 0, 1, 0, &plan));
    assert_false(plan_of(100 * mib, (apr_uint32_t)mib, 0xffffffff, 0, 2, 0, &plan));
    assert_false(plan_of(100 * mib, (apr_uint32_t)mib, 6, 0, 2, 14, &plan));
    assert_false(plan_of(100 * mib, (apr_uint32_t)mib, 6, 0, 2, 0xffffffff, &plan));

    /* Leaves: of whole pieces, 16 MiB at most. */
    assert_true(plan_of(100 * mib, (apr_uint32_t)mib, 0, 130, 2, 12, &plan));
    assert_int_equal(plan.first_leaf, 128);
    assert_int_equal(plan.leaves, 64);
    assert_true(plan_of(100 * mib, (apr_uint32_t)mib, 0, 1024, 1024, 12, &plan));
    assert_int_equal(plan.leaves, 1024);
    assert_false(plan_of(100 * mib, (apr_uint32_t)mib, 0, 0, 2048, 12, &plan));
    assert_true(plan_of(100 * mib + 1, (apr_uint32_t)mib, 0, 6400, 64, 12, &plan));
    assert_int_equal(plan.leaves, 1);
    assert_true(plan_of(100 * mib, (apr_uint32_t)mib, 0, 6400, 64, 12, &plan)); /* padding: nothing is read */
    assert_int_equal(plan.leaves, 0);
    assert_true(plan_of(64 * mib, 16 * (apr_uint32_t)mib, 0, 1024, 2, 11, &plan));
    assert_int_equal(plan.leaves, 1024);
    assert_false(plan_of(128 * mib, 32 * (apr_uint32_t)mib, 0, 0, 2, 12, &plan)); /* a piece too large */

    /* Files without a layer. */
    assert_true(plan_of(3 * BLOCK, (apr_uint32_t)mib, 0, 0, 4, 1, &plan));
    assert_int_equal(plan.leaves, 3);
    assert_false(plan_of(3 * BLOCK, (apr_uint32_t)mib, 2, 0, 2, 1, &plan));
    assert_false(plan_of(BLOCK, (apr_uint32_t)mib, 0, 0, 1, 0, &plan));
    assert_false(plan_of(1, (apr_uint32_t)mib, 0, 0, 2, 0, &plan));

    /* The largest there are. */
    assert_true(plan_of((apr_int64_t)1 << 45, 16 * (apr_uint32_t)mib, 10, 1 << 20, 8192, 20, &plan));
    assert_true(plan.crown);
    assert_false(plan_of((apr_int64_t)1 << 45, 16 * (apr_uint32_t)mib, 10, 0, 16384, 20, &plan));
    assert_false(plan_of((apr_int64_t)1 << 45, 16 * (apr_uint32_t)mib, 13, 0, 8192, 0, &plan)); /* computed from 65536 */
    assert_true(plan_of((apr_int64_t)1 << 45, 16 * (apr_uint32_t)mib, 13, 0, 1024, 0, &plan));
    assert_true(plan_of((apr_int64_t)1 << 45, 16 * (apr_uint32_t)mib, 16, 0, 8192, 0, &plan));
    assert_true(plan_of(INT64_MAX, 16 * (apr_uint32_t)mib, 0, 0xfffffffe, 2, 49, &plan));
    assert_int_equal(plan.first_leaf, 0xfffffc00);
}

/* libtorrent 2.0 asks for the last of 513 pieces alone, and counts ten uncles for nine proof layers. */
static void test_last_of_513_pieces(void **state)
{
    seed_hash_plan plan;

    assert_true(plan_of(513 * BLOCK, BLOCK, 0, 512, 1, 9, &plan));
    assert_int_equal(plan.first_uncle, 0);
    assert_int_equal(plan.uncles, 10);
}

static void test_wrong_leaves_are_noticed(void **state)
{
    uint64_t random = 0x11;
    seed_hash_plan plan;
    unsigned char *leaves, body[48];
    seed_hash_request request;
    int right = 1;
    file of;

    build(&of, &random, 7 * BLOCK + 3, 4 * BLOCK);
    for (int nth = 0; nth < 8; nth++) {
        put_request(body, &of, 0, 0, 8, 2);
        seed_hash_request_read(body, &request);
        assert_true(seed_hashes_plan(&of.tree, &request, &plan));
        leaves = malloc(32 * 8);
        memcpy(leaves, of.all[0], 32 * 8);
        leaves[32 * nth + 31] ^= 1;
        assert_int_equal(seed_leaves_check(&nodes, &of.tree, &plan, leaves, &right), APR_SUCCESS);
        assert_false(right);
        free(leaves);
    }
    destroy(&of);
}

static void test_full_buffer_takes_nothing(void **state)
{
    uint64_t random = 0x12;
    unsigned char body[48];
    seed_hash_request request;
    seed_hash_plan plan;
    bt_buf out;
    file of;

    build(&of, &random, 7 * BLOCK, BLOCK);
    put_request(body, &of, 0, 0, 8, 2);
    seed_hash_request_read(body, &request);
    assert_true(seed_hashes_plan(&of.tree, &request, &plan));
    bt_buf_init(&out, 100);
    assert_int_equal(seed_hashes_write(&out, &nodes, &of.tree, body, &plan, NULL, NULL), APR_ENOSPC);
    assert_int_equal(out.length, 0);
    bt_buf_free(&out);
    destroy(&of);
}

/* What the loop must compute is known beforehand, so that it can be counted: nothing but nodes between the levels. */
static void test_what_is_computed(void **state)
{
    enum { PIECES = 1 << 15, PIECE_LEVEL = 2 };
    static unsigned char layer[PIECES * 32], root[32];
    seed_hash_tree tree = {root, (apr_int64_t)PIECES * 4 * BLOCK, 4 * BLOCK, layer};
    static const struct {
        apr_uint32_t base, length, computed;
    } cases[] = {{0, 8, 0},
                 {1, 8, 16},
                 {PIECE_LEVEL, 8192, 0},
                 {PIECE_LEVEL + 1, 4096, 8192},
                 {PIECE_LEVEL + SEED_HASHES_CROWN - 1, 256, 8192},
                 {PIECE_LEVEL + SEED_HASHES_CROWN, 512, 0}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        seed_hash_request request = {.base = cases[i].base, .length = cases[i].length, .proofs = 2};
        seed_hash_plan plan;

        assert_true(seed_hashes_plan(&tree, &request, &plan));
        assert_int_equal(plan.computed, cases[i].computed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_request_of_small_trees), cmocka_unit_test(test_crown_gives_what_the_layer_gives),
        cmocka_unit_test(test_small_trees_have_no_crown),    cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_last_of_513_pieces),           cmocka_unit_test(test_wrong_leaves_are_noticed),
        cmocka_unit_test(test_full_buffer_takes_nothing),    cmocka_unit_test(test_what_is_computed),
    };

    return cmocka_run_group_tests(tests, make_nodes, free_nodes);
}
