/* Publications in groups, collections, digests, the newest of a site, walks that are resumed, and removal of what is
 * gone. */
#include "cat_fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

static const char url[] = "127.0.0.1 80 http host /x";

static cat_publication publication(const char *path, tg_torrent *torrent)
{
    cat_publication made = {
        .path = path, .url = url, .grant = 1, .published = 1, .listed = 1, .stamp = fix_stamp(1), .torrent = torrent};

    return made;
}

/* --- groups ------------------------------------------------------------------------------------------------------- */

static void test_all_or_none(void **state)
{
    fixture *f = *state;
    tg_torrent torrent = fix_torrent(TG_HYBRID, 1, 300, 0), bad = torrent;
    cat_publication list[3] = {publication("/a", &torrent), publication("/b", &torrent), publication("/c", &bad)};
    apr_int64_t count;

    bad.infodict_length = 0;
    fix_open(f);
    assert_int_equal(cat_publish(f->catalog, list, 0), APR_SUCCESS);
    assert_int_equal(cat_publish(f->catalog, list, 3), APR_EINVAL);
    assert_int_equal(cat_count(f->catalog, &count), APR_SUCCESS);
    assert_int_equal(count, 0);
    assert_int_equal(cat_publish(f->catalog, list, 2), APR_SUCCESS);
    assert_int_equal(cat_count(f->catalog, &count), APR_SUCCESS);
    assert_int_equal(count, 2);
    fix_check(f->catalog);
    fix_free_torrent(&torrent);
}

/* More than one transaction holds: the groups are cut. */
static void test_large_torrents_in_a_group(void **state)
{
    fixture *f = *state;
    cat_publication list[6];
    tg_torrent torrents[6];
    cat_entry entry;
    tg_torrent back;

    fix_open(f);
    for (unsigned i = 0; i < 6; i++) {
        torrents[i] = fix_torrent(TG_V1, i, 20 << 20, 0);
        list[i] = publication(apr_psprintf(f->pool, "/%u", i), &torrents[i]);
    }
    assert_int_equal(cat_publish(f->catalog, list, 6), APR_SUCCESS);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(cat_find_path(f->catalog, list[i].path, f->pool, &entry), APR_SUCCESS);
        assert_int_equal(cat_read_torrent(f->catalog, &entry, f->pool, &back), APR_SUCCESS);
        assert_memory_equal(back.infodict, torrents[i].infodict, 20 << 20);
        fix_free_torrent(&torrents[i]);
    }
}

static void test_what_a_publication_says_is_kept(void **state)
{
    fixture *f = *state;
    tg_torrent torrent = fix_torrent(TG_HYBRID, 1, 300, 0), back;
    cat_publication p = publication("/a", &torrent);
    cat_entry entry;
    apr_time_t created;

    fix_open(f);
    memset(torrent.v1_alone.b, 7, sizeof torrent.v1_alone.b);
    p.published = 0;
    p.url = "";
    p.sidecar = fix_stamp(9);
    p.adopted = 1;
    assert_int_equal(cat_publish(f->catalog, &p, 1), APR_SUCCESS);
    assert_int_equal(cat_find_path(f->catalog, "/a", f->pool, &entry), APR_SUCCESS);
    assert_int_equal(entry.published, 0);
    assert_string_equal(entry.url, "");
    assert_true(entry.listed && entry.adopted && !entry.has_digest);
    assert_memory_equal(&entry.sidecar, &p.sidecar, sizeof entry.sidecar);
    assert_int_equal(cat_standing_of(f->catalog, &torrent.v1), CAT_PROTECTED);
    created = entry.created;
    while (apr_time_now() == created)
        ;
    /* The first grant is the publication; afterwards it keeps its time, whatever is said of it. */
    assert_int_equal(cat_grant(f->catalog, "/a", url, 2, 1), APR_SUCCESS);
    assert_int_equal(cat_find_path(f->catalog, "/a", f->pool, &entry), APR_SUCCESS);
    assert_true(entry.created > created);
    created = entry.created;
    p.published = 1;
    p.has_digest = 1;
    memset(p.digest, 5, sizeof p.digest);
    memset(&p.sidecar, 0, sizeof p.sidecar);
    assert_int_equal(cat_publish(f->catalog, &p, 1), APR_SUCCESS);
    assert_int_equal(cat_withdraw(f->catalog, "/a", CAT_PROTECTED), APR_SUCCESS);
    assert_int_equal(cat_grant(f->catalog, "/a", url, 3, 0), APR_SUCCESS);
    assert_int_equal(cat_find_path(f->catalog, "/a", f->pool, &entry), APR_SUCCESS);
    assert_int_equal(entry.created, created);
    assert_true(entry.has_digest && !entry.listed && entry.published && entry.sidecar.size == 0);
    assert_memory_equal(entry.digest, p.digest, sizeof entry.digest);
    assert_int_equal(cat_read_torrent(f->catalog, &entry, f->pool, &back), APR_SUCCESS);
    assert_memory_equal(&back.v1_alone, &torrent.v1_alone, sizeof back.v1_alone);
    fix_check(f->catalog);
    fix_free_torrent(&torrent);
}

