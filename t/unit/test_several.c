/* Torrents of several files, against hashes that are computed in the plainest way. */
#include "t/unit/unit.h"

#include <apr_strings.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "t/unit/naive.h"
#include "torrentgen/layout.h"
#include "torrentgen/metainfo.h"

enum { PIECE = 32768, FILES_MAX = 40 };

static apr_pool_t *pool;

static int make_pool(void **state)
{
    apr_initialize();
    return apr_pool_create(&pool, NULL);
}

static int clean(void **state)
{
    apr_pool_destroy(pool);
    naive_clean();
    return 0;
}

static int clear_pool(void **state)
{
    apr_pool_clear(pool);
    return 0;
}

/* --- a tree of files ------------------------------------------------------------------------------------------------ */

typedef struct {
    const char *name;
    unsigned char *data;
    size_t length;
} content;

typedef struct {
    content files[FILES_MAX];
    tg_source_file list[FILES_MAX];
    size_t count;
} tree;

static void add_file(tree *to, const char *name, size_t length, uint64_t seed)
{
    content *file = &to->files[to->count];

    *file = (content){name, apr_palloc(pool, length + 1), length};
    unit_fill(&seed, file->data, length);
    to->list[to->count].path = naive_file(apr_psprintf(pool, "several%d", (int)to->count), file->data, length);
    to->list[to->count].name = name;
    to->count++;
}

static void free_tree(tree *gone)
{
    for (size_t i = 0; i < gone->count; i++)
        free((char *)(apr_uintptr_t)gone->list[i].path);
}

static apr_status_t list_tree(void *baton, const char *path, apr_pool_t *list_pool, const tg_source_file **files,
                              apr_size_t *count)
{
    const tree *from = baton;

    assert_string_equal(path, "/the/tree/");
    *files = apr_pmemdup(list_pool, from->list, from->count * sizeof *from->list);
    *count = from->count;
    return APR_SUCCESS;
}

static apr_status_t make(tree *from, tg_version version, apr_uint32_t piece_length, tg_torrent *torrent, bt_stamp *stamp)
{
    const tg_request request = {.path = "/the/tree/",
                                .name = "tree",
                                .version = version,
                                .piece_length = piece_length,
                                .list = list_tree,
                                .list_baton = from};

    return tg_make(&request, pool, torrent, stamp);
}

static const content *find(const tree *in, const char *name)
{
    for (size_t i = 0; i < in->count; i++)
        if (strcmp(in->files[i].name, name) == 0)
            return &in->files[i];
    fail_msg("%s is in the torrent, and nowhere else", name);
    return NULL;
}

/* --- what it must be -------------------------------------------------------------------------------------------------- */

/* All bytes that v1 pieces cover, from the torrent's own list of files. */
static unsigned char *flatten(const tree *from, const tg_metainfo *meta, size_t *length)
{
    unsigned char *flat = calloc(1, (size_t)meta->torrent.length + 1);

    for (int i = 0; i < meta->file_count; i++) {
        const content *file = find(from, meta->files[i].path);

        assert_int_equal(meta->files[i].length, file->length);
        memcpy(flat + meta->files[i].offset, file->data, file->length);
    }
    *length = (size_t)meta->torrent.length;
    return flat;
}

static void check_v1(const tree *from, const tg_metainfo *meta, apr_uint32_t piece_length)
{
    size_t length;
    unsigned char *flat = flatten(from, meta, &length), *hashes = naive_v1(flat, length, piece_length);

    assert_int_equal(meta->covered, length); /* nothing is padded after the last */
    assert_int_equal(meta->pieces_length, (length + piece_length - 1) / piece_length * 20);
    assert_memory_equal(meta->pieces, hashes, meta->pieces_length);
    free(flat);
    free(hashes);
}

static void check_v2(const tree *from, const tg_torrent *torrent, apr_uint32_t piece_length)
{
    const unsigned char *at = torrent->layer;

    for (size_t i = 0; i < torrent->member_count; i++) {
        const content *file = find(from, torrent->members[i].path);
        unsigned char root[32], *layer = naive_layer(file->data, file->length, piece_length);

        naive_root(file->data, file->length, root);
        assert_memory_equal(torrent->members[i].root, root, 32);
        if (file->length > piece_length) {
            size_t bytes = (file->length + piece_length - 1) / piece_length * 32;

            assert_memory_equal(at, layer, bytes);
            at += bytes;
        }
        free(layer);
    }
    assert_int_equal(torrent->layer_length, at - torrent->layer);
}

static void check_members(const tree *from, const tg_torrent *torrent)
{
    size_t count = 0;

    for (size_t i = 0; i < from->count; i++)
        count += from->files[i].length > 0;
    assert_int_equal(torrent->member_count, count);
    for (size_t i = 0; i < count; i++) {
        const tg_member *member = &torrent->members[i];
        const content *file = find(from, member->path);
        bt_stamp stamp;

        assert_int_equal(member->offset % torrent->piece_length, 0);
        assert_true(!i || tg_path_compare(member[-1].path, member->path) < 0);
        assert_int_equal(bt_stamp_path(from->list[file - from->files].path, &stamp), APR_SUCCESS);
        assert_true(bt_stamp_equal(&stamp, &member->stamp));
    }
}

