/* HTTP comes first, and peers get what it leaves. */
#include "t/unit/unit.h"

#include "seeder/leftover.h"
#include "seeder/rate.h"

enum { STEP = SEED_LEFTOVER_EVERY, MB = 1000000 };

static seed_leftover leftover;
static apr_uint64_t sent;
static apr_time_t now;

static void begin(apr_int64_t uplink, apr_int64_t most)
{
    sent = 12345;
    now = 50;
    seed_leftover_init(&leftover, uplink, most, sent, now);
}

/* HTTP sends so many bytes a second for so many steps. @return the rate that is left */
static apr_int64_t http(apr_int64_t rate, int steps)
{
    for (; steps > 0; steps--) {
        now += STEP;
        sent += (apr_uint64_t)(rate / 10);
        assert_int_equal(seed_leftover_is_due(&leftover, now), 1);
        seed_leftover_look(&leftover, sent, now);
        assert_int_equal(seed_leftover_is_due(&leftover, now), 0);
    }
    return seed_leftover_rate(&leftover);
}

static void none_is_stated(void **state)
{
    begin(0, 0);
    assert_int_equal(seed_leftover_is_due(&leftover, now + 10 * STEP), 0);
    assert_int_equal(seed_leftover_rate(&leftover), 0);
    begin(0, 7 * MB);
    assert_int_equal(seed_leftover_rate(&leftover), 7 * MB);
}

static void what_is_left(void **state)
{
    begin(10 * MB, 0);
    assert_int_equal(seed_leftover_rate(&leftover), 10 * MB);
    assert_in_range(http(4 * MB, 20), 6 * MB, 6 * MB + MB / 20);
    assert_in_range(http(0, 100), 9 * MB, 10 * MB);
}

static void within_a_second(void **state)
{
    begin(10 * MB, 0);
    assert_in_range(http(8 * MB, 8), 2 * MB, 3 * MB);
    assert_in_range(http(0, 8), 9 * MB, 10 * MB);
}

static void never_less_than_a_twentieth_never_more_than_the_rate(void **state)
{
    begin(10 * MB, 3 * MB);
    assert_int_equal(seed_leftover_rate(&leftover), 3 * MB);
    assert_int_equal(http(500LL * MB, 50), MB / 2);
    assert_int_equal(http(0, 200), 3 * MB);
    begin(10, 0);
    assert_int_equal(http(1000, 50), 1);
}

/* A socket takes two megabytes at once, two times a second: the uplink carries them as four a second. */
static void in_bursts(void **state)
{
    apr_int64_t left = 0;

    begin(10 * MB, 0);
    for (int i = 0; i < 200; i++) {
        http(i % 5 ? 0 : 20 * MB, 1);
        left += i >= 100 ? seed_leftover_rate(&leftover) : 0;
    }
    assert_in_range(left / 100, 58 * MB / 10, 62 * MB / 10);
}

/* Nobody looked for long: what was sent then is not news. */
static void a_long_sleep(void **state)
{
    begin(10 * MB, 0);
    http(9 * MB, 50);
    now += 3600 * APR_USEC_PER_SEC;
    seed_leftover_look(&leftover, sent, now);
    assert_int_equal(seed_leftover_rate(&leftover), 10 * MB);
    seed_leftover_look(&leftover, sent + MB, now - 5);
    assert_int_equal(seed_leftover_rate(&leftover), 10 * MB);
}

/* A bucket whose rate changes gives what was earned, and no more than its new burst. */
static void a_bucket_with_another_rate(void **state)
{
    seed_rate bucket;

    seed_rate_init(&bucket, 10 * MB, 0);
    seed_rate_spend(&bucket, (apr_size_t)bucket.tokens);
    seed_rate_set(&bucket, MB, 10000);
    assert_int_equal(seed_rate_allow(&bucket, 10 * MB, 10000), bucket.burst);
    seed_rate_spend(&bucket, (apr_size_t)bucket.tokens);
    assert_int_equal(seed_rate_allow(&bucket, 10 * MB, 20000), 10000);
    seed_rate_set(&bucket, 0, 20000);
    assert_int_equal(seed_rate_allow(&bucket, 10 * MB, 20000), 10 * MB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(none_is_stated),
        cmocka_unit_test(what_is_left),
        cmocka_unit_test(within_a_second),
        cmocka_unit_test(never_less_than_a_twentieth_never_more_than_the_rate),
        cmocka_unit_test(in_bursts),
        cmocka_unit_test(a_long_sleep),
        cmocka_unit_test(a_bucket_with_another_rate),
    };
    return cmocka_run_group_tests_name("leftover", tests, NULL, NULL);
}
