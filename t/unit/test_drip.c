/* Peers that take what they asked for slowly, or not, against a simulated clock. */
#include "t/unit/unit.h"

#include "seeder/drip.h"

enum { STRETCH = 60, LEAST = 16384 };

/* One who takes `bytes` each `every` seconds, looked at each second. @return seconds until it is judged, 0: never in an hour */
static int judged(apr_uint64_t bytes, int every, seed_drip_verdict *verdict)
{
    seed_drip drip = {0};
    apr_uint64_t taken = 5000;

    for (int s = 0; s < 3600; s++) {
        if (s && s % every == 0)
            taken += bytes;
        *verdict = seed_drip_look(&drip, 1, taken, (1000 + s) * APR_USEC_PER_SEC, STRETCH * APR_USEC_PER_SEC, LEAST);
        if (*verdict != SEED_DRIP_FINE)
            return s;
    }
    return 0;
}

static void who_takes_nothing(void **state)
{
    seed_drip_verdict verdict;

    assert_int_equal(judged(0, 1, &verdict), 60);
    assert_int_equal(verdict, SEED_DRIP_NOTHING);
    (void)state;
}

static void who_takes_drops(void **state)
{
    seed_drip_verdict verdict;

    assert_int_equal(judged(1, 30, &verdict), 60);
    assert_int_equal(verdict, SEED_DRIP_TRICKLE);
    assert_int_equal(judged(LEAST / 60 - 1, 1, &verdict), 60);
    assert_int_equal(verdict, SEED_DRIP_TRICKLE);
    (void)state;
}

static void a_slow_line_is_no_fault(void **state)
{
    seed_drip_verdict verdict;

    assert_int_equal(judged(LEAST / 60 + 1, 1, &verdict), 0);
    assert_int_equal(judged(2 * LEAST, 59, &verdict), 0);
    assert_int_equal(judged(1 << 20, 1, &verdict), 0);
    (void)state;
}

/* It took much and then stops: a minute from there, wherever the stretch began. */
static void who_stops(void **state)
{
    seed_drip drip = {0};
    const apr_interval_time_t stretch = STRETCH * APR_USEC_PER_SEC;

    for (int s = 0; s <= 100; s++)
        assert_int_equal(seed_drip_look(&drip, 1, (apr_uint64_t)s << 20, (1 + s) * APR_USEC_PER_SEC, stretch, LEAST),
                         SEED_DRIP_FINE);
    for (int s = 101; s < 160; s++)
        assert_int_equal(seed_drip_look(&drip, 1, 100 << 20, (1 + s) * APR_USEC_PER_SEC, stretch, LEAST), SEED_DRIP_FINE);
    assert_int_equal(seed_drip_look(&drip, 1, 100 << 20, 161 * APR_USEC_PER_SEC, stretch, LEAST), SEED_DRIP_NOTHING);
    (void)state;
}

/* It took a little at once, and nothing after that: that is no trickle. */
static void who_takes_the_first_bytes_only(void **state)
{
    seed_drip drip = {0};
    const apr_interval_time_t stretch = STRETCH * APR_USEC_PER_SEC;

    for (int s = 0; s < 65; s++)
        assert_int_equal(seed_drip_look(&drip, 1, s < 5 ? 0 : 4000, (1 + s) * APR_USEC_PER_SEC, stretch, LEAST),
                         SEED_DRIP_FINE);
    assert_int_equal(seed_drip_look(&drip, 1, 4000, 66 * APR_USEC_PER_SEC, stretch, LEAST), SEED_DRIP_NOTHING);
    (void)state;
}

/* Whoever waits for us - a limit of our rate, our disk - owes nothing, and starts afresh. */
static void nothing_is_due_while_we_are_slow(void **state)
{
    seed_drip drip = {0};
    const apr_interval_time_t stretch = STRETCH * APR_USEC_PER_SEC;

    for (int s = 0; s < 1000; s++)
        assert_int_equal(seed_drip_look(&drip, s % 50 != 0, 7, (1 + s) * APR_USEC_PER_SEC, stretch, LEAST), SEED_DRIP_FINE);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_takes_nothing),
        cmocka_unit_test(who_takes_drops),
        cmocka_unit_test(a_slow_line_is_no_fault),
        cmocka_unit_test(who_stops),
        cmocka_unit_test(who_takes_the_first_bytes_only),
        cmocka_unit_test(nothing_is_due_while_we_are_slow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
