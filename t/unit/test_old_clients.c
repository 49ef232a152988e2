#include "t/unit/unit.h"

#include <string.h>

#include <openssl/sha.h>

#include "torrentgen/old_clients.h"

static void assert_hashes_as(const char *infodict, const char *without)
{
    unsigned char expected[SHA_DIGEST_LENGTH];
    bt_infohash hash;

    SHA1((const unsigned char *)without, strlen(without), expected);
    assert_int_equal(tg_keyless_hash((const unsigned char *)infodict, strlen(infodict), &hash), APR_SUCCESS);
    assert_memory_equal(hash.b, expected, sizeof expected);
}

static void test_empty_keys_are_dropped(void **state)
{
    (void)state;
    assert_hashes_as("d9:file treed1:ad0:d6:lengthi1eeee6:lengthi1ee", "d9:file treed1:adee6:lengthi1ee");
    assert_hashes_as("d9:file treed1:ad1:bd0:d6:lengthi1eeee1:cd0:deeee", "d9:file treed1:ad1:bdee1:cdeee");
}

static void test_v1_is_as_it_is(void **state)
{
    static const char v1[] = "d6:lengthi1e4:name1:a12:piece lengthi16384e6:pieces0:e";

    (void)state;
    assert_hashes_as(v1, v1);
    assert_hashes_as("d5:filesld6:lengthi1e4:pathl1:aeeee", "d5:filesld6:lengthi1e4:pathl1:aeeee");
}

static void test_not_bencoding(void **state)
{
    bt_infohash hash;

    (void)state;
    assert_int_equal(tg_keyless_hash((const unsigned char *)"", 0, &hash), APR_EINVAL);
    assert_int_equal(tg_keyless_hash((const unsigned char *)"i1e", 3, &hash), APR_EINVAL);
    assert_int_equal(tg_keyless_hash((const unsigned char *)"d1:a", 4, &hash), APR_EINVAL);
}

static void test_the_v1_half_alone(void **state)
{
    static const char hybrid[] = "d9:file treed1:ad0:d6:lengthi1eeee6:lengthi1e12:meta versioni2e4:name1:a6:pieces0:e";
    static const char alone[] = "d6:lengthi1e4:name1:a6:pieces0:e";
    bt_buf buf;

    (void)state;
    bt_buf_init(&buf, 1024);
    assert_int_equal(tg_v1_alone_write(&buf, (const unsigned char *)hybrid, sizeof hybrid - 1), APR_SUCCESS);
    assert_int_equal(buf.length, sizeof alone - 1);
    assert_memory_equal(buf.data, alone, sizeof alone - 1);
    bt_buf_free(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_empty_keys_are_dropped), cmocka_unit_test(test_v1_is_as_it_is),
                                       cmocka_unit_test(test_not_bencoding),
                                       cmocka_unit_test(test_the_v1_half_alone)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
