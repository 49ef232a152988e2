/* When peers are to announce themselves again, and that nobody who does expires meanwhile. */
#include "swarms_kit.h"

static const apr_time_t second = APR_USEC_PER_SEC;
static const int bases[] = {1, 2, 9, 10, 60, 61, 300, 1800, 86400, 3 * 86400};
enum { BASES = sizeof bases / sizeof *bases };

static trk_policy policy_of(int base, int load)
{
    trk_policy policy = kit_policy;

    policy.interval = base * second;
    policy.load = load;
    return policy;
}

static trk_answer intervals(int base, int load, uint32_t peers, int is_seed, uint64_t hash)
{
    trk_policy policy = policy_of(base, load);
    trk_answer answer;

    trk_intervals(&policy, peers, is_seed, hash, &answer);
    return answer;
}

/* The mean of all jitters. */
static double mean(int base, int load, uint32_t peers, int is_seed)
{
    enum { HASHES = 4000 };
    double sum = 0;

    for (uint64_t hash = 0; hash < HASHES; hash++)
        sum += intervals(base, load, peers, is_seed, hash * 0x9e3779b97f4a7c15).interval;
    return sum / HASHES;
}

#define NEARLY(value, expected)                                                                                        \
    do {                                                                                                               \
        double is = (value), should = (expected);                                                                      \
        if (is < should * 0.98 || is > should * 1.02)                                                                  \
            fail_msg("%s is %g, not about %g", #value, is, should);                                                    \
    } while (0)

static void test_a_young_swarm_is_told_less(void **state)
{
    NEARLY(mean(1800, 0, 1, 0), 330);
    NEARLY(mean(1800, 0, 25, 0), 1050);
    NEARLY(mean(1800, 0, 50, 0), 1800);
    for (uint32_t peers = 0; peers < 50; peers++) /* a seed waits until it is asked */
        assert_true(intervals(1800, 0, peers, 1, 5).interval == intervals(1800, 0, 50, 0, 5).interval);
    NEARLY(mean(120, 0, 1, 0), 61); /* not less than a minute, where the interval is not */
    NEARLY(mean(40, 0, 1, 0), 40);
}

static void test_a_large_swarm_is_told_more(void **state)
{
    NEARLY(mean(1800, 0, 99, 0), 1800);
    NEARLY(mean(1800, 0, 100, 0), 1800 * 29 / 28.0);
    NEARLY(mean(1800, 0, 1000, 0), 1800 * 32 / 28.0);
    NEARLY(mean(1800, 0, 6400, 1), 2250);
    NEARLY(mean(1800, 0, 50000000, 0), 2250);
}

static void test_under_load_all_are_told_more(void **state)
{
    static const uint32_t sizes[] = {1, 20, 60, 5000, 5000000};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        double calm = mean(1800, 0, sizes[i], 0);

        NEARLY(mean(1800, 50, sizes[i], 0), calm);
        NEARLY(mean(1800, 75, sizes[i], 0), (calm + 1800 * 15 / 11.0) / 2);
        NEARLY(mean(1800, 100, sizes[i], 0), 1800 * 15 / 11.0);
        assert_int_equal(intervals(1800, 0, sizes[i], 0, 3).min_interval, 60);
        assert_int_equal(intervals(1800, 100, sizes[i], 0, 3).min_interval,
                         (intervals(1800, 100, sizes[i], 0, 3).interval + 1) / 2);
    }
}

