/* Random changes, against a model that is an array: whatever was done, the catalogue says what the model says. */
#include "cat_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "catalog/tables.h"

enum { PATHS = 40, STEPS = 6000, TORRENTS = 15, GROUP_MAX = 8 };

static const char *const hosts[] = {"", "one", "two"};

typedef struct {
    int known, published, ever, listed, has_digest;
    unsigned torrent; /* its seed: few, so that paths share them */
    unsigned version; /* of the file: the stamp's seed */
    unsigned host;
    apr_uint64_t grant;
    apr_time_t created; /* as the catalogue said when it was first seen */
} modelled;

typedef struct {
    fixture *f;
    modelled paths[PATHS];
    tg_torrent torrents[TORRENTS];
    apr_pool_t *pool;
} world;

static const char *path_of(world *w, unsigned n)
{
    return apr_psprintf(w->pool, "/path %u", n);
}

static const char *url_of(world *w, unsigned host, unsigned n)
{
    return host == 0 ? "" : apr_psprintf(w->pool, "127.0.0.1 %u http %s /%u", 80 + n % 2, hosts[host], n);
}

static unsigned any(unsigned below)
{
    return (unsigned)rand() % below;
}

/* --- changes ------------------------------------------------------------------------------------------------------ */

static void publish_group(world *w)
{
    cat_publication list[GROUP_MAX];
    unsigned count = 1 + any(GROUP_MAX);

    for (unsigned i = 0; i < count; i++) {
        unsigned n = any(PATHS), torrent = any(TORRENTS), version = any(1000);
        modelled *m = &w->paths[n];
        int same = m->known && m->torrent == torrent;

        *m = (modelled){.known = 1,
                        .published = any(2) == 0,
                        .listed = any(2) == 0,
                        .has_digest = any(2) == 0,
                        .torrent = torrent,
                        .version = version,
                        .host = any(3),
                        .grant = any(5),
                        .ever = same && m->ever,
                        .created = same && m->ever ? m->created : 0};
        m->ever |= m->published;
        list[i] = (cat_publication){.path = path_of(w, n),
                                    .url = url_of(w, m->host, n),
                                    .grant = m->grant,
                                    .published = m->published,
                                    .listed = m->listed,
                                    .stamp = fix_stamp(version),
                                    .has_digest = m->has_digest,
                                    .torrent = &w->torrents[torrent]};
        memset(list[i].digest, (int)version, sizeof list[i].digest);
    }
    assert_int_equal(cat_publish(w->f->catalog, list, count), APR_SUCCESS);
}

static void grant_group(world *w)
{
    cat_grant_item list[GROUP_MAX];
    unsigned count = 1 + any(GROUP_MAX);
    apr_uint64_t grant = any(5);

    for (unsigned i = 0; i < count; i++) {
        unsigned n = any(PATHS), host = any(3);
        modelled *m = &w->paths[n];

        list[i] = (cat_grant_item){path_of(w, n), url_of(w, host, n), any(2) == 0, any(2) == 0};
        if (!m->known || (list[i].renew && !m->published))
            continue;
        if (!m->ever)
            m->created = 0;
        m->ever = m->published = 1;
        m->listed = list[i].listed;
        m->host = host;
        m->grant = grant;
    }
    assert_int_equal(cat_grant_many(w->f->catalog, list, count, grant), APR_SUCCESS);
}

static void withdraw_one(world *w)
{
    unsigned n = any(PATHS), how = any(4);
    modelled *m = &w->paths[n];
    bt_stamp stamp = fix_stamp(any(2) ? m->version : m->version + 1);
    const char *path = path_of(w, n);
    int expected = m->known ? APR_SUCCESS : APR_NOTFOUND;

    if (how == 0) {
        assert_int_equal(cat_withdraw(w->f->catalog, path, CAT_PROTECTED), expected);
        m->published = 0;
        return;
    }
    if (how == 1)
        assert_int_equal(cat_withdraw(w->f->catalog, path, CAT_CHANGED), expected);
    else if (how == 2)
        assert_int_equal(cat_forget(w->f->catalog, path), expected);
    else
        assert_int_equal(cat_withdraw_stale(w->f->catalog, path, &stamp), expected);
    if (how != 3 || (apr_uint64_t)stamp.inode == 100 + m->version)
        memset(m, 0, sizeof *m);
}

static void set_digest(world *w)
{
    unsigned n = any(PATHS);
    modelled *m = &w->paths[n];
    bt_stamp stamp = fix_stamp(m->version);
    unsigned char digest[32];

    memset(digest, (int)m->version, sizeof digest);
    assert_int_equal(cat_set_digest(w->f->catalog, path_of(w, n), &stamp, digest),
                     m->known ? APR_SUCCESS : APR_NOTFOUND);
    m->has_digest = m->known;
}

/* --- what it says ------------------------------------------------------------------------------------------------- */