static void test_digest_of_a_version(void **state)
{
    fixture *f = *state;
    bt_stamp right = fix_stamp(1), wrong = fix_stamp(2);
    unsigned char digest[32];
    cat_entry entry;

    fix_open(f);
    memset(digest, 0x77, sizeof digest);
    assert_int_equal(cat_set_digest(f->catalog, "/a", &right, digest), APR_NOTFOUND);
    assert_int_equal(fix_publish(f->catalog, "/a", 1, 300, 0), APR_SUCCESS);
    assert_int_equal(cat_set_digest(f->catalog, "/a", &wrong, digest), APR_NOTFOUND);
    assert_int_equal(cat_set_digest(f->catalog, "/a", &right, digest), APR_SUCCESS);
    assert_int_equal(cat_find_path(f->catalog, "/a", f->pool, &entry), APR_SUCCESS);
    assert_true(entry.has_digest);
    assert_memory_equal(entry.digest, digest, sizeof digest);
    fix_check(f->catalog);
}

static void test_grants_of_many(void **state)
{
    fixture *f = *state;
    cat_grant_item items[] = {{"/a", url, 1, 0}, {"/unknown", url, 1, 0}, {"/b", url, 0, 1}, {"/c", url, 0, 1}};
    cat_entry entry;

    fix_open(f);
    assert_int_equal(fix_publish(f->catalog, "/a", 1, 300, 0), APR_SUCCESS);
    assert_int_equal(fix_publish(f->catalog, "/b", 2, 300, 0), APR_SUCCESS);
    assert_int_equal(fix_publish(f->catalog, "/c", 3, 300, 0), APR_SUCCESS);
    assert_int_equal(cat_withdraw(f->catalog, "/a", CAT_PROTECTED), APR_SUCCESS);
    assert_int_equal(cat_withdraw(f->catalog, "/b", CAT_PROTECTED), APR_SUCCESS);
    assert_int_equal(cat_grant_many(f->catalog, items, 4, 42), APR_SUCCESS);
    assert_int_equal(cat_find_path(f->catalog, "/a", f->pool, &entry), APR_SUCCESS);
    assert_true(entry.published && entry.grant == 42 && entry.listed);
    assert_int_equal(cat_find_path(f->catalog, "/b", f->pool, &entry), APR_SUCCESS);
    assert_true(!entry.published && entry.grant == 1); /* withdrawn in between: left alone */
    assert_int_equal(cat_find_path(f->catalog, "/c", f->pool, &entry), APR_SUCCESS);
    assert_true(entry.published && entry.grant == 42 && !entry.listed);
    fix_check(f->catalog);
}

/* --- collections -------------------------------------------------------------------------------------------------- */

