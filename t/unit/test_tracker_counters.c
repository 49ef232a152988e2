/* The counters of announces, and their rate over the last minute. */
#include "t/unit/unit.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tracker/counters.h"

static const apr_time_t start = APR_TIME_C(1700000000) * APR_USEC_PER_SEC;

static int make_page(void **state)
{
    *state = malloc(trk_counters_size());
    assert_non_null(*state);
    memset(*state, 0xff, trk_counters_size());
    trk_counters_init(*state);
    return 0;
}

static int free_page(void **state)
{
    free(*state);
    return 0;
}

static apr_time_t after(int seconds)
{
    return start + apr_time_from_sec(seconds);
}

static void count_many(trk_counters *page, int count, apr_time_t now)
{
    while (count-- > 0)
        trk_count_announce(page, TRK_FORM_HTTP, TRK_RESULT_OK, now);
}

static void a_page_of_another_layout_is_not_used(void **state)
{
    trk_counters *page = *state;

    assert_true(trk_counters_usable(page, trk_counters_size()));
    assert_false(trk_counters_usable(page, trk_counters_size() - 1));
    page->layout++;
    assert_false(trk_counters_usable(page, trk_counters_size()));
}

static void names_differ(void **state)
{
    (void)state;
    for (int a = 0; a < TRK_RESULTS; a++)
        for (int b = 0; b < a; b++)
            assert_string_not_equal(trk_result_name((trk_result)a), trk_result_name((trk_result)b));
    for (int a = 0; a < TRK_FORMS; a++)
        for (int b = 0; b < a; b++)
            assert_string_not_equal(trk_form_name((trk_form)a), trk_form_name((trk_form)b));
}

static void each_result_is_counted_by_itself(void **state)
{
    trk_counters *page = *state;

    for (int result = 0; result < TRK_RESULTS; result++)
        for (int i = 0; i <= result; i++)
            trk_count_announce(page, TRK_FORM_HTTP, (trk_result)result, start);
    for (int result = 0; result < TRK_RESULTS; result++)
        assert_int_equal(page->results[TRK_FORM_HTTP][result], result + 1);
}

static void what_is_no_announce_does_not_count_as_one(void **state)
{
    trk_counters *page = *state;

    for (int i = 0; i < 3; i++)
        trk_count_refused_scrape(page);
    for (int i = 0; i < 5; i++)
        trk_count_silence(page);
    assert_int_equal(page->scrapes_refused, 3);
    assert_int_equal(page->udp_silent, 5);
    assert_int_equal(trk_announce_rate(page, after(1)), 0);
    for (int form = 0; form < TRK_FORMS; form++)
        for (int result = 0; result < TRK_RESULTS; result++)
            assert_int_equal(page->results[form][result], 0);
}

static void statuses_are_results(void **state)
{
    (void)state;
    assert_int_equal(trk_result_of(APR_SUCCESS), TRK_RESULT_OK);
    assert_int_equal(trk_result_of(APR_EACCES), TRK_RESULT_PRIVATE);
    assert_int_equal(trk_result_of(APR_ENOSPC), TRK_RESULT_FULL);
    assert_int_equal(trk_result_of(APR_EGENERAL), TRK_RESULT_FAILED);
}

static void the_rate_is_that_of_the_last_full_minute(void **state)
{
    trk_counters *page = *state;

    assert_int_equal(trk_announce_rate(page, start), 0);
    count_many(page, 120, start);
    assert_int_equal(trk_announce_rate(page, start), 0); /* its second is not over */
    for (int second = 1; second <= 60; second++)
        assert_int_equal(trk_announce_rate(page, after(second)), 2000000);
    for (int second = 61; second <= 200; second++)
        assert_int_equal(trk_announce_rate(page, after(second)), 0);
}

static void a_steady_rate_is_told(void **state)
{
    trk_counters *page = *state;

    for (int second = 0; second < 500; second++) {
        count_many(page, 7, after(second) + 999999);
        if (second >= 60)
            assert_int_equal(trk_announce_rate(page, after(second)), 7000000);
    }
    assert_int_equal(trk_announce_rate(page, after(500 + 30)), 7000000 * 30 / 60);
}

static void a_clock_that_was_put_back_counts_on(void **state)
{
    trk_counters *page = *state;

    for (int second = 0; second < 100; second++)
        count_many(page, 3, after(second));
    for (int second = -3600; second < -3500; second++)
        count_many(page, 5, after(second));
    assert_int_equal(trk_announce_rate(page, after(-3500)), 5000000);
    count_many(page, 60, after(-3500));
    assert_int_equal(trk_announce_rate(page, after(-3499)), (59 * 5 + 60) * APR_TIME_C(1000000) / 60);
}

enum { THREADS = 8, EACH = 20000 };

static void *announce_a_lot(void *page)
{
    for (int i = 0; i < EACH; i++)
        trk_count_announce(page, TRK_FORM_HTTP, TRK_RESULT_OK, after(i * 50 / EACH));
    return NULL;
}

static void none_is_lost_between_threads(void **state)
{
    trk_counters *page = *state;
    pthread_t threads[THREADS];
    apr_uint64_t whole = (apr_uint64_t)THREADS * EACH;

    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, announce_a_lot, page), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(page->results[TRK_FORM_HTTP][TRK_RESULT_OK], whole);
    assert_int_equal(trk_announce_rate(page, after(50)), whole * 1000000 / 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_page_of_another_layout_is_not_used, make_page, free_page),
        cmocka_unit_test(names_differ),
        cmocka_unit_test_setup_teardown(each_result_is_counted_by_itself, make_page, free_page),
        cmocka_unit_test_setup_teardown(what_is_no_announce_does_not_count_as_one, make_page, free_page),
        cmocka_unit_test(statuses_are_results),
        cmocka_unit_test_setup_teardown(the_rate_is_that_of_the_last_full_minute, make_page, free_page),
        cmocka_unit_test_setup_teardown(a_steady_rate_is_told, make_page, free_page),
        cmocka_unit_test_setup_teardown(a_clock_that_was_put_back_counts_on, make_page, free_page),
        cmocka_unit_test_setup_teardown(none_is_lost_between_threads, make_page, free_page),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
