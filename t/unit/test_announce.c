/* What clients send to a tracker, one test for each habit of theirs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tracker/announce.h"

#define HASH "info_hash=abcdefghijklmnopqrst"
#define REST "&peer_id=-TR3000-0123456789ab&port=6881"

static trk_announce parsed(const char *query)
{
    trk_announce announce;
    const char *failure = NULL;

    assert_int_equal(trk_announce_parse(query, strlen(query), &announce, &failure), APR_SUCCESS);
    return announce;
}

static void refused(const char *query, const char *word)
{
    trk_announce announce;
    const char *failure = NULL;

    assert_int_equal(trk_announce_parse(query, strlen(query), &announce, &failure), APR_EINVAL);
    assert_non_null(failure);
    assert_non_null(strstr(failure, word));
}

static void test_ordinary(void **state)
{
    trk_announce a = parsed(HASH REST "&uploaded=0&downloaded=0&left=1000&numwant=80&key=1a2b&compact=1"
                                      "&supportcrypto=1&requirecrypto=0&trackerid=x&event=started");

    assert_memory_equal(a.hash.b, "abcdefghijklmnopqrst", 20);
    assert_memory_equal(a.peer_id, "-TR3000-0123456789ab", 20);
    assert_int_equal(a.port, 6881);
    assert_int_equal(a.left, 1000);
    assert_int_equal(a.numwant, 80);
    assert_int_equal(a.event, TRK_EVENT_STARTED);
    assert_int_equal(a.compact, 1);
    assert_int_equal(a.no_peer_id, 0);
}

static void test_hash_raw_and_percent_mixed(void **state)
{
    static const unsigned char expected[20] = {'a', 0x12, 0x34, 0xab, 0xCD, 'e', 0, 0xff, 'z', '~',
                                               '.', '-',  '_',  ' ',  '%',  '&', '=', 1,  2,   'Z'};
    trk_announce a = parsed("info_hash=a%124%aB%Cde%00%ff%7A~.-_%20%25%26%3D%01%02Z" REST);

    assert_memory_equal(a.hash.b, expected, 20);
}

static void test_hash_of_nuls(void **state)
{
    static const unsigned char zeros[20] = {0};

    assert_memory_equal(
        parsed("info_hash=%00%00%00%00%00%00%00%00%00%00%00%00%00%00%00%00%00%00%00%00" REST).hash.b, zeros, 20);
}

static void test_hash_of_raw_bytes_above_ascii(void **state)
{
    assert_memory_equal(parsed("info_hash=\x80\xff\xfe\x81\xc3\x28zzzzzzzzzzzzzz" REST).hash.b, "\x80\xff\xfe\x81\xc3\x28zzzzzzzzzzzzzz",
                        20);
}

static void test_plus_is_a_plus(void **state)
{
    assert_memory_equal(parsed("info_hash=++cdefghijklmnopqrst" REST).hash.b, "++cdefghijklmnopqrst", 20);
}

static void test_hash_must_be_there(void **state)
{
    refused("", "info_hash");
    refused("port=6881&left=0", "info_hash");
    refused("info_hash" REST, "info_hash");
    refused("info_hash=" REST, "info_hash");
    refused("info_hash=abcdefghijklmnopqrs" REST, "info_hash");
    refused("info_hash=abcdefghijklmnopqrstu" REST, "info_hash");
    refused("info_hash=abcdefghijklmnopqr%zz" REST, "info_hash");
    refused("info_hash=abcdefghijklmnopqrs%4" REST, "info_hash");
    refused("Info_Hash=abcdefghijklmnopqrst" REST, "info_hash");
}

static void test_first_of_repeated_counts(void **state)
{
    trk_announce a = parsed(HASH "&info_hash=ABCDEFGHIJKLMNOPQRST" REST "&port=1&left=0&left=5&numwant=3&numwant=9"
                                 "&event=completed&event=stopped&compact=0&compact=1");

    assert_memory_equal(a.hash.b, "abcdefghijklmnopqrst", 20);
    assert_int_equal(a.port, 6881);
    assert_int_equal(a.left, 0);
    assert_int_equal(a.numwant, 3);
    assert_int_equal(a.event, TRK_EVENT_COMPLETED);
    assert_int_equal(a.compact, 0);
}

static void test_left_of_magnets(void **state)
{
    assert_int_equal(parsed(HASH REST "&left=16384").left, 16384);
    assert_true(parsed(HASH REST "&left=9223372036854775807").left == APR_INT64_MAX);
    assert_true(parsed(HASH REST).left == APR_INT64_MAX);
}

/* It says that nothing is left while it has not even the infodict. */
static void test_aria2_with_a_magnet(void **state)
{
    static const char aria2[] = HASH "&port=6881&peer_id=A2-1-36-0-0123456789&uploaded=0";
    static const struct {
        const char *more;
        int is_leecher;
    } cases[] = {{"&downloaded=0&left=0&event=started", 1}, {"&downloaded=0&left=0", 1},
                 {"&downloaded=0&left=0&event=completed", 0}, {"&downloaded=5&left=0", 0},
                 {"&left=0", 0}, {"&downloaded=x&left=0", 0}, {"&downloaded=0&left=7", 1}};
    char query[300];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(query, sizeof query, "%s%s", aria2, cases[i].more);
        assert_int_equal(parsed(query).left != 0, cases[i].is_leecher);
    }
    assert_int_equal(parsed(HASH REST "&downloaded=0&left=0&event=started").left, 0); /* no other client is meant */
}

