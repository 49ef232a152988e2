#include "base/digits.h"
#include "t/unit/unit.h"

static void numbers_and_what_follows(void **state)
{
    apr_int64_t value;

    assert_string_equal(bt_read_digits("12K", &value), "K");
    assert_int_equal(value, 12);
    assert_string_equal(bt_read_digits("007", &value), "");
    assert_int_equal(value, 7);
    assert_string_equal(bt_read_digits("9223372036854775807", &value), "");
    assert_true(value == APR_INT64_MAX);
}

static void what_is_none(void **state)
{
    static const char *const bad[] = {"", "-1", "+1", " 1", "K", "9223372036854775808", "99999999999999999999"};
    apr_int64_t value;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_null(bt_read_digits(bad[i], &value));
}

static void numbers_are_written(void **state)
{
    static const struct {
        apr_uint64_t value;
        const char *text;
    } cases[] = {{0, "0"}, {9, "9"}, {10, "10"}, {1800, "1800"}, {18446744073709551615ull, "18446744073709551615"}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[BT_DIGITS_MAX + 1] = {0};

        assert_string_equal(bt_write_digits(text + BT_DIGITS_MAX, cases[i].value), cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_and_what_follows),
        cmocka_unit_test(what_is_none),
        cmocka_unit_test(numbers_are_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
