/* The inside: how records are read, what happens to damaged ones, and the bounds on what is gone. */
#include "cat_fixture.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "catalog/check.h"
#include "catalog/handle.h"
#include "catalog/tables.h"

/* --- records ------------------------------------------------------------------------------------------------------ */

static cat_record example(void)
{
    cat_record record = {.entry = {.path = "/srv/a file",
                                   .url = "host http://h/a%20file",
                                   .grant = 3,
                                   .published = 1,
                                   .created = 1234567,
                                   .version = TG_HYBRID,
                                   .piece_length = 65536,
                                   .infodict_length = 99,
                                   .layer_length = 64},
                         .ever = 1,
                         .length = 77777,
                         .infodict_sum = 11,
                         .layer_sum = 22};

    record.entry.stamp = fix_stamp(4);
    memset(record.entry.v1.b, 1, sizeof record.entry.v1.b);
    memset(record.entry.v2.b, 2, sizeof record.entry.v2.b);
    memset(record.root, 3, sizeof record.root);
    return record;
}

static void test_record_round_trip(void **state)
{
    cat_record record = example(), back;
    bt_buf buf;
    MDB_val value;

    bt_buf_init(&buf, 1000);
    assert_int_equal(cat_record_write(&buf, &record), APR_SUCCESS);
    value = (MDB_val){buf.length, buf.data};
    memset(&back, 0, sizeof back);
    assert_true(cat_record_read(&value, &back));
    assert_string_equal(back.entry.path, record.entry.path);
    assert_string_equal(back.entry.url, record.entry.url);
    back.entry.path = record.entry.path;
    back.entry.url = record.entry.url;
    assert_memory_equal(&back.entry.stamp, &record.entry.stamp, sizeof back.entry.stamp);
    assert_int_equal(back.entry.created, record.entry.created);
    assert_int_equal(back.entry.grant, 3);
    assert_int_equal(back.length, 77777);
    assert_int_equal(back.infodict_sum, 11);
    assert_int_equal(back.layer_sum, 22);
    assert_memory_equal(back.root, record.root, sizeof back.root);
    bt_buf_free(&buf);
}

static void test_record_damaged_anywhere(void **state)
{
    cat_record record = example(), back;
    bt_buf buf;

    bt_buf_init(&buf, 1000);
    assert_int_equal(cat_record_write(&buf, &record), APR_SUCCESS);
    for (apr_size_t size = 0; size < buf.length; size++) {
        /* of its own size, so that a read past the end is seen by the sanitizer */
        unsigned char *cut = malloc(size + (size == 0));
        MDB_val value = {size, cut};

        memcpy(cut, buf.data, size);
        assert_false(cat_record_read(&value, &back));
        free(cut);
    }
    for (apr_size_t at = 0; at < buf.length; at++) {
        MDB_val value = {buf.length, buf.data};

        buf.data[at] ^= 0x41;
        assert_false(cat_record_read(&value, &back));
        buf.data[at] ^= 0x41;
    }
    bt_buf_free(&buf);
}

/* --- damage in the database --------------------------------------------------------------------------------------- */

typedef struct {
    cat_db db;
    const char *path;
    apr_size_t at; /* the byte to change; MDB_val too short: the whole value goes */
} scribble;

static int scribble_on(const cat_txn *txn, void *baton)
{
    const scribble *s = baton;
    cat_path_key id = cat_path_key_of(s->path);
    MDB_val key = {sizeof id.b, id.b}, value;
    unsigned char *copy;
    int rc = mdb_get(txn->txn, txn->db[s->db], &key, &value);

    if (rc != 0)
        return rc;
    copy = malloc(value.mv_size);
    memcpy(copy, value.mv_data, value.mv_size);
    copy[s->at] ^= 1;
    value.mv_data = copy;
    rc = mdb_put(txn->txn, txn->db[s->db], &key, &value, 0);
    free(copy);
    return rc;
}

static apr_int64_t count_faults(fixture *f)
{
    apr_int64_t faults = -1;

    assert_int_equal(cat_check(f->catalog, NULL, NULL, &faults), APR_SUCCESS);
    return faults;
}