static void test_left_never_wraps_to_a_seed(void **state)
{
    static const char *const huge[] = {"9223372036854775808",  "18446744073709551615", "18446744073709551616",
                                       "36893488147419103232", "-1",                   "-9223372036854775808",
                                       "",                     "x",                    "0x0",
                                       "00x",                  "0 ",                   "+0",
                                       "100000000000000000000000000000000000000000000000000"};
    char query[256];

    assert_true(parsed(HASH REST "&left=4294967296").left == 4294967296);
    assert_true(parsed(HASH REST "&left=8589934592").left == 8589934592);
    for (size_t i = 0; i < sizeof huge / sizeof *huge; i++) {
        assert_true(strlen(huge[i]) < 64);
        strcat(strcat(memcpy(query, HASH REST "&left=", sizeof(HASH REST "&left=")), huge[i]), "&key=1");
        assert_true(parsed(query).left == APR_INT64_MAX);
    }
    assert_int_equal(parsed(HASH REST "&left=0").left, 0);
    assert_int_equal(parsed(HASH REST "&left=000").left, 0);
}

static void test_numwant(void **state)
{
    assert_int_equal(parsed(HASH REST).numwant, TRK_NUMWANT_DEFAULT);
    assert_int_equal(parsed(HASH REST "&numwant=-1").numwant, TRK_NUMWANT_DEFAULT);
    assert_int_equal(parsed(HASH REST "&numwant=").numwant, TRK_NUMWANT_DEFAULT);
    assert_int_equal(parsed(HASH REST "&numwant=many").numwant, TRK_NUMWANT_DEFAULT);
    assert_int_equal(parsed(HASH REST "&numwant=0").numwant, 0);
    assert_int_equal(parsed(HASH REST "&numwant=200").numwant, TRK_NUMWANT_MAX);
    assert_int_equal(parsed(HASH REST "&numwant=201").numwant, TRK_NUMWANT_MAX);
    assert_int_equal(parsed(HASH REST "&numwant=4294967296").numwant, TRK_NUMWANT_MAX);
    assert_int_equal(parsed(HASH REST "&numwant=99999999999999999999999999").numwant, TRK_NUMWANT_MAX);
}

static void test_events(void **state)
{
    assert_int_equal(parsed(HASH REST "&event=started").event, TRK_EVENT_STARTED);
    assert_int_equal(parsed(HASH REST "&event=completed").event, TRK_EVENT_COMPLETED);
    assert_int_equal(parsed(HASH REST "&event=stopped").event, TRK_EVENT_STOPPED);
    assert_int_equal(parsed(HASH REST "&event=paused").event, TRK_EVENT_PAUSED);
    assert_int_equal(parsed(HASH REST "&event=").event, TRK_EVENT_NONE);
    assert_int_equal(parsed(HASH REST "&event").event, TRK_EVENT_NONE);
    assert_int_equal(parsed(HASH REST "&event=empty").event, TRK_EVENT_NONE);
    assert_int_equal(parsed(HASH REST "&event=stoppedx").event, TRK_EVENT_NONE);
    assert_int_equal(parsed(HASH REST).event, TRK_EVENT_NONE);
}

static void test_port(void **state)
{
    assert_int_equal(parsed(HASH "&port=1").port, 1);
    assert_int_equal(parsed(HASH "&port=65535").port, 65535);
    refused(HASH "&port=0", "port");
    refused(HASH "&port=65536", "port");
    refused(HASH "&port=65537&event=stopped", "port");
    refused(HASH "&port=-1", "port");
    refused(HASH "&port=", "port");
    refused(HASH "&port=http", "port");
    refused(HASH "&port=18446744073709558497", "port");
}

static void test_aria2_leaves_the_port_out(void **state)
{
    assert_int_equal(parsed(HASH "&left=1&event=started").port, 0);
}

static void test_stopped_may_have_port_0(void **state)
{
    assert_int_equal(parsed(HASH "&port=0&event=stopped").port, 0);
    assert_int_equal(parsed(HASH "&event=stopped").port, 0);
}

