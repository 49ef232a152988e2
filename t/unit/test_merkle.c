#include "t/unit/unit.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "t/unit/naive.h"
#include "torrentgen/merkle.h"

static const tg_engine *engine;
static tg_hasher *hasher;

static int make_hasher(void **state)
{
    engine = tg_engine_default();
    return engine->create(&hasher);
}

static int free_hasher(void **state)
{
    engine->destroy(hasher);
    return 0;
}

static void test_engine_gives_known_hashes(void **state)
{
    static const unsigned char abc[] = "abcabc";
    const unsigned char *one = abc;
    unsigned char out[64];
    char hex[129];

    assert_int_equal(engine->sha256_blocks(hasher, abc, 3, 2, out), APR_SUCCESS);
    bt_hex(hex, out, 32);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_memory_equal(out, out + 32, 32);
    assert_int_equal(engine->sha256_blocks(hasher, abc, 3, 0, NULL), APR_SUCCESS);
    for (int again = 0; again < 2; again++) {
        assert_int_equal(engine->sha1_begin(hasher, 1), APR_SUCCESS);
        assert_int_equal(engine->sha1_update(hasher, 1, &one, 1), APR_SUCCESS);
        one++;
        assert_int_equal(engine->sha1_update(hasher, 1, &one, 2), APR_SUCCESS);
        assert_int_equal(engine->sha1_end(hasher, 1, out), APR_SUCCESS);
        bt_hex(hex, out, 20);
        assert_string_equal(hex, "a9993e364706816aba3e25717850c26c9cd0d89d");
        one--;
    }
}

static void test_levels(void **state)
{
    static const struct {
        apr_uint64_t count;
        int levels;
    } cases[] = {{1, 0}, {2, 1}, {3, 2}, {4, 2}, {5, 3}, {8, 3}, {9, 4}, {1024, 10}, {1025, 11}, {(apr_uint64_t)1 << 40, 40}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(tg_merkle_levels(cases[i].count), cases[i].levels);
}

static void test_padding(void **state)
{
    unsigned char root[32], pair[64] = {0}, expected[32];

    assert_int_equal(tg_merkle_padding(engine, hasher, 0, root), APR_SUCCESS);
    assert_memory_equal(root, pair, 32);
    SHA256(pair, 64, expected);
    assert_int_equal(tg_merkle_padding(engine, hasher, 1, root), APR_SUCCESS);
    assert_memory_equal(root, expected, 32);
    memcpy(pair, expected, 32);
    memcpy(pair + 32, expected, 32);
    SHA256(pair, 64, expected);
    assert_int_equal(tg_merkle_padding(engine, hasher, 2, root), APR_SUCCESS);
    assert_memory_equal(root, expected, 32);
}

/* The same tree with every missing node written out. */
static void full_root(const unsigned char *nodes, size_t count, size_t width, const unsigned char *padding, unsigned char *root)
{
    unsigned char *all = malloc(width * 32);

    for (size_t i = 0; i < width; i++)
        memcpy(all + 32 * i, i < count ? nodes + 32 * i : padding, 32);
    for (; width > 1; width /= 2)
        for (size_t i = 0; i < width / 2; i++) {
            unsigned char pair[64];

            memcpy(pair, all + 64 * i, 64);
            SHA256(pair, 64, all + 32 * i);
        }
    memcpy(root, all, 32);
    free(all);
}

static void test_root_of_every_count(void **state)
{
    uint64_t random = 0x3e;
    unsigned char nodes[64 * 32], copy[sizeof nodes], padding[32], root[32], expected[32];

    for (int levels = 0; levels <= 6; levels++)
        for (size_t count = 1; count <= (size_t)1 << levels; count++) {
            unit_fill(&random, nodes, sizeof nodes);
            unit_fill(&random, padding, sizeof padding);
            full_root(nodes, count, (size_t)1 << levels, padding, expected);
            memcpy(copy, nodes, sizeof copy);
            assert_int_equal(tg_merkle_root(engine, hasher, copy, count, levels, padding, root), APR_SUCCESS);
            assert_memory_equal(root, expected, 32);
            assert_memory_equal(copy + 32 * count, nodes + 32 * count, sizeof nodes - 32 * count);
        }
}

static void test_file_root_from_layer(void **state)
{
    static const size_t lengths[] = {32769, 65536, 65537, 100000, 300000};
    static unsigned char data[300000];
    uint64_t random = 0x77;
    unsigned char root[32], expected[32];

    unit_fill(&random, data, sizeof data);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (apr_uint32_t piece = 16384; piece < lengths[i]; piece *= 2) {
            unsigned char *layer = naive_layer(data, lengths[i], piece);

            naive_root(data, lengths[i], expected);
            assert_int_equal(tg_merkle_file_root(engine, hasher, layer, (lengths[i] + piece - 1) / piece, piece, root),
                             APR_SUCCESS);
            assert_memory_equal(root, expected, 32);
            free(layer);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_engine_gives_known_hashes), cmocka_unit_test(test_levels),
        cmocka_unit_test(test_padding),                   cmocka_unit_test(test_root_of_every_count),
        cmocka_unit_test(test_file_root_from_layer),
    };

    return cmocka_run_group_tests(tests, make_hasher, free_hasher);
}