static tg_torrent collection(unsigned seed, tg_member *members, unsigned count)
{
    tg_torrent torrent = fix_torrent(TG_HYBRID, seed, 300, 64);

    for (unsigned i = 0; i < count; i++) {
        memset(&members[i], 0, sizeof members[i]);
        members[i].stamp = fix_stamp(seed + i);
        members[i].offset = (apr_int64_t)i << 24;
        memset(members[i].root, (int)(i + 1), sizeof members[i].root);
    }
    torrent.members = members;
    torrent.member_count = count;
    return torrent;
}

static void test_collection(void **state)
{
    fixture *f = *state;
    tg_member members[3];
    tg_torrent first = collection(1, members, 3), second = collection(50, members, 3), back;
    cat_publication p = publication("/dir/", &first);
    const tg_member *found;
    apr_size_t count;
    cat_entry entry;
    bt_stamp stamp;

    fix_open(f);
    members[0].path = "a";
    members[1].path = "b/c";
    members[2].path = "b/..d";
    memset(&p.stamp, 0, sizeof p.stamp);
    p.stamp.size = 77;
    assert_int_equal(cat_publish(f->catalog, &p, 1), APR_SUCCESS);
    assert_int_equal(cat_find_path(f->catalog, "/dir/", f->pool, &entry), APR_SUCCESS);
    assert_true(entry.members_length > 0 && entry.stamp.size == 77 && entry.stamp.inode != 0);
    assert_true(bt_infohash_is_zero(&entry.previous_v1));
    assert_int_equal(cat_read_torrent(f->catalog, &entry, f->pool, &back), APR_SUCCESS);
    assert_int_equal(back.member_count, 3);
    assert_int_equal(cat_read_members(f->catalog, &entry, f->pool, &found, &count), APR_SUCCESS);
    assert_int_equal(count, 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_string_equal(found[i].path, members[i].path);
        assert_memory_equal(&found[i].stamp, &members[i].stamp, sizeof found[i].stamp);
        assert_int_equal(found[i].offset, members[i].offset);
        assert_memory_equal(found[i].root, members[i].root, sizeof found[i].root);
    }
    /* A member's other version is another version of the collection, though no size changed. */
    stamp = entry.stamp;
    members[1].stamp.mtime_ns++;
    p.torrent = &second;
    assert_int_equal(cat_publish(f->catalog, &p, 1), APR_SUCCESS);
    assert_int_equal(cat_withdraw_stale(f->catalog, "/dir/", &stamp), APR_SUCCESS);
    assert_int_equal(cat_find_path(f->catalog, "/dir/", f->pool, &entry), APR_SUCCESS);
    assert_false(bt_stamp_equal(&entry.stamp, &stamp));
    assert_memory_equal(&entry.previous_v1, &first.v1, sizeof first.v1);
    assert_memory_equal(&entry.previous_v2, &first.v2, sizeof first.v2);
    fix_check(f->catalog);
    first.members = second.members = NULL;
    fix_free_torrent(&first);
    fix_free_torrent(&second);
}

static void previous_after(fixture *f, const tg_torrent *now, const tg_torrent *previous)
{
    cat_publication p = publication("/dir/", (tg_torrent *)(uintptr_t)now);
    cat_entry entry;

    assert_int_equal(cat_publish(f->catalog, &p, 1), APR_SUCCESS);
    assert_int_equal(cat_find_path(f->catalog, "/dir/", f->pool, &entry), APR_SUCCESS);
    if (previous)
        assert_memory_equal(&entry.previous_v1, &previous->v1, sizeof previous->v1);
    else
        assert_true(bt_infohash_is_zero(&entry.previous_v1));
    fix_check(f->catalog);
}

