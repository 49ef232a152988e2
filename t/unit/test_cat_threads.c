/* Threads of one process: they read while one of them writes and the map is replaced. Run under TSan as well. */
#include "cat_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

enum { READERS = 4, STEADY = 20, BIG = 8 * 1024 * 1024, BIG_COUNT = 12 };

typedef struct {
    cat_catalog *catalog;
    atomic_int stop, wrong, reads;
} shared;

static int read_steady(cat_catalog *catalog, unsigned n, apr_pool_t *pool)
{
    tg_torrent expected = fix_torrent(TG_HYBRID, n, 500, 64), torrent;
    cat_entry entry, by_hash;
    int good = cat_find_path(catalog, apr_psprintf(pool, "/steady %u", n), pool, &entry) == APR_SUCCESS &&
               cat_standing_of(catalog, &expected.v1) == CAT_PUBLISHED &&
               cat_find_hash(catalog, &expected.v1, 0, pool, &by_hash) == APR_SUCCESS &&
               strcmp(by_hash.path, entry.path) == 0 &&
               cat_read_torrent(catalog, &entry, pool, &torrent) == APR_SUCCESS &&
               torrent.infodict_length == expected.infodict_length &&
               memcmp(torrent.infodict, expected.infodict, expected.infodict_length) == 0;

    fix_free_torrent(&expected);
    return good;
}

static void *reader(void *data)
{
    shared *s = data;
    apr_pool_t *pool;

    apr_pool_create(&pool, NULL);
    for (unsigned n = 0; !atomic_load(&s->stop); n++) {
        apr_pool_clear(pool);
        if (!read_steady(s->catalog, n % STEADY, pool))
            atomic_fetch_add(&s->wrong, 1);
        atomic_fetch_add(&s->reads, 1);
    }
    apr_pool_destroy(pool);
    return NULL;
}

static void test_readers_while_the_map_grows(void **state)
{
    fixture *f = *state;
    pthread_t threads[READERS];
    shared s = {NULL, 0, 0, 0};

    fix_open(f);
    s.catalog = f->catalog;
    for (unsigned i = 0; i < STEADY; i++)
        assert_int_equal(fix_publish(f->catalog, apr_psprintf(f->pool, "/steady %u", i), i, 500, 64), APR_SUCCESS);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, reader, &s), 0);
    for (unsigned i = 0; i < BIG_COUNT; i++)
        assert_int_equal(fix_publish(f->catalog, apr_psprintf(f->pool, "/big %u", i), 1000 + i, BIG, 0), APR_SUCCESS);
    atomic_store(&s.stop, 1);
    for (int i = 0; i < READERS; i++)
        pthread_join(threads[i], NULL);
    assert_true(atomic_load(&s.reads) > 0);
    assert_int_equal(atomic_load(&s.wrong), 0);
    assert_true(fix_logged(106) >= 1); /* it did grow */
    fix_check(f->catalog);
}

typedef struct {
    cat_catalog *catalog;
    unsigned number;
    int failed;
} writer_job;

static void *writer(void *data)
{
    writer_job *job = data;
    char path[64];

    for (unsigned i = 0; i < 50; i++) {
        /* Half of the paths are this thread's, half are everybody's. */
        snprintf(path, sizeof path, "/%u/%u", i % 2 ? job->number : 99, i);
        job->failed += fix_publish(job->catalog, path, i, 2000, 0) != APR_SUCCESS;
        if (i % 10 == 4)
            cat_withdraw(job->catalog, path, i % 20 == 4 ? CAT_PROTECTED : CAT_CHANGED);
    }
    return NULL;
}

static void test_many_writers(void **state)
{
    fixture *f = *state;
    pthread_t threads[READERS];
    writer_job jobs[READERS];

    fix_open(f);
    for (unsigned i = 0; i < READERS; i++) {
        jobs[i] = (writer_job){f->catalog, i, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, writer, &jobs[i]), 0);
    }
    for (int i = 0; i < READERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(jobs[i].failed, 0);
    }
    fix_check(f->catalog);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fix_setup, fix_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_readers_while_the_map_grows), TEST(test_many_writers)};

    return cmocka_run_group_tests_name("catalogue among threads", tests, NULL, NULL);
}
