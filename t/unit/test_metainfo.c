#include "t/unit/unit.h"

#include <apr_strings.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bencode.h"
#include "torrentgen/metainfo.h"

#define TEN "0123456789"
#define HASH20 TEN TEN
#define ROOT TEN TEN TEN "ab"

static apr_pool_t *pool;

static int make_pool(void **state)
{
    apr_initialize();
    return apr_pool_create(&pool, NULL);
}

static int clear_pool(void **state)
{
    apr_pool_clear(pool);
    return 0;
}

static int free_pool(void **state)
{
    apr_pool_destroy(pool);
    return 0;
}

static apr_status_t read_bytes(const void *bytes, size_t length, tg_metainfo *meta, const char **why)
{
    unsigned char *copy = malloc(length ? length : 1);
    apr_status_t status;

    memcpy(copy, bytes, length);
    status = tg_metainfo_read(copy, length, pool, meta, why);
    free(copy); /* nothing may point there */
    return status;
}

static tg_metainfo accepted(const char *text)
{
    tg_metainfo meta;
    const char *why = "not set";

    if (read_bytes(text, strlen(text), &meta, &why) != APR_SUCCESS)
        fail_msg("%s: %s", text, why);
    return meta;
}

static void refuse(const char *text, const char *because)
{
    tg_metainfo meta;
    const char *why = NULL;

    if (read_bytes(text, strlen(text), &meta, &why) != APR_EINVAL)
        fail_msg("accepted: %s", text);
    assert_string_equal(why, because);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static const unsigned char infodict_v1[] = "d6:lengthi3e4:name1:a12:piece lengthi16384e6:pieces20:" HASH20 "e";

static void expect_written(const tg_torrent *torrent, const tg_envelope *envelope, const char *expected)
{
    bt_buf buf;
    bt_ben value;

    bt_buf_init(&buf, 10000);
    assert_int_equal(tg_metainfo_write(&buf, torrent, envelope), APR_SUCCESS);
    assert_int_equal(bt_ben_read(buf.data, buf.length, &value), APR_SUCCESS); /* keys sorted */
    assert_int_equal(value.raw_length, buf.length);
    assert_int_equal(buf.length, strlen(expected));
    assert_memory_equal(buf.data, expected, buf.length);
    for (apr_size_t max = 0; max < buf.length; max++) {
        bt_buf small;

        bt_buf_init(&small, max);
        assert_int_equal(tg_metainfo_write(&small, torrent, envelope), APR_ENOSPC);
        bt_buf_free(&small);
    }
    bt_buf_free(&buf);
}

static void test_write(void **state)
{
    static const char *const urls[] = {"http://h/a", "http://h/b"};
    const tg_torrent v1 = {.version = TG_V1, .infodict = infodict_v1, .infodict_length = sizeof infodict_v1 - 1};
    tg_torrent v2 = {.version = TG_V2, .infodict = (const unsigned char *)"de", .infodict_length = 2};
    const tg_envelope bare = {0}, one = {.trackers = urls, .tracker_count = 1, .web_seeds = urls, .web_seed_count = 1};
    const tg_envelope full = {.trackers = urls, .tracker_count = 2, .web_seeds = urls, .web_seed_count = 2,
                              .created_by = "me", .created = apr_time_from_sec(1700000000)};

    expect_written(&v1, &bare, "d4:info" "d6:lengthi3e4:name1:a12:piece lengthi16384e6:pieces20:" HASH20 "ee");
    expect_written(&v2, &one, "d8:announce10:http://h/a4:infode12:piece layersde8:url-listl10:http://h/aee");
    v2.layer = (const unsigned char *)(ROOT ROOT);
    v2.layer_length = 64;
    memcpy(v2.root, ROOT, 32);
    expect_written(&v2, &full,
                   "d8:announce10:http://h/a13:announce-listll10:http://h/ael10:http://h/bee10:created by2:me"
                   "13:creation datei1700000000e4:infode12:piece layersd32:" ROOT "64:" ROOT ROOT "e"
                   "8:url-listl10:http://h/a10:http://h/bee");
}

static void test_write_hints(void **state)
{
    static const char *const names[] = {"h/d", "x"};
    static const tg_similar similar[] = {{20, HASH20}, {32, ROOT}};
    static const char *const urls[] = {"http://h/a"};
    const tg_torrent v2 = {.version = TG_V2, .infodict = (const unsigned char *)"de", .infodict_length = 2};
    const tg_envelope hints = {.trackers = urls, .tracker_count = 1, .web_seeds = urls, .web_seed_count = 1, .created_by = "me",
                               .similar = similar, .similar_count = 2, .collections = names, .collection_count = 2,
                               .update_url = "http://h/a.torrent"};

    expect_written(&v2, &hints,
                   "d8:announce10:http://h/a11:collectionsl3:h/d1:xe10:created by2:me4:infode12:piece layersde"
                   "7:similarl20:" HASH20 "32:" ROOT "e10:update-url18:http://h/a.torrent8:url-listl10:http://h/aee");
}

/* --- reading v1 ---------------------------------------------------------------------------------------------------- */

#define INFO(inside) "d4:infod" inside "ee"
#define ONE_V1 "6:lengthi3e4:name1:a12:piece lengthi16384e6:pieces20:" HASH20
#define MANY_V1(files, length, pieces) "5:filesl" files "e4:name3:dir12:piece lengthi" length "e6:pieces" pieces
#define FILE_V1(length, path) "d6:lengthi" length "e4:pathl" path "ee"

static void test_v1_of_one_file(void **state)
{
    tg_metainfo meta = accepted(INFO(ONE_V1));
    unsigned char digest[20];

    assert_int_equal(meta.torrent.version, TG_V1);
    assert_int_equal(meta.file_count, 1);
    assert_string_equal(meta.files[0].path, "a");
    assert_int_equal(meta.torrent.length, 3);
    assert_int_equal(meta.torrent.piece_length, 16384);
    assert_int_equal(meta.is_private, 0);
    assert_int_equal(meta.tracker_count + meta.web_seed_count, 0);
    assert_int_equal(meta.pieces_length, 20);
    assert_memory_equal(meta.pieces, HASH20, 20);
    assert_memory_equal(meta.torrent.infodict, infodict_v1, sizeof infodict_v1 - 1);
    SHA1(infodict_v1, sizeof infodict_v1 - 1, digest);
    assert_memory_equal(meta.torrent.v1.b, digest, 20);
}

static void test_envelope(void **state)
{
    tg_metainfo meta = accepted("d8:announce4:u://13:announce-listll4:u://4:v://el4:w://4:v://0:5:u:// ei3ee4:infod" ONE_V1
                              "7:privatei1ee8:url-listl4:x://4:x://i3eee");

    assert_int_equal(meta.is_private, 1);
    assert_int_equal(meta.tracker_count, 3);
    assert_string_equal(meta.trackers[0], "u://");
    assert_string_equal(meta.trackers[1], "v://");
    assert_string_equal(meta.trackers[2], "w://");
    assert_int_equal(meta.web_seed_count, 1);
    assert_string_equal(meta.web_seeds[0], "x://");
    meta = accepted("d4:infod" ONE_V1 "e8:url-list4:x://e");
    assert_int_equal(meta.web_seed_count, 1);
    meta = accepted("d4:infod" ONE_V1 "e8:url-listi1e8:announcei1ee"); /* unsorted, odd types */
    assert_int_equal(meta.web_seed_count + meta.tracker_count, 0);
}

static void test_hints(void **state)
{
    tg_metainfo meta = accepted("d11:collectionsl1:b0:i1ee4:infod11:collectionsl1:ae" ONE_V1 "7:similarl20:" HASH20
                                "e10:update-url4:in:/e7:similarl3:abc32:" ROOT "i3ee10:update-url5:out:/e");

    assert_int_equal(meta.collection_count, 2);
    assert_string_equal(meta.collections[0], "a");
    assert_string_equal(meta.collections[1], "b");
    assert_int_equal(meta.similar_count, 2);
    assert_int_equal(meta.similar[0].size, 20);
    assert_memory_equal(meta.similar[0].b, HASH20, 20);
    assert_int_equal(meta.similar[1].size, 32);
    assert_memory_equal(meta.similar[1].b, ROOT, 32);
    assert_string_equal(meta.update_url, "in:/");
    meta = accepted("d4:infod" ONE_V1 "e7:similari1e10:update-url5:out:/e");
    assert_int_equal(meta.similar_count + meta.collection_count, 0);
    assert_string_equal(meta.update_url, "out:/");
    assert_null(accepted("d4:infod" ONE_V1 "e10:update-urli1ee").update_url);
}

static void test_the_infodict_is_hashed_as_it_stands(void **state)
{
    static const char unsorted[] = "d6:pieces20:" HASH20 "4:name1:a6:lengthi3e12:piece lengthi16384e1:xi7ee";
    tg_metainfo meta = accepted("d4:infod6:pieces20:" HASH20 "4:name1:a6:lengthi3e12:piece lengthi16384e1:xi7eee\r\n");
    unsigned char digest[20];

    SHA1((const unsigned char *)unsorted, sizeof unsorted - 1, digest);
    assert_memory_equal(meta.torrent.v1.b, digest, 20);
}

static void test_v1_of_many_files(void **state)
{
    tg_metainfo meta = accepted(INFO(MANY_V1(FILE_V1("10000", "1:a1:b") FILE_V1("0", "1:c") FILE_V1("10000", "1:d"), "16000",
                                           "40:" HASH20 HASH20)));

    assert_int_equal(meta.file_count, 3);
    assert_string_equal(meta.name, "dir");
    assert_string_equal(meta.files[0].path, "a/b");
    assert_string_equal(meta.files[1].path, "c");
    assert_string_equal(meta.files[2].path, "d");
    assert_int_equal(meta.torrent.length, 20000);
    assert_true(meta.is_directory);
    assert_int_equal(meta.torrent.member_count, 2); /* the empty file is none */
    assert_string_equal(meta.torrent.members[1].path, "d");
    assert_int_equal(meta.torrent.members[1].offset, 10000); /* no padding: not at a piece's beginning */
    assert_int_equal(meta.covered, 20000);
    assert_int_equal(meta.torrent.piece_length, 16000); /* odd piece lengths exist in the wild */
}

static void test_padding_files_are_left_out(void **state)
{
    tg_metainfo meta =
        accepted(INFO(MANY_V1(FILE_V1("10000", "1:a") "d4:attr1:p6:lengthi6384e4:pathl4:.pad4:6384ee" FILE_V1("10", "1:b"),
                            "16384", "40:" HASH20 HASH20)));

    assert_int_equal(meta.file_count, 2);
    assert_string_equal(meta.files[1].path, "b");
    assert_int_equal(meta.torrent.length, 16384 + 10);
    assert_int_equal(tg_content_length(&meta.torrent), 10010);
    assert_int_equal(meta.torrent.members[1].offset, 16384);
    assert_int_equal(meta.files[1].offset, 16384);
}

static void test_utf8_names_win(void **state)
{
    tg_metainfo meta = accepted(INFO("5:filesl" "d6:lengthi1e4:pathl1:\xe9" "e10:path.utf-8l2:\xc3\xa9" "ee" "e4:name1:\xe9"
                                   "10:name.utf-82:\xc3\xa9" "12:piece lengthi16384e6:pieces20:" HASH20));

    assert_string_equal(meta.name, "\xc3\xa9");
    assert_string_equal(meta.files[0].path, "\xc3\xa9");
}

static void test_refused_v1(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"", "not bencoded"},
        {"i1e", "not bencoded"},
        {"de", "no infodict"},
        {"d4:infoi1ee", "no infodict"},
        {INFO(""), "no name"},
        {INFO("6:lengthi3e4:name1:a12:piece lengthi16384e"), "neither pieces nor meta version"},
        {INFO("6:lengthi3e4:name1:a6:pieces20:" HASH20), "no sensible piece length"},
        {INFO("6:lengthi3e4:name1:a12:piece lengthi0e6:pieces20:" HASH20), "no sensible piece length"},
        {INFO("6:lengthi3e4:name1:a12:piece lengthi-1e6:pieces20:" HASH20), "no sensible piece length"},
        {INFO("6:lengthi3e4:name1:a12:piece lengthi4294967297e6:pieces20:" HASH20), "no sensible piece length"},
        {INFO("6:lengthi-3e4:name1:a12:piece lengthi16384e6:pieces20:" HASH20), "a file without a sensible length"},
        {INFO("6:lengthi9223372036854775807e4:name1:a12:piece lengthi1e6:pieces20:" HASH20), "a file without a sensible length"},
        {INFO("6:lengthi1000000000000e4:name1:a12:piece lengthi16384e6:pieces20:" HASH20), "too many pieces"},
        {INFO("4:name1:a12:piece lengthi16384e6:pieces20:" HASH20), "neither length nor files"},
        {INFO("6:lengthi3e4:name1:a12:piece lengthi16384e6:pieces0:"), "pieces that do not fit the length"},
        {INFO("6:lengthi3e4:name1:a12:piece lengthi16384e6:pieces21:" HASH20 "x"), "pieces that do not fit the length"},
        {INFO("6:lengthi16385e4:name1:a12:piece lengthi16384e6:pieces20:" HASH20), "pieces that do not fit the length"},
        {INFO("6:lengthi3e4:name0:12:piece lengthi16384e6:pieces20:" HASH20), "a name that is no file's"},
        {INFO("6:lengthi3e4:name1:.12:piece lengthi16384e6:pieces20:" HASH20), "a name that is no file's"},
        {INFO("6:lengthi3e4:name2:..12:piece lengthi16384e6:pieces20:" HASH20), "a name that is no file's"},
        {INFO("6:lengthi3e4:name4:../x12:piece lengthi16384e6:pieces20:" HASH20), "a name that is no file's"},
        {INFO("6:lengthi3e4:name3:a/b12:piece lengthi16384e6:pieces20:" HASH20), "a name that is no file's"},
        {INFO(MANY_V1("", "16384", "0:")), "no files"},
        {INFO(MANY_V1("i1e", "16384", "0:")), "a file that is no dictionary"},
        {INFO(MANY_V1("d6:lengthi3ee", "16384", "20:" HASH20)), "a file without a path"},
        {INFO(MANY_V1(FILE_V1("3", ""), "16384", "20:" HASH20)), "an empty path"},
        {INFO(MANY_V1(FILE_V1("3", "i1e"), "16384", "20:" HASH20)), "a path that is no list of strings"},
        {INFO(MANY_V1(FILE_V1("3", "2:..1:a"), "16384", "20:" HASH20)), "a path that leads elsewhere"},
        {INFO(MANY_V1(FILE_V1("3", "1:a2:.."), "16384", "20:" HASH20)), "a path that leads elsewhere"},
        {INFO(MANY_V1(FILE_V1("3", "1:a1:."), "16384", "20:" HASH20)), "a path that leads elsewhere"},
        {INFO(MANY_V1(FILE_V1("3", "0:1:a"), "16384", "20:" HASH20)), "a path that leads elsewhere"},
        {INFO(MANY_V1(FILE_V1("3", "4:/etc"), "16384", "20:" HASH20)), "a path that leads elsewhere"},
        {INFO(MANY_V1(FILE_V1("3", "4:a/.."), "16384", "20:" HASH20)), "a path that leads elsewhere"},
        {INFO(MANY_V1(FILE_V1("3", "1:a") FILE_V1("3", "1:a"), "16384", "20:" HASH20)), "two files of one name"},
        {INFO(MANY_V1("d4:attr1:l6:lengthi0e4:pathl1:aee", "16384", "0:")), "symbolic links are not supported"},
        {INFO(MANY_V1(FILE_V1("1125899906842624", "1:a") FILE_V1("1", "1:b"), "16384", "20:" HASH20)), "too long"},
        {INFO("12:meta versioni3e4:name1:a12:piece lengthi16384e"), "an unknown meta version"},
    };
    static const char with_nul[] = "d4:infod6:lengthi3e4:name3:a\0b12:piece lengthi16384e6:pieces20:" HASH20 "ee";
    const char *why;
    tg_metainfo meta;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refuse(cases[i].text, cases[i].why);
    assert_int_equal(read_bytes(with_nul, sizeof with_nul - 1, &meta, &why), APR_EINVAL);
}

