/* The tracker's answers, byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bencode.h"
#include "tracker/http.h"

static const trk_address v4 = {{192, 0, 2, 7}, 6881, 0};
static const trk_address v6 = {{0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7}, 6881, 1};
static const trk_address mapped = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 7}, 6881, 1};

/* Compares, and checks that it is bencoding with sorted keys. */
static void body_is(bt_buf *body, const char *expected, size_t length)
{
    bt_ben value;

    assert_int_equal(body->status, APR_SUCCESS);
    assert_int_equal(bt_ben_read(body->data, body->length, &value), APR_SUCCESS);
    assert_int_equal(value.raw_length, body->length);
    assert_int_equal(body->length, length);
    assert_memory_equal(body->data, expected, length);
    bt_buf_free(body);
}
#define BODY_IS(body, text) body_is(body, text, sizeof(text) - 1)

static bt_buf new_body(void)
{
    bt_buf body;

    bt_buf_init(&body, 64 * 1024);
    return body;
}

static trk_answer some_answer(void)
{
    trk_answer answer = {.interval = 1800, .min_interval = 60, .complete = 2, .incomplete = 3, .downloaded = 4,
                         .downloaders = 1};

    memcpy(answer.peers4, "\xc0\0\2\1\0\x50\xc0\0\2\2\x1a\xe1", 12);
    answer.count4 = 2;
    memcpy(answer.peers6, "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x1a\xe1", 18);
    answer.count6 = 1;
    return answer;
}

static void test_compact(void **state)
{
    trk_announce announce = {.compact = 1};
    trk_answer answer = some_answer();
    bt_buf body = new_body();

    trk_http_answer(&body, &announce, &answer, &v4);
    BODY_IS(&body, "d8:completei2e10:downloadedi4e11:downloadersi1e11:external ip4:\xc0\0\2\7"
                   "10:incompletei3e8:intervali1800e12:min intervali60e"
                   "5:peers12:\xc0\0\2\1\0\x50\xc0\0\2\2\x1a\xe1"
                   "6:peers618:\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x1a\xe1"
                   "e");
}

static void test_peers_are_there_even_if_empty(void **state)
{
    trk_announce announce = {.compact = 1};
    trk_answer answer = {.interval = 10, .min_interval = 5, .complete = 1};
    bt_buf body = new_body();

    trk_http_answer(&body, &announce, &answer, &v6);
    BODY_IS(&body, "d8:completei1e10:downloadedi0e11:downloadersi0e11:external ip16:\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\7"
                   "10:incompletei0e8:intervali10e12:min intervali5e5:peers0:e");
    announce.compact = 0;
    trk_http_answer(&body, &announce, &answer, &v4);
    BODY_IS(&body, "d8:completei1e10:downloadedi0e11:downloadersi0e11:external ip4:\xc0\0\2\7"
                   "10:incompletei0e8:intervali10e12:min intervali5e5:peerslee");
}

static void test_dictionaries_hold_both_families(void **state)
{
    trk_announce announce = {.compact = 0};
    trk_answer answer = some_answer();
    bt_buf body = new_body();

    trk_http_answer(&body, &announce, &answer, &v4);
    BODY_IS(&body, "d8:completei2e10:downloadedi4e11:downloadersi1e11:external ip4:\xc0\0\2\7"
                   "10:incompletei3e8:intervali1800e12:min intervali60e5:peersl"
                   "d2:ip9:192.0.2.14:porti80eed2:ip9:192.0.2.24:porti6881ee"
                   "d2:ip11:2001:db8::14:porti6881eeee");
}

static void test_mapped_external_ip_is_v4(void **state)
{
    trk_announce announce = {.compact = 1};
    trk_answer answer = {.interval = 10, .min_interval = 5};
    bt_buf body = new_body();

    trk_http_answer(&body, &announce, &answer, &mapped);
    BODY_IS(&body, "d8:completei0e10:downloadedi0e11:downloadersi0e11:external ip4:\xc0\0\2\7"
                   "10:incompletei0e8:intervali10e12:min intervali5e5:peers0:e");
}

static void test_failure(void **state)
{
    bt_buf body = new_body();

    trk_http_failure(&body, "the file changed", 1800, 5);
    BODY_IS(&body, "d14:failure reason16:the file changed8:intervali1800e12:min intervali1800e8:retry ini5ee");
    trk_http_failure(&body, "no", 60, 0);
    BODY_IS(&body, "d14:failure reason2:no8:intervali60e12:min intervali60e8:retry in5:nevere");
}

static void test_scrape_sorts_and_drops_what_is_twice_there(void **state)
{
    bt_infohash hashes[4] = {{"bbbbbbbbbbbbbbbbbbb"}, {"aaaaaaaaaaaaaaaaaaa"}, {"bbbbbbbbbbbbbbbbbbb"}, {{0}}};
    trk_scrape numbers[4] = {{1, 2, 3, 1}, {4, 5, 6, 5}, {1, 2, 3, 1}, {0, 0, 0, 0}};
    bt_buf body = new_body();

    hashes[3].b[0] = 0xff;
    trk_http_scrape(&body, hashes, numbers, 4, 900);
    BODY_IS(&body, "d5:filesd"
                   "20:aaaaaaaaaaaaaaaaaaa\0d8:completei4e10:downloadedi6e11:downloadersi5e10:incompletei5ee"
                   "20:bbbbbbbbbbbbbbbbbbb\0d8:completei1e10:downloadedi3e11:downloadersi1e10:incompletei2ee"
                   "20:\xff\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0d8:completei0e10:downloadedi0e11:downloadersi0e10:incompletei0ee"
                   "e5:flagsd20:min_request_intervali900eee");
    trk_http_scrape(&body, hashes, numbers, 0, 900);
    BODY_IS(&body, "d5:filesde5:flagsd20:min_request_intervali900eee");
}

static void test_scrape_of_the_most(void **state)
{
    bt_infohash hashes[TRK_SCRAPE_MAX];
    trk_scrape numbers[TRK_SCRAPE_MAX];
    bt_ben all, files, key, value;
    bt_ben_iter iter;
    bt_buf body = new_body();
    int count = 0;

    memset(hashes, 0, sizeof hashes);
    memset(numbers, 0, sizeof numbers);
    for (int i = 0; i < TRK_SCRAPE_MAX; i++)
        hashes[i].b[19] = (unsigned char)(TRK_SCRAPE_MAX - i);
    trk_http_scrape(&body, hashes, numbers, TRK_SCRAPE_MAX, 900);
    assert_int_equal(bt_ben_read(body.data, body.length, &all), APR_SUCCESS);
    assert_true(bt_ben_get(&all, "files", BT_BEN_DICT, &files));
    for (bt_ben_iterate(&files, &iter); bt_ben_next(&iter, &key, &value); count++)
        assert_int_equal(key.string[19], count + 1);
    assert_int_equal(count, TRK_SCRAPE_MAX);
    bt_buf_free(&body);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compact),
        cmocka_unit_test(test_peers_are_there_even_if_empty),
        cmocka_unit_test(test_dictionaries_hold_both_families),
        cmocka_unit_test(test_mapped_external_ip_is_v4),
        cmocka_unit_test(test_failure),
        cmocka_unit_test(test_scrape_sorts_and_drops_what_is_twice_there),
        cmocka_unit_test(test_scrape_of_the_most),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
