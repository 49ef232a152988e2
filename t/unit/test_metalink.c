#include "t/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "torrentgen/infodict.h"
#include "torrentgen/metalink.h"

#define TEN "0123456789"
#define HASH20 TEN TEN
#define HASH32 TEN TEN TEN "ab"
#define HASH20_HEX "30313233343536373839" "30313233343536373839"
#define HASH32_HEX HASH20_HEX "303132333435363738396162"

static const tg_metalink_url own[] = {{.url = "http://h/a?x&y"}};

static tg_metalink small(void)
{
    return (tg_metalink){.name = "a", .length = 3, .urls = own, .url_count = 1};
}

/* @return the document, NUL-terminated, to be freed */
static char *written(const tg_metalink *metalink)
{
    bt_buf buf;

    bt_buf_init(&buf, 32 * 1024 * 1024);
    assert_int_equal(tg_metalink_write(&buf, metalink), APR_SUCCESS);
    bt_buf_add(&buf, "", 1);
    return (char *)buf.data;
}

static void expect(const tg_metalink *metalink, const char *inside)
{
    char *document = written(metalink), whole[8000];

    snprintf(whole, sizeof whole,
             "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<metalink xmlns=\"urn:ietf:params:xml:ns:metalink\">%s</metalink>\n", inside);
    assert_string_equal(document, whole);
    free(document);
}

static void refused(const tg_metalink *metalink)
{
    bt_buf buf;

    bt_buf_init(&buf, 10000);
    assert_int_equal(tg_metalink_write(&buf, metalink), APR_EINVAL);
    assert_int_equal(buf.length, 0);
    bt_buf_free(&buf);
}

static void test_the_least(void **state)
{
    tg_metalink metalink = small();

    expect(&metalink, "<file name=\"a\"><size>3</size><url>http://h/a?x&amp;y</url></file>");
}

static void test_all_parts(void **state)
{
    static const tg_metalink_url urls[] = {{"http://h/a", 2, NULL}, {"http://m/a", 999999, "de"}};
    static const tg_metalink_torrent torrents[] = {{"http://h/a.torrent", 1, NULL}, {"http://h/d.torrent", 3, "d/a"}};
    tg_metalink metalink = small();

    metalink.length = 20000;
    metalink.digest = (const unsigned char *)HASH32;
    metalink.piece_length = 16384;
    metalink.pieces = (const unsigned char *)(HASH20 HASH20);
    metalink.pieces_length = 40;
    metalink.urls = urls;
    metalink.url_count = 2;
    metalink.torrents = torrents;
    metalink.torrent_count = 2;
    metalink.published = apr_time_from_sec(1700000000);
    metalink.origin = "http://h/a.meta4";
    metalink.generator = "mod_bthttp/1";
    expect(&metalink,
           "<generator>mod_bthttp/1</generator><origin dynamic=\"true\">http://h/a.meta4</origin>"
           "<published>2023-11-14T22:13:20Z</published><file name=\"a\"><size>20000</size>"
           "<hash type=\"sha-256\">" HASH32_HEX "</hash><pieces length=\"16384\" type=\"sha-1\">"
           "<hash>" HASH20_HEX "</hash><hash>" HASH20_HEX "</hash></pieces>"
           "<metaurl mediatype=\"torrent\" priority=\"1\">http://h/a.torrent</metaurl>"
           "<metaurl mediatype=\"torrent\" priority=\"3\" name=\"d/a\">http://h/d.torrent</metaurl>"
           "<url priority=\"2\">http://h/a</url><url location=\"de\" priority=\"999999\">http://m/a</url></file>");
}

static void expect_name(const char *name, const char *attribute)
{
    tg_metalink metalink = small();
    char inside[4000];

    metalink.name = name;
    snprintf(inside, sizeof inside, "<file name=\"%s\"><size>3</size><url>http://h/a?x&amp;y</url></file>", attribute);
    expect(&metalink, inside);
}

static void test_names(void **state)
{
    expect_name("a<b>&\"'.iso", "a&lt;b&gt;&amp;&quot;'.iso");
    expect_name("\xc3\xa9\xe2\x82\xac\xf0\x9f\x8c\x8d", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x8c\x8d");
    expect_name("t\tn\nr\rx", "t&#9;n&#10;r&#13;x"); /* XML can hold these three, if they are escaped */
    expect_name("a\x01\x1f\x7f", "a%01%1F\x7f");     /* but no other control character below a space */
    expect_name("\xef\xbf\xbe\xef\xbf\xbf\xef\xbf\xbd", "%EF%BF%BE%EF%BF%BF\xef\xbf\xbd"); /* U+FFFE and U+FFFF */
    expect_name("50%", "50%");
    expect_name("]]>", "]]&gt;");
}

static void test_text_that_is_no_utf8(void **state)
{
    static const tg_metalink_url odd[] = {{.url = "http://h/\xe9\xc3\xa9\xc1\x81\xed\xa0\x80\xf4\x90\x80\x80\xe2\x82"}};
    tg_metalink metalink = small();

    metalink.urls = odd;
    expect(&metalink, "<file name=\"a\"><size>3</size><url>http://h/%E9\xc3\xa9%C1%81%ED%A0%80%F4%90%80%80%E2%82</url></file>");
}

static void test_what_cannot_be(void **state)
{
    static const char *const names[] = {"", ".", "..", "../a", "a/b", "\xe9"};
    static const tg_metalink_url far[] = {{.url = "http://h/a", .priority = 1000000}};
    tg_metalink metalink;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        metalink = small();
        metalink.name = names[i];
        refused(&metalink);
    }
    metalink = small();
    metalink.url_count = 0;
    refused(&metalink);
    metalink = small();
    metalink.urls = far;
    refused(&metalink);
    metalink = small();
    metalink.pieces = (const unsigned char *)(HASH20 HASH20);
    metalink.pieces_length = 40;
    refused(&metalink); /* of no length */
    metalink.piece_length = 16384;
    refused(&metalink); /* one too many */
}