static char *repeated(const char *text, int times)
{
    apr_size_t length = strlen(text);
    char *all = apr_palloc(pool, length * (apr_size_t)times + 1);

    for (int i = 0; i < times; i++)
        memcpy(all + length * (apr_size_t)i, text, length + 1);
    return all;
}

static void test_long_paths_are_bounded(void **state)
{
    const char *long_name = repeated("x", 1000);
    const char *element = apr_pstrcat(pool, "1000:", long_name, NULL);
    const char *four = apr_pstrcat(pool, element, element, element, element, NULL);

    accepted(apr_pstrcat(pool, "d4:infod5:filesld6:lengthi3e4:pathl", four, "91:", repeated("y", 91), "eee4:name3:dir",
                       "12:piece lengthi16384e6:pieces20:" HASH20 "ee", NULL));
    for (int length = 92; length < 120; length++)
        refuse(apr_psprintf(pool, "d4:infod5:filesld6:lengthi3e4:pathl%s%d:%seee4:name3:dir"
                            "12:piece lengthi16384e6:pieces20:" HASH20 "ee", four, length, repeated("y", length)),
               "a path is too long");
    refuse(apr_pstrcat(pool, "d4:infod5:filesld6:lengthi3e4:pathl", four, element, "eee4:name3:dir",
                       "12:piece lengthi16384e6:pieces20:" HASH20 "ee", NULL),
           "a path is too long");
}