static void test_previous_torrent(void **state)
{
    fixture *f = *state;
    tg_member members[1];
    tg_torrent a = collection(1, members, 1), b = collection(2, members, 1);

    fix_open(f);
    members[0].path = "a";
    previous_after(f, &a, NULL);
    assert_int_equal(cat_withdraw(f->catalog, "/dir/", CAT_CHANGED), APR_SUCCESS);
    fix_check(f->catalog);
    previous_after(f, &b, &a); /* although it was withdrawn in between */
    previous_after(f, &b, &a); /* published again as it is */
    assert_int_equal(cat_withdraw(f->catalog, "/dir/", CAT_CHANGED), APR_SUCCESS);
    previous_after(f, &b, NULL); /* it changed back: it is not its own predecessor */
    assert_int_equal(cat_forget(f->catalog, "/dir/"), APR_SUCCESS);
    assert_int_equal(cat_forget(f->catalog, "/dir/"), APR_NOTFOUND);
    assert_int_equal(cat_standing_of(f->catalog, &b.v1), CAT_CHANGED);
    previous_after(f, &a, NULL);
    fix_free_torrent(&a);
    fix_free_torrent(&b);
}

static void test_impossible_collections(void **state)
{
    static const char *const paths[] = {"", "/a", "a/", "a//b", "../a", "a/..", ".", "a/./b"};
    fixture *f = *state;
    tg_member members[2];
    tg_torrent torrent = collection(1, members, 2);
    cat_publication p = publication("/dir/", &torrent);

    fix_open(f);
    members[1].path = "z";
    for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++) {
        members[0].path = paths[i];
        assert_int_equal(cat_publish(f->catalog, &p, 1), APR_EINVAL);
    }
    members[0].path = "a";
    members[1].offset = members[0].stamp.size - 1;
    assert_int_equal(cat_publish(f->catalog, &p, 1), APR_EINVAL); /* they overlap */
    members[1].offset++;
    p.path = "/dir";
    assert_int_equal(cat_publish(f->catalog, &p, 1), APR_EINVAL);
    p.path = "/dir/";
    assert_int_equal(cat_publish(f->catalog, &p, 1), APR_SUCCESS);
    torrent.member_count = 0;
    assert_int_equal(cat_publish(f->catalog, &p, 1), APR_EINVAL);
    fix_free_torrent(&torrent);
}

/* --- the newest --------------------------------------------------------------------------------------------------- */

enum { NEWEST = 57 };

