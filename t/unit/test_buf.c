#include "t/unit/unit.h"

#include <string.h>

#include "base/buf.h"

static void test_grows_up_to_its_maximum(void **state)
{
    static const size_t maxima[] = {0, 1, 2, 63, 64, 65, 100, 127, 128, 129, 1000, 65536};

    for (size_t i = 0; i < sizeof maxima / sizeof *maxima; i++) {
        bt_buf buf;

        bt_buf_init(&buf, maxima[i]);
        for (size_t n = 0; n < maxima[i]; n++)
            assert_int_equal(bt_buf_add(&buf, "x", 1), APR_SUCCESS);
        assert_int_equal(buf.length, maxima[i]);
        assert_true(buf.capacity <= maxima[i]);
        assert_int_equal(bt_buf_add(&buf, "", 0), APR_SUCCESS);
        assert_int_equal(bt_buf_add(&buf, "x", 1), APR_ENOSPC);
        assert_int_equal(buf.length, maxima[i]);
        assert_true(buf.capacity <= maxima[i]);
        bt_buf_free(&buf);
    }
}

static void test_huge_requests_do_not_wrap(void **state)
{
    bt_buf buf;

    bt_buf_init(&buf, 100);
    assert_int_equal(bt_buf_add(&buf, "ab", 2), APR_SUCCESS);
    assert_null(bt_buf_extend(&buf, SIZE_MAX));
    assert_int_equal(buf.status, APR_ENOSPC);
    assert_int_equal(buf.length, 2);
    bt_buf_reset(&buf);
    assert_null(bt_buf_extend(&buf, SIZE_MAX - 1));
    bt_buf_free(&buf);
}

static void test_a_failure_sticks_until_reset(void **state)
{
    bt_buf buf;

    bt_buf_init(&buf, 4);
    assert_int_equal(bt_buf_add_string(&buf, "abcde"), APR_ENOSPC);
    assert_int_equal(buf.length, 0);
    assert_int_equal(bt_buf_add_string(&buf, "a"), APR_ENOSPC);
    assert_int_equal(bt_buf_printf(&buf, "%d", 1), APR_ENOSPC);
    assert_null(bt_buf_extend(&buf, 1));
    assert_int_equal(buf.length, 0);
    bt_buf_reset(&buf);
    assert_int_equal(bt_buf_add_string(&buf, "abcd"), APR_SUCCESS);
    assert_memory_equal(buf.data, "abcd", 4);
    bt_buf_free(&buf);
    assert_int_equal(buf.max, 4);
    assert_int_equal(bt_buf_add_string(&buf, "abcd"), APR_SUCCESS);
    bt_buf_free(&buf);
}

static void test_printf_of_every_length(void **state)
{
    char text[600];
    bt_buf buf;

    memset(text, 'y', sizeof text);
    for (size_t length = 0; length < sizeof text; length++) {
        bt_buf_init(&buf, length + 2);
        assert_int_equal(bt_buf_printf(&buf, "<%.*s>", (int)length, text), APR_SUCCESS);
        assert_int_equal(buf.length, length + 2);
        assert_int_equal(buf.data[0], '<');
        assert_int_equal(buf.data[length + 1], '>');
        bt_buf_free(&buf);
        bt_buf_init(&buf, length + 1);
        assert_int_equal(bt_buf_printf(&buf, "<%.*s>", (int)length, text), APR_ENOSPC);
        assert_int_equal(buf.length, 0);
        bt_buf_free(&buf);
    }
}

static void test_consume(void **state)
{
    bt_buf buf;

    bt_buf_init(&buf, 100);
    bt_buf_consume(&buf, 1);
    bt_buf_add_string(&buf, "abcdef");
    bt_buf_consume(&buf, 0);
    bt_buf_consume(&buf, 2);
    assert_int_equal(buf.length, 4);
    assert_memory_equal(buf.data, "cdef", 4);
    bt_buf_consume(&buf, SIZE_MAX);
    assert_int_equal(buf.length, 0);
    bt_buf_free(&buf);
}

/* Against a plain array: random writes and consumes keep the same bytes. */
static void test_like_an_array(void **state)
{
    static unsigned char model[5000], piece[300];
    size_t model_length = 0;
    uint64_t random = 0xbf;
    bt_buf buf;

    bt_buf_init(&buf, sizeof model);
    for (int round = 0; round < 20000; round++) {
        size_t length = unit_below(&random, sizeof piece);

        if (unit_random(&random) & 0x100) {
            size_t dropped = length < model_length ? length : model_length;

            bt_buf_consume(&buf, length);
            model_length -= dropped;
            memmove(model, model + dropped, model_length);
        } else {
            int fits = length <= sizeof model - model_length;

            unit_fill(&random, piece, length);
            assert_int_equal(bt_buf_add(&buf, piece, length), fits ? APR_SUCCESS : APR_ENOSPC);
            if (!fits) {
                bt_buf_reset(&buf);
                model_length = 0;
                continue;
            }
            memcpy(model + model_length, piece, length);
            model_length += length;
        }
        assert_int_equal(buf.length, model_length);
        if (model_length)
            assert_memory_equal(buf.data, model, model_length);
    }
    bt_buf_free(&buf);
}

static void test_what_was_reserved_is_there(void **state)
{
    const unsigned char *data;
    bt_buf buf;

    bt_buf_init(&buf, 1000);
    assert_int_equal(bt_buf_reserve(&buf, 900), APR_SUCCESS);
    assert_int_equal(buf.length, 0);
    data = buf.data;
    for (int i = 0; i < 900; i++)
        assert_int_equal(bt_buf_add(&buf, "x", 1), APR_SUCCESS);
    assert_ptr_equal(buf.data, data);
    assert_int_equal(bt_buf_reserve(&buf, 101), APR_ENOSPC);
    assert_int_equal(bt_buf_add(&buf, "x", 1), APR_ENOSPC);
    bt_buf_free(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grows_up_to_its_maximum),      cmocka_unit_test(test_huge_requests_do_not_wrap),
        cmocka_unit_test(test_a_failure_sticks_until_reset), cmocka_unit_test(test_printf_of_every_length),
        cmocka_unit_test(test_consume),                      cmocka_unit_test(test_like_an_array),
        cmocka_unit_test(test_what_was_reserved_is_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