static void compare_path(world *w, unsigned n)
{
    modelled *m = &w->paths[n];
    cat_entry entry;
    tg_torrent torrent;
    bt_stamp stamp = fix_stamp(m->version);

    assert_int_equal(cat_find_path(w->f->catalog, path_of(w, n), w->pool, &entry),
                     m->known ? APR_SUCCESS : APR_NOTFOUND);
    if (!m->known)
        return;
    assert_int_equal(entry.published, m->published);
    assert_int_equal(entry.listed, m->listed);
    assert_int_equal(entry.has_digest, m->has_digest);
    assert_int_equal(entry.grant, m->grant);
    assert_string_equal(entry.url, url_of(w, m->host, n));
    assert_true(bt_stamp_equal(&entry.stamp, &stamp));
    assert_true(m->created == 0 || m->created == entry.created);
    m->created = entry.created;
    assert_int_equal(cat_read_torrent(w->f->catalog, &entry, w->pool, &torrent), APR_SUCCESS);
    assert_memory_equal(torrent.infodict, w->torrents[m->torrent].infodict, torrent.infodict_length);
}

static void compare_torrent(world *w, unsigned seed)
{
    unsigned known = 0, published = 0;
    bt_infohash hash = bt_infohash_truncate(&w->torrents[seed].v2);
    cat_entry entry;
    cat_standing standing = cat_standing_of(w->f->catalog, &hash);
    bt_infohash obfuscated, found;

    for (unsigned n = 0; n < PATHS; n++)
        if (w->paths[n].known && w->paths[n].torrent == seed) {
            known++;
            published += w->paths[n].published != 0;
        }
    for (unsigned i = 0; i < known; i++) {
        assert_int_equal(cat_find_hash(w->f->catalog, &hash, (int)i, w->pool, &entry), APR_SUCCESS);
        assert_int_equal(entry.published, i < published);
    }
    assert_int_equal(cat_find_hash(w->f->catalog, &hash, (int)known, w->pool, &entry), APR_NOTFOUND);
    assert_int_equal(cat_obfuscate(&hash, &obfuscated), 0);
    assert_int_equal(cat_find_obfuscated(w->f->catalog, obfuscated.b, &found), published > 0 ? APR_SUCCESS : APR_NOTFOUND);
    if (known > 0)
        assert_int_equal(standing, published > 0 ? CAT_PUBLISHED : CAT_PROTECTED);
    else
        assert_true(standing == CAT_UNKNOWN || standing == CAT_CHANGED);
}

static void compare_newest(world *w, unsigned host)
{
    char token[CAT_TOKEN_SIZE] = "", next[CAT_TOKEN_SIZE];
    apr_size_t count, total = 0, expected = 0, page = 1 + any(PATHS);
    const cat_entry *entries;
    apr_time_t last = APR_INT64_MAX;

    for (unsigned n = 0; n < PATHS; n++)
        expected += w->paths[n].known && w->paths[n].published && w->paths[n].listed && w->paths[n].host == host;
    do {
        assert_int_equal(cat_newest(w->f->catalog, &hosts[host], 1, token, page, w->pool, &entries, &count, next),
                         APR_SUCCESS);
        for (apr_size_t i = 0; i < count; i++) {
            assert_true(entries[i].created <= last && entries[i].published && entries[i].listed);
            last = entries[i].created;
        }
        total += count;
        memcpy(token, next, sizeof token);
    } while (*token);
    assert_int_equal(total, expected);
}

static void compare_all(world *w)
{
    apr_int64_t count, expected = 0;

    for (unsigned n = 0; n < PATHS; n++) {
        compare_path(w, n);
        expected += w->paths[n].known;
    }
    for (unsigned seed = 0; seed < TORRENTS; seed++)
        compare_torrent(w, seed);
    compare_newest(w, 1);
    compare_newest(w, 2);
    assert_int_equal(cat_count(w->f->catalog, &count), APR_SUCCESS);
    assert_int_equal(count, expected);
    fix_check(w->f->catalog);
    apr_pool_clear(w->pool);
}

static void test_random_changes(void **state)
{
    fixture *f = *state;
    world w = {.f = f};

    srand(20261121);
    apr_pool_create(&w.pool, f->pool);
    for (unsigned i = 0; i < TORRENTS; i++)
        w.torrents[i] = fix_torrent(TG_HYBRID, i, 100 + i * 700, i % 3 * 3000);
    fix_open(f);
    for (int step = 0; step < STEPS; step++) {
        unsigned what = any(10);

        if (what < 3)
            publish_group(&w);
        else if (what < 5)
            grant_group(&w);
        else if (what < 6)
            set_digest(&w);
        else
            withdraw_one(&w);
        if (step % 20 == 0)
            compare_all(&w);
        if (step % 500 == 0) {
            fix_close(f);
            fix_open(f);
        }
    }
    compare_all(&w);
    assert_int_equal(fix_logged(100) + fix_logged(103) + fix_logged(107), 0);
    for (unsigned i = 0; i < TORRENTS; i++)
        fix_free_torrent(&w.torrents[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_random_changes, fix_setup, fix_teardown)};

    return cmocka_run_group_tests_name("catalogue against a model", tests, NULL, NULL);
}
