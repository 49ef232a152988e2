/* The public interface in one process: publish, find, grant, withdraw, standing, walk. */
#include "cat_fixture.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <apr_strings.h>
#include <openssl/sha.h>

static bt_infohash cut(const tg_torrent *torrent)
{
    return bt_infohash_truncate(&torrent->v2);
}

static void assert_entry_is(const cat_entry *entry, const char *path, const tg_torrent *torrent, const bt_stamp *stamp)
{
    assert_string_equal(entry->path, path);
    assert_true(bt_stamp_equal(&entry->stamp, stamp));
    assert_int_equal(entry->stamp.device, stamp->device);
    assert_int_equal(entry->version, torrent->version);
    assert_memory_equal(&entry->v1, &torrent->v1, sizeof entry->v1);
    assert_memory_equal(&entry->v2, &torrent->v2, sizeof entry->v2);
    assert_int_equal(entry->piece_length, torrent->piece_length);
    assert_int_equal(entry->infodict_length, torrent->infodict_length);
    assert_int_equal(entry->layer_length, torrent->layer_length);
}

static void test_round_trip(void **state)
{
    static const struct {
        tg_version version;
        apr_size_t size, layer;
    } cases[] = {{TG_V1, 60, 0}, {TG_V2, 200, 64}, {TG_HYBRID, 40000, 96000}, {TG_HYBRID, 3000000, 5000000}};
    fixture *f = *state;

    fix_open(f);
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        tg_torrent torrent = fix_torrent(cases[i].version, i, cases[i].size, cases[i].layer), back;
        const char *path = apr_psprintf(f->pool, "/srv/www/file %u", i);
        bt_stamp stamp = fix_stamp(i);
        cat_entry entry;

        assert_int_equal(cat_find_path(f->catalog, path, f->pool, &entry), APR_NOTFOUND);
        assert_int_equal(fix_put(f->catalog, path, "v http://h/u", 77, &stamp, &torrent), APR_SUCCESS);
        assert_int_equal(cat_find_path(f->catalog, path, f->pool, &entry), APR_SUCCESS);
        assert_entry_is(&entry, path, &torrent, &stamp);
        assert_string_equal(entry.url, "v http://h/u");
        assert_int_equal(entry.grant, 77);
        assert_int_equal(entry.published, 1);
        assert_true(entry.created > 0 && entry.created <= apr_time_now());
        assert_int_equal(cat_read_torrent(f->catalog, &entry, f->pool, &back), APR_SUCCESS);
        assert_memory_equal(back.infodict, torrent.infodict, torrent.infodict_length);
        assert_int_equal(back.layer_length, torrent.layer_length);
        assert_int_equal(back.length, torrent.length);
        assert_memory_equal(back.root, torrent.root, sizeof back.root);
        if (torrent.layer)
            assert_memory_equal(back.layer, torrent.layer, torrent.layer_length);
        else
            assert_null(back.layer);
        fix_free_torrent(&torrent);
    }
    fix_check(f->catalog);
}

static void test_found_by_either_hash(void **state)
{
    fixture *f = *state;
    tg_torrent torrent = fix_torrent(TG_HYBRID, 1, 100, 0);
    bt_infohash v2 = cut(&torrent), other = v2, zero = {{0}};
    bt_stamp stamp = fix_stamp(1);
    cat_entry entry;

    fix_open(f);
    assert_int_equal(fix_put(f->catalog, "/a", "u", 1, &stamp, &torrent), APR_SUCCESS);
    assert_int_equal(cat_find_hash(f->catalog, &torrent.v1, 0, f->pool, &entry), APR_SUCCESS);
    assert_entry_is(&entry, "/a", &torrent, &stamp);
    assert_int_equal(cat_find_hash(f->catalog, &v2, 0, f->pool, &entry), APR_SUCCESS);
    assert_string_equal(entry.path, "/a");
    assert_int_equal(cat_find_hash(f->catalog, &v2, 1, f->pool, &entry), APR_NOTFOUND);
    assert_int_equal(cat_find_hash(f->catalog, &v2, -1, f->pool, &entry), APR_EINVAL);
    other.b[BT_HASH_SIZE - 1] ^= 1;
    assert_int_equal(cat_find_hash(f->catalog, &other, 0, f->pool, &entry), APR_NOTFOUND);
    assert_int_equal(cat_find_hash(f->catalog, &zero, 0, f->pool, &entry), APR_NOTFOUND);
    assert_int_equal(cat_standing_of(f->catalog, &v2), CAT_PUBLISHED);
    assert_int_equal(cat_standing_of(f->catalog, &torrent.v1), CAT_PUBLISHED);
    assert_int_equal(cat_standing_of(f->catalog, &other), CAT_UNKNOWN);
    fix_free_torrent(&torrent);
}