/* A small torrent must not become a large one in memory: many files below long directory names. */
static void test_all_paths_together_are_bounded(void **state)
{
    bt_buf buf;
    tg_metainfo meta;
    const char *why;

    bt_buf_init(&buf, 64 << 20);
    bt_buf_printf(&buf, "d4:infod9:file treed4000:%s", repeated("x", 4000));
    bt_ben_open(&buf, 'd');
    for (int i = 0; i < 20000; i++)
        bt_buf_printf(&buf, "5:%05dd0:d6:lengthi0eee", i);
    bt_buf_printf(&buf, "ee12:meta versioni2e4:name3:dir12:piece lengthi16384eee");
    assert_int_equal(buf.status, APR_SUCCESS);
    assert_int_equal(tg_metainfo_read(buf.data, buf.length, pool, &meta, &why), APR_EINVAL);
    assert_string_equal(why, "its paths are too long");
    bt_buf_free(&buf);
}

/* --- reading v2 and hybrids ------------------------------------------------------------------------------------------ */

#define V2(tree) "9:file treed" tree "e12:meta versioni2e4:name1:a12:piece lengthi16384e"
#define LEAF(length) "d0:d6:lengthi" length "e11:pieces root32:" ROOT "ee"

static void test_v2_of_one_block(void **state)
{
    tg_metainfo meta = accepted(INFO(V2("1:a" LEAF("16384"))));

    assert_int_equal(meta.torrent.version, TG_V2);
    assert_int_equal(meta.file_count, 1);
    assert_string_equal(meta.files[0].path, "a");
    assert_memory_equal(meta.torrent.root, ROOT, 32);
    assert_null(meta.torrent.layer);
    assert_null(meta.torrent.members);
    assert_false(meta.is_directory);
    assert_null(meta.pieces);
    assert_true(bt_infohash_is_zero(&meta.torrent.v1));
}

