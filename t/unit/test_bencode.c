#include "t/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/bencode.h"

/* A copy exactly as large as the input, so that a sanitizer sees any byte that is read past it. */
static apr_status_t read_copy(const void *bytes, size_t length, int strict, size_t *used)
{
    unsigned char *copy = malloc(length ? length : 1);
    bt_ben value;
    apr_status_t status;

    if (length)
        memcpy(copy, bytes, length);
    status = strict ? bt_ben_read(copy, length, &value) : bt_ben_read_lenient(copy, length, &value);
    if (used)
        *used = status == APR_SUCCESS ? value.raw_length : 0;
    free(copy);
    return status;
}

static apr_status_t read_text(const char *text)
{
    return read_copy(text, strlen(text), 1, NULL);
}

static void test_integers(void **state)
{
    static const struct {
        const char *text;
        apr_int64_t value;
    } good[] = {{"i0e", 0},
                {"i7e", 7},
                {"i-1e", -1},
                {"i10e", 10},
                {"i9223372036854775807e", APR_INT64_MAX},
                {"i-9223372036854775807e", -APR_INT64_MAX}};
    static const char *const bad[] = {
        "ie", "i-e", "i-0e", "i00e", "i01e", "i-01e", "i+1e", "i 1e", "i1 e", "i1", "i", "i-", "i1.5e", "i--1e", "i0x1e",
        "i9223372036854775808e", "i-9223372036854775809e", "i9999999999999999999e", "i18446744073709551616e",
        "i00000000000000000001e", "i99999999999999999999999999999999e"};
    bt_ben value;

    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(bt_ben_read((const unsigned char *)good[i].text, strlen(good[i].text), &value), APR_SUCCESS);
        assert_int_equal(value.type, BT_BEN_INTEGER);
        assert_true(value.integer == good[i].value);
        assert_int_equal(value.raw_length, strlen(good[i].text));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(read_text(bad[i]), APR_EINVAL);
}

static void test_strings(void **state)
{
    static const char *const bad[] = {"",     ":",    "1:",     "2:a",  "01:a", "00:",  "-1:a", "a:b",
                                      "1 :a", "1;a",  "1",      "+1:a", "0x1:a", "9223372036854775807:a",
                                      "9223372036854775808:a",  "18446744073709551617:a"};
    bt_ben value;

    assert_int_equal(bt_ben_read((const unsigned char *)"5:a\0b:e", 7, &value), APR_SUCCESS);
    assert_int_equal(value.type, BT_BEN_STRING);
    assert_int_equal(value.string_length, 5);
    assert_memory_equal(value.string, "a\0b:e", 5);
    assert_int_equal(bt_ben_read((const unsigned char *)"0:tail", 6, &value), APR_SUCCESS);
    assert_int_equal(value.string_length, 0);
    assert_int_equal(value.raw_length, 2);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(read_text(bad[i]), APR_EINVAL);
}

static void test_containers(void **state)
{
    static const char *const good[] = {"le", "de", "llee", "l0:e", "d0:0:e", "d1:ai1e2:aai2e1:bi3ee", "d1:a1:x2:aale1:bdee"};
    static const char *const bad[] = {"l", "d", "lle", "d1:ae", "d1:a", "di1ei2ee", "dlelee", "ddedee", "e", "x", "l-1ee"};

    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(read_text(good[i]), APR_SUCCESS);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(read_text(bad[i]), APR_EINVAL);
}

static void test_what_follows_is_left_to_the_caller(void **state)
{
    size_t used;

    assert_int_equal(read_copy("dei1e", 5, 1, &used), APR_SUCCESS);
    assert_int_equal(used, 2);
}

static void test_key_order(void **state)
{
    static const char *const only_lenient[] = {
        "d1:bi1e1:ai2ee", "d1:ai1e1:ai2ee", "d2:aai1e1:ai2ee", "d0:i1e0:i2ee", "d1:\xffi1e1:ai2ee", "ld1:bi1e1:ai2eee",
        "d1:ad1:zi1e1:yi1eee"};
    static const char *const both[] = {"d1:Ai1e1:ai2ee", "d0:i1e1:ai2ee", "d1:ai1e1:\xffi2ee", "d1:a0:2:a\x01" "0:e"};

    for (size_t i = 0; i < sizeof only_lenient / sizeof *only_lenient; i++) {
        size_t length = strlen(only_lenient[i]);

        assert_int_equal(read_copy(only_lenient[i], length, 1, NULL), APR_EINVAL);
        assert_int_equal(read_copy(only_lenient[i], length, 0, NULL), APR_SUCCESS);
    }
    for (size_t i = 0; i < sizeof both / sizeof *both; i++) {
        assert_int_equal(read_copy(both[i], strlen(both[i]), 1, NULL), APR_SUCCESS);
        assert_int_equal(read_copy(both[i], strlen(both[i]), 0, NULL), APR_SUCCESS);
    }
}

