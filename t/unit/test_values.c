#include "t/unit/unit.h"

#include <string.h>

#include "module/values.h"

static void test_sizes(void **state)
{
    static const struct {
        const char *text;
        apr_int64_t bytes;
    } good[] = {{"0", 0}, {"1", 1}, {"4096", 4096}, {"16k", 16384}, {"1M", 1 << 20}, {"2G", 2LL << 30},
                {"9223372036854775800", 9223372036854775800LL}};
    static const char *const bad[] = {"", "K", "-1", "+1", " 1", "1 ", "1T", "1KB", "1.5M", "0x10", "ten",
                                      "9223372036854775808", "99999999999999999999", "9999999999G"};
    apr_int64_t bytes;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_null(bth_read_size(good[i].text, &bytes));
        assert_int_equal(bytes, good[i].bytes);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (!bth_read_size(bad[i], &bytes))
            fail_msg("\"%s\" was taken for a size", bad[i]);
}

static void test_numbers(void **state)
{
    static const char *const bad[] = {"", "0", "11", "-1", "5x", "5.0", "99999999999999999999"};
    int number;

    (void)state;
    assert_null(bth_read_number("1", 1, 10, &number));
    assert_int_equal(number, 1);
    assert_null(bth_read_number("10", 1, 10, &number));
    assert_int_equal(number, 10);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_non_null(bth_read_number(bad[i], 1, 10, &number));
}

static void test_addresses(void **state)
{
    static const char *const bad[] = {"", "0", "65536", "1.2.3", "1.2.3.4:", "1.2.3.4:0", "1.2.3.4:x", "localhost", "host:80",
                                      "[::1", "[::1]x", "[::1]:0", "[1.2.3.4]:80", "::g", "1.2.3.4:80:90", "300.1.1.1",
                                      "[]:80", "]", "["};
    static const unsigned char loopback6[16] = {[15] = 1};
    trk_address address;
    int has_ip;

    (void)state;
    assert_null(bth_read_address("51413", &address, &has_ip));
    assert_false(has_ip);
    assert_int_equal(address.port, 51413);
    assert_null(bth_read_address("192.0.2.7:80", &address, &has_ip));
    assert_true(has_ip && !address.is_v6);
    assert_int_equal(address.port, 80);
    assert_memory_equal(address.ip, "\xc0\0\2\7", 4);
    assert_null(bth_read_address("192.0.2.7", &address, &has_ip));
    assert_int_equal(address.port, 0);
    assert_null(bth_read_address("[::1]:443", &address, &has_ip));
    assert_true(has_ip && address.is_v6);
    assert_int_equal(address.port, 443);
    assert_memory_equal(address.ip, loopback6, 16);
    assert_null(bth_read_address("::1", &address, &has_ip));
    assert_int_equal(address.port, 0);
    assert_null(bth_read_address("[::1]", &address, &has_ip));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (!bth_read_address(bad[i], &address, &has_ip))
            fail_msg("\"%s\" was taken for an address", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sizes), cmocka_unit_test(test_numbers),
                                       cmocka_unit_test(test_addresses)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