/* SHA1("req2" + hash), as the specification of encrypted handshakes has it. */
static int finds_obfuscated(fixture *f, const bt_infohash *hash)
{
    unsigned char bytes[4 + BT_HASH_SIZE] = {'r', 'e', 'q', '2'}, obfuscated[BT_HASH_SIZE];
    apr_status_t status;
    bt_infohash found;

    memcpy(bytes + 4, hash->b, BT_HASH_SIZE);
    SHA1(bytes, sizeof bytes, obfuscated);
    status = cat_find_obfuscated(f->catalog, obfuscated, &found);
    if (status == APR_SUCCESS)
        assert_memory_equal(found.b, hash->b, BT_HASH_SIZE);
    else
        assert_int_equal(status, APR_NOTFOUND);
    return status == APR_SUCCESS;
}

/* Each of its hashes, and only while it is published; of two files with the same torrent one is enough. */
static void test_found_by_obfuscated_hashes(void **state)
{
    fixture *f = *state;
    tg_torrent torrent = fix_torrent(TG_HYBRID, 1, 100, 0);
    bt_infohash v2, none = {{7}};
    bt_stamp stamp = fix_stamp(1);

    memset(torrent.v1_keyless.b, 0x44, BT_HASH_SIZE);
    memset(torrent.v1_alone.b, 0x55, BT_HASH_SIZE);
    v2 = cut(&torrent);
    fix_open(f);
    assert_false(finds_obfuscated(f, &torrent.v1));
    assert_int_equal(fix_put(f->catalog, "/a", "u", 1, &stamp, &torrent), APR_SUCCESS);
    assert_int_equal(fix_put(f->catalog, "/b", "u", 1, &stamp, &torrent), APR_SUCCESS);
    assert_true(finds_obfuscated(f, &torrent.v1) && finds_obfuscated(f, &v2));
    assert_true(finds_obfuscated(f, &torrent.v1_keyless) && finds_obfuscated(f, &torrent.v1_alone));
    assert_false(finds_obfuscated(f, &none));
    assert_int_equal(cat_withdraw(f->catalog, "/a", CAT_PROTECTED), APR_SUCCESS);
    assert_true(finds_obfuscated(f, &v2));
    assert_int_equal(cat_withdraw(f->catalog, "/b", CAT_CHANGED), APR_SUCCESS);
    assert_false(finds_obfuscated(f, &torrent.v1) || finds_obfuscated(f, &v2));
    fix_check(f->catalog);
    assert_int_equal(cat_grant(f->catalog, "/a", "u", 2, 1), APR_SUCCESS);
    assert_true(finds_obfuscated(f, &torrent.v1) && finds_obfuscated(f, &torrent.v1_alone));
    assert_int_equal(cat_forget(f->catalog, "/a"), APR_SUCCESS);
    assert_false(finds_obfuscated(f, &torrent.v1));
    fix_check(f->catalog);
    fix_free_torrent(&torrent);
}

static void test_published_ones_come_first(void **state)
{
    fixture *f = *state;
    tg_torrent torrent = fix_torrent(TG_V1, 1, 100, 0);
    int published = 0, withdrawn = 0;
    cat_entry entry;

    fix_open(f);
    for (unsigned i = 0; i < 10; i++) {
        const char *path = apr_psprintf(f->pool, "/copy %u", i);
        bt_stamp stamp = fix_stamp(i);

        assert_int_equal(fix_put(f->catalog, path, "u", 1, &stamp, &torrent), APR_SUCCESS);
        if (i % 2)
            assert_int_equal(cat_withdraw(f->catalog, path, CAT_PROTECTED), APR_SUCCESS);
    }
    for (int i = 0; i < 10; i++) {
        assert_int_equal(cat_find_hash(f->catalog, &torrent.v1, i, f->pool, &entry), APR_SUCCESS);
        assert_int_equal(entry.published, i < 5);
        *(entry.published ? &published : &withdrawn) += 1;
    }
    assert_int_equal(cat_find_hash(f->catalog, &torrent.v1, 10, f->pool, &entry), APR_NOTFOUND);
    assert_int_equal(published, 5);
    assert_int_equal(withdrawn, 5);
    fix_check(f->catalog);
    fix_free_torrent(&torrent);
}

