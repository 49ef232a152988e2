/* A full disk, played by the limit on file sizes. */
#include "cat_fixture.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

static void limit_files(rlim_t size)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = size == RLIM_INFINITY ? limit.rlim_max : size;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void test_publishing_on_a_full_disk(void **state)
{
    fixture *f = *state;
    tg_torrent first = fix_torrent(TG_HYBRID, 1, 3000, 0), second = fix_torrent(TG_HYBRID, 2, 900000, 0);
    bt_stamp stamp = fix_stamp(1);
    struct stat info;
    cat_entry entry;
    tg_torrent back;

    fix_open(f);
    assert_int_equal(fix_put(f->catalog, "/a", "u", 1, &stamp, &first), APR_SUCCESS);
    assert_int_equal(stat(fix_name(f, "catalog.mdb"), &info), 0);
    limit_files((rlim_t)info.st_size + 8192);
    for (int i = 0; i < 5; i++)
        assert_int_equal(fix_put(f->catalog, "/a", "u", 1, &stamp, &second), APR_ENOSPC);
    assert_int_equal(fix_logged(104), 1);
    assert_int_equal(cat_find_path(f->catalog, "/a", f->pool, &entry), APR_SUCCESS);
    assert_int_equal(cat_read_torrent(f->catalog, &entry, f->pool, &back), APR_SUCCESS);
    assert_memory_equal(&entry.v1, &first.v1, sizeof first.v1);
    assert_int_equal(cat_standing_of(f->catalog, &first.v1), CAT_PUBLISHED);
    assert_int_equal(cat_standing_of(f->catalog, &second.v1), CAT_UNKNOWN);
    fix_check(f->catalog);
    limit_files(RLIM_INFINITY);
    assert_int_equal(fix_put(f->catalog, "/a", "u", 1, &stamp, &second), APR_SUCCESS);
    assert_int_equal(cat_standing_of(f->catalog, &first.v1), CAT_CHANGED);
    fix_check(f->catalog);
    fix_close(f);
    fix_open(f);
    fix_check(f->catalog);
    assert_int_equal(fix_logged(100), 0);
    assert_int_equal(fix_logged(105), 0);
    fix_free_torrent(&first);
    fix_free_torrent(&second);
}

/* Every size at which a change may break off leaves the state before it. */
static void test_broken_off_anywhere(void **state)
{
    fixture *f = *state;
    struct stat info;
    apr_int64_t count, full = 0;
    apr_status_t status;

    fix_open(f);
    assert_int_equal(fix_publish(f->catalog, "/a", 1, 3000, 0), APR_SUCCESS);
    for (unsigned i = 0; i < 60; i++) {
        assert_int_equal(stat(fix_name(f, "catalog.mdb"), &info), 0);
        limit_files((rlim_t)info.st_size / 2 + i * 2048);
        status = fix_publish(f->catalog, "/b", 100 + i, 40000, 20000);
        limit_files(RLIM_INFINITY);
        assert_true(status == APR_SUCCESS || status == APR_ENOSPC);
        full += status == APR_ENOSPC;
        fix_check(f->catalog);
    }
    assert_true(full > 10);
    assert_int_equal(cat_count(f->catalog, &count), APR_SUCCESS);
    assert_int_equal(fix_publish(f->catalog, "/c", 500, 40000, 20000), APR_SUCCESS);
    fix_close(f);
    fix_open(f);
    fix_check(f->catalog);
    assert_int_equal(fix_logged(100), 0);
}

/* No room even for the mark, which would have to be made again: the change is given up, and nothing is lost. */
static void test_no_room_for_the_mark(void **state)
{
    fixture *f = *state;
    cat_entry entry;

    fix_open(f);
    assert_int_equal(fix_publish(f->catalog, "/a", 1, 3000, 0), APR_SUCCESS);
    fix_close(f);
    fix_open(f);
    limit_files(50);
    for (int i = 0; i < 3; i++)
        assert_int_equal(fix_publish(f->catalog, "/b", 2, 3000, 0), APR_ENOSPC);
    assert_int_equal(fix_logged(104), 1);
    assert_int_equal(cat_find_path(f->catalog, "/a", f->pool, &entry), APR_SUCCESS);
    limit_files(RLIM_INFINITY);
    assert_int_equal(fix_publish(f->catalog, "/b", 2, 3000, 0), APR_SUCCESS);
    fix_check(f->catalog);
    fix_close(f);
    fix_open(f);
    fix_check(f->catalog);
    assert_int_equal(fix_logged(100) + fix_logged(105), 0);
}

static void test_opening_on_a_full_disk(void **state)
{
    fixture *f = *state;
    cat_catalog *catalog = NULL;
    const rlim_t limits[] = {0, 1000, 262144, 270000};

    for (unsigned i = 0; i < sizeof limits / sizeof *limits; i++) {
        apr_status_t status;

        limit_files(limits[i]);
        apr_pool_t *pool;
        apr_pool_create(&pool, f->pool);
        status = cat_open(&catalog, f->directory, pool);
        limit_files(RLIM_INFINITY);
        assert_true(status == APR_ENOSPC || (status == APR_SUCCESS && limits[i] == 270000));
        apr_pool_destroy(pool);
    }
    fix_open(f);
    assert_int_equal(fix_publish(f->catalog, "/a", 1, 3000, 0), APR_SUCCESS);
    assert_int_equal(fix_logged(100), 0);
    fix_check(f->catalog);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fix_setup, fix_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_publishing_on_a_full_disk), TEST(test_broken_off_anywhere),
                                       TEST(test_no_room_for_the_mark), TEST(test_opening_on_a_full_disk)};

    signal(SIGXFSZ, SIG_IGN);
    return cmocka_run_group_tests_name("catalogue on a full disk", tests, NULL, NULL);
}
