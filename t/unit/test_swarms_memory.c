/* How much fits into how much: the whole segment is counted, tags, index, free blocks and all. */
#include "swarms_kit.h"

static void say(trk_swarms *swarms, uint32_t swarm, trk_address from, int64_t left)
{
    trk_announce announce = kit_announce(swarm, left, TRK_EVENT_NONE);
    trk_answer answer;

    announce.numwant = 0;
    assert_int_equal(trk_swarms_announce(swarms, &kit_policy, &announce, &from, NULL, 0, kit_start, 1, &answer),
                     APR_SUCCESS);
}

static void check_full(trk_swarms *swarms, uint64_t swarm_count, uint64_t peers)
{
    trk_totals totals;

    trk_swarms_totals(swarms, &totals);
    assert_int_equal(totals.swarms, swarm_count);
    assert_int_equal(totals.seeds + totals.leechers, peers);
    assert_int_equal(totals.evictions, 0);
    print_message("%lu swarms, %lu peers: %.2f bytes a swarm, %.2f a peer\n", (unsigned long)swarm_count,
                  (unsigned long)peers, (double)totals.memory_used / (double)swarm_count,
                  (double)totals.memory_used / (double)peers);
}

static void test_two_million_peers_in_50_swarms_take_16_bytes_each(void **state)
{
    enum { PEERS = 2000000, SWARMS = 50 };
    trk_swarms *swarms = kit_new((size_t)16 * PEERS);

    for (uint32_t i = 0; i < PEERS; i++)
        say(swarms, i % SWARMS, kit_v4(0x0b000000 + i, 6881), i / SWARMS % 2);
    check_full(swarms, SWARMS, PEERS);
    kit_free(swarms);
}

static void test_a_million_swarms_of_one_or_two_take_200_bytes_each(void **state)
{
    enum { SWARMS = 1000000 };
    trk_swarms *swarms = kit_new((size_t)200 * SWARMS);

    for (uint32_t i = 0; i < SWARMS; i++) {
        say(swarms, i, kit_v4(0x0b000000 + i, 6881), 0);
        if (i % 2)
            say(swarms, i, kit_v6(i, 6881), 1);
    }
    check_full(swarms, SWARMS, SWARMS + SWARMS / 2);
    kit_free(swarms);
}

/* All that is taken is given back. */
static void test_empty_again(void **state)
{
    enum { PEERS = 100000 };
    trk_swarms *swarms = kit_new((size_t)4 << 20);

    for (uint32_t i = 0; i < PEERS; i++)
        say(swarms, i % 3, i % 5 ? kit_v4(0x0b000000 + i, 6881) : kit_v6(i, 6881), i % 2);
    kit_sound(swarms);
    for (uint32_t i = 0; i < PEERS; i++) {
        trk_answer answer;

        kit_send(swarms, i % 3, i % 5 ? kit_v4(0x0b000000 + i, 6881) : kit_v6(i, 6881), 0, TRK_EVENT_STOPPED, kit_start,
                 &answer);
    }
    kit_sound(swarms);
    assert_int_equal(swarms->header->free_count, swarms->header->fresh - 1);
    kit_free(swarms);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_million_peers_in_50_swarms_take_16_bytes_each),
        cmocka_unit_test(test_a_million_swarms_of_one_or_two_take_200_bytes_each),
        cmocka_unit_test(test_empty_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
