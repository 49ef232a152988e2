#include "t/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "torrentgen/magnet.h"

#define V1_HEX "000102030405060708090a0b0c0d0e0f10111213"
#define V2_HEX "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"

static tg_magnet magnet_of(tg_version version)
{
    tg_magnet magnet = {.version = version, .length = -1};

    for (unsigned char i = 0; i < BT_HASH_SIZE; i++)
        magnet.v1.b[i] = i;
    for (unsigned char i = 0; i < BT_HASH_V2_SIZE; i++)
        magnet.v2.b[i] = (unsigned char)(0x80 + i);
    return magnet;
}

static void expect(const tg_magnet *magnet, const char *expected)
{
    bt_buf buf;

    bt_buf_init(&buf, 100000);
    assert_int_equal(tg_magnet_write(&buf, magnet), APR_SUCCESS);
    assert_int_equal(buf.length, strlen(expected));
    assert_memory_equal(buf.data, expected, buf.length);
    bt_buf_free(&buf);
}

static void test_each_version_names_its_hashes(void **state)
{
    tg_magnet magnet = magnet_of(TG_V1);

    expect(&magnet, "magnet:?xt=urn:btih:" V1_HEX);
    magnet.version = TG_V2;
    expect(&magnet, "magnet:?xt=urn:btmh:1220" V2_HEX);
    magnet.version = TG_HYBRID;
    expect(&magnet, "magnet:?xt=urn:btih:" V1_HEX "&xt=urn:btmh:1220" V2_HEX);
}

static void test_all_parts(void **state)
{
    static const char *const trackers[] = {"http://a.example/announce?x=1&y=2", "udp://[2001:db8::1]:80"};
    static const char *const seeds[] = {"https://a.example/d/f%20g.iso?bthttp=file"};
    static const char *const peers[] = {"192.0.2.1:80", "[2001:db8::1]:443", "a-b.example:6881"};
    tg_magnet magnet = magnet_of(TG_V1);

    magnet.name = "a b+c&d=e#f%.iso";
    magnet.length = APR_INT64_MAX;
    magnet.trackers = trackers;
    magnet.tracker_count = 2;
    magnet.web_seeds = seeds;
    magnet.web_seed_count = 1;
    magnet.peers = peers;
    magnet.peer_count = 3;
    expect(&magnet, "magnet:?xt=urn:btih:" V1_HEX "&dn=a%20b%2Bc%26d%3De%23f%25.iso&xl=9223372036854775807"
                    "&tr=http%3A%2F%2Fa.example%2Fannounce%3Fx%3D1%26y%3D2&tr=udp%3A%2F%2F%5B2001%3Adb8%3A%3A1%5D%3A80"
                    "&ws=https%3A%2F%2Fa.example%2Fd%2Ff%2520g.iso%3Fbthttp%3Dfile"
                    "&x.pe=192.0.2.1:80&x.pe=[2001:db8::1]:443&x.pe=a-b.example:6881");
}

static void test_an_empty_file_has_a_length(void **state)
{
    tg_magnet magnet = magnet_of(TG_V1);

    magnet.length = 0;
    expect(&magnet, "magnet:?xt=urn:btih:" V1_HEX "&xl=0");
}

/* The reader that a browser has: parts at "&", then at the first "=", then percent-decoding. */
static void read_name(const bt_buf *link, char *name, size_t room)
{
    const char *start = strstr((const char *)link->data, "&dn=");
    apr_ssize_t length;

    assert_non_null(start);
    start += 4;
    length = bt_percent_decode((unsigned char *)name, room - 1, start, strcspn(start, "&#"));
    assert_true(length >= 0);
    name[length] = '\0';
}

static void test_any_name_comes_back(void **state)
{
    uint64_t seed = 7;

    for (int round = 0; round < 2000; round++) {
        tg_magnet magnet = magnet_of(TG_HYBRID);
        char name[256], back[256];
        size_t length = unit_below(&seed, sizeof name - 1);
        bt_buf buf;

        for (size_t i = 0; i < length; i++)
            name[i] = (char)(1 + unit_below(&seed, 255));
        name[length] = '\0';
        magnet.name = name;
        bt_buf_init(&buf, 4000);
        assert_int_equal(tg_magnet_write(&buf, &magnet), APR_SUCCESS);
        bt_buf_add(&buf, "", 1);
        for (size_t i = 0; i + 1 < buf.length; i++)
            assert_true(buf.data[i] > 0x20 && buf.data[i] < 0x7f && !strchr("\"<>#\\^`{|}+", buf.data[i]));
        read_name(&buf, back, sizeof back);
        assert_string_equal(back, name);
        bt_buf_free(&buf);
    }
}

static void test_peers_that_are_none(void **state)
{
    static const char *const bad[] = {"", ":", ":80", "a.example", "a.example:", "a.example:0", "a.example:65536", "a.example:8x",
                                      "a.example:-1", "a&tr=x:80", "a b:80", "[]:80", "[::1:80", "::1:80", "[::1]80", "a\n:80",
                                      "a.example:99999999999999999999", "[::1]]:80", "a%20b:80", "[:80"};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        tg_magnet magnet = magnet_of(TG_V1);
        bt_buf buf;

        magnet.peers = &bad[i];
        magnet.peer_count = 1;
        bt_buf_init(&buf, 1000);
        assert_int_equal(tg_magnet_write(&buf, &magnet), APR_EINVAL);
        assert_int_equal(buf.length, 0);
        bt_buf_free(&buf);
    }
}

static void test_no_hash_no_link(void **state)
{
    tg_magnet magnet = magnet_of((tg_version)0);
    bt_buf buf;

    bt_buf_init(&buf, 1000);
    assert_int_equal(tg_magnet_write(&buf, &magnet), APR_EINVAL);
    bt_buf_free(&buf);
}

static void test_it_never_grows_past_its_bound(void **state)
{
    tg_magnet magnet = magnet_of(TG_HYBRID);
    const char *urls[500];
    bt_buf buf;

    for (int i = 0; i < 500; i++)
        urls[i] = "http://tracker.example/announce";
    magnet.trackers = urls;
    magnet.tracker_count = 500;
    bt_buf_init(&buf, 1000);
    assert_int_equal(tg_magnet_write(&buf, &magnet), APR_ENOSPC);
    assert_true(buf.length <= 1000);
    bt_buf_free(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_version_names_its_hashes), cmocka_unit_test(test_all_parts),
        cmocka_unit_test(test_an_empty_file_has_a_length),    cmocka_unit_test(test_any_name_comes_back),
        cmocka_unit_test(test_peers_that_are_none),           cmocka_unit_test(test_no_hash_no_link),
        cmocka_unit_test(test_it_never_grows_past_its_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