static void test_new_version_replaces_the_old(void **state)
{
    fixture *f = *state;
    tg_torrent old = fix_torrent(TG_HYBRID, 1, 5000, 64), new = fix_torrent(TG_V2, 2, 100, 0);
    bt_stamp old_stamp = fix_stamp(1), new_stamp = fix_stamp(2);
    bt_infohash new_hash = cut(&new), old_cut = cut(&old);
    cat_entry before, after;
    tg_torrent back;

    fix_open(f);
    assert_int_equal(fix_put(f->catalog, "/a", "u", 1, &old_stamp, &old), APR_SUCCESS);
    assert_int_equal(cat_find_path(f->catalog, "/a", f->pool, &before), APR_SUCCESS);
    assert_int_equal(fix_put(f->catalog, "/a", "u2", 2, &new_stamp, &new), APR_SUCCESS);
    assert_int_equal(cat_find_path(f->catalog, "/a", f->pool, &after), APR_SUCCESS);
    assert_entry_is(&after, "/a", &new, &new_stamp);
    assert_int_equal(cat_read_torrent(f->catalog, &before, f->pool, &back), APR_NOTFOUND);
    assert_int_equal(cat_standing_of(f->catalog, &old.v1), CAT_CHANGED);
    assert_int_equal(cat_standing_of(f->catalog, &old_cut), CAT_CHANGED);
    assert_int_equal(cat_standing_of(f->catalog, &new_hash), CAT_PUBLISHED);
    assert_int_equal(cat_find_hash(f->catalog, &old.v1, 0, f->pool, &after), APR_NOTFOUND);
    fix_check(f->catalog);
    /* and back again: what was gone is there */
    assert_int_equal(fix_put(f->catalog, "/a", "u", 1, &old_stamp, &old), APR_SUCCESS);
    assert_int_equal(cat_standing_of(f->catalog, &old.v1), CAT_PUBLISHED);
    assert_int_equal(cat_standing_of(f->catalog, &new_hash), CAT_CHANGED);
    fix_check(f->catalog);
    fix_free_torrent(&old);
    fix_free_torrent(&new);
}

static void test_same_torrent_again(void **state)
{
    fixture *f = *state;
    tg_torrent torrent = fix_torrent(TG_HYBRID, 1, 100, 0);
    bt_stamp first = fix_stamp(1), touched = fix_stamp(2);
    cat_entry entry;

    fix_open(f);
    assert_int_equal(fix_put(f->catalog, "/a", "u", 1, &first, &torrent), APR_SUCCESS);
    assert_int_equal(fix_put(f->catalog, "/a", "u", 1, &touched, &torrent), APR_SUCCESS);
    assert_int_equal(cat_standing_of(f->catalog, &torrent.v1), CAT_PUBLISHED);
    assert_int_equal(cat_find_hash(f->catalog, &torrent.v1, 0, f->pool, &entry), APR_SUCCESS);
    assert_true(bt_stamp_equal(&entry.stamp, &touched));
    assert_int_equal(cat_find_hash(f->catalog, &torrent.v1, 1, f->pool, &entry), APR_NOTFOUND);
    fix_check(f->catalog);
    fix_free_torrent(&torrent);
}