static void nest(unsigned char *out, int depth, char kind, size_t *length)
{
    *length = 0;
    for (int i = 0; i < depth; i++) {
        out[(*length)++] = (unsigned char)kind;
        if (kind == 'd' && i < depth - 1) {
            memcpy(out + *length, "1:k", 3);
            *length += 3;
        }
    }
    memset(out + *length, 'e', (size_t)depth);
    *length += (size_t)depth;
}

static void test_depth_is_bounded(void **state)
{
    static unsigned char deep[4 * 100000];
    size_t length;

    for (int i = 0; i < 2; i++) {
        nest(deep, BT_BENCODE_MAX_DEPTH, "ld"[i], &length);
        assert_int_equal(read_copy(deep, length, 1, NULL), APR_SUCCESS);
        nest(deep, BT_BENCODE_MAX_DEPTH + 1, "ld"[i], &length);
        assert_int_equal(read_copy(deep, length, 1, NULL), APR_ENOSPC);
        nest(deep, 80000, "ld"[i], &length);
        assert_int_equal(read_copy(deep, length, 0, NULL), APR_ENOSPC);
    }
}

static void test_get(void **state)
{
    static const char text[] = "d1:ai1e2:ab1:x1:b1:y4:infod1:cleee";
    bt_ben dict, value, inner;

    assert_int_equal(bt_ben_read((const unsigned char *)text, sizeof text - 1, &dict), APR_SUCCESS);
    assert_int_equal(bt_ben_get(&dict, "a", BT_BEN_INTEGER, &value), 1);
    assert_true(value.integer == 1);
    assert_int_equal(bt_ben_get(&dict, "a", BT_BEN_STRING, &value), 0);
    assert_int_equal(bt_ben_get(&dict, "b", BT_BEN_STRING, &value), 1);
    assert_memory_equal(value.string, "y", 1);
    assert_int_equal(bt_ben_get(&dict, "", BT_BEN_STRING, &value), 0);
    assert_int_equal(bt_ben_get(&dict, "inf", BT_BEN_DICT, &value), 0);
    assert_int_equal(bt_ben_get(&dict, "info", BT_BEN_DICT, &value), 1);
    assert_int_equal(value.raw_length, 7);
    assert_memory_equal(value.raw, "d1:clee", 7);
    assert_int_equal(bt_ben_get(&value, "c", BT_BEN_LIST, &inner), 1);
    assert_int_equal(inner.string_length, 0);
    assert_int_equal(bt_ben_get(&inner, "c", BT_BEN_LIST, &value), 0);
}

static void test_of_repeated_keys_the_first_counts(void **state)
{
    static const char text[] = "d1:ai1e1:ai2ee";
    bt_ben dict, value;

    assert_int_equal(bt_ben_read_lenient((const unsigned char *)text, sizeof text - 1, &dict), APR_SUCCESS);
    assert_int_equal(bt_ben_get(&dict, "a", BT_BEN_INTEGER, &value), 1);
    assert_true(value.integer == 1);
}

static void test_a_full_buffer_is_told_at_the_end(void **state)
{
    bt_buf buf;

    bt_buf_init(&buf, 10);
    bt_ben_open(&buf, 'd');
    bt_ben_add_text(&buf, "key");
    bt_ben_add_integer(&buf, 1234567);
    bt_ben_add_integer(&buf, 1);
    bt_ben_close(&buf);
    assert_int_equal(buf.status, APR_ENOSPC);
    assert_true(buf.length <= 10);
    bt_buf_free(&buf);
}

static void test_the_ends_of_the_range(void **state)
{
    bt_buf buf;

    bt_buf_init(&buf, 100);
    bt_ben_add_integer(&buf, 0);
    bt_ben_add_integer(&buf, APR_INT64_MIN);
    bt_ben_add_integer(&buf, APR_INT64_MAX);
    bt_ben_add_string(&buf, "", 0);
    assert_int_equal(bt_buf_add(&buf, "", 1), APR_SUCCESS);
    assert_string_equal(buf.data, "i0ei-9223372036854775808ei9223372036854775807e0:");
    bt_buf_free(&buf);
}

