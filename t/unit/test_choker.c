/* The choker is fair: simulated over hours, everybody gets the same number of turns, give or take one. */
#include "t/unit/unit.h"

#include <string.h>

#include "seeder/choker.h"

enum { PEERS = 23, SLOTS = 4 };

static const apr_interval_time_t turn = 10 * APR_USEC_PER_SEC;

typedef struct {
    int interested, unchoked, seconds, idle, merit;
    apr_uint32_t turns;
    apr_time_t since;
} model;

/* One second: the choker decides, those unchoked are served. */
static int second(model *peers, int count, int slots, apr_time_t now)
{
    seed_candidate candidates[PEERS];
    int served = 0;

    for (int i = 0; i < count; i++)
        candidates[i] = (seed_candidate){.peer = &peers[i],
                                         .since = peers[i].since,
                                         .turns = peers[i].turns,
                                         .interested = peers[i].interested,
                                         .unchoked = peers[i].unchoked,
                                         .idle = peers[i].idle && peers[i].unchoked && now - peers[i].since > 3 * APR_USEC_PER_SEC,
                                         .merit = peers[i].merit};
    seed_choker_decide(candidates, count, slots, now, turn);
    for (int i = 0; i < count; i++) {
        model *peer = candidates[i].peer;
        if (candidates[i].serve && !peer->interested)
            fail_msg("an uninterested peer is served");
        if (candidates[i].serve != peer->unchoked)
            peer->since = now;
        peer->turns += candidates[i].serve && !peer->unchoked;
        if (!candidates[i].serve && peer->unchoked && peer->interested && !candidates[i].idle && now - candidates[i].since < turn)
            fail_msg("a turn was cut short");
        peer->unchoked = candidates[i].serve;
        peer->seconds += candidates[i].serve;
        served += candidates[i].serve;
    }
    assert_true(served <= slots);
    return served;
}

static void everybody_gets_the_same(void **state)
{
    model peers[PEERS];

    memset(peers, 0, sizeof peers);
    for (int i = 0; i < PEERS; i++)
        peers[i].interested = 1;
    for (int t = 1; t <= 20000; t++)
        assert_int_equal(second(peers, PEERS, SLOTS, t * APR_USEC_PER_SEC), SLOTS);
    for (int i = 0; i < PEERS; i++) {
        assert_true(peers[i].seconds >= 20000 * SLOTS / PEERS - 20);
        assert_true(peers[i].seconds <= 20000 * SLOTS / PEERS + 20);
    }
}

static void nobody_is_choked_while_there_is_room(void **state)
{
    model peers[SLOTS];

    memset(peers, 0, sizeof peers);
    for (int i = 0; i < SLOTS; i++)
        peers[i].interested = 1;
    for (int t = 1; t <= 100; t++)
        assert_int_equal(second(peers, SLOTS, SLOTS, t * APR_USEC_PER_SEC), SLOTS);
    assert_int_equal(peers[0].since, APR_USEC_PER_SEC);
}

static void a_slot_that_falls_free_is_filled_at_once(void **state)
{
    model peers[PEERS];

    memset(peers, 0, sizeof peers);
    for (int i = 0; i < PEERS; i++)
        peers[i].interested = 1;
    second(peers, PEERS, SLOTS, APR_USEC_PER_SEC);
    for (int i = 0; i < PEERS; i++)
        peers[i].interested = !peers[i].unchoked;
    assert_int_equal(second(peers, PEERS, SLOTS, 2 * APR_USEC_PER_SEC), SLOTS);
}

static void who_passes_on_waits_less(void **state)
{
    model peers[PEERS];
    int good = 0, bad = 0;

    memset(peers, 0, sizeof peers);
    for (int i = 0; i < PEERS; i++) {
        peers[i].interested = 1;
        peers[i].merit = i % 2 ? 100 : 0;
    }
    for (int t = 1; t <= 20000; t++)
        assert_int_equal(second(peers, PEERS, SLOTS, t * APR_USEC_PER_SEC), SLOTS);
    for (int i = 0; i < PEERS; i++)
        *(i % 2 ? &good : &bad) += peers[i].seconds;
    assert_true(good / 11 > bad / 12 * 3 / 2); /* 11 of 23 are good */
    assert_true(good / 11 < bad / 12 * 7 / 2);
    for (int i = 0; i < PEERS; i++) {
        assert_true(peers[i].seconds > 20000 * SLOTS / PEERS / 4); /* nobody is forgotten */
    }
}

static void who_takes_nothing_makes_room(void **state)
{
    model peers[PEERS];

    memset(peers, 0, sizeof peers);
    for (int i = 0; i < PEERS; i++) {
        peers[i].interested = 1;
        peers[i].idle = i < PEERS / 2;
    }
    for (int t = 1; t <= 20000; t++)
        assert_int_equal(second(peers, PEERS, SLOTS, t * APR_USEC_PER_SEC), SLOTS);
    for (int i = 0; i < PEERS; i++)
        assert_true(peers[i].idle ? peers[i].seconds < 20000 * SLOTS / PEERS * 2 / 3 : peers[i].seconds > 20000 * SLOTS / PEERS);
    for (int i = SLOTS - 1; i < PEERS; i++)
        peers[i].interested = 0;
    for (int t = 20001; t <= 20100; t++) /* there is room for them all: nobody is choked for being idle */
        assert_int_equal(second(peers, PEERS, SLOTS, t * APR_USEC_PER_SEC), SLOTS - 1);
}

static void slots(void **state)
{
    const apr_int64_t fast = APR_INT64_C(1000) * 1024 * 1024;

    assert_int_equal(seed_choker_slots(7, 1, fast), 7);
    assert_int_equal(seed_choker_slots(0, 0, 0), 64);
    assert_int_equal(seed_choker_slots(0, 1000, fast), 4);
    assert_int_equal(seed_choker_slots(0, 1024 * 1024, fast), 8);
    assert_int_equal(seed_choker_slots(0, 100 * 1024 * 1024, 0), 800);
    assert_int_equal(seed_choker_slots(0, 0, 1024 * 1024), 64); /* not known: those 64 may be slow */
    assert_int_equal(seed_choker_slots(0, 0, fast), 8000);
    assert_int_equal(seed_choker_slots(0, APR_INT64_C(1) << 50, 0), 1000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everybody_gets_the_same),
        cmocka_unit_test(nobody_is_choked_while_there_is_room),
        cmocka_unit_test(a_slot_that_falls_free_is_filled_at_once),
        cmocka_unit_test(who_passes_on_waits_less),
        cmocka_unit_test(who_takes_nothing_makes_room),
        cmocka_unit_test(slots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
