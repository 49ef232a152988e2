/* Tokens of announce URLs: made and checked, and everything that must not pass. */
#include <string.h>

#include "unit.h"

#include "tracker/token.h"

static const trk_secret secret = {"0123456789abcdef", 16}, other = {"fedcba9876543210", 16};
static const apr_time_t expires = APR_TIME_C(2000000000) * APR_USEC_PER_SEC;

static bt_infohash counting(void)
{
    bt_infohash hash;

    for (unsigned char i = 0; i < sizeof hash.b; i++)
        hash.b[i] = i;
    return hash;
}

static bt_infohash all_ones(void)
{
    bt_infohash hash;

    memset(hash.b, 0xff, sizeof hash.b);
    return hash;
}

static void make(char token[TRK_TOKEN_SIZE], int count)
{
    bt_infohash hashes[TRK_TOKEN_HASHES_MAX] = {counting(), all_ones(), {{1}}, {{2}}};

    assert_int_equal(trk_token_write(token, &secret, expires, hashes, count), APR_SUCCESS);
}

static trk_token_verdict check(const char *token, bt_infohash hash, apr_time_t now)
{
    return trk_token_check(&secret, 1, token, strlen(token), &hash, now);
}

/* Made by hand with another library. */
static void test_the_form_is_the_documented_one(void **state)
{
    char token[TRK_TOKEN_SIZE];

    make(token, 2);
    assert_string_equal(token, "2000000000._PJtA9FIGixdeaM-Plc0Sg.aS4z7TcUx8Ok38YTEcVYQg");
}

static void test_it_is_good_for_each_of_its_hashes_until_it_expires(void **state)
{
    char token[TRK_TOKEN_SIZE];

    make(token, 2);
    assert_int_equal(check(token, counting(), 0), TRK_TOKEN_GOOD);
    assert_int_equal(check(token, all_ones(), expires - 1), TRK_TOKEN_GOOD);
    assert_int_equal(check(token, all_ones(), expires), TRK_TOKEN_EXPIRED);
    assert_int_equal(check(token, (bt_infohash){{1}}, 0), TRK_TOKEN_FOREIGN);
    assert_int_equal(check(token, (bt_infohash){{1}}, expires), TRK_TOKEN_FOREIGN);
    make(token, TRK_TOKEN_HASHES_MAX);
    assert_int_equal(check(token, (bt_infohash){{2}}, 0), TRK_TOKEN_GOOD);
}

static void test_any_of_the_secrets_may_have_made_it(void **state)
{
    const trk_secret both[] = {other, secret};
    bt_infohash hash = counting();
    char token[TRK_TOKEN_SIZE];

    make(token, 1);
    assert_int_equal(trk_token_check(both, 2, token, strlen(token), &hash, 0), TRK_TOKEN_GOOD);
    assert_int_equal(trk_token_check(both, 1, token, strlen(token), &hash, 0), TRK_TOKEN_FOREIGN);
    assert_int_equal(trk_token_check(both, 0, token, strlen(token), &hash, 0), TRK_TOKEN_FOREIGN);
}

/* Every single bit counts, the time's too; none of it is read beyond its end. */
static void test_no_other_text_is_good(void **state)
{
    char token[TRK_TOKEN_SIZE];
    size_t length;

    make(token, 1);
    length = strlen(token);
    for (size_t at = 0; at < length; at++)
        for (int bit = 0; bit < 8; bit++) {
            char *copy = test_malloc(length);
            bt_infohash hash = counting();

            memcpy(copy, token, length);
            copy[at] = (char)(copy[at] ^ 1 << bit);
            assert_int_not_equal(trk_token_check(&secret, 1, copy, length, &hash, 0), TRK_TOKEN_GOOD);
            test_free(copy);
        }
    for (size_t less = 0; less < length; less++) {
        bt_infohash hash = counting();

        assert_int_equal(trk_token_check(&secret, 1, token, less, &hash, 0), TRK_TOKEN_MISSING);
    }
}

static void test_what_is_no_token(void **state)
{
    static const char *const texts[] = {
        "",
        "announce",
        ".",
        "2000000000",
        "2000000000.",
        "2000000000.AAAA",
        "-1.AAAAAAAAAAAAAAAAAAAAAA",
        "02000000000.AAAAAAAAAAAAAAAAAAAAAA",
        "999999999999.AAAAAAAAAAAAAAAAAAAAAA",
        "18446744073709551617.AAAAAAAAAAAAAAAAAAAAAA",
        "2000000000-AAAAAAAAAAAAAAAAAAAAAA",
        "1.AAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA."
        "AAAAAAAAAAAAAAAAAAAAAA"};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_equal(check(texts[i], counting(), 0), TRK_TOKEN_MISSING);
    assert_int_equal(check("99999999999.AAAAAAAAAAAAAAAAAAAAAA", counting(), 0), TRK_TOKEN_FOREIGN);
}

static void test_only_so_many_hashes_and_no_time_before_all_time(void **state)
{
    bt_infohash hashes[TRK_TOKEN_HASHES_MAX + 1] = {{{0}}};
    char token[TRK_TOKEN_SIZE];

    assert_int_equal(trk_token_write(token, &secret, expires, hashes, 0), APR_EINVAL);
    assert_int_equal(trk_token_write(token, &secret, expires, hashes, TRK_TOKEN_HASHES_MAX + 1), APR_EINVAL);
    assert_int_equal(trk_token_write(token, &secret, -APR_USEC_PER_SEC, hashes, 1), APR_EINVAL);
    assert_int_equal(
        trk_token_write(token, &secret, APR_TIME_C(99999999999) * APR_USEC_PER_SEC, hashes, TRK_TOKEN_HASHES_MAX),
        APR_SUCCESS);
    assert_true(strlen(token) < TRK_TOKEN_SIZE);
    assert_int_equal(check(token, hashes[0], 0), TRK_TOKEN_GOOD);
}

static void test_where_it_stands_in_a_url(void **state)
{
    static const struct {
        const char *url, *token;
    } urls[] = {{"/announce/abc", "abc"},
                {"/announce/abc?x=/y", "abc"},
                {"/a/announce", "announce"},
                {"/announce/", ""},
                {"", ""},
                {"abc", "abc"},
                {"?x", ""}};

    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        apr_size_t length;
        const char *token = trk_token_find(urls[i].url, strlen(urls[i].url), &length);

        assert_int_equal(length, strlen(urls[i].token));
        assert_memory_equal(token, urls[i].token, length);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_form_is_the_documented_one),
        cmocka_unit_test(test_it_is_good_for_each_of_its_hashes_until_it_expires),
        cmocka_unit_test(test_any_of_the_secrets_may_have_made_it),
        cmocka_unit_test(test_no_other_text_is_good),
        cmocka_unit_test(test_what_is_no_token),
        cmocka_unit_test(test_only_so_many_hashes_and_no_time_before_all_time),
        cmocka_unit_test(test_where_it_stands_in_a_url),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