/* --- properties, with random values ---------------------------------------------------------------------------- */

static void write_random(bt_buf *out, uint64_t *random, int depth)
{
    unsigned char bytes[40];
    size_t length = unit_below(random, sizeof bytes - 1), kind = unit_below(random, depth < 6 ? 4 : 2), members;

    unit_fill(random, bytes, sizeof bytes);
    if (kind == 0) {
        apr_uint64_t number = unit_random(random) >> unit_below(random, 64);

        bt_ben_add_integer(out, number > APR_INT64_MAX ? -(apr_int64_t)(number >> 1) : (apr_int64_t)number);
        return;
    }
    if (kind == 1) {
        bt_ben_add_string(out, bytes, length);
        return;
    }
    bt_ben_open(out, kind == 2 ? 'l' : 'd');
    members = unit_below(random, 5);
    for (size_t i = 0; i < members; i++) {
        if (kind == 3) {
            bytes[0] = (unsigned char)i; /* keys in order; the first may be empty */
            bt_ben_add_string(out, bytes, i ? 1 + length : length & 1);
        }
        write_random(out, random, depth + 1);
    }
    bt_ben_close(out);
}

static void copy_value(const bt_ben *value, bt_buf *out)
{
    bt_ben_iter iter;
    bt_ben key, member;

    if (value->type == BT_BEN_INTEGER) {
        bt_ben_add_integer(out, value->integer);
    } else if (value->type == BT_BEN_STRING) {
        bt_ben_add_string(out, value->string, value->string_length);
    } else {
        bt_ben_open(out, value->type == BT_BEN_DICT ? 'd' : 'l');
        bt_ben_iterate(value, &iter);
        while (bt_ben_next(&iter, &key, &member)) {
            if (value->type == BT_BEN_DICT)
                bt_ben_add_string(out, key.string, key.string_length);
            copy_value(&member, out);
        }
        bt_ben_close(out);
    }
}

static void test_what_is_written_is_read(void **state)
{
    uint64_t random = 0xb7;

    for (int round = 0; round < 2000; round++) {
        bt_buf first, second;
        bt_ben value;

        bt_buf_init(&first, 1 << 20);
        bt_buf_init(&second, 1 << 20);
        write_random(&first, &random, 0);
        assert_int_equal(first.status, APR_SUCCESS);
        assert_int_equal(bt_ben_read(first.data, first.length, &value), APR_SUCCESS);
        assert_int_equal(value.raw_length, first.length);
        copy_value(&value, &second);
        assert_int_equal(second.length, first.length);
        assert_memory_equal(second.data, first.data, first.length);
        bt_buf_free(&first);
        bt_buf_free(&second);
    }
}

static void test_every_truncation_is_refused(void **state)
{
    uint64_t random = 0x7a;

    for (int round = 0; round < 300; round++) {
        bt_buf whole;

        bt_buf_init(&whole, 1 << 20);
        write_random(&whole, &random, 0);
        for (size_t cut = 0; cut < whole.length && cut < 600; cut++) {
            assert_int_equal(read_copy(whole.data, cut, 1, NULL), APR_EINVAL);
            assert_int_equal(read_copy(whole.data, cut, 0, NULL), APR_EINVAL);
        }
        bt_buf_free(&whole);
    }
}

static void test_noise_never_escapes(void **state)
{
    static const char alphabet[] = "0123456789:eild-";
    uint64_t random = 0x15;
    unsigned char noise[64];

    for (int round = 0; round < 200000; round++) {
        size_t length = unit_below(&random, sizeof noise), used;

        for (size_t i = 0; i < length; i++)
            noise[i] = (unsigned char)alphabet[unit_below(&random, sizeof alphabet - 1)];
        if (read_copy(noise, length, 0, &used) == APR_SUCCESS)
            assert_in_range(used, 1, length);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_containers),
        cmocka_unit_test(test_what_follows_is_left_to_the_caller),
        cmocka_unit_test(test_key_order),
        cmocka_unit_test(test_depth_is_bounded),
        cmocka_unit_test(test_get),
        cmocka_unit_test(test_of_repeated_keys_the_first_counts),
        cmocka_unit_test(test_a_full_buffer_is_told_at_the_end),
        cmocka_unit_test(test_the_ends_of_the_range),
        cmocka_unit_test(test_what_is_written_is_read),
        cmocka_unit_test(test_every_truncation_is_refused),
        cmocka_unit_test(test_noise_never_escapes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
