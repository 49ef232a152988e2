/* The page of counters, and the job slots on it. */
#include "t/unit/unit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_time.h>

#include "seeder/counters.h"

static seed_counters *fresh_page(void)
{
    seed_counters *page = malloc(seed_counters_size());

    assert_non_null(page);
    seed_counters_init(page);
    return page;
}

static void a_page_of_another_layout_is_not_used(void **state)
{
    seed_counters *page = fresh_page();

    assert_true(seed_counters_usable(page, seed_counters_size()));
    assert_false(seed_counters_usable(page, seed_counters_size() - 1));
    page->layout++;
    assert_false(seed_counters_usable(page, seed_counters_size()));
    free(page);
}

static void every_reason_has_a_name_of_its_own(void **state)
{
    for (int a = 0; a < SEED_CLOSE_REASONS; a++) {
        assert_non_null(seed_close_name((seed_close_reason)a));
        for (int b = 0; b < a; b++)
            assert_string_not_equal(seed_close_name((seed_close_reason)a), seed_close_name((seed_close_reason)b));
    }
    assert_string_equal(seed_close_name(SEED_CLOSE_BAD_REQUEST), "bad-request");
    assert_string_equal(seed_close_name(SEED_CLOSE_FULL_ADDRESS), "full-address");
    assert_string_equal(seed_close_name(SEED_CLOSE_SHUTDOWN), "shutdown");
}

static void the_life_of_a_job(void **state)
{
    seed_counters *page = fresh_page();

    assert_int_equal(seed_job_progress(page, "/a"), -1);
    assert_int_equal(seed_job_begin(page, "/a"), 1);
    assert_int_equal(seed_job_begin(page, "/a"), 0);
    assert_int_equal(seed_job_progress(page, "/a"), 0);
    seed_job_percent(page, "/a", 42);
    seed_job_percent(page, "/b", 99);
    assert_int_equal(seed_job_progress(page, "/a"), 42);
    seed_job_end(page, "/a", 0);
    assert_int_equal(seed_job_progress(page, "/a"), -1);
    assert_int_equal(seed_job_begin(page, "/a"), 1);
    seed_job_end(page, "/a", 1);
    assert_int_equal(seed_job_progress(page, "/a"), -2);
    assert_int_equal(seed_job_begin(page, "/a"), 1); /* it may be tried again */
    seed_job_end(page, "/a", 1);
    for (int i = 0; i < SEED_JOB_SLOTS; i++)
        if (page->jobs[i].state == SEED_JOB_FAILED)
            page->jobs[i].changed -= 11 * APR_USEC_PER_SEC;
    assert_int_equal(seed_job_progress(page, "/a"), -1); /* the failure is forgotten */
    free(page);
}

static void no_more_jobs_than_slots(void **state)
{
    seed_counters *page = fresh_page();
    char path[32];

    for (int i = 0; i < SEED_JOB_SLOTS; i++) {
        snprintf(path, sizeof path, "/file/%d", i);
        assert_int_equal(seed_job_begin(page, path), 1);
        seed_job_percent(page, path, i % 100);
    }
    assert_int_equal(seed_job_begin(page, "/one more"), 0);
    for (int i = 0; i < SEED_JOB_SLOTS; i++) {
        snprintf(path, sizeof path, "/file/%d", i);
        assert_int_equal(seed_job_progress(page, path), i % 100);
    }
    seed_job_end(page, "/file/7", 1);
    assert_int_equal(seed_job_begin(page, "/one more"), 1); /* a failure makes room */
    seed_job_clear(page);
    for (int i = 0; i < SEED_JOB_SLOTS; i++) {
        snprintf(path, sizeof path, "/file/%d", i);
        assert_int_equal(seed_job_progress(page, path), -1);
    }
    free(page);
}

static void *work(void *baton)
{
    static int number;
    int mine = __atomic_fetch_add(&number, 1, __ATOMIC_RELAXED);
    char path[32];

    for (int i = 0; i < 2000; i++) {
        snprintf(path, sizeof path, "/%d/%d", mine, i % 20);
        if (seed_job_begin(baton, path)) {
            seed_job_percent(baton, path, 50);
            seed_job_end(baton, path, 0);
        }
    }
    return NULL;
}

static void threads_do_not_lose_slots(void **state)
{
    seed_counters *page = fresh_page();
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, page), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < SEED_JOB_SLOTS; i++)
        assert_int_equal(page->jobs[i].state, SEED_JOB_FREE);
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_of_another_layout_is_not_used),
        cmocka_unit_test(every_reason_has_a_name_of_its_own),
        cmocka_unit_test(the_life_of_a_job),
        cmocka_unit_test(no_more_jobs_than_slots),
        cmocka_unit_test(threads_do_not_lose_slots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
