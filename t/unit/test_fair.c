/* Torrents that wait share alike. */
#include "t/unit/unit.h"

#include "seeder/fair.h"

enum { QUANTUM = 1000, FLOWS = 7 };

static seed_fair fair;
static seed_flow flows[FLOWS];
static long sent[FLOWS];

static int set_up(void **state)
{
    seed_fair_init(&fair, QUANTUM);
    for (int i = 0; i < FLOWS; i++) {
        seed_flow_init(&flows[i]);
        sent[i] = 0;
    }
    return 0;
}

static int serve(size_t bytes)
{
    seed_flow *flow = seed_fair_next(&fair);
    int nth = (int)(flow - flows);

    assert_non_null(flow);
    seed_fair_spend(&fair, flow, bytes);
    sent[nth] += (long)bytes;
    return nth;
}

static void nobody_waits(void **state)
{
    assert_null(seed_fair_next(&fair));
    seed_fair_remove(&fair, &flows[0]);
    seed_fair_add(&fair, &flows[0]);
    seed_fair_add(&fair, &flows[0]);
    assert_ptr_equal(seed_fair_next(&fair), &flows[0]);
    seed_fair_remove(&fair, &flows[0]);
    assert_null(seed_fair_next(&fair));
}

/* One is alone: it is served again and again, whatever it sends. */
static void one_alone(void **state)
{
    seed_fair_add(&fair, &flows[0]);
    for (int i = 0; i < 100; i++)
        assert_int_equal(serve((size_t)i * 300), 0);
}

/* Some send much at a time, some little: after a while all have sent the same but for a turn and a piece. */
static void large_pieces_and_small_ones(void **state)
{
    static const size_t pieces[FLOWS] = {1, 13, 100, 999, 1000, 1001, 7000};

    for (int i = 0; i < FLOWS; i++)
        seed_fair_add(&fair, &flows[i]);
    for (long i = 0; i < 200000; i++)
        serve(pieces[seed_fair_next(&fair) - flows]);
    for (int i = 1; i < FLOWS; i++)
        assert_in_range(sent[i] - sent[0] + 10000, 10000 - 8000, 10000 + 8000);
    assert_true(sent[0] > 100000);
}

/* A torrent that comes and goes does not thereby get more than its share: what it sent too much is remembered, and what
 * it did not use is not. */
static void coming_and_going_brings_nothing(void **state)
{
    seed_fair_add(&fair, &flows[0]);
    seed_fair_add(&fair, &flows[1]);
    for (int i = 0; i < 10000; i++) {
        if (serve(1900) == 1) {
            seed_fair_remove(&fair, &flows[1]);
            seed_fair_add(&fair, &flows[1]);
        }
    }
    assert_true(sent[1] <= sent[0] * 11 / 10);
    for (int i = 0; i < 100; i++) { /* it never sends, and is no richer for it */
        seed_fair_add(&fair, &flows[2]);
        seed_fair_remove(&fair, &flows[2]);
    }
    assert_int_equal(flows[2].credit, 0);
}

/* Whoever is new gets a turn within one of each of the others. */
static void a_new_one_is_soon_served(void **state)
{
    int turns;

    for (int i = 0; i < FLOWS - 1; i++)
        seed_fair_add(&fair, &flows[i]);
    for (int i = 0; i < 1000; i++)
        serve(500);
    seed_fair_add(&fair, &flows[FLOWS - 1]);
    for (turns = 0; serve(500) != FLOWS - 1; turns++)
        assert_true(turns < 2 * FLOWS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nobody_waits, set_up),
        cmocka_unit_test_setup(one_alone, set_up),
        cmocka_unit_test_setup(large_pieces_and_small_ones, set_up),
        cmocka_unit_test_setup(coming_and_going_brings_nothing, set_up),
        cmocka_unit_test_setup(a_new_one_is_soon_served, set_up),
    };

    return cmocka_run_group_tests_name("fair", tests, NULL, NULL);
}