static void test_many_pieces_are_left_out(void **state)
{
    const apr_size_t most = TG_METALINK_PIECES_MAX;
    unsigned char *pieces = calloc(most + 1, BT_HASH_SIZE);
    tg_metalink metalink = small();
    char *document;

    metalink.pieces = pieces;
    metalink.piece_length = 16384;
    metalink.length = (apr_int64_t)most * 16384;
    metalink.pieces_length = most * BT_HASH_SIZE;
    document = written(&metalink);
    assert_true(strlen(document) > most * 53);
    free(document);
    metalink.length++;
    metalink.pieces_length += BT_HASH_SIZE;
    document = written(&metalink);
    assert_null(strstr(document, "pieces"));
    free(document);
    free(pieces);
}

static void test_a_full_buffer(void **state)
{
    tg_metalink metalink = small();
    char *document = written(&metalink);

    for (apr_size_t max = 0; max < strlen(document); max++) {
        bt_buf buf;

        bt_buf_init(&buf, max);
        assert_int_equal(tg_metalink_write(&buf, &metalink), APR_ENOSPC);
        assert_true(buf.length <= max);
        bt_buf_free(&buf);
    }
    free(document);
}

/* --- from a torrent ------------------------------------------------------------------------------------------------ */

static tg_torrent torrent_of(bt_buf *buf, tg_version version)
{
    const tg_infodict info = {.version = version, .name = "a b", .length = 20000, .piece_length = 16384,
                              .pieces = (const unsigned char *)(HASH20 HASH20), .pieces_length = 40,
                              .root = (const unsigned char *)HASH32};

    bt_buf_init(buf, 10000);
    assert_int_equal(tg_infodict_write(buf, &info), APR_SUCCESS);
    return (tg_torrent){.version = version, .length = 20000, .piece_length = 16384, .infodict = buf->data,
                        .infodict_length = buf->length};
}

static void test_of_a_torrent(void **state)
{
    static const tg_version versions[] = {TG_V1, TG_V2, TG_HYBRID};
    apr_pool_t *pool = *state;

    for (size_t i = 0; i < 3; i++) {
        tg_metalink metalink;
        bt_buf buf;
        tg_torrent torrent = torrent_of(&buf, versions[i]);

        assert_int_equal(tg_metalink_of(&torrent, pool, &metalink), APR_SUCCESS);
        assert_string_equal(metalink.name, "a b");
        assert_int_equal(metalink.length, 20000);
        assert_int_equal(metalink.piece_length, 16384);
        assert_int_equal(metalink.url_count + metalink.torrent_count, 0);
        assert_int_equal(metalink.pieces_length, versions[i] & TG_V1 ? 40 : 0);
        if (versions[i] & TG_V1)
            assert_memory_equal(metalink.pieces, HASH20 HASH20, 40);
        else
            assert_null(metalink.pieces);
        bt_buf_free(&buf);
    }
}

static void test_of_what_is_no_torrent_of_one_file(void **state)
{
    static const char *const infodicts[] = {"", "i1e", "de", "d4:name3:a\0be", "d5:filesle4:name1:ae",
                                            "d9:file treed1:ad0:dee1:bd0:deee4:name1:ae", "d9:file treed1:dd1:ad0:deeee4:name1:de",
                                            "d9:file treede4:name1:ae"};
    static const size_t odd_length = 13; /* of the one with a NUL in its name */

    for (size_t i = 0; i < sizeof infodicts / sizeof *infodicts; i++) {
        tg_torrent torrent = {.version = TG_V1, .infodict = (const unsigned char *)infodicts[i],
                              .infodict_length = i == 3 ? odd_length : strlen(infodicts[i])};
        tg_metalink metalink;

        assert_int_equal(tg_metalink_of(&torrent, *state, &metalink), APR_EINVAL);
    }
}

static int open_pool(void **state)
{
    apr_initialize();
    return apr_pool_create((apr_pool_t **)state, NULL);
}

static int close_pool(void **state)
{
    apr_pool_destroy(*state);
    apr_terminate();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_least),       cmocka_unit_test(test_all_parts),
        cmocka_unit_test(test_names),           cmocka_unit_test(test_text_that_is_no_utf8),
        cmocka_unit_test(test_what_cannot_be),  cmocka_unit_test(test_many_pieces_are_left_out),
        cmocka_unit_test(test_a_full_buffer),   cmocka_unit_test(test_of_a_torrent),
        cmocka_unit_test(test_of_what_is_no_torrent_of_one_file),
    };

    return cmocka_run_group_tests(tests, open_pool, close_pool);
}
