/* The largest swarms of all. */
#include "t/unit/swarms_kit.h"

#include <pthread.h>

enum { MAX = 20, PEERS_BASE = 0x0a000000 };

static void fill(trk_swarms *swarms, uint32_t swarm, uint32_t seeds, uint32_t leechers)
{
    trk_answer answer;

    for (uint32_t i = 0; i < seeds + leechers; i++)
        assert_int_equal(kit_send(swarms, swarm, kit_v4(PEERS_BASE + i, 7000), i < seeds ? 0 : 1, TRK_EVENT_NONE, kit_start, &answer),
                         APR_SUCCESS);
}

static void an_empty_table_has_none(void **state)
{
    trk_swarms *swarms = kit_new(TRK_MEMORY_MIN);
    trk_large large[MAX];

    (void)state;
    assert_int_equal(trk_swarms_largest(swarms, large, MAX, 0), 0);
    fill(swarms, 1, 1, 0);
    assert_int_equal(trk_swarms_largest(swarms, large, 0, 0), 0);
    kit_free(swarms);
}

static void few_are_told_in_order_with_their_numbers(void **state)
{
    trk_swarms *swarms = kit_new(TRK_MEMORY_MIN);
    trk_answer answer;
    trk_large large[MAX];

    (void)state;
    fill(swarms, 1, 2, 3);
    fill(swarms, 2, 0, 90);
    fill(swarms, 3, 1, 0);
    kit_send(swarms, 3, kit_v4(PEERS_BASE + 50, 7000), 0, TRK_EVENT_COMPLETED, kit_start, &answer);
    kit_send(swarms, 4, kit_v4(PEERS_BASE, 7000), 0, TRK_EVENT_COMPLETED, kit_start, &answer);
    kit_send(swarms, 4, kit_v4(PEERS_BASE, 7000), 0, TRK_EVENT_STOPPED, kit_start, &answer); /* remembered, but nobody is there */
    assert_int_equal(trk_swarms_largest(swarms, large, MAX, 77), 3);
    for (int i = 0; i < 3; i++)
        assert_memory_equal(large[i].hash.b, kit_hash((uint32_t[]){2, 1, 3}[i]).b, BT_HASH_SIZE);
    assert_int_equal(large[0].leechers, 90);
    assert_int_equal(large[1].seeds, 2);
    assert_int_equal(large[1].leechers, 3);
    assert_int_equal(large[2].downloaded, 1);
    kit_free(swarms);
}

/* Swarm number n has n peers if n is one of the last, else one; whichever shard is looked at first. */
static void the_largest_of_many_are_found(void **state)
{
    enum { SWARMS = 20000, LARGE = 30 };
    trk_swarms *swarms = kit_new(16 * TRK_MEMORY_MIN);
    trk_large large[MAX];

    (void)state;
    for (uint32_t swarm = 0; swarm < SWARMS; swarm++)
        fill(swarms, swarm, 0, swarm < SWARMS - LARGE ? 1 : 2 + swarm - (SWARMS - LARGE));
    for (unsigned from = 0; from < 2 * TRK_SHARDS; from += 37) {
        assert_int_equal(trk_swarms_largest(swarms, large, MAX, from), MAX);
        for (uint32_t i = 0; i < MAX; i++) {
            assert_int_equal(large[i].leechers, LARGE + 1 - i);
            assert_memory_equal(large[i].hash.b, kit_hash(SWARMS - 1 - i).b, BT_HASH_SIZE);
        }
    }
    kit_sound(swarms);
    kit_free(swarms);
}

/* The largest swarm of too many is found from where it is, and not from just behind it. */
static void no_more_is_looked_at_than_promised(void **state)
{
    enum { SWARMS = 400000 };
    trk_swarms *swarms = kit_new(64 * TRK_MEMORY_MIN);
    trk_large large[MAX];
    bt_infohash hash = kit_hash(7);
    unsigned shard = trk_shard_of(trk_hash(swarms, hash.b, sizeof hash.b));

    (void)state;
    for (uint32_t swarm = 0; swarm < SWARMS; swarm++)
        fill(swarms, swarm, 0, 1);
    fill(swarms, 7, 0, 9);
    assert_int_equal(trk_swarms_largest(swarms, large, MAX, shard), MAX);
    assert_int_equal(large[0].leechers, 9);
    assert_int_equal(trk_swarms_largest(swarms, large, MAX, shard + 1), MAX);
    assert_int_equal(large[0].leechers, 1);
    kit_free(swarms);
}

static void *come_and_go(void *baton)
{
    trk_swarms *swarms = baton;
    trk_answer answer;

    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t swarm = 100; swarm < 20000; swarm++)
            kit_send(swarms, swarm, kit_v4(PEERS_BASE, 7000), 1, TRK_EVENT_NONE, kit_start, &answer);
        for (uint32_t swarm = 100; swarm < 20000; swarm++)
            kit_send(swarms, swarm, kit_v4(PEERS_BASE, 7000), 1, TRK_EVENT_STOPPED, kit_start, &answer);
    }
    return NULL;
}

/* Others change the table meanwhile: none is told twice, and the order holds. */
static void swarms_may_come_and_go(void **state)
{
    trk_swarms *swarms = kit_new(16 * TRK_MEMORY_MIN);
    trk_large large[MAX];
    pthread_t thread;

    (void)state;
    for (uint32_t swarm = 0; swarm < 10; swarm++)
        fill(swarms, swarm, 1, 10 + swarm);
    assert_int_equal(pthread_create(&thread, NULL, come_and_go, swarms), 0);
    for (int round = 0; round < 300; round++) {
        int count = trk_swarms_largest(swarms, large, MAX, (unsigned)round);

        for (int i = 1; i < count; i++) {
            assert_true(large[i - 1].seeds + large[i - 1].leechers >= large[i].seeds + large[i].leechers);
            for (int j = 0; j < i; j++)
                assert_memory_not_equal(large[i].hash.b, large[j].hash.b, BT_HASH_SIZE);
        }
    }
    pthread_join(thread, NULL);
    assert_int_equal(trk_swarms_largest(swarms, large, MAX, 5), 10);
    kit_sound(swarms);
    kit_free(swarms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_table_has_none),
        cmocka_unit_test(few_are_told_in_order_with_their_numbers),
        cmocka_unit_test(the_largest_of_many_are_found),
        cmocka_unit_test(no_more_is_looked_at_than_promised),
        cmocka_unit_test(swarms_may_come_and_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