static void test_damaged_record_is_not_found_and_repaired(void **state)
{
    fixture *f = *state;
    tg_torrent torrent = fix_torrent(TG_HYBRID, 1, 3000, 64);
    scribble s = {CAT_DB_PATH, "/a", 50};
    cat_entry entry;

    fix_open(f);
    assert_int_equal(fix_publish(f->catalog, "/a", 1, 3000, 64), APR_SUCCESS);
    assert_int_equal(fix_publish(f->catalog, "/b", 2, 3000, 64), APR_SUCCESS);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(cat_env_write(f->catalog->env, scribble_on, &s), APR_SUCCESS);
        assert_true(count_faults(f) > 0);
        assert_int_equal(cat_find_path(f->catalog, "/a", f->pool, &entry), APR_NOTFOUND);
        assert_int_equal(cat_find_hash(f->catalog, &torrent.v1, 0, f->pool, &entry), APR_NOTFOUND);
        if (round == 0) { /* another torrent: the old info-hashes must go all the same */
            assert_int_equal(fix_publish(f->catalog, "/a", 3, 100, 0), APR_SUCCESS);
        } else { /* out of sight when withdrawn */
            assert_int_equal(cat_withdraw(f->catalog, "/a", CAT_PROTECTED), APR_NOTFOUND);
        }
        assert_int_equal(cat_standing_of(f->catalog, &torrent.v1), CAT_UNKNOWN);
        fix_check(f->catalog);
    }
    assert_int_equal(cat_find_path(f->catalog, "/b", f->pool, &entry), APR_SUCCESS);
    assert_int_equal(fix_logged(103), 1); /* once, however often it is met */
    fix_free_torrent(&torrent);
}

static void test_damaged_torrent_is_not_found(void **state)
{
    fixture *f = *state;
    const cat_db places[] = {CAT_DB_TORRENT, CAT_DB_LAYER};
    cat_entry entry;
    tg_torrent torrent;

    fix_open(f);
    for (unsigned i = 0; i < 2; i++) {
        scribble s = {places[i], "/a", 20};

        assert_int_equal(fix_publish(f->catalog, "/a", 1, 3000, 64), APR_SUCCESS);
        assert_int_equal(cat_find_path(f->catalog, "/a", f->pool, &entry), APR_SUCCESS);
        assert_int_equal(cat_read_torrent(f->catalog, &entry, f->pool, &torrent), APR_SUCCESS);
        assert_int_equal(cat_env_write(f->catalog->env, scribble_on, &s), APR_SUCCESS);
        assert_int_equal(cat_read_torrent(f->catalog, &entry, f->pool, &torrent), APR_NOTFOUND);
        assert_int_equal(count_faults(f), 1);
    }
}

/* --- what is gone ------------------------------------------------------------------------------------------------- */

typedef struct {
    unsigned first, count;
    apr_time_t when;
    MDB_stat stat;
} gone_job;

static bt_infohash hash_of(unsigned n)
{
    bt_infohash hash = {{9}};

    memcpy(hash.b + 4, &n, sizeof n);
    return hash;
}

static int add_gone(const cat_txn *txn, void *baton)
{
    gone_job *job = baton;
    int rc = 0;

    for (unsigned i = job->first; rc == 0 && i < job->first + job->count; i++) {
        bt_infohash hash = hash_of(i);
        rc = cat_put_gone(txn, &hash, CAT_CHANGED, job->when + i);
    }
    return rc != 0 ? rc : mdb_stat(txn->txn, txn->db[CAT_DB_GONE], &job->stat);
}

static void test_gone_is_bounded(void **state)
{
    fixture *f = *state;
    gone_job job = {0, CAT_GONE_MAX + 500, apr_time_now(), {0}};
    bt_infohash oldest = hash_of(0), newest = hash_of(CAT_GONE_MAX + 499);

    fix_open(f);
    assert_int_equal(cat_env_write(f->catalog->env, add_gone, &job), APR_SUCCESS);
    assert_int_equal(job.stat.ms_entries, CAT_GONE_MAX);
    assert_int_equal(cat_standing_of(f->catalog, &oldest), CAT_UNKNOWN);
    assert_int_equal(cat_standing_of(f->catalog, &newest), CAT_CHANGED);
    fix_check(f->catalog);
}