static void test_v2_tree(void **state)
{
    tg_metainfo meta = accepted(INFO(V2("1:xd1:y" LEAF("3") "1:zd2:zz" LEAF("4") "ee3:yyyd0:d6:lengthi0eee")));

    assert_int_equal(meta.file_count, 3);
    assert_string_equal(meta.files[0].path, "x/y");
    assert_string_equal(meta.files[1].path, "x/z/zz");
    assert_string_equal(meta.files[2].path, "yyy");
    assert_int_equal(meta.torrent.length, 16384 + 4);
    assert_int_equal(tg_content_length(&meta.torrent), 7);
    assert_int_equal(meta.torrent.member_count, 2);
    assert_memory_equal(meta.torrent.members[0].root, ROOT, 32);
    assert_int_equal(meta.torrent.members[1].offset, 16384);
    assert_int_equal(meta.torrent.members[1].stamp.size, 4);
}

static void test_layers(void **state)
{
    unsigned char root[32];
    char *text, *cut;
    tg_metainfo meta;
    const char *why;
    static const char layer[] = ROOT "abcdefghijklmnopqrstuvwxyz012345";

    SHA256((const unsigned char *)layer, 64, root);
    text = apr_psprintf(pool, "d4:infod" "9:file treed1:ad0:d6:lengthi32768e11:pieces root32:................................eee"
                        "12:meta versioni2e4:name1:a12:piece lengthi16384ee12:piece layersd32:................................64:%see", layer);
    memcpy(strstr(text, "...."), root, 32);
    cut = strstr(text, "layersd32:") + 10;
    memcpy(cut, root, 32);
    apr_size_t length = (apr_size_t)(cut - text) + 32 + 3 + 64 + 2;

    assert_int_equal(read_bytes(text, length, &meta, &why), APR_SUCCESS);
    assert_int_equal(meta.torrent.layer_length, 64);
    assert_memory_equal(meta.torrent.layer, layer, 64);
    assert_memory_equal(meta.torrent.root, root, 32);
    for (int i = 0; i < 64; i++) { /* any other byte in the layer, and it is not the root's */
        cut[32 + 3 + i] ^= 1;
        assert_int_equal(read_bytes(text, length, &meta, &why), APR_EINVAL);
        assert_string_equal(why, "a piece layer that does not give its root");
        cut[32 + 3 + i] ^= 1;
    }
    memcpy(strstr(text, "i32768e"), "i32769e", 7); /* three pieces: the layer has two */
    assert_int_equal(read_bytes(text, length, &meta, &why), APR_EINVAL);
    assert_string_equal(why, "a piece layer of the wrong length");
}