/* Where the parsed form has no field for an address, nobody can be sent to a victim. */
static void test_ip_parameters_are_passed_over(void **state)
{
    trk_announce plain = parsed(HASH REST "&left=5");
    trk_announce with = parsed("ip=192.0.2.9&ipv4=192.0.2.9:80&ipv6=[2001:db8::1]:80&" HASH REST
                               "&left=5&ip=192.0.2.9&ipv6=2001%3Adb8%3A%3A1");

    assert_memory_equal(&plain, &with, sizeof plain);
}

static void test_other_parameters_are_accepted(void **state)
{
    trk_announce a = parsed("&&" HASH "&=&a&=b" REST "&key=%zz&trackerid=1&no_peer_id=1&supportcrypto=1&redundant=0&corrupt=0&");

    assert_int_equal(a.no_peer_id, 1);
    assert_int_equal(a.port, 6881);
}

static void test_compact_unless_0(void **state)
{
    assert_int_equal(parsed(HASH REST).compact, 1);
    assert_int_equal(parsed(HASH REST "&compact=1").compact, 1);
    assert_int_equal(parsed(HASH REST "&compact=").compact, 1);
    assert_int_equal(parsed(HASH REST "&compact=0").compact, 0);
}

static void test_peer_id_that_is_none(void **state)
{
    static const unsigned char zeros[20] = {0};

    assert_memory_equal(parsed(HASH "&port=1").peer_id, zeros, 20);
    assert_memory_equal(parsed(HASH "&port=1&peer_id=short").peer_id, zeros, 20);
    assert_memory_equal(parsed(HASH "&port=1&peer_id=%zz").peer_id, zeros, 20);
}

static void test_query_need_not_end_in_nul(void **state)
{
    static const char query[] = HASH REST "&left=12345";
    trk_announce a;
    const char *failure;

    assert_int_equal(trk_announce_parse(query, sizeof query - 3, &a, &failure), APR_SUCCESS);
    assert_int_equal(a.left, 123);
}

static void test_scrape(void **state)
{
    bt_infohash hashes[TRK_SCRAPE_MAX];
    const char *failure = NULL;
    static const char two[] = HASH "&x=y&info_hash=%00%01cdefghijklmnopqr+t";

    assert_int_equal(trk_scrape_parse(two, sizeof two - 1, hashes, &failure), 2);
    assert_memory_equal(hashes[0].b, "abcdefghijklmnopqrst", 20);
    assert_memory_equal(hashes[1].b, "\0\1cdefghijklmnopqr+t", 20);
    assert_int_equal(trk_scrape_parse("", 0, hashes, &failure), -1);
    assert_non_null(failure);
    failure = NULL;
    assert_int_equal(trk_scrape_parse("info_hash=short", 15, hashes, &failure), -1);
    assert_non_null(failure);
}

static void test_scrape_of_more_than_the_most(void **state)
{
    bt_infohash hashes[TRK_SCRAPE_MAX + 1];
    char query[(TRK_SCRAPE_MAX + 20) * sizeof(HASH "&")];
    const char *failure;
    size_t length = 0;

    memset(&hashes[TRK_SCRAPE_MAX], 0x55, sizeof *hashes);
    for (int i = 0; i < TRK_SCRAPE_MAX + 20; i++, length += sizeof HASH)
        memcpy(query + length, HASH "&", sizeof HASH);
    assert_int_equal(trk_scrape_parse(query, length, hashes, &failure), TRK_SCRAPE_MAX);
    assert_int_equal(hashes[TRK_SCRAPE_MAX].b[0], 0x55);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ordinary),
        cmocka_unit_test(test_hash_raw_and_percent_mixed),
        cmocka_unit_test(test_hash_of_nuls),
        cmocka_unit_test(test_hash_of_raw_bytes_above_ascii),
        cmocka_unit_test(test_plus_is_a_plus),
        cmocka_unit_test(test_hash_must_be_there),
        cmocka_unit_test(test_first_of_repeated_counts),
        cmocka_unit_test(test_left_of_magnets),
        cmocka_unit_test(test_aria2_with_a_magnet),
        cmocka_unit_test(test_left_never_wraps_to_a_seed),
        cmocka_unit_test(test_numwant),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_port),
        cmocka_unit_test(test_aria2_leaves_the_port_out),
        cmocka_unit_test(test_stopped_may_have_port_0),
        cmocka_unit_test(test_ip_parameters_are_passed_over),
        cmocka_unit_test(test_other_parameters_are_accepted),
        cmocka_unit_test(test_compact_unless_0),
        cmocka_unit_test(test_peer_id_that_is_none),
        cmocka_unit_test(test_query_need_not_end_in_nul),
        cmocka_unit_test(test_scrape),
        cmocka_unit_test(test_scrape_of_more_than_the_most),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