static void test_withdraw_changed(void **state)
{
    fixture *f = *state;
    tg_torrent torrent = fix_torrent(TG_HYBRID, 1, 100, 64);
    bt_stamp stamp = fix_stamp(1);
    cat_entry entry;
    apr_int64_t count;

    fix_open(f);
    assert_int_equal(fix_put(f->catalog, "/a", "u", 1, &stamp, &torrent), APR_SUCCESS);
    assert_int_equal(fix_put(f->catalog, "/b", "u", 1, &stamp, &torrent), APR_SUCCESS);
    assert_int_equal(cat_withdraw(f->catalog, "/a", CAT_CHANGED), APR_SUCCESS);
    assert_int_equal(cat_find_path(f->catalog, "/a", f->pool, &entry), APR_NOTFOUND);
    assert_int_equal(cat_standing_of(f->catalog, &torrent.v1), CAT_PUBLISHED); /* "/b" has it */
    assert_int_equal(cat_withdraw(f->catalog, "/b", CAT_CHANGED), APR_SUCCESS);
    assert_int_equal(cat_standing_of(f->catalog, &torrent.v1), CAT_CHANGED);
    assert_int_equal(cat_withdraw(f->catalog, "/b", CAT_CHANGED), APR_NOTFOUND);
    assert_int_equal(cat_withdraw(f->catalog, "/b", CAT_PUBLISHED), APR_EINVAL);
    assert_int_equal(cat_count(f->catalog, &count), APR_SUCCESS);
    assert_int_equal(count, 0);
    fix_check(f->catalog);
    fix_free_torrent(&torrent);
}

static void test_withdraw_protected_and_grant(void **state)
{
    fixture *f = *state;
    tg_torrent torrent = fix_torrent(TG_HYBRID, 1, 100, 64), back;
    bt_stamp stamp = fix_stamp(1);
    cat_entry entry;

    fix_open(f);
    assert_int_equal(cat_grant(f->catalog, "/a", "u", 1, 0), APR_NOTFOUND);
    assert_int_equal(fix_put(f->catalog, "/a", "u", 1, &stamp, &torrent), APR_SUCCESS);
    for (int i = 0; i < 2; i++) { /* twice is as once */
        assert_int_equal(cat_withdraw(f->catalog, "/a", CAT_PROTECTED), APR_SUCCESS);
        assert_int_equal(cat_standing_of(f->catalog, &torrent.v1), CAT_PROTECTED);
    }
    assert_int_equal(cat_find_path(f->catalog, "/a", f->pool, &entry), APR_SUCCESS);
    assert_int_equal(entry.published, 0);
    fix_check(f->catalog);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(cat_grant(f->catalog, "/a", "another", 9, 0), APR_SUCCESS);
        assert_int_equal(cat_standing_of(f->catalog, &torrent.v1), CAT_PUBLISHED);
    }
    assert_int_equal(cat_find_path(f->catalog, "/a", f->pool, &entry), APR_SUCCESS);
    assert_int_equal(entry.published, 1);
    assert_int_equal(entry.grant, 9);
    assert_string_equal(entry.url, "another");
    assert_string_equal(entry.path, "/a");
    assert_int_equal(cat_read_torrent(f->catalog, &entry, f->pool, &back), APR_SUCCESS);
    fix_check(f->catalog);
    assert_int_equal(cat_withdraw(f->catalog, "/a", CAT_PROTECTED), APR_SUCCESS);
    assert_int_equal(cat_withdraw(f->catalog, "/a", CAT_CHANGED), APR_SUCCESS);
    assert_int_equal(cat_standing_of(f->catalog, &torrent.v1), CAT_CHANGED);
    fix_check(f->catalog);
    fix_free_torrent(&torrent);
}

static void test_withdraw_stale(void **state)
{
    fixture *f = *state;
    bt_stamp old = fix_stamp(1), new = fix_stamp(2);
    cat_entry entry;

    fix_open(f);
    assert_int_equal(fix_publish(f->catalog, "/a", 2, 100, 0), APR_SUCCESS);
    assert_int_equal(cat_withdraw_stale(f->catalog, "/a", &old), APR_SUCCESS);
    assert_int_equal(cat_find_path(f->catalog, "/a", f->pool, &entry), APR_SUCCESS);
    assert_int_equal(cat_withdraw_stale(f->catalog, "/a", &new), APR_SUCCESS);
    assert_int_equal(cat_find_path(f->catalog, "/a", f->pool, &entry), APR_NOTFOUND);
    assert_int_equal(cat_withdraw_stale(f->catalog, "/a", &new), APR_NOTFOUND);
    fix_check(f->catalog);
}