/* The longest that is told leaves a quarter of an interval until a peer expires; min interval never exceeds interval. */
static void test_bounds(void **state)
{
    static const uint32_t sizes[] = {0, 1, 2, 10, 49, 50, 51, 99, 1000, 6400, 1000000, 0xffffffff};

    for (int i = 0; i < BASES; i++)
        for (size_t j = 0; j < sizeof sizes / sizeof *sizes; j++)
            for (int load = 0; load <= 100; load += 10)
                for (uint64_t hash = 0; hash < 500; hash++) {
                    trk_answer answer = intervals(bases[i], load, sizes[j], hash % 2, hash * 0x9e3779b97f4a7c15);

                    assert_true(answer.min_interval >= 1 && answer.min_interval <= answer.interval);
                    assert_true(answer.interval * 2 <= bases[i] * 3);
                    assert_true((uint32_t)(answer.interval + bases[i] / 4) <= trk_limit_of(bases[i] * second));
                    if (bases[i] >= 60)
                        assert_true(answer.interval >= 54);
                }
}

/* Each has its own place, and keeps it: whatever the swarm does, two peers come in the same order. */
static void test_jitter_is_spread_and_stays(void **state)
{
    enum { PEERS = 400, PARTS = 10 };
    trk_swarms *swarms = kit_new(4 * 1024 * 1024);
    int parts[PARTS] = {0};

    for (uint32_t i = 0; i < PEERS; i++) {
        trk_answer answer, again;

        kit_send(swarms, i, kit_v4(0xc0000200, 5), 0, TRK_EVENT_STARTED, kit_start, &answer); /* one client, many swarms */
        kit_send(swarms, i, kit_v4(0xc0000200, 5), 0, TRK_EVENT_NONE, kit_start + 900 * second, &again);
        assert_int_equal(answer.interval, again.interval);
        kit_send(swarms, 1000000, kit_v4(0xc0000200 + i, 5), 0, TRK_EVENT_NONE, kit_start, &again);
        assert_in_range(answer.interval, 1620, 1980);
        parts[(answer.interval - 1620) * PARTS / 361]++;
    }
    for (int i = 0; i < PARTS; i++)
        assert_in_range(parts[i], PEERS / PARTS / 2, PEERS / PARTS * 3 / 2);
    kit_sound(swarms);
    kit_free(swarms);
}

/* Peers who do as they are told are always there, however their intervals change; who is silent goes. */
static void test_who_follows_does_not_expire(void **state)
{
    enum { PEERS = 120, ROUNDS = 6000 };
    static apr_time_t due[PEERS];
    static const int loads[] = {0, 100, 60, 100};
    trk_swarms *swarms = kit_new(4 * 1024 * 1024);
    trk_announce announce = kit_announce(1, 5, TRK_EVENT_NONE);
    trk_address silent = kit_v4(0xc6336401, 1);
    apr_time_t now = kit_start;
    trk_answer answer;

    for (int i = 0; i < PEERS; i++)
        due[i] = kit_start + i * second;
    kit_send(swarms, 1, silent, 5, TRK_EVENT_NONE, now, &answer);
    for (int round = 0; round < ROUNDS; round++) {
        trk_policy policy = policy_of(1800, loads[round * 4 / ROUNDS]);
        trk_address from;
        int next = 0;

        for (int i = 1; i < PEERS; i++)
            next = due[i] < due[next] ? i : next;
        now = due[next];
        from = kit_v4(0xc0000200 + (uint32_t)next, 5);
        for (unsigned turn = 0; turn < TRK_SHARDS; turn++)
            trk_swarms_expire(swarms, turn, now, policy.interval);
        assert_int_equal(trk_swarms_announce(swarms, &policy, &announce, &from, NULL, 0, now, (uint64_t)round, &answer),
                         APR_SUCCESS);
        if (round >= PEERS)
            assert_int_equal(answer.incomplete, PEERS + (now - kit_start <= 3150 * second));
        due[next] = now + answer.interval * second;
    }
    assert_true(now - kit_start > 10 * 1800 * second);
    kit_free(swarms);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_young_swarm_is_told_less),  cmocka_unit_test(test_a_large_swarm_is_told_more),
        cmocka_unit_test(test_under_load_all_are_told_more), cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_jitter_is_spread_and_stays),  cmocka_unit_test(test_who_follows_does_not_expire),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
