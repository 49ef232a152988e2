/* The buckets of the rules, run against a simulated clock. */
#include "t/unit/unit.h"

#include "seeder/limits.h"

static const seed_rule_bound BOUNDS[SEED_RULE_COUNT] = {
    [SEED_RULE_USELESS] = {10, APR_USEC_PER_SEC / 5},
    [SEED_RULE_HAVE] = {3, APR_USEC_PER_SEC},
};

/* Spends until it is refused. @return how often it was allowed */
static int drain(seed_rules *rules, seed_rule rule, apr_time_t now)
{
    int count = 0;

    while (seed_rules_spend(rules, rule, now))
        count++;
    return count;
}

static void so_many_at_once_and_then_by_time(void **state)
{
    seed_rules rules;
    apr_time_t now = 1000 * APR_USEC_PER_SEC;

    seed_rules_init(&rules, BOUNDS);
    assert_int_equal(drain(&rules, SEED_RULE_USELESS, now), 10);
    assert_int_equal(drain(&rules, SEED_RULE_USELESS, now + APR_USEC_PER_SEC / 5 - 1), 0);
    assert_int_equal(drain(&rules, SEED_RULE_USELESS, now + APR_USEC_PER_SEC), 5);
    assert_int_equal(drain(&rules, SEED_RULE_USELESS, now + 3600 * APR_USEC_PER_SEC), 10);
    (void)state;
}

static void one_rule_knows_nothing_of_another(void **state)
{
    seed_rules rules;

    seed_rules_init(&rules, BOUNDS);
    assert_int_equal(drain(&rules, SEED_RULE_USELESS, 1), 10);
    assert_int_equal(drain(&rules, SEED_RULE_HAVE, 1), 3);
    (void)state;
}

static void what_is_earned_can_be_spent_but_not_saved_up(void **state)
{
    seed_rules rules;

    seed_rules_init(&rules, BOUNDS);
    assert_int_equal(drain(&rules, SEED_RULE_USELESS, 1), 10);
    seed_rules_earn(&rules, SEED_RULE_USELESS);
    seed_rules_earn(&rules, SEED_RULE_USELESS);
    assert_int_equal(drain(&rules, SEED_RULE_USELESS, 1), 2);
    for (int i = 0; i < 1000; i++)
        seed_rules_earn(&rules, SEED_RULE_HAVE);
    assert_int_equal(drain(&rules, SEED_RULE_HAVE, 1), 3);
    (void)state;
}

static void several_units_are_all_or_nothing(void **state)
{
    seed_rules rules;

    seed_rules_init(&rules, BOUNDS);
    assert_false(seed_rules_spend_many(&rules, SEED_RULE_USELESS, 11, 1));
    assert_false(seed_rules_spend_many(&rules, SEED_RULE_USELESS, APR_UINT32_MAX, 1));
    assert_true(seed_rules_spend_many(&rules, SEED_RULE_USELESS, 8, 1));
    assert_false(seed_rules_spend_many(&rules, SEED_RULE_USELESS, 3, 1));
    assert_true(seed_rules_spend_many(&rules, SEED_RULE_USELESS, 2, 1));
    (void)state;
}

static void each_rule_has_a_reason_and_a_bound(void **state)
{
    for (int i = 0; i < SEED_RULE_COUNT; i++) {
        assert_true(seed_limits_default.rules[i].at_once > 0 && seed_limits_default.rules[i].each > 0);
        for (int j = 0; j < i; j++)
            assert_int_not_equal(seed_rule_reason((seed_rule)i), seed_rule_reason((seed_rule)j));
    }
    assert_true(sizeof(seed_rules) <= 64);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(so_many_at_once_and_then_by_time),
        cmocka_unit_test(one_rule_knows_nothing_of_another),
        cmocka_unit_test(what_is_earned_can_be_spent_but_not_saved_up),
        cmocka_unit_test(several_units_are_all_or_nothing),
        cmocka_unit_test(each_rule_has_a_reason_and_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
