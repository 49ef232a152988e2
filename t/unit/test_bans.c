/* Bans, run against a simulated clock. */
#include "t/unit/unit.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "seeder/bans.h"

static const seed_ban_bound BOUND = {3, 600 * APR_USEC_PER_SEC, 1800 * APR_USEC_PER_SEC};
static const apr_time_t SECOND = APR_USEC_PER_SEC;

static seed_bans *fresh(void **state)
{
    seed_bans *bans = calloc(1, sizeof *bans);

    assert_non_null(bans);
    seed_bans_init(bans);
    (void)state;
    return bans;
}

static seed_address v4(unsigned number)
{
    seed_address address = {number, AF_INET};

    return address;
}

static void so_many_faults_ban_for_a_time(void **state)
{
    seed_bans *bans = fresh(state);
    seed_address bad = v4(7), good = v4(8);

    assert_false(seed_bans_note(bans, &bad, &BOUND, 0));
    assert_false(seed_bans_note(bans, &bad, &BOUND, SECOND));
    assert_false(seed_bans_refuses(bans, &bad, SECOND));
    assert_true(seed_bans_note(bans, &bad, &BOUND, 2 * SECOND));
    assert_true(seed_bans_refuses(bans, &bad, 2 * SECOND));
    assert_false(seed_bans_refuses(bans, &good, 2 * SECOND));
    assert_int_equal(seed_bans_count(bans, 2 * SECOND), 1);
    assert_true(seed_bans_refuses(bans, &bad, 1802 * SECOND - 1));
    assert_false(seed_bans_refuses(bans, &bad, 1802 * SECOND));
    assert_int_equal(seed_bans_count(bans, 1802 * SECOND), 0);
    free(bans);
}

static void after_a_ban_it_begins_anew(void **state)
{
    seed_bans *bans = fresh(state);
    seed_address bad = v4(7);

    for (int i = 0; i < 3; i++)
        seed_bans_note(bans, &bad, &BOUND, SECOND);
    assert_false(seed_bans_note(bans, &bad, &BOUND, 5 * SECOND)); /* one of before: does not lengthen it */
    assert_false(seed_bans_refuses(bans, &bad, 1801 * SECOND));
    assert_false(seed_bans_note(bans, &bad, &BOUND, 1801 * SECOND));
    assert_false(seed_bans_note(bans, &bad, &BOUND, 1802 * SECOND));
    assert_true(seed_bans_note(bans, &bad, &BOUND, 1803 * SECOND));
    free(bans);
}

static void faults_that_are_far_apart_do_not_ban(void **state)
{
    seed_bans *bans = fresh(state);
    seed_address clumsy = v4(7);

    for (int i = 0; i < 100; i++)
        assert_false(seed_bans_note(bans, &clumsy, &BOUND, i * 301 * SECOND));
    free(bans);
}

static void families_are_apart_and_no_address_is_nobody(void **state)
{
    seed_bans *bans = fresh(state);
    seed_address four = {7, AF_INET}, six = {7, AF_INET6}, none = {0, 0};

    for (int i = 0; i < 3; i++) {
        seed_bans_note(bans, &four, &BOUND, SECOND);
        seed_bans_note(bans, &none, &BOUND, SECOND);
    }
    assert_true(seed_bans_refuses(bans, &four, SECOND));
    assert_false(seed_bans_refuses(bans, &six, SECOND));
    assert_false(seed_bans_refuses(bans, &none, SECOND));
    free(bans);
}

/* A million others that misbehave once each do not free the one that is banned, and take no memory. */
static void a_ban_is_not_pushed_out_by_others(void **state)
{
    seed_bans *bans = fresh(state);
    seed_address bad = v4(7);

    for (int i = 0; i < 3; i++)
        seed_bans_note(bans, &bad, &BOUND, SECOND);
    for (unsigned i = 100; i < 1000000; i++) {
        seed_address other = v4(i);
        seed_bans_note(bans, &other, &BOUND, 2 * SECOND);
    }
    assert_true(seed_bans_refuses(bans, &bad, 3 * SECOND));
    assert_int_equal(seed_bans_count(bans, 3 * SECOND), 1);
    free(bans);
}

static void the_table_is_bounded(void **state)
{
    seed_bans *bans = fresh(state);
    seed_address other;

    for (unsigned i = 0; i < 100000; i++) {
        other = v4(i);
        for (int n = 0; n < 3; n++)
            seed_bans_note(bans, &other, &BOUND, (apr_time_t)i + 1);
        assert_true(seed_bans_refuses(bans, &other, (apr_time_t)i + 2)); /* the latest one always finds a place */
    }
    assert_int_equal(seed_bans_count(bans, SECOND), SEED_BAN_SETS * SEED_BAN_WAYS);
    free(bans);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(so_many_faults_ban_for_a_time),
        cmocka_unit_test(after_a_ban_it_begins_anew),
        cmocka_unit_test(faults_that_are_far_apart_do_not_ban),
        cmocka_unit_test(families_are_apart_and_no_address_is_nobody),
        cmocka_unit_test(a_ban_is_not_pushed_out_by_others),
        cmocka_unit_test(the_table_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
