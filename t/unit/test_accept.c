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
                                           " torrent ", "torrent,", ",torrent", "torrent ; q=1", "foo, torrent",
                                           "bar;q=1, torrent;q=0.1", "torrent;frobnicate=yes", "torrent;x",
                                           "torrent;x=\"a,b\"", "torrent;q=0.001", "*/*, torrent"};

    (void)state;
    for (size_t i = 0; i < sizeof torrents / sizeof *torrents; i++)
        assert_count(torrents[i], 1);
}

static void test_absent(void **state)
{
    static const char *const files[] = {"", " ", ",", ",,,", "magnets", "metalink4", "application/magnet", "text/html", "no",
                                        "application/*", "magnet;q=0", "metalink;q=0.000", "torrent;q=0", "torrent;q=0.000", "torrent;q=0, *", "*;q=0", "0", "*/*", "torrents"};

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

static int takes(const bth_accept *accept, tg_version version)
{
    return bth_accept_choose(accept, version, BTH_FORM_BIT(BTH_FORM_TORRENT)) != NULL;
}

static void test_versions(void **state)
{
    bth_accept accept = parsed("torrent;v=1");

    (void)state;
    assert_true(takes(&accept, TG_V1));
    assert_true(takes(&accept, TG_HYBRID));
    assert_false(takes(&accept, TG_V2));
    accept = parsed("torrent;v=2");
    assert_false(takes(&accept, TG_V1));
    assert_true(takes(&accept, TG_HYBRID));
    assert_true(takes(&accept, TG_V2));
    accept = parsed("torrent;v=hybrid");
    assert_false(takes(&accept, TG_V1));
    assert_false(takes(&accept, TG_V2));
    accept = parsed("torrent;v=1, torrent;v=2");
    assert_true(takes(&accept, TG_V1));
    assert_true(takes(&accept, TG_V2));
    accept = parsed("torrent");
    assert_true(takes(&accept, TG_V1) && takes(&accept, TG_V2));
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
    assert_int_equal(bth_accept_wait(NULL, limit), limit);
    assert_int_equal(bth_accept_wait(&accept.choices[0], limit), limit);
    accept = parsed("torrent;wait=0");
    assert_int_equal(bth_accept_wait(&accept.choices[0], limit), 0);
    accept = parsed("torrent;wait=0.25");
    assert_int_equal(bth_accept_wait(&accept.choices[0], limit), 250000);
    accept = parsed("torrent;wait=99999999999999999999999999");
    assert_int_equal(bth_accept_wait(&accept.choices[0], limit), limit);
}

/* Forms in the order in which they are preferred, as letters. */
static void assert_forms(const bth_accept *accept, const char *value, const char *forms)
{
    static const char letters[BTH_FORMS] = {[BTH_FORM_TORRENT] = 't', [BTH_FORM_MAGNET] = 'm', [BTH_FORM_METALINK] = 'l'};
    char got[BTH_ACCEPT_MAX + 1] = "";

    for (int i = 0; i < accept->count; i++)
        got[i] = letters[accept->choices[i].form];
    if (strcmp(got, forms) != 0)
        fail_msg("\"%s\" gives \"%s\", not \"%s\"", value, got, forms);
}

static void test_forms(void **state)
{
    static const struct {
        const char *value, *forms;
    } rows[] = {{"magnet", "m"},
                {"Magnet", "m"},
                {"application/x-magnet", "m"},
                {"metalink", "l"},
                {"METALINK", "l"},
                {"application/metalink4+xml", "l"},
                {"magnet, torrent", "mt"},
                {"torrent, magnet", "tm"},
                {"magnet;q=0.5, torrent", "tm"},
                {"magnet;q=0.5, torrent;q=0.5", "mt"},
                {"metalink, magnet;q=0.9, torrent;q=0.8", "lmt"},
                {"metalink;q=0.1, magnet;q=0.2, torrent;q=0.3", "tml"},
                {"metalink;q=0, magnet", "m"},
                /* "*" is a torrent where none is named */
                {"magnet, *", "mt"},
                {"*, magnet", "tm"},
                {"magnet;q=0.2, *;q=0.1", "mt"},
                {"magnet;q=0.1, *;q=0.2", "tm"},
                {"magnet, torrent;q=0, *", "m"},
                {"*, torrent;q=0", ""},
                {"magnet;q=0, *", "t"},
                {"1, metalink", "tl"}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bth_accept accept = parsed(rows[i].value);

        assert_forms(&accept, rows[i].value, rows[i].forms);
    }
}

static void test_choosing(void **state)
{
    bth_accept accept = parsed("metalink;v=2, magnet;v=1;q=0.9, torrent;q=0.8");
    const unsigned all = 7, no_metalink = all & ~BTH_FORM_BIT(BTH_FORM_METALINK);

    (void)state;
    assert_int_equal(bth_accept_choose(&accept, TG_HYBRID, all)->form, BTH_FORM_METALINK);
    assert_int_equal(bth_accept_choose(&accept, TG_V1, all)->form, BTH_FORM_MAGNET);
    assert_int_equal(bth_accept_choose(&accept, TG_HYBRID, no_metalink)->form, BTH_FORM_MAGNET);
    assert_int_equal(bth_accept_choose(&accept, TG_V2, no_metalink)->form, BTH_FORM_TORRENT);
    assert_null(bth_accept_choose(&accept, TG_V2, 0));
}

/* Whoever said something that can be read is judged by it alone. */
static void test_said(void **state)
{
    (void)state;
    assert_int_equal(parsed("torrent;q=0").is_said, 1);
    assert_int_equal(parsed("foo").is_said, 1);
    assert_int_equal(parsed("*").is_said, 1);
    assert_int_equal(parsed(NULL).is_said, 0);
    assert_int_equal(parsed(" ,").is_said, 0);
    assert_int_equal(parsed("torrent;q=2").is_said, 0);
    assert_int_equal(parsed("foo, torrent;").is_said, 0);
}

/* Accept: a Metalink only to those who name it. */
static void test_types(void **state)
{
    static const struct {
        const char *value, *forms;
    } rows[] = {{"*/*,application/metalink4+xml,application/metalink+xml", "l"}, /* aria2 */
                {"application/metalink4+xml", "l"},
                {"Application/Metalink4+XML", "l"},
                {"application/metalink4+xml;q=0.001", "l"},
                {"application/metalink4+xml;q=0.5, */*;q=0.5", "l"},
                {"text/html, application/metalink4+xml;q=0.9", "l"},
                {"application/metalink4+xml;profile=\"a,b\";q=1", "l"},
                {"text/html;q=.2, application/metalink4+xml", "l"}, /* somebody else's mistake */
                {"(, application/metalink4+xml", "l"},
                {"a/b;x=\"application/metalink4+xml, c\", application/metalink4+xml", "l"},
                /* not these */
                {"", ""},
                {"*/*", ""},
                {"*", ""},
                {"application/*", ""},
                {"application/metalink+xml", ""}, /* version 3 */
                {"application/x-bittorrent", ""},
                {"application/metalink4+xml;q=0", ""},
                {"application/metalink4+xml;q=0.000, */*", ""},
                {"application/metalink4+xml;q=0.5, */*", ""},
                {"*/*;q=0.2, application/metalink4+xml;q=0.1", ""},
                {"application/metalink4+xml;q=2", ""},
                {"application/metalink4+xml;q=", ""},
                {"application/metalink4+xml;q", ""},
                {"application/metalink4+xml;", ""},
                {"application/metalink4+xml x", ""},
                {"application/metalink4+xmlx", ""},
                {"a/b;x=\"application/metalink4+xml", ""},
                {"a/b;x=\", application/metalink4+xml", ""},
                {"metalink", ""},
                {"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", ""}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bth_accept accept;

        bth_accept_parse_types(rows[i].value, &accept);
        assert_forms(&accept, rows[i].value, rows[i].forms);
    }
}

/* No input makes the parser give more than it has room for, or choices without a version. */
static void test_any_bytes(void **state)
{
    static const char alphabet[] = "torentvqwai123=;,*/. \t\"\\hybrdmgk+plcx4\x80";
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
            assert_in_range(accept.choices[i].form, 0, BTH_FORMS - 1);
        }
        bth_accept_parse_types(value, &accept);
        assert_in_range(accept.count, 0, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names),    cmocka_unit_test(test_absent),
                                       cmocka_unit_test(test_malformed), cmocka_unit_test(test_versions),
                                       cmocka_unit_test(test_order),     cmocka_unit_test(test_wait),
                                       cmocka_unit_test(test_forms),     cmocka_unit_test(test_choosing),
                                       cmocka_unit_test(test_said),      cmocka_unit_test(test_types),
                                       cmocka_unit_test(test_any_bytes)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
