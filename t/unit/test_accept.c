#include "t/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "module/accept.h"

static bth_accept parsed(const char *value)
{
    bth_accept accept;

    bth_accept_parse(value, &accept);
    return accept;
}

static void assert_count(const char *value, int count)
{
    bth_accept accept = parsed(value);

    if (accept.count != count)
        fail_msg("\"%s\" gives %d choices, not %d", value ? value : "(none)", accept.count, count);
}

static void test_names(void **state)
{
    static const char *const torrents[] = {"torrent", "TORRENT", "application/x-bittorrent", "*", "1", "yes", "True", "on",
                                           " torrent ", "torrent,", ",torrent", "torrent ; q=1", "magnet, torrent",
                                           "metalink;q=1, torrent;q=0.1", "torrent;frobnicate=yes", "torrent;x",
                                           "torrent;x=\"a,b\"", "torrent;q=0.001", "*/*, torrent"};

    (void)state;
    for (size_t i = 0; i < sizeof torrents / sizeof *torrents; i++)
        assert_count(torrents[i], 1);
}

static void test_absent(void **state)
{
    static const char *const files[] = {"", " ", ",", ",,,", "magnet", "metalink", "application/x-magnet", "text/html", "no",
                                        "torrent;q=0", "torrent;q=0.000", "torrent;q=0, *", "*;q=0", "0", "*/*", "torrents"};

    (void)state;
    assert_count(NULL, 0);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        assert_count(files[i], 0);
}

/* A value that breaks the grammar counts as absent, wherever it breaks. */
static void test_malformed(void **state)
{
    static const char *const broken[] = {
        ";", "=", "/", "torrent;", "torrent;;", "torrent;q", "torrent;q=", "torrent;q=2", "torrent;q=1.001", "torrent;q=0.1234",
        "torrent;q=-1", "torrent;q=a", "torrent;q=.5", "torrent;q=0,5;v=1", "torrent;v", "torrent;v=", "torrent;v=3",
        "torrent;v=v1", "torrent;v=1 2", "torrent;wait", "torrent;wait=", "torrent;wait=a", "torrent;wait=-1",
        "torrent;wait=1.", "torrent;wait=.5", "torrent;wait=1.2.3", "torrent;wait=1s", "torrent torrent", "torrent=1",
        "\"torrent\"", "(torrent)", "torrent;x=\"", "torrent;x=\"a", "torrent;=1", "torrent;q=\"1", "torrent\x01",
        "\x80", "torrent, \xff", "torrent;\x13", "torrent/", "/torrent", "application/", "torrent;q = 1", "torrent:1",
        "<torrent>", "torrent;v=1;;q=1", "{\"torrent\":1}", "torrent;q=1e0", "torrent?", "@", "torrent;v==1", "\\"};

    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        assert_count(broken[i], 0);
}

static void test_versions(void **state)
{
    bth_accept accept = parsed("torrent;v=1");

    (void)state;
    assert_true(bth_accept_takes(&accept, TG_V1));
    assert_true(bth_accept_takes(&accept, TG_HYBRID));
    assert_false(bth_accept_takes(&accept, TG_V2));
    accept = parsed("torrent;v=2");
    assert_false(bth_accept_takes(&accept, TG_V1));
    assert_true(bth_accept_takes(&accept, TG_HYBRID));
    assert_true(bth_accept_takes(&accept, TG_V2));
    accept = parsed("torrent;v=hybrid");
    assert_false(bth_accept_takes(&accept, TG_V1));
    assert_false(bth_accept_takes(&accept, TG_V2));
    accept = parsed("torrent;v=1, torrent;v=2");
    assert_true(bth_accept_takes(&accept, TG_V1));
    assert_true(bth_accept_takes(&accept, TG_V2));
    accept = parsed("torrent");
    assert_true(bth_accept_takes(&accept, TG_V1) && bth_accept_takes(&accept, TG_V2));
}

static void test_order(void **state)
{
    bth_accept accept = parsed("torrent;v=1;q=0.5, torrent;v=2, torrent;v=hybrid;q=0.5");

    (void)state;
    assert_int_equal(accept.count, 3);
    assert_int_equal(accept.choices[0].versions, BTH_TAKES(TG_V2) | BTH_TAKES(TG_HYBRID));
    assert_int_equal(accept.choices[1].versions, BTH_TAKES(TG_V1) | BTH_TAKES(TG_HYBRID));
    assert_int_equal(accept.choices[2].versions, BTH_TAKES(TG_HYBRID));
    assert_int_equal(accept.choices[1].quality, 500);
}

static void test_wait(void **state)
{
    apr_time_t limit = apr_time_from_sec(2);
    bth_accept accept = parsed("torrent");

    (void)state;
    assert_int_equal(bth_accept_wait(&accept, TG_HYBRID, limit), limit);
    accept = parsed("torrent;wait=0");
    assert_int_equal(bth_accept_wait(&accept, TG_HYBRID, limit), 0);
    accept = parsed("torrent;wait=0.25");
    assert_int_equal(bth_accept_wait(&accept, TG_HYBRID, limit), 250000);
    accept = parsed("torrent;wait=99999999999999999999999999");
    assert_int_equal(bth_accept_wait(&accept, TG_HYBRID, limit), limit);
}

/* No input makes the parser give more than it has room for, or choices without a version. */
static void test_any_bytes(void **state)
{
    static const char alphabet[] = "torentvqwai123=;,*/. \t\"\\hybrdmgk\x80";
    char value[200];

    (void)state;
    srand(7);
    for (int round = 0; round < 20000; round++) {
        size_t length = (size_t)rand() % (sizeof value - 1);
        bth_accept accept;

        for (size_t i = 0; i < length; i++)
            value[i] = alphabet[(size_t)rand() % (sizeof alphabet - 1)];
        value[length] = '\0';
        bth_accept_parse(value, &accept);
        assert_in_range(accept.count, 0, BTH_ACCEPT_MAX);
        for (int i = 0; i < accept.count; i++) {
            assert_true(accept.choices[i].versions > 0);
            assert_in_range(accept.choices[i].quality, 1, 1000);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names),    cmocka_unit_test(test_absent),
                                       cmocka_unit_test(test_malformed), cmocka_unit_test(test_versions),
                                       cmocka_unit_test(test_order),     cmocka_unit_test(test_wait),
                                       cmocka_unit_test(test_any_bytes)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