static void test_kept_over_reopening(void **state)
{
    fixture *f = *state;
    tg_torrent torrent = fix_torrent(TG_HYBRID, 5, 100, 0);
    struct stat info;
    cat_entry entry;

    fix_open(f);
    assert_int_equal(fix_publish(f->catalog, "/a", 5, 100, 0), APR_SUCCESS);
    assert_int_equal(stat(fix_name(f, "catalog.mdb"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    fix_close(f);
    fix_open(f);
    assert_int_equal(cat_find_path(f->catalog, "/a", f->pool, &entry), APR_SUCCESS);
    assert_int_equal(cat_standing_of(f->catalog, &torrent.v1), CAT_PUBLISHED);
    assert_int_equal(fix_logged(100), 0);
    assert_int_equal(fix_count_files(f, "catalog.mdb.bad"), 0);
    fix_free_torrent(&torrent);
}

static void test_refuses_nonsense(void **state)
{
    fixture *f = *state;
    tg_torrent torrent = fix_torrent(TG_V1, 1, 100, 0), bad;
    bt_stamp stamp = fix_stamp(1);
    char *long_path = apr_pcalloc(f->pool, 70000);
    apr_int64_t count;

    fix_open(f);
    memset(long_path, 'x', 69999);
    assert_int_equal(fix_put(f->catalog, long_path, "u", 1, &stamp, &torrent), APR_EINVAL);
    assert_int_equal(fix_put(f->catalog, "", "u", 1, &stamp, &torrent), APR_EINVAL);
    bad = torrent;
    bad.version = 0;
    assert_int_equal(fix_put(f->catalog, "/a", "u", 1, &stamp, &bad), APR_EINVAL);
    bad.version = TG_V2; /* without a v2 hash */
    assert_int_equal(fix_put(f->catalog, "/a", "u", 1, &stamp, &bad), APR_EINVAL);
    bad = torrent;
    bad.infodict_length = 0;
    assert_int_equal(fix_put(f->catalog, "/a", "u", 1, &stamp, &bad), APR_EINVAL);
    assert_int_equal(cat_count(f->catalog, &count), APR_SUCCESS);
    assert_int_equal(count, 0);
    long_path[60000] = '\0';
    assert_int_equal(fix_put(f->catalog, long_path, "u", 1, &stamp, &torrent), APR_SUCCESS);
    fix_check(f->catalog);
    fix_free_torrent(&torrent);
}

typedef struct {
    fixture *f;
    int seen, stop_at;
    char marks[200];
} walker;

static int visit(void *baton, const cat_entry *entry)
{
    walker *w = baton;
    unsigned index;

    assert_int_equal(sscanf(entry->path, "/%u", &index), 1);
    assert_int_equal(w->marks[index]++, 0);
    /* A visitor may change what it walks over. */
    if (index % 3 == 0)
        assert_int_equal(cat_withdraw(w->f->catalog, entry->path, CAT_CHANGED), APR_SUCCESS);
    return ++w->seen == w->stop_at;
}

static void test_walk(void **state)
{
    fixture *f = *state;
    walker w = {.f = f};
    apr_int64_t count;

    fix_open(f);
    assert_int_equal(cat_walk(f->catalog, visit, &w), APR_SUCCESS);
    assert_int_equal(w.seen, 0);
    for (unsigned i = 0; i < 200; i++)
        assert_int_equal(fix_publish(f->catalog, apr_psprintf(f->pool, "/%u", i), i, 100, 0), APR_SUCCESS);
    assert_int_equal(cat_walk(f->catalog, visit, &w), APR_SUCCESS);
    assert_int_equal(w.seen, 200);
    assert_int_equal(cat_count(f->catalog, &count), APR_SUCCESS);
    assert_int_equal(count, 133);
    memset(&w, 0, sizeof w);
    w.f = f;
    w.stop_at = 5;
    assert_int_equal(cat_walk(f->catalog, visit, &w), APR_SUCCESS);
    assert_int_equal(w.seen, 5);
    fix_check(f->catalog);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fix_setup, fix_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_round_trip),
                                       TEST(test_found_by_either_hash),
                                       TEST(test_found_by_obfuscated_hashes),
                                       TEST(test_published_ones_come_first),
                                       TEST(test_new_version_replaces_the_old),
                                       TEST(test_same_torrent_again),
                                       TEST(test_withdraw_changed),
                                       TEST(test_withdraw_protected_and_grant),
                                       TEST(test_withdraw_stale),
                                       TEST(test_kept_over_reopening),
                                       TEST(test_refuses_nonsense),
                                       TEST(test_walk)};

    return cmocka_run_group_tests_name("catalogue entries", tests, NULL, NULL);
}
