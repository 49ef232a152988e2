#include "t/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/infohash.h"

/* Decodes a copy exactly as large as the input into a buffer exactly as large as `capacity`. */
static apr_ssize_t decode(const char *text, size_t length, size_t capacity, unsigned char *result)
{
    char *copy = malloc(length ? length : 1);
    unsigned char *out = malloc(capacity ? capacity : 1);
    apr_ssize_t written;

    memcpy(copy, text, length);
    written = bt_percent_decode(out, capacity, copy, length);
    if (written > 0 && result)
        memcpy(result, out, (size_t)written);
    free(copy);
    free(out);
    return written;
}

static void test_percent_decode(void **state)
{
    unsigned char out[64];

    assert_int_equal(decode("", 0, 0, out), 0);
    assert_int_equal(decode("abc", 3, 3, out), 3);
    assert_int_equal(decode("%00%fF%Ff%aB", 12, 4, out), 4);
    assert_memory_equal(out, "\x00\xff\xff\xab", 4);
    assert_int_equal(decode("a+b", 3, 3, out), 3);
    assert_memory_equal(out, "a+b", 3);
    assert_int_equal(decode("%25%32%35", 9, 3, out), 3);
    assert_memory_equal(out, "%25", 3);
    assert_int_equal(decode("a\0b", 3, 3, out), 3);
    assert_memory_equal(out, "a\0b", 3);
}

static void test_broken_escapes(void **state)
{
    static const char *const broken[] = {"%", "%1", "a%", "a%f", "%%", "%%41", "%g0", "%0g", "% 1", "%1 ", "%-1", "%+1",
                                         "%0x", "%4%31", "%/0", "%:0", "%@0", "%`0", "abc%41%4", "%\xc3\xa9"};

    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        assert_int_equal(decode(broken[i], strlen(broken[i]), 64, NULL), -1);
    /* the bytes that would complete the escape lie past the end */
    assert_int_equal(bt_percent_decode((unsigned char[4]){0}, 4, "%41", 2), -1);
    assert_int_equal(bt_percent_decode((unsigned char[4]){0}, 4, "%41", 1), -1);
}

static void test_capacity_is_kept(void **state)
{
    assert_int_equal(decode("a", 1, 0, NULL), -1);
    assert_int_equal(decode("%61", 3, 0, NULL), -1);
    assert_int_equal(decode("%61%62%63", 9, 2, NULL), -1);
    assert_int_equal(decode("%61%62%63", 9, 3, NULL), 3);
}

static void test_percent_decode_undoes_encoding(void **state)
{
    uint64_t random = 0x9c;

    for (int round = 0; round < 20000; round++) {
        unsigned char bytes[32], back[32];
        char text[3 * sizeof bytes + 1];
        size_t length = unit_below(&random, sizeof bytes), used = 0;

        unit_fill(&random, bytes, length);
        for (size_t i = 0; i < length; i++) {
            if (bytes[i] != '%' && (unit_random(&random) & 0x100))
                text[used++] = (char)bytes[i];
            else
                used += (size_t)snprintf(text + used, 4, unit_random(&random) & 0x100 ? "%%%02x" : "%%%02X", bytes[i]);
        }
        assert_int_equal(decode(text, used, length, back), length);
        if (length)
            assert_memory_equal(back, bytes, length);
    }
}

static void test_hex(void **state)
{
    char out[9];

    memset(out, 'z', sizeof out);
    bt_hex(out, (const unsigned char *)"\x00\x9a\xbc\xff", 4);
    assert_string_equal(out, "009abcff");
    bt_hex(out, NULL, 0);
    assert_string_equal(out, "");
}

static void test_compare_and_truncate(void **state)
{
    bt_infohash_v2 full;
    bt_infohash cut, other, zero = {{0}};

    for (int i = 0; i < BT_HASH_V2_SIZE; i++)
        full.b[i] = (unsigned char)(i + 1);
    cut = bt_infohash_truncate(&full);
    assert_memory_equal(cut.b, full.b, BT_HASH_SIZE);
    assert_true(bt_infohash_is_zero(&zero));
    assert_false(bt_infohash_is_zero(&cut));
    for (int i = 0; i < BT_HASH_SIZE; i++) {
        other = cut;
        assert_true(bt_infohash_equal(&other, &cut));
        other.b[i] ^= 0x80;
        assert_false(bt_infohash_equal(&other, &cut));
        other = zero;
        other.b[i] = 1;
        assert_false(bt_infohash_is_zero(&other));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_percent_decode),
        cmocka_unit_test(test_broken_escapes),
        cmocka_unit_test(test_capacity_is_kept),
        cmocka_unit_test(test_percent_decode_undoes_encoding),
        cmocka_unit_test(test_hex),
        cmocka_unit_test(test_compare_and_truncate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
