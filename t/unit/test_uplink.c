#include "seeder/uplink.h"
#include "t/unit/unit.h"

enum { MB = 1000000 };

static const apr_time_t START = 100 * APR_USEC_PER_SEC;

/* Looks every second, at so many bytes a second. */
static apr_int64_t go_on(seed_uplink *uplink, int seconds, apr_uint64_t rate)
{
    apr_int64_t best = uplink->best;

    for (int i = 0; i < seconds; i++)
        best = seed_uplink_look(uplink, uplink->bytes + rate, uplink->at + APR_USEC_PER_SEC);
    return best;
}

static void the_best_second_counts(void **state)
{
    seed_uplink uplink;

    seed_uplink_init(&uplink, 0);
    assert_int_equal(seed_uplink_look(&uplink, 77 * MB, START), 0);
    assert_int_equal(go_on(&uplink, 1, 10 * MB), 10 * MB);
    assert_int_equal(go_on(&uplink, 1, 50 * MB), 50 * MB);
    assert_in_range(go_on(&uplink, 3, 20 * MB), 45 * MB, 50 * MB);
}

static void it_is_forgotten_slowly(void **state)
{
    seed_uplink uplink;

    seed_uplink_init(&uplink, 100 * MB);
    assert_int_equal(seed_uplink_look(&uplink, 0, START), 100 * MB);
    assert_in_range(go_on(&uplink, 60, 0), 30 * MB, 55 * MB);
    assert_in_range(go_on(&uplink, 600, 1 * MB), 1 * MB, 2 * MB);
}

static void a_moment_is_no_measure(void **state)
{
    seed_uplink uplink;

    seed_uplink_init(&uplink, 0);
    seed_uplink_look(&uplink, 0, START);
    assert_int_equal(seed_uplink_look(&uplink, 4 * MB, START + 1000), 0);
    assert_int_equal(seed_uplink_look(&uplink, 4 * MB, START + APR_USEC_PER_SEC), 4 * MB);
}

static void a_long_pause_leaves_nothing_odd(void **state)
{
    seed_uplink uplink;

    seed_uplink_init(&uplink, 0);
    seed_uplink_look(&uplink, 0, START);
    go_on(&uplink, 1, 40 * MB);
    assert_in_range(seed_uplink_look(&uplink, uplink.bytes + MB, uplink.at + 86400 * APR_USEC_PER_SEC), 1, MB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_second_counts),
        cmocka_unit_test(it_is_forgotten_slowly),
        cmocka_unit_test(a_moment_is_no_measure),
        cmocka_unit_test(a_long_pause_leaves_nothing_odd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
