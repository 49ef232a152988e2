#include "config.h"
#include "t/unit/unit.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "torrentgen/engine.h"
#include "torrentgen/sha1_lanes.h"

/* Those of this build that take this processor. */
static const tg_engine *engines[3];
static tg_hasher *hashers[3];
static int engine_count;

static void add_engine(const tg_engine *engine)
{
    if (engine->create(&hashers[engine_count]) == APR_SUCCESS)
        engines[engine_count++] = engine;
}

static int make_hashers(void **state)
{
    add_engine(&tg_engine_openssl);
#ifdef HAVE_IPSEC_MB
    add_engine(&tg_engine_avx2);
    add_engine(&tg_engine_avx512);
#endif
    return engine_count ? 0 : -1;
}

static int free_hashers(void **state)
{
    while (engine_count--)
        engines[engine_count]->destroy(hashers[engine_count]);
    return 0;
}

/* --- the examples of NIST (FIPS 180, and its additional ones): a text repeated, alone and in every number of lanes ---- */

#define TEXT_448 "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"
#define TEXT_896 \
    "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu"

static const struct {
    const char *text;
    size_t length, times;
    const char *sha1, *sha256; /* NULL: there is no such example */
} examples[] = {
    {"", 0, 1, "da39a3ee5e6b4b0d3255bfef95601890afd80709",
     "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", 3, 1, "a9993e364706816aba3e25717850c26c9cd0d89d",
     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {TEXT_448, 56, 1, "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {TEXT_896, 112, 1, "a49b2446a02c645bf419f995b67091253a04a259",
     "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    {"a", 1, 1000000, "34aa973cd4c4daa4f61eeb2bdbad27316534016f",
     "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
    {"\xbd", 1, 1, NULL, "68325720aabd7c82f30f554b313d0570c95accbb7dc4b5aae11204c08ffe732b"},
    {"\xc9\x8c\x8e\x55", 4, 1, NULL, "7abc22c0ae5af26ce93dbb94433a0e0b2e119d014f8e7f65bd56c61ccccd9504"},
    {"", 1, 55, NULL, "02779466cdec163811d078815c633f21901413081449002f24aa3e80f0b88ef7"},
    {"", 1, 56, NULL, "d4817aa5497628e7c77e6b606107042bbba3130888c5f47a375e6179be789fbb"},
    {"", 1, 57, NULL, "65a16cb7861335d5ace3c60718b5052e44660726da4cd13bb745381b235a1785"},
    {"", 1, 64, NULL, "f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b"},
    {"", 1, 1000, NULL, "541b3e9daa09b20bf85fa273e5cbd3e80185aa4ec298e765db87742b70138a53"},
    {"A", 1, 1000, NULL, "c2e686823489ced2017f6059b8b239318b6364f6dcd835d0a519105a1eadd6e4"},
    {"U", 1, 1005, NULL, "f4d62ddec0f3dd90ea1380fa16a5ff8dc4c54b21740650f24afc4120903552b0"},
    {"", 1, 1000000, NULL, "d29751f2649b32ff572b5e0a9f541ea660a50f94ff0beedfb0b692b924cc8025"},
};

static void assert_hex(const unsigned char *bytes, size_t size, const char *expected)
{
    char hex[65];

    bt_hex(hex, bytes, size);
    assert_string_equal(hex, expected);
}

static void check_example(int e, const unsigned char *messages, size_t length, int count, const char *sha1, const char *sha256)
{
    const unsigned char *data[TG_LANES_MAX];
    unsigned char out[TG_LANES_MAX * 32];

    for (int i = 0; i < count; i++)
        data[i] = messages + (size_t)i * length;
    if (sha1 && count <= engines[e]->lanes) {
        assert_int_equal(engines[e]->sha1_begin(hashers[e], count), APR_SUCCESS);
        assert_int_equal(engines[e]->sha1_update(hashers[e], count, data, length), APR_SUCCESS);
        assert_int_equal(engines[e]->sha1_end(hashers[e], count, out), APR_SUCCESS);
        for (int i = 0; i < count; i++)
            assert_hex(out + 20 * i, 20, sha1);
    }
    assert_int_equal(engines[e]->sha256_blocks(hashers[e], messages, length, (apr_size_t)count, out), APR_SUCCESS);
    for (int i = 0; i < count; i++)
        assert_hex(out + 32 * i, 32, sha256);
}

static void test_examples_of_nist(void **state)
{
    for (size_t x = 0; x < sizeof examples / sizeof *examples; x++) {
        size_t length = examples[x].length * examples[x].times;
        unsigned char *messages = malloc(TG_LANES_MAX * length + 1);

        for (size_t at = 0; at < TG_LANES_MAX * length; at += examples[x].length)
            memcpy(messages + at, examples[x].text, examples[x].length);
        for (int e = 0; e < engine_count; e++)
            for (int count = 1; count <= TG_LANES_MAX; count += length > 100000 ? 5 : 1)
                check_example(e, messages, length, count, examples[x].sha1, examples[x].sha256);
        free(messages);
    }
}

/* --- against OpenSSL's plain functions ------------------------------------------------------------------------------- */

static void test_sha256_of_blocks_of_every_size_and_number(void **state)
{
    static unsigned char data[40 * 70000], copy[40 * 64];
    unsigned char expected[32], out[40 * 32];
    uint64_t random = 0x61;

    unit_fill(&random, data, sizeof data);
    for (int e = 0; e < engine_count; e++)
        for (size_t step = 0; step < 400; step++) {
            static const size_t long_ones[] = {16383, 16384, 16385, 65534, 65535, 65536, 70000};
            size_t size = step < 300 ? step : step < 307 ? long_ones[step - 300] : 1 + unit_below(&random, 3000);
            size_t count = unit_below(&random, 41);

            assert_int_equal(engines[e]->sha256_blocks(hashers[e], data, size, count, out), APR_SUCCESS);
            for (size_t i = 0; i < count; i++)
                assert_memory_equal(SHA256(data + i * size, size, expected), out + 32 * i, 32);
        }
    for (int e = 0; e < engine_count; e++)
        for (size_t count = 0; count <= 40; count++) { /* results over the blocks, as trees are made */
            memcpy(copy, data, sizeof copy);
            assert_int_equal(engines[e]->sha256_blocks(hashers[e], copy, 64, count, copy), APR_SUCCESS);
            for (size_t i = 0; i < count; i++)
                assert_memory_equal(SHA256(data + i * 64, 64, expected), copy + 32 * i, 32);
        }
}

/* Messages fed in steps of any length. */
static void feed_and_check(int e, int lanes, const unsigned char *data, size_t size, size_t length, uint64_t *random)
{
    unsigned char out[TG_LANES_MAX * 20], expected[20];

    assert_int_equal(engines[e]->sha1_begin(hashers[e], lanes), APR_SUCCESS);
    for (size_t at = 0, step; at < length; at += step) {
        const unsigned char *from[TG_LANES_MAX];

        step = unit_below(random, 4) ? 64 * unit_below(random, 9) : unit_below(random, 200);
        step = step > length - at ? length - at : step;
        for (int lane = 0; lane < lanes; lane++)
            from[lane] = data + (size_t)lane * size + at;
        assert_int_equal(engines[e]->sha1_update(hashers[e], lanes, from, step), APR_SUCCESS);
    }
    assert_int_equal(engines[e]->sha1_end(hashers[e], lanes, out), APR_SUCCESS);
    for (int lane = 0; lane < lanes; lane++)
        assert_memory_equal(SHA1(data + (size_t)lane * size, length, expected), out + 20 * lane, 20);
}

static void test_sha1_of_every_length_and_number_of_lanes(void **state)
{
    static unsigned char data[16 * 20000];
    uint64_t random = 0x62;

    unit_fill(&random, data, sizeof data);
    for (int e = 0; e < engine_count; e++)
        for (int lanes = 1; lanes <= engines[e]->lanes; lanes++) {
            for (size_t length = 0; length <= 260; length++)
                feed_and_check(e, lanes, data, 20000, length, &random);
            for (int i = 0; i < 20; i++)
                feed_and_check(e, lanes, data, 20000, unit_below(&random, 20001), &random);
        }
}

static void test_wrong_numbers_of_lanes(void **state)
{
    const unsigned char *data[TG_LANES_MAX] = {(const unsigned char *)"abc"};
    unsigned char out[TG_LANES_MAX * 20];

    for (int e = 0; e < engine_count; e++) {
        assert_int_equal(engines[e]->sha1_begin(hashers[e], 0), APR_EGENERAL);
        assert_int_equal(engines[e]->sha1_begin(hashers[e], TG_LANES_MAX + 1), APR_EGENERAL);
        if (engines[e]->lanes == 1)
            continue;
        assert_int_equal(engines[e]->sha1_begin(hashers[e], 1), APR_SUCCESS);
        assert_int_equal(engines[e]->sha1_update(hashers[e], 5, data, 3), APR_EGENERAL);
        assert_int_equal(engines[e]->sha1_end(hashers[e], 5, out), APR_EGENERAL);
    }
}

/* --- each width of vectors that this processor has ----------------------------------------- */

#ifdef TG_HAVE_SHA1_LANES
static void check_compress(tg_sha1_compress *compress, int lanes)
{
    static unsigned char data[16 * 6400];
    const unsigned char *from[TG_SHA1_LANES];
    uint64_t random = 0x63;

    unit_fill(&random, data, sizeof data);
    for (size_t blocks = 0; blocks <= 100; blocks = blocks * 3 + 1) {
        tg_sha1_state values;

        for (int i = 0; i < 5; i++)
            for (int lane = 0; lane < TG_SHA1_LANES; lane++)
                values[i][lane] = (uint32_t)unit_random(&random);
        for (int lane = 0; lane < TG_SHA1_LANES; lane++)
            from[lane] = data + lane * 6400;
        for (int lane = 0; lane < lanes; lane++) {
            tg_sha1_state copy;
            SHA_CTX one = {.h0 = values[0][lane], .h1 = values[1][lane], .h2 = values[2][lane], .h3 = values[3][lane],
                           .h4 = values[4][lane]};

            memcpy(copy, values, sizeof copy);
            compress(copy, from, blocks);
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
            for (size_t i = 0; i < blocks; i++)
                SHA1_Transform(&one, from[lane] + 64 * i);
            assert_int_equal(one.h0, copy[0][lane]);
            assert_int_equal(one.h1, copy[1][lane]);
            assert_int_equal(one.h2, copy[2][lane]);
            assert_int_equal(one.h3, copy[3][lane]);
            assert_int_equal(one.h4, copy[4][lane]);
        }
    }
}
#endif

static void test_vectors_of_each_width(void **state)
{
#ifdef TG_HAVE_SHA1_LANES
    if (__builtin_cpu_supports("avx2"))
        check_compress(tg_sha1_compress_avx2, 8);
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw"))
        check_compress(tg_sha1_compress_avx512, 16);
#endif
}

static void test_the_default_works_here(void **state)
{
    const tg_engine *engine = tg_engine_default();
    tg_hasher *hasher;

    int known = 0;

    assert_int_equal(engine->create(&hasher), APR_SUCCESS);
    engine->destroy(hasher);
    engine->destroy(NULL);
    for (int e = 0; e < engine_count; e++)
        known |= engine == engines[e];
    assert_true(known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples_of_nist),
        cmocka_unit_test(test_sha256_of_blocks_of_every_size_and_number),
        cmocka_unit_test(test_sha1_of_every_length_and_number_of_lanes),
        cmocka_unit_test(test_wrong_numbers_of_lanes),
        cmocka_unit_test(test_vectors_of_each_width),
        cmocka_unit_test(test_the_default_works_here),
    };

    return cmocka_run_group_tests(tests, make_hashers, free_hashers);
}
