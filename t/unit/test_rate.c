/* The token bucket, run against a simulated clock. */
#include "t/unit/unit.h"

#include "seeder/rate.h"

/* Sends as fast as the bucket allows, looking every `step` microseconds. @return bytes sent in `seconds` */
static apr_int64_t run(apr_int64_t rate, apr_time_t step, int seconds)
{
    seed_rate bucket;
    apr_int64_t sent = 0;

    seed_rate_init(&bucket, rate, 0);
    for (apr_time_t now = 0; now < seconds * APR_USEC_PER_SEC; now += step) {
        apr_size_t allowed;
        while ((allowed = seed_rate_allow(&bucket, 65536, now)) > 0) {
            seed_rate_spend(&bucket, allowed);
            sent += (apr_int64_t)allowed;
        }
    }
    return sent;
}

static void the_rate_is_kept(void **state)
{
    static const apr_int64_t rates[] = {500, 10000, 123457, 1000000, 50000000, APR_INT64_C(5000000000)};
    static const apr_time_t steps[] = {7, 1000, 9999};

    for (int r = 0; r < 6; r++) {
        for (int s = 0; s < 3; s++) {
            apr_int64_t sent = run(rates[r], steps[s], 10), want = rates[r] * 10;
            apr_int64_t burst = rates[r] / 20 > 16397 ? rates[r] / 20 : 16397;
            assert_true(sent <= want + burst + 1);
            assert_true(sent >= want - want / 100 - 1500);
        }
    }
}

static void waiting_as_long_as_told_is_enough(void **state)
{
    seed_rate bucket;
    apr_time_t now = 0;

    seed_rate_init(&bucket, 100000, now);
    for (int i = 0; i < 1000; i++) {
        apr_size_t allowed = seed_rate_allow(&bucket, 65536, now);
        assert_true(allowed > 0);
        seed_rate_spend(&bucket, allowed);
        now += seed_rate_wait(&bucket, now);
    }
}

/* How often a second the bucket is looked at, by one who waits as long as told. */
static int turns(apr_int64_t rate)
{
    seed_rate bucket;
    apr_time_t now = 0;
    int count = 0;

    seed_rate_init(&bucket, rate, now);
    for (; now < APR_USEC_PER_SEC; now += seed_rate_wait(&bucket, now)) {
        apr_size_t allowed = seed_rate_allow(&bucket, 1 << 20, now);
        seed_rate_spend(&bucket, allowed);
        count++;
    }
    return count;
}

static void what_is_handed_out_is_worth_a_turn(void **state)
{
    assert_in_range(turns(10000), 5, 10);
    assert_in_range(turns(1000000), 80, 110);
    assert_in_range(turns(50000000), 150, 200);
    assert_in_range(turns(1000000000), 3000, 4000);
}

static void unlimited_and_long_sleep(void **state)
{
    seed_rate bucket;

    seed_rate_init(&bucket, 0, 0);
    assert_int_equal(seed_rate_allow(&bucket, 12345, 0), 12345);
    assert_int_equal(seed_rate_wait(&bucket, 0), 0);
    seed_rate_init(&bucket, APR_INT64_MAX, 0);
    seed_rate_spend(&bucket, 1000000);
    assert_int_equal(seed_rate_allow(&bucket, 12345, APR_INT64_MAX / 2), 12345);
}

static void a_clock_that_stands_still_gives_nothing(void **state)
{
    seed_rate bucket;

    seed_rate_init(&bucket, 1000000, 50);
    seed_rate_spend(&bucket, (apr_size_t)bucket.tokens);
    assert_int_equal(seed_rate_allow(&bucket, 100, 50), 0);
    assert_int_equal(seed_rate_allow(&bucket, 100, 10), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rate_is_kept),
        cmocka_unit_test(waiting_as_long_as_told_is_enough),
        cmocka_unit_test(what_is_handed_out_is_worth_a_turn),
        cmocka_unit_test(unlimited_and_long_sleep),
        cmocka_unit_test(a_clock_that_stands_still_gives_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