static void test_gone_is_forgotten_after_a_week(void **state)
{
    fixture *f = *state;
    apr_time_t now = apr_time_now();
    gone_job old = {0, 40, now - apr_time_from_sec(7 * 24 * 3600 + 60), {0}};
    gone_job young = {100, 40, now - apr_time_from_sec(6 * 24 * 3600), {0}};
    gone_job again = {100, 40, now, {0}};
    bt_infohash forgotten = hash_of(0), kept = hash_of(100);

    fix_open(f);
    assert_int_equal(cat_env_write(f->catalog->env, add_gone, &old), APR_SUCCESS);
    assert_int_equal(cat_standing_of(f->catalog, &forgotten), CAT_CHANGED);
    assert_int_equal(cat_env_write(f->catalog->env, add_gone, &young), APR_SUCCESS);
    /* "now" was then six days ago: nothing was a week old. It is once the clock is here. */
    assert_int_equal(young.stat.ms_entries, 80);
    assert_int_equal(cat_env_write(f->catalog->env, add_gone, &again), APR_SUCCESS);
    assert_int_equal(again.stat.ms_entries, 40);
    assert_int_equal(cat_standing_of(f->catalog, &forgotten), CAT_UNKNOWN);
    assert_int_equal(cat_standing_of(f->catalog, &kept), CAT_CHANGED);
    fix_check(f->catalog);
}

/* --- many --------------------------------------------------------------------------------------------------------- */

enum { MANY = 20000, AT_ONCE = 1000 };

static int publish_many(const cat_txn *txn, void *baton)
{
    unsigned first = *(unsigned *)baton;
    int rc = 0;

    for (unsigned i = first; rc == 0 && i < first + AT_ONCE; i++) {
        tg_torrent torrent = fix_torrent(TG_HYBRID, i, 300, 0);
        char path[64];
        cat_path_key key;
        cat_record record = example();
        MDB_val id = {sizeof key.b, key.b}, value = {300, (void *)(uintptr_t)torrent.infodict};

        apr_snprintf(path, sizeof path, "/srv/www/releases/image-%u.iso", i);
        key = cat_path_key_of(path);
        record.entry.path = path;
        record.entry.v1 = torrent.v1;
        record.entry.v2 = torrent.v2;
        record.entry.infodict_length = 300;
        record.entry.layer_length = 0;
        record.infodict_sum = cat_sum(torrent.infodict, 300);
        if ((rc = cat_put_record(txn, &key, &record)) == 0)
            rc = mdb_put(txn->txn, txn->db[CAT_DB_TORRENT], &id, &value, 0);
        fix_free_torrent(&torrent);
    }
    return rc;
}

static int count_visit(void *baton, const cat_entry *entry)
{
    ++*(int *)baton;
    return 0;
}

static void test_many_entries(void **state)
{
    fixture *f = *state;
    apr_pool_t *pool;
    cat_entry entry;
    int visited = 0;

    fix_open(f);
    for (unsigned first = 0; first < MANY; first += AT_ONCE)
        assert_int_equal(cat_env_write(f->catalog->env, publish_many, &first), APR_SUCCESS);
    fix_check(f->catalog);
    fix_close(f); /* and opening looks at all pages of a deeper tree */
    fix_open(f);
    assert_int_equal(fix_logged(100), 0);
    apr_pool_create(&pool, f->pool);
    for (unsigned i = 0; i < MANY; i++) {
        tg_torrent torrent = fix_torrent(TG_HYBRID, i, 1, 0);
        const char *path = apr_psprintf(pool, "/srv/www/releases/image-%u.iso", i);

        assert_int_equal(cat_find_path(f->catalog, path, pool, &entry), APR_SUCCESS);
        assert_int_equal(cat_find_hash(f->catalog, &torrent.v1, 0, pool, &entry), APR_SUCCESS);
        assert_string_equal(entry.path, path);
        fix_free_torrent(&torrent);
        apr_pool_clear(pool);
    }
    assert_int_equal(cat_walk(f->catalog, count_visit, &visited), APR_SUCCESS);
    assert_int_equal(visited, MANY);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fix_setup, fix_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_record_round_trip),
                                       cmocka_unit_test(test_record_damaged_anywhere),
                                       TEST(test_damaged_record_is_not_found_and_repaired),
                                       TEST(test_damaged_torrent_is_not_found),
                                       TEST(test_gone_is_bounded),
                                       TEST(test_gone_is_forgotten_after_a_week),
                                       TEST(test_many_entries)};

    return cmocka_run_group_tests_name("catalogue tables", tests, NULL, NULL);
}