static void test_refused_v2(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {INFO("12:meta versioni2e4:name1:a12:piece lengthi16384e"), "no file tree"},
        {INFO(V2("")), "no files"},
        {INFO(V2("1:ai1e")), "a file tree with something else in it"},
        {INFO(V2("1:ad0:i1ee")), "a file tree with something else in it"},
        {INFO(V2("0:d6:lengthi0ee")), "a file that is a directory too"},
        {INFO(V2("1:ad0:d6:lengthi0ee1:b" LEAF("3") "e")), "a file that is a directory too"},
        {INFO(V2("1:ad1:b" LEAF("3") "0:d6:lengthi0eee")), "a file that is a directory too"},
        {INFO(V2("1:ad0:dee")), "a file without a sensible length"},
        {INFO(V2("1:ad0:d6:lengthi1eee")), "a file without a pieces root"},
        {INFO(V2("1:ad0:d6:lengthi1e11:pieces root3:abcee")), "a file without a pieces root"},
        {INFO(V2("1:a" LEAF("16385"))), "a piece layer is missing"},
        {INFO(V2("2:.." LEAF("3"))), "a path that leads elsewhere"},
        {INFO(V2("1:ad2:.." LEAF("3") "e")), "a path that leads elsewhere"},
        {INFO(V2("3:a/b" LEAF("3"))), "a path that leads elsewhere"},
        {INFO("9:file treed1:a" LEAF("3") "e12:meta versioni2e4:name1:a12:piece lengthi8192e"), "a piece length that is no power of two"},
        {INFO("9:file treed1:a" LEAF("3") "e12:meta versioni2e4:name1:a12:piece lengthi24576e"), "a piece length that is no power of two"},
        {"d4:infod" V2("1:a" LEAF("3")) "e12:piece layersd3:abc32:" ROOT "ee", "a piece layer of the wrong length"},
        {"d4:infod" V2("1:a" LEAF("3")) "e12:piece layersd32:" ROOT "0:ee", "a piece layer of the wrong length"},
        {"d4:infod" V2("1:a" LEAF("3")) "e12:piece layersd32:" ROOT "33:" ROOT "xee", "a piece layer of the wrong length"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refuse(cases[i].text, cases[i].why);
}

#define HYBRID(tree, rest, pieces) \
    INFO("9:file treed" tree "e" rest "12:meta versioni2e4:name1:a12:piece lengthi16384e6:pieces" pieces)
#define PAD(length) "d4:attr1:p6:lengthi" length "e4:pathl4:.pad1:0ee"

static void test_hybrids(void **state)
{
    tg_metainfo meta = accepted(HYBRID("1:a" LEAF("3"), "6:lengthi3e", "20:" HASH20));

    assert_int_equal(meta.torrent.version, TG_HYBRID);
    assert_int_equal(meta.file_count, 1);
    assert_false(bt_infohash_is_zero(&meta.torrent.v1));
    meta = accepted(HYBRID("1:b" LEAF("3") "1:c" LEAF("5"), "5:filesl" FILE_V1("3", "1:b") PAD("16381") FILE_V1("5", "1:c") "e",
                         "40:" HASH20 HASH20));
    assert_int_equal(meta.file_count, 2);
    assert_int_equal(tg_content_length(&meta.torrent), 8);
    assert_int_equal(meta.torrent.length, 16384 + 5);
    meta = accepted(HYBRID("1:b" LEAF("3"), "5:filesl" FILE_V1("3", "1:b") PAD("16381") "e", "20:" HASH20));
    assert_int_equal(meta.torrent.length, 3); /* padded at the end, too: */
    assert_int_equal(meta.covered, 16384);
    refuse(HYBRID("1:a" LEAF("3"), "6:lengthi4e", "20:" HASH20), "a hybrid whose halves differ");
    refuse(HYBRID("1:b" LEAF("3"), "6:lengthi3e", "20:" HASH20), "a hybrid whose halves differ");
    refuse(HYBRID("1:a" LEAF("3"), "5:filesl" FILE_V1("3", "1:a") "e", "20:" HASH20), "a hybrid whose halves differ");
    refuse(HYBRID("1:b" LEAF("3"), "5:filesl" FILE_V1("3", "1:b") FILE_V1("0", "1:c") "e", "20:" HASH20),
           "a hybrid whose halves differ");
    refuse(HYBRID("1:b" LEAF("3") "1:c" LEAF("5"), "5:filesl" FILE_V1("3", "1:b") FILE_V1("5", "1:c") "e", "20:" HASH20),
           "a file of a hybrid that does not start with a piece");
    refuse(HYBRID("1:b" LEAF("3"), "5:filesl" FILE_V1("3", "1:b") PAD("16382") "e", "40:" HASH20 HASH20),
           "a hybrid whose halves differ");
}

static void test_every_truncation_is_refused(void **state)
{
    static const char text[] = HYBRID("1:b" LEAF("3") "1:c" LEAF("5"),
                                      "5:filesl" FILE_V1("3", "1:b") PAD("16381") FILE_V1("5", "1:c") "e", "40:" HASH20 HASH20);
    tg_metainfo meta;
    const char *why;

    for (size_t cut = 0; cut < sizeof text - 1; cut++)
        assert_int_equal(read_bytes(text, cut, &meta, &why), APR_EINVAL);
    assert_int_equal(read_bytes(text, sizeof text - 1, &meta, &why), APR_SUCCESS);
}

/* --- what other programs made: t/fuzz/corpus/metainfo, with the hashes that libtorrent gives ------------------------- */

typedef struct {
    const char *file;
    tg_version version;
    int files, is_private;
    apr_int64_t length;
    const char *v1, *v2, *keyless; /* hex; keyless: by aria2c -S */
} real;

static const real reals[] = {
    {"mktorrent_v1_single", TG_V1, 1, 0, 40000, "9dbf3734ca44b9f3f31831f2464fe063e1cb7b8d", NULL, NULL},
    {"mktorrent_v1_multi", TG_V1, 4, 1, 90005, "dafdcf09fbed81265f39f8f4f87fcad6d055b9c5", NULL, NULL},
    {"lt_v1_padding", TG_V1, 4, 0, 90005, "11ac8d088b6971dde2788605c98536534acb80fc", NULL, NULL},
    {"lt_v2_single", TG_V2, 1, 0, 40000, NULL, "628bb8b075fade2425280cb2ba22721edcc3f9b74523131eba82236fdc79a75f", NULL},
    {"lt_v2_multi", TG_V2, 4, 0, 90005, NULL, "31512a7da1e58a6e55016d4b6f15a842a14f35f47d43ccc236cb55c377aca1f4", NULL},
    {"lt_hybrid_single", TG_HYBRID, 1, 0, 40000, "af7957c11ddf3da7e2e66d17399d429ad581c74d",
     "98947c7030ce53b768da68e60057a980af09842fbb172a1e74d08c2e3e2e4d6a", "b4ca9603b404270c59bd07c759a7aac91a473d3b"},
    {"lt_hybrid_multi", TG_HYBRID, 4, 0, 90005, "6f0bf186825c0d7a93255f04c802530e2e9e7686",
     "39c7d39c7424fd98a76a33d145aac08f20026e84d85971e535f5c469f62c0ea5", "b73c1eb956b2385e0225374f564ab2fd38dca056"},
};

/* Our own torrent of a tree, with one thing wrong in each. */
static const struct {
    const char *file, *why;
} spoilt[] = {
    {"bad_layer_missing", "a piece layer is missing"},
    {"bad_halves", "a file of a hybrid that does not start with a piece"},
    {"bad_no_padding", "a file of a hybrid that does not start with a piece"},
    {"bad_path", "a path that leads elsewhere"},
    {"bad_order", "a file of a hybrid that does not start with a piece"},
    {"bad_pieces", "pieces that do not fit the length"},
    {"bad_cut", "not bencoded"},
};

static void assert_hex(const char *file, const char *expected, const unsigned char *bytes, size_t size)
{
    char hex[2 * BT_HASH_V2_SIZE + 1], zero[2 * BT_HASH_V2_SIZE + 1] = "";

    bt_hex(hex, bytes, size);
    memset(zero, '0', 2 * size);
    if (strcmp(hex, expected ? expected : zero) != 0)
        fail_msg("%s: %s, expected %s", file, hex, expected ? expected : zero);
}

static size_t read_corpus(const char *name, unsigned char *bytes, size_t size)
{
    const char *srcdir = getenv("srcdir"); /* set by make check */
    char *path = apr_pstrcat(pool, srcdir ? srcdir : "..", "/t/fuzz/corpus/metainfo/", name, NULL);
    FILE *file = fopen(path, "rb");
    size_t length;

    if (!file)
        fail_msg("%s cannot be opened", path);
    length = fread(bytes, 1, size, file);
    fclose(file);
    return length;
}

static void test_spoilt_ones(void **state)
{
    static unsigned char bytes[4096];

    for (size_t i = 0; i < sizeof spoilt / sizeof *spoilt; i++) {
        tg_metainfo meta;
        const char *why = "not set";

        assert_int_equal(read_bytes(bytes, read_corpus(spoilt[i].file, bytes, sizeof bytes), &meta, &why), APR_EINVAL);
        assert_string_equal(why, spoilt[i].why);
    }
}

static void test_what_others_made(void **state)
{
    static unsigned char bytes[4096];

    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) {
        const real *one = &reals[i];
        tg_metainfo meta;
        const char *why = "not set";

        if (read_bytes(bytes, read_corpus(one->file, bytes, sizeof bytes), &meta, &why) != APR_SUCCESS)
            fail_msg("%s: %s", one->file, why);
        assert_int_equal(meta.torrent.version, one->version);
        assert_int_equal(meta.file_count, one->files);
        assert_int_equal(meta.is_private, one->is_private);
        assert_true(tg_content_length(&meta.torrent) == one->length);
        assert_hex(one->file, one->v1, meta.torrent.v1.b, BT_HASH_SIZE);
        assert_hex(one->file, one->v2, meta.torrent.v2.b, BT_HASH_V2_SIZE);
        assert_hex(one->file, one->keyless, meta.torrent.v1_keyless.b, BT_HASH_SIZE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write), cmocka_unit_test(test_write_hints), cmocka_unit_test(test_hints),
        cmocka_unit_test_teardown(test_v1_of_one_file, clear_pool),
        cmocka_unit_test_teardown(test_envelope, clear_pool),
        cmocka_unit_test_teardown(test_the_infodict_is_hashed_as_it_stands, clear_pool),
        cmocka_unit_test_teardown(test_v1_of_many_files, clear_pool),
        cmocka_unit_test_teardown(test_padding_files_are_left_out, clear_pool),
        cmocka_unit_test_teardown(test_utf8_names_win, clear_pool),
        cmocka_unit_test_teardown(test_refused_v1, clear_pool),
        cmocka_unit_test_teardown(test_long_paths_are_bounded, clear_pool),
        cmocka_unit_test_teardown(test_all_paths_together_are_bounded, clear_pool),
        cmocka_unit_test_teardown(test_v2_of_one_block, clear_pool),
        cmocka_unit_test_teardown(test_v2_tree, clear_pool),
        cmocka_unit_test_teardown(test_layers, clear_pool),
        cmocka_unit_test_teardown(test_refused_v2, clear_pool),
        cmocka_unit_test_teardown(test_hybrids, clear_pool),
        cmocka_unit_test_teardown(test_every_truncation_is_refused, clear_pool),
        cmocka_unit_test_teardown(test_what_others_made, clear_pool),
        cmocka_unit_test_teardown(test_spoilt_ones, clear_pool),
    };

    return cmocka_run_group_tests(tests, make_pool, free_pool);
}