static void check_torrent(const tree *from, const tg_torrent *torrent, apr_uint32_t piece_length)
{
    static const tg_envelope envelope;
    static const unsigned char zero[32];
    const char *why = NULL;
    tg_metainfo meta;
    bt_buf buf;

    bt_buf_init(&buf, 1 << 26);
    assert_int_equal(tg_metainfo_write(&buf, torrent, &envelope), APR_SUCCESS);
    if (tg_metainfo_read(buf.data, buf.length, pool, &meta, &why) != APR_SUCCESS)
        fail_msg("%s", why);
    assert_true(meta.is_directory);
    assert_int_equal(meta.file_count, from->count);
    assert_int_equal(meta.torrent.length, torrent->length);
    assert_int_equal(meta.torrent.member_count, torrent->member_count);
    assert_memory_equal(meta.torrent.v1.b, torrent->v1.b, 20);
    assert_memory_equal(meta.torrent.v2.b, torrent->v2.b, 32);
    assert_memory_equal(meta.torrent.v1_alone.b, torrent->v1_alone.b, 20);
    assert_int_equal(meta.torrent.layer_length, torrent->layer_length);
    for (size_t i = 0; i < torrent->member_count; i++)
        assert_int_equal(meta.torrent.members[i].offset, torrent->members[i].offset);
    assert_memory_equal(torrent->root, zero, 32);
    check_members(from, torrent);
    if (torrent->version & TG_V1)
        check_v1(from, &meta, piece_length);
    if (torrent->version & TG_V2)
        check_v2(from, torrent, piece_length);
    bt_buf_free(&buf);
}

static void make_and_check(tree *from, apr_uint32_t piece_length)
{
    for (int version = TG_V1; version <= TG_HYBRID; version++) {
        tg_torrent torrent;
        bt_stamp stamp;

        assert_int_equal(make(from, (tg_version)version, piece_length, &torrent, &stamp), APR_SUCCESS);
        assert_int_equal(torrent.version, version);
        assert_int_equal(stamp.size, tg_content_length(&torrent));
        assert_true(stamp.inode == 0 && stamp.mtime_ns == 0);
        check_torrent(from, &torrent, torrent.piece_length);
        if (piece_length)
            assert_int_equal(torrent.piece_length, piece_length);
    }
    free_tree(from);
}

static void test_a_tree(void **state)
{
    tree some = {.count = 0};

    add_file(&some, "b/c/deep", 3 * PIECE + 1, 1);
    add_file(&some, "a.txt", 10, 2);
    add_file(&some, "a/z", PIECE, 3);
    add_file(&some, "empty", 0, 0);
    add_file(&some, "b/c.d", 2 * PIECE, 4);
    add_file(&some, "a/b", PIECE + 1, 5);
    add_file(&some, "b/\xc3\xa4", PIECE - 1, 6);
    add_file(&some, "zero", 0, 0);
    make_and_check(&some, PIECE);
}

static void test_the_last_may_be_empty_or_large(void **state)
{
    tree one = {.count = 0}, two = {.count = 0}, three = {.count = 0};

    add_file(&one, "only", 5 * PIECE + 3, 1);
    make_and_check(&one, PIECE);
    add_file(&two, "first", 0, 0);
    add_file(&two, "second", 100, 1);
    add_file(&two, "third", 0, 0);
    make_and_check(&two, PIECE);
    add_file(&three, "1", 20, 1);
    add_file(&three, "2", 10 * PIECE, 2);
    make_and_check(&three, 0);
}

/* Equal files share a layer in the .torrent, where keys occur once. */
static void test_equal_files(void **state)
{
    tree some = {.count = 0};

    for (int i = 0; i < 5; i++)
        add_file(&some, apr_psprintf(pool, "copy/%d", i), 4 * PIECE + 100, (uint64_t)i % 2 + 1);
    make_and_check(&some, PIECE);
}

static void test_random_trees(void **state)
{
    uint64_t random = 99;

    for (int round = 0; round < 25; round++) {
        static const apr_uint32_t pieces[] = {16384, 32768, 131072, 0};
        tree some = {.count = 0};
        size_t count = 1 + unit_below(&random, FILES_MAX - 1);

        for (size_t i = 0; i < count; i++) {
            char *name = apr_psprintf(pool, "f%d", (int)i);

            for (size_t depth = unit_below(&random, 4); depth > 0; depth--)
                name = apr_psprintf(pool, "d%d/%s", (int)unit_below(&random, 3), name);
            add_file(&some, name, i ? unit_below(&random, 90000) * unit_below(&random, 2) : 1, random);
        }
        make_and_check(&some, pieces[round % 4]);
        apr_pool_clear(pool);
    }
}

