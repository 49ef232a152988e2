#include "t/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "torrentgen/atom.h"

#define HEAD                                                                                                           \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\"><id>http://h/feed.atom</id>" \
    "<title>Torrents of h</title><updated>2023-11-14T22:13:20Z</updated><author><name>h</name></author>"

static const tg_atom_feed page = {.id = "http://h/feed.atom", .title = "Torrents of h", .author = "h", .self = "http://h/feed.atom?page=1",
                                  .first = "http://h/feed.atom", .updated = (apr_time_t)1700000000 * APR_USEC_PER_SEC};

static void expect(const tg_atom_feed *feed, const tg_atom_entry *entries, int count, const char *expected)
{
    tg_atom atom;
    bt_buf buf;

    bt_buf_init(&buf, 100000);
    assert_int_equal(tg_atom_begin(&atom, &buf, feed), APR_SUCCESS);
    for (int i = 0; i < count; i++)
        tg_atom_add(&atom, &entries[i]);
    assert_int_equal(tg_atom_end(&atom), APR_SUCCESS);
    bt_buf_add(&buf, "", 1);
    assert_string_equal((const char *)buf.data, expected);
    bt_buf_free(&buf);
}

static void test_an_empty_page(void **state)
{
    expect(&page, NULL, 0,
           HEAD "<link rel=\"self\" type=\"application/atom+xml\" href=\"http://h/feed.atom?page=1\"/>"
                "<link rel=\"first\" type=\"application/atom+xml\" href=\"http://h/feed.atom\"/></feed>\n");
}

static void test_entries(void **state)
{
    static const tg_atom_entry entries[] = {
        {.id = "urn:btih:00", .title = "a<b>&\x01\xc3\xa9", .updated = (apr_time_t)1700000000 * APR_USEC_PER_SEC, .file = "http://h/a",
         .torrent = "http://h/a.torrent?x&y", .torrent_length = 77, .magnet = "magnet:?xt=urn:btih:00&dn=a", .summary = "3 bytes"},
        {.id = "urn:btih:01", .title = "c", .updated = 0, .file = "http://h/c"}};
    tg_atom_feed feed = page;

    feed.next = "http://h/feed.atom?page=3";
    feed.generator = "mod_bthttp";
    feed.version = "1";
    expect(&feed, entries, 2,
           HEAD "<generator version=\"1\">mod_bthttp</generator>"
                "<link rel=\"self\" type=\"application/atom+xml\" href=\"http://h/feed.atom?page=1\"/>"
                "<link rel=\"first\" type=\"application/atom+xml\" href=\"http://h/feed.atom\"/>"
                "<link rel=\"next\" type=\"application/atom+xml\" href=\"http://h/feed.atom?page=3\"/>"
                "<entry><id>urn:btih:00</id><title>a&lt;b&gt;&amp;%01\xc3\xa9</title><updated>2023-11-14T22:13:20Z</updated>"
                "<link rel=\"alternate\" href=\"http://h/a\"/>"
                "<link rel=\"enclosure\" type=\"application/x-bittorrent\" href=\"http://h/a.torrent?x&amp;y\" length=\"77\"/>"
                "<link rel=\"related\" type=\"application/x-magnet\" href=\"magnet:?xt=urn:btih:00&amp;dn=a\"/>"
                "<summary>3 bytes</summary></entry>"
                "<entry><id>urn:btih:01</id><title>c</title><updated>1970-01-01T00:00:00Z</updated>"
                "<link rel=\"alternate\" href=\"http://h/c\"/></entry></feed>\n");
}

static void test_times(void **state)
{
    static const struct {
        apr_time_t time;
        const char *text;
    } cases[] = {{0, "1970-01-01T00:00:00Z"},
                 {-1, "1970-01-01T00:00:00Z"},
                 {(apr_time_t)951782399 * APR_USEC_PER_SEC + 999999, "2000-02-28T23:59:59Z"},
                 {(apr_time_t)951782400 * APR_USEC_PER_SEC, "2000-02-29T00:00:00Z"},
                 {APR_INT64_MIN, "1970-01-01T00:00:00Z"},
                 {APR_INT64_MAX, "9999-12-31T23:59:59Z"}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[TG_XML_TIME_SIZE];

        tg_xml_time(text, cases[i].time);
        assert_string_equal(text, cases[i].text);
    }
}

static void test_it_never_grows_past_its_bound(void **state)
{
    static const tg_atom_entry entry = {.id = "urn:btih:00", .title = "a", .file = "http://h/a"};

    for (apr_size_t max = 0; max < 5000; max += 61) {
        tg_atom atom;
        bt_buf buf;

        bt_buf_init(&buf, max);
        assert_int_equal(tg_atom_begin(&atom, &buf, &page), APR_SUCCESS);
        for (int i = 0; i < 1000; i++)
            tg_atom_add(&atom, &entry);
        assert_int_equal(tg_atom_end(&atom), APR_ENOSPC);
        assert_true(buf.length <= max);
        bt_buf_free(&buf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_page),
        cmocka_unit_test(test_entries),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_it_never_grows_past_its_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
