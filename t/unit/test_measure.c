/* The upload's rate, from a simulated counter and clock. */
#include "t/unit/unit.h"

#include <stdlib.h>
#include <time.h>

#include "seeder/measure.h"

enum { RATE = 1000000 };

/* A steady upload, looked at each `step` microseconds. @return the rate after so many seconds */
static apr_uint64_t steady(seed_measure *measure, apr_time_t from, apr_time_t step, int seconds, apr_uint64_t rate)
{
    apr_uint64_t bytes = measure->bytes, shown = 0;

    for (apr_time_t now = from; now <= from + seconds * APR_USEC_PER_SEC; now += step) {
        shown = seed_measure_rate(measure, bytes, now);
        bytes += rate * (apr_uint64_t)step / APR_USEC_PER_SEC;
    }
    return shown;
}

static void a_steady_upload_is_shown_as_it_is(void **state)
{
    static const apr_time_t steps[] = {20000, 300000, APR_USEC_PER_SEC, 3 * APR_USEC_PER_SEC};

    for (int i = 0; i < 4; i++) {
        seed_measure measure = {0};
        apr_uint64_t shown = steady(&measure, 1000, steps[i], 60, RATE);
        assert_in_range(shown, RATE * 99 / 100, RATE * 101 / 100);
    }
    (void)state;
}

static void it_falls_when_nothing_is_sent(void **state)
{
    seed_measure measure = {0};
    apr_uint64_t shown;

    steady(&measure, 1000, APR_USEC_PER_SEC, 60, RATE);
    shown = steady(&measure, 61 * APR_USEC_PER_SEC + 1000, APR_USEC_PER_SEC, 5, 0);
    assert_in_range(shown, RATE / 5, RATE / 2);
    shown = steady(&measure, 67 * APR_USEC_PER_SEC + 1000, APR_USEC_PER_SEC, 60, 0);
    assert_in_range(shown, 0, RATE / 1000);
    (void)state;
}

static void after_a_pause_it_begins_anew(void **state)
{
    seed_measure measure = {0};

    steady(&measure, 1000, APR_USEC_PER_SEC, 60, RATE);
    assert_int_equal(seed_measure_rate(&measure, measure.bytes + 12345, 3600 * APR_USEC_PER_SEC), 0);
    assert_int_equal(seed_measure_rate(&measure, measure.bytes, 3600 * APR_USEC_PER_SEC), 0); /* twice in one moment */
    (void)state;
}

static void cpu_time_is_added_up(void **state)
{
    seed_counters *page = malloc(seed_counters_size());
    seed_measure one = {0};
    apr_uint64_t first;
    clock_t begin;

    seed_counters_init(page);
    page->cpu_time = 5000000; /* of an earlier seeder */
    seed_measure_tick(&one, page, 1000);
    first = page->cpu_time;
    assert_true(first >= 5000000);
    for (begin = clock(); clock() - begin < CLOCKS_PER_SEC / 20;)
        ;
    seed_measure_tick(&one, page, 2000);
    assert_true(page->cpu_time >= first + 40000);
    assert_int_equal(page->measured, 2000);
    free(page);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_steady_upload_is_shown_as_it_is),
        cmocka_unit_test(it_falls_when_nothing_is_sent),
        cmocka_unit_test(after_a_pause_it_begins_anew),
        cmocka_unit_test(cpu_time_is_added_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
