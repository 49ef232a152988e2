#include "t/unit/unit.h"

#include <string.h>

#include "base/bencode.h"
#include "torrentgen/infodict.h"

#define KIB ((apr_int64_t)1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define TEN "0123456789"
#define HASH20 TEN TEN
#define HASH32 TEN TEN TEN "ab"

static void expect(tg_version version, apr_int64_t length, const char *pieces, const char *expected)
{
    const tg_infodict info = {
        .version = version,
        .name = "a.iso",
        .length = length,
        .piece_length = 16384,
        .pieces = (const unsigned char *)pieces,
        .pieces_length = pieces ? strlen(pieces) : 0,
        .root = (const unsigned char *)HASH32,
    };
    bt_buf buf;
    bt_ben value;

    bt_buf_init(&buf, 10000);
    assert_int_equal(tg_infodict_write(&buf, &info), APR_SUCCESS);
    assert_int_equal(buf.length, strlen(expected));
    assert_memory_equal(buf.data, expected, buf.length);
    assert_int_equal(bt_ben_read(buf.data, buf.length, &value), APR_SUCCESS); /* keys sorted */
    bt_buf_free(&buf);
}

static void test_bytes_of_each_kind(void **state)
{
    expect(TG_V1, 20000, HASH20 HASH20,
           "d6:lengthi20000e4:name5:a.iso12:piece lengthi16384e6:pieces40:" HASH20 HASH20 "e");
    expect(TG_V2, 20000, NULL,
           "d9:file treed5:a.isod0:d6:lengthi20000e11:pieces root32:" HASH32
           "eee12:meta versioni2e4:name5:a.iso12:piece lengthi16384ee");
    expect(TG_HYBRID, 20000, HASH20 HASH20,
           "d9:file treed5:a.isod0:d6:lengthi20000e11:pieces root32:" HASH32
           "eee6:lengthi20000e12:meta versioni2e4:name5:a.iso12:piece lengthi16384e6:pieces40:" HASH20 HASH20 "e");
}

static void test_an_empty_file_has_no_root(void **state)
{
    expect(TG_V1, 0, NULL, "d6:lengthi0e4:name5:a.iso12:piece lengthi16384e6:pieces0:e");
    expect(TG_HYBRID, 0, NULL,
           "d9:file treed5:a.isod0:d6:lengthi0eeee6:lengthi0e12:meta versioni2e4:name5:a.iso12:piece lengthi16384e"
           "6:pieces0:e");
}

static void test_a_full_buffer(void **state)
{
    const tg_infodict info = {.version = TG_V1, .name = "a", .length = 0, .piece_length = 16384};
    bt_buf buf;

    bt_buf_init(&buf, 20);
    assert_int_equal(tg_infodict_write(&buf, &info), APR_ENOSPC);
    bt_buf_free(&buf);
}

static void test_names(void **state)
{
    static const char *const good[] = {"a", "...", ".hidden", "with space", "\xc3\xa9t\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x8c\x8d",
                                       "back\\slash", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf", "\xe0\xa0\x80"};
    static const char *const bad[] = {"", ".", "..", "a/b", "/", "\xe9t\xe9", "\xc3", "a\xc3", "\x80", "\xc0\xaf", "\xc1\xbf",
                                      "\xe0\x80\xaf", "\xed\xa0\x80", "\xf0\x80\x80\xaf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
                                      "\xe2\x82", "\xf0\x9f\x8c", "\xff"};
    char longest[257];

    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(tg_name_is_good(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(tg_name_is_good(bad[i]));
    memset(longest, 'x', sizeof longest);
    longest[256] = '\0';
    assert_false(tg_name_is_good(longest));
    longest[255] = '\0';
    assert_true(tg_name_is_good(longest));
}

static void test_piece_lengths(void **state)
{
    static const apr_uint32_t bad[] = {0, 1, 8192, 16383, 16385, 24576, TG_PIECE_MAX + 1, 2u * TG_PIECE_MAX, 1u << 31};

    for (apr_uint32_t good = TG_PIECE_MIN; good <= TG_PIECE_MAX; good *= 2)
        assert_true(tg_piece_length_is_good(good));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(tg_piece_length_is_good(bad[i]));
}

static void test_piece_size_table(void **state)
{
    static const struct {
        apr_int64_t length;
        apr_int64_t piece_length;
    } rows[] = {{0, 16 * KIB},         {1, 16 * KIB},          {32 * MIB - 1, 16 * KIB}, {32 * MIB, 32 * KIB},
                {64 * MIB, 64 * KIB},  {128 * MIB, 128 * KIB}, {256 * MIB, 256 * KIB},   {512 * MIB, 512 * KIB},
                {GIB - 1, 512 * KIB},  {GIB, MIB},             {2 * GIB, 2 * MIB},       {4 * GIB, 2 * MIB},
                {5 * GIB, 4 * MIB},    {10 * GIB, 8 * MIB},    {16 * GIB, 8 * MIB},      {50 * GIB - 1, 8 * MIB},
                {50 * GIB, 16 * MIB},  {APR_INT64_MAX, 16 * MIB}};
    apr_uint32_t before = TG_PIECE_MIN;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(tg_piece_length_for(rows[i].length), rows[i].piece_length);
    for (apr_int64_t length = 0; length < 200 * GIB; length += 13 * MIB + 7) {
        apr_uint32_t piece = tg_piece_length_for(length);

        assert_true(tg_piece_length_is_good(piece));
        assert_true(piece >= before);
        if (length >= 16 * MIB && length < 20 * GIB)
            assert_in_range(tg_piece_count(length, piece), 1000, 2561);
        before = piece;
    }
}

static void test_piece_count(void **state)
{
    assert_true(tg_piece_count(0, 16384) == 0);
    assert_true(tg_piece_count(1, 16384) == 1);
    assert_true(tg_piece_count(16384, 16384) == 1);
    assert_true(tg_piece_count(16385, 16384) == 2);
    assert_true(tg_piece_count(6 * GIB + 1, 4 * 1024 * 1024) == 1537);
    assert_true(tg_piece_count(APR_INT64_MAX, 16384) == APR_INT64_MAX / 16384 + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_of_each_kind), cmocka_unit_test(test_an_empty_file_has_no_root),
        cmocka_unit_test(test_a_full_buffer),      cmocka_unit_test(test_names),
        cmocka_unit_test(test_piece_lengths),      cmocka_unit_test(test_piece_size_table),
        cmocka_unit_test(test_piece_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