/* The order of listing says nothing. */
static void test_deterministic(void **state)
{
    tree some = {.count = 0}, turned;
    tg_torrent a, b;

    for (int i = 0; i < 9; i++)
        add_file(&some, apr_psprintf(pool, "%d/%d", i % 3, i), 1000 * (size_t)(i + 1), (uint64_t)i);
    turned = some;
    for (size_t i = 0; i < some.count; i++) {
        turned.files[i] = some.files[some.count - 1 - i];
        turned.list[i] = some.list[some.count - 1 - i];
    }
    assert_int_equal(make(&some, TG_HYBRID, 0, &a, NULL), APR_SUCCESS);
    assert_int_equal(make(&turned, TG_HYBRID, 0, &b, NULL), APR_SUCCESS);
    assert_memory_equal(a.v1.b, b.v1.b, 20);
    assert_memory_equal(a.v2.b, b.v2.b, 32);
    free_tree(&some);
}

/* --- what cannot be ----------------------------------------------------------------------------------------------------- */

static apr_status_t make_names(const char *a, const char *b)
{
    tree some = {.count = 0};
    tg_torrent torrent;
    apr_status_t status;

    add_file(&some, a, 5, 1);
    if (b)
        add_file(&some, b, 6, 2);
    status = make(&some, TG_HYBRID, 0, &torrent, NULL);
    free_tree(&some);
    return status;
}

static void test_refusals(void **state)
{
    static const char *const bad[] = {"", "/a", "a/", "a//b", ".", "..", "a/../b", "./a", "a\xff", "\xc3"};
    char deep[2 * TG_ELEMENTS_MAX + 2] = "", longest[257];
    tree none = {.count = 0};
    tg_torrent torrent;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(make_names(bad[i], "ok"), APR_EINVAL);
    assert_int_equal(make_names("a", "a"), APR_EINVAL);
    assert_int_equal(make_names("a", "a/b"), APR_EINVAL);
    assert_int_equal(make_names("a/b/c", "a/b"), APR_EINVAL);
    assert_int_equal(make_names("a", "a.b"), APR_SUCCESS);
    assert_int_equal(make_names("tree", NULL), APR_EINVAL); /* the file tree would be that of a file "tree" */
    assert_int_equal(make_names("tree", "other"), APR_SUCCESS);
    for (int i = 0; i < TG_ELEMENTS_MAX; i++)
        strcat(deep, "a/");
    deep[2 * TG_ELEMENTS_MAX - 1] = 0;
    assert_int_equal(make_names(deep, NULL), APR_SUCCESS);
    strcat(deep, "/a");
    assert_int_equal(make_names(deep, NULL), APR_EINVAL);
    memset(longest, 'x', 256);
    longest[256] = 0;
    assert_int_equal(make_names(longest, NULL), APR_EINVAL);
    longest[255] = 0;
    assert_int_equal(make_names(longest, NULL), APR_SUCCESS);
    assert_int_equal(make(&none, TG_HYBRID, 0, &torrent, NULL), APR_NOTFOUND);
    add_file(&none, "empty", 0, 0);
    assert_int_equal(make(&none, TG_HYBRID, 0, &torrent, NULL), APR_NOTFOUND);
    free_tree(&none);
}

/* The same file under very many names. */
static apr_status_t list_many(void *baton, const char *path, apr_pool_t *list_pool, const tg_source_file **files,
                              apr_size_t *count)
{
    static tg_source_file list[TG_FILES_MAX + 1];
    const char *const *with = baton; /* path, prefix of names */

    for (apr_size_t i = 0; i < *(const apr_size_t *)with[2]; i++) {
        list[i].path = with[0];
        list[i].name = apr_psprintf(list_pool, "%s%" APR_SIZE_T_FMT, with[1], i);
    }
    *files = list;
    *count = *(const apr_size_t *)with[2];
    return APR_SUCCESS;
}

static apr_status_t make_many(const char *prefix, apr_size_t count, tg_torrent *torrent)
{
    char *path = naive_file("many", "12345", 5);
    const char *with[] = {path, prefix, (const char *)&count};
    const tg_request request = {
        .path = "p", .name = "many", .version = TG_HYBRID, .list = list_many, .list_baton = with};
    apr_status_t status = tg_make(&request, pool, torrent, NULL);

    free(path);
    return status;
}

static void test_very_many_files(void **state)
{
    char name[200];
    tg_torrent torrent;

    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    assert_int_equal(make_many("", 10000, &torrent), APR_SUCCESS);
    assert_int_equal(torrent.member_count, 10000);
    assert_true(torrent.infodict_length < 8 << 20);
    assert_int_equal(make_many(name, 65536, &torrent), EFBIG); /* their names alone are too much for clients */
    assert_int_equal(make_many("", TG_FILES_MAX + 1, &torrent), EFBIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_a_tree, clear_pool),
        cmocka_unit_test_teardown(test_the_last_may_be_empty_or_large, clear_pool),
        cmocka_unit_test_teardown(test_equal_files, clear_pool),
        cmocka_unit_test_teardown(test_random_trees, clear_pool),
        cmocka_unit_test_teardown(test_deterministic, clear_pool),
        cmocka_unit_test_teardown(test_refusals, clear_pool),
        cmocka_unit_test_teardown(test_very_many_files, clear_pool),
    };

    return cmocka_run_group_tests(tests, make_pool, clean);
}