/* Reads all pages of a site. @return how many entries; each is checked to be older than the one before */
static unsigned read_pages(fixture *f, const char *site, apr_size_t page, const char *paths[])
{
    char token[CAT_TOKEN_SIZE] = "", next[CAT_TOKEN_SIZE];
    const cat_entry *entries;
    apr_time_t last = APR_INT64_MAX;
    apr_size_t count;
    unsigned total = 0;

    do {
        assert_int_equal(cat_newest(f->catalog, &site, 1, token, page, f->pool, &entries, &count, next), APR_SUCCESS);
        assert_true(count <= page && (count == page || !*next) && (count > 0 || total == 0));
        for (apr_size_t i = 0; i < count; i++) {
            assert_true(entries[i].created <= last);
            last = entries[i].created;
            paths[total++] = entries[i].path;
        }
        assert_true(strspn(next, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == strlen(next));
        memcpy(token, next, sizeof token);
    } while (*token);
    return total;
}

static void test_pages_of_the_newest(void **state)
{
    fixture *f = *state;
    const char *all[2 * NEWEST], *paged[2 * NEWEST];

    fix_open(f);
    for (unsigned i = 0; i < NEWEST; i++) {
        assert_int_equal(fix_publish(f->catalog, apr_psprintf(f->pool, "/%u", i), i, 200, 0), APR_SUCCESS);
        if (i % 3 == 0)
            assert_int_equal(cat_grant(f->catalog, apr_psprintf(f->pool, "/%u", i), "1.2.3.4 80 http other /f", 1, 1),
                             APR_SUCCESS);
    }
    assert_int_equal(read_pages(f, "host", 1000, all), NEWEST - NEWEST / 3);
    assert_int_equal(read_pages(f, "other", 1000, paged), NEWEST / 3);
    assert_int_equal(read_pages(f, "nobody", 10, paged), 0);
    for (apr_size_t page = 1; page < 50; page += 7) {
        unsigned count = read_pages(f, "host", page, paged);

        assert_int_equal(count, NEWEST - NEWEST / 3);
        for (unsigned i = 0; i < count; i++)
            assert_string_equal(paged[i], all[i]);
    }
    fix_check(f->catalog);
}

static void test_pages_stay(void **state)
{
    fixture *f = *state;
    const char *site = "host";
    char second[CAT_TOKEN_SIZE], third[CAT_TOKEN_SIZE];
    const cat_entry *before, *after;
    apr_size_t count, again;

    fix_open(f);
    for (unsigned i = 0; i < 30; i++)
        assert_int_equal(fix_publish(f->catalog, apr_psprintf(f->pool, "/%u", i), i, 200, 0), APR_SUCCESS);
    assert_int_equal(cat_newest(f->catalog, &site, 1, NULL, 10, f->pool, &before, &count, second), APR_SUCCESS);
    assert_int_equal(cat_newest(f->catalog, &site, 1, second, 10, f->pool, &before, &count, third), APR_SUCCESS);
    for (unsigned i = 100; i < 120; i++)
        assert_int_equal(fix_publish(f->catalog, apr_psprintf(f->pool, "/%u", i), i, 200, 0), APR_SUCCESS);
    assert_int_equal(cat_withdraw(f->catalog, before[3].path, CAT_CHANGED), APR_SUCCESS);
    assert_int_equal(cat_newest(f->catalog, &site, 1, second, 10, f->pool, &after, &again, third), APR_SUCCESS);
    assert_int_equal(again, 10);
    for (unsigned i = 0; i < 9; i++)
        assert_string_equal(after[i].path, before[i < 3 ? i : i + 1].path);
    for (const char *const *bad =
             (const char *const[]){"x", "!!!!!!!!!!!!!!!!!!!!!!", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", NULL};
         *bad; bad++)
        assert_int_equal(cat_newest(f->catalog, &site, 1, *bad, 10, f->pool, &after, &again, third), APR_EINVAL);
}

/* --- walks and gc ------------------------------------------------------------------------------------------------- */

typedef struct {
    fixture *f;
    unsigned seen[500];
    unsigned since, stop_after;
} walk;

static int count_one(void *baton, const cat_entry *entry)
{
    walk *w = baton;

    w->seen[atoi(entry->path + 1)]++;
    return ++w->since == w->stop_after;
}

static void test_a_walk_that_is_resumed(void **state)
{
    fixture *f = *state;
    walk w = {.f = f, .stop_after = 7};
    cat_place place = {{0}, 0, 0};

    fix_open(f);
    for (unsigned i = 0; i < 500; i++)
        assert_int_equal(fix_publish(f->catalog, apr_psprintf(f->pool, "/%u", i), i, 200, 0), APR_SUCCESS);
    for (int round = 0; !place.ended; round++) {
        assert_true(round < 1000);
        w.since = 0;
        assert_int_equal(cat_walk_some(f->catalog, &place, round % 2 ? 100 : 3, count_one, &w), APR_SUCCESS);
    }
    for (unsigned i = 0; i < 500; i++)
        assert_int_equal(w.seen[i], 1);
}

static const char *real_file(fixture *f, unsigned n)
{
    const char *name = fix_name(f, apr_psprintf(f->pool, "file-%u", n));
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, name, 10 + n % 5), 10 + n % 5);
    close(fd);
    return name;
}

static int note_removed(void *baton, const cat_entry *entry)
{
    ++*(unsigned *)baton;
    return 1;
}

enum { FILES = 600 };

static void test_gc(void **state)
{
    fixture *f = *state;
    cat_gc_counts counts = {0, 0, 0, 0};
    cat_place place = {{0}, 0, 0};
    unsigned removed = 0;
    apr_int64_t left;
    bt_stamp stamp;

    fix_open(f);
    for (unsigned i = 0; i < FILES; i++) {
        tg_torrent torrent = fix_torrent(TG_V2, i, 200, 0);
        const char *path = real_file(f, i);

        assert_int_equal(bt_stamp_path(path, &stamp), APR_SUCCESS);
        assert_int_equal(fix_put(f->catalog, path, url, 1, &stamp, &torrent), APR_SUCCESS);
        fix_free_torrent(&torrent);
        if (i % 3 == 1)
            assert_int_equal(unlink(path), 0);
        if (i % 3 == 2)
            assert_int_equal(truncate(path, 100), 0);
    }
    while (!place.ended)
        assert_int_equal(cat_gc(f->catalog, &place, 100, note_removed, &removed, &counts), APR_SUCCESS);
    assert_int_equal(counts.seen, FILES);
    assert_int_equal(counts.gone, FILES / 3);
    assert_int_equal(counts.changed, FILES / 3);
    assert_int_equal(counts.unknown, 0);
    assert_int_equal(removed, 2 * FILES / 3);
    assert_int_equal(cat_count(f->catalog, &left), APR_SUCCESS);
    assert_int_equal(left, FILES / 3);
    fix_check(f->catalog);
}

static void test_gc_of_a_collection(void **state)
{
    fixture *f = *state;
    cat_place place = {{0}, 0, 0};
    cat_gc_counts counts = {0, 0, 0, 0};
    tg_member members[2];
    tg_torrent torrent = collection(1, members, 2);
    cat_publication p = publication(fix_name(f, ""), &torrent);
    cat_entry entry;

    fix_open(f);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(bt_stamp_path(real_file(f, i), &members[i].stamp), APR_SUCCESS);
        members[i].path = i ? "file-1" : "file-0";
    }
    assert_int_equal(cat_publish(f->catalog, &p, 1), APR_SUCCESS);
    assert_int_equal(cat_find_path(f->catalog, p.path, f->pool, &entry), APR_SUCCESS);
    assert_int_equal(cat_look(f->catalog, &entry, f->pool), CAT_FILE_SAME);
    assert_int_equal(unlink(fix_name(f, "file-1")), 0);
    assert_int_equal(cat_look(f->catalog, &entry, f->pool), CAT_FILE_CHANGED);
    assert_int_equal(unlink(fix_name(f, "file-0")), 0);
    assert_int_equal(cat_look(f->catalog, &entry, f->pool), CAT_FILE_GONE);
    assert_int_equal(cat_gc(f->catalog, &place, 10, NULL, NULL, &counts), APR_SUCCESS);
    assert_true(place.ended && counts.gone == 1);
    assert_int_equal(cat_find_path(f->catalog, p.path, f->pool, &entry), APR_NOTFOUND);
    fix_check(f->catalog);
    fix_free_torrent(&torrent);
}

/* A directory that may not be searched tells nothing: nobody is forgotten for it. */
static void test_gc_leaves_what_it_cannot_see(void **state)
{
    fixture *f = *state;
    char *name = apr_pcalloc(f->pool, 3000);
    cat_place place = {{0}, 0, 0};
    cat_gc_counts counts = {0, 0, 0, 0};

    fix_open(f);
    memset(name, 'x', 2999); /* ENAMETOOLONG is none of the errors that say "gone", and comes to root as well */
    name[0] = '/';
    assert_int_equal(fix_publish(f->catalog, name, 1, 200, 0), APR_SUCCESS);
    assert_int_equal(cat_gc(f->catalog, &place, 10, NULL, NULL, &counts), APR_SUCCESS);
    assert_int_equal(counts.unknown, 1);
    assert_int_equal(counts.gone, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fix_setup, fix_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_all_or_none),
                                       TEST(test_large_torrents_in_a_group),
                                       TEST(test_what_a_publication_says_is_kept),
                                       TEST(test_digest_of_a_version),
                                       TEST(test_grants_of_many),
                                       TEST(test_collection),
                                       TEST(test_previous_torrent),
                                       TEST(test_impossible_collections),
                                       TEST(test_pages_of_the_newest),
                                       TEST(test_pages_stay),
                                       TEST(test_a_walk_that_is_resumed),
                                       TEST(test_gc),
                                       TEST(test_gc_of_a_collection),
                                       TEST(test_gc_leaves_what_it_cannot_see)};

    return cmocka_run_group_tests_name("catalogue: many", tests, NULL, NULL);
}
