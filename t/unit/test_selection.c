/* Which peers an announce is told of beyond what every swarm needs: seeds by their second port, peers that are near, and when the
 * server itself is spared. */
#include "swarms_kit.h"

enum { MEGABYTE = 1024 * 1024 };

static trk_swarms *swarms;

static int setup(void **state)
{
    swarms = kit_new(16 * MEGABYTE);
    return 0;
}

static int teardown(void **state)
{
    kit_sound(swarms);
    kit_free(swarms);
    return 0;
}

static void join(uint32_t swarm, trk_address from, int64_t left)
{
    trk_answer answer;

    assert_int_equal(kit_send(swarms, swarm, from, left, TRK_EVENT_NONE, kit_start, &answer), APR_SUCCESS);
}

static trk_answer ask(const trk_announce *announce, const trk_policy *policy, trk_address from, const trk_address *seeds,
                      int count)
{
    static uint64_t random = 7;
    trk_answer answer;

    assert_int_equal(trk_swarms_announce(swarms, policy, announce, &from, seeds, count, kit_start, trk_random(&random),
                                         &answer),
                     APR_SUCCESS);
    return answer;
}

/* --- the second port --- */

static trk_announce client_announce(const char *client)
{
    trk_announce announce = kit_announce(1, 5, TRK_EVENT_NONE);

    memcpy(announce.peer_id, client, 8);
    return announce;
}

static void test_some_clients_refuse_the_ports_of_http(void **state)
{
    static const char *const refuse[] = {"-UT355W-", "-UM1870-", "-BT7950-"};
    static const char *const others[] = {"-TR3000-", "-lt0D80-", "A2-1-36-", "-UW1005-", "UT------", "-B------", "\0\0\0\0\0\0\0"};
    trk_address own[3], leecher = kit_v4(0xc0000201, 1);
    trk_policy policy = kit_policy;

    own[0] = kit_v4(0xcb007101, 80);
    own[1] = kit_v6(99, 443);
    own[2] = kit_v4(0xcb007102, 8080);
    for (size_t i = 0; i < sizeof refuse / sizeof *refuse; i++) {
        trk_announce announce = client_announce(refuse[i]);
        trk_answer answer;

        policy.second_port = 51413;
        answer = ask(&announce, &policy, leecher, own, 3);
        assert_int_equal(answer.count4, 2);
        assert_int_equal(answer.count6, 1);
        assert_int_equal(kit_names(&answer, kit_v4(0xcb007101, 51413)), 1);
        assert_int_equal(kit_names(&answer, kit_v6(99, 51413)), 1);
        assert_int_equal(kit_names(&answer, own[2]), 1);
        policy.second_port = 0;
        answer = ask(&announce, &policy, leecher, own, 3);
        assert_int_equal(answer.count4 + answer.count6, 1);
        assert_int_equal(kit_names(&answer, own[2]), 1);
        assert_int_equal(ask(&announce, &policy, leecher, own, 1).complete, 1); /* it is there, if not for them */
    }
    policy.second_port = 51413;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        trk_announce announce = client_announce(others[i]);
        trk_answer answer = ask(&announce, &policy, leecher, own, 3);

        assert_int_equal(answer.count4 + answer.count6, 3);
        for (int j = 0; j < 3; j++)
            assert_int_equal(kit_names(&answer, own[j]), 1);
    }
}

static void test_a_second_port_is_named_once(void **state)
{
    trk_address own[4], leecher = kit_v4(0xc0000201, 1);
    trk_announce announce = client_announce("-UT355W-"), plain = client_announce("-TR3000-");
    trk_policy policy = kit_policy;
    trk_answer answer;

    policy.second_port = 51413;
    own[0] = kit_v4(0xcb007101, 80);
    own[1] = kit_v4(0xcb007101, 443);
    own[2] = kit_v4(0xcb007101, 51413);
    own[3] = kit_v6(99, 80);
    answer = ask(&announce, &policy, leecher, own, 4);
    assert_int_equal(answer.count4, 1);
    assert_int_equal(answer.count6, 1);
    assert_int_equal(ask(&plain, &policy, leecher, own, 4).count4, 3);
    join(1, kit_v4(0xcb007101, 51413), 0); /* who announces our own address adds no second entry, by either port */
    join(1, kit_v4(0xcb007101, 80), 0);
    answer = ask(&announce, &policy, leecher, own, 1);
    assert_int_equal(answer.count4, 1);
    assert_int_equal(kit_names(&answer, kit_v4(0xcb007101, 51413)), 1);
    answer = ask(&plain, &policy, leecher, own, 1);
    assert_int_equal(answer.count4, 1);
    assert_int_equal(kit_names(&answer, own[0]), 1);
}

/* --- nearness --- */

enum { WANT = 50, NEAR = WANT / 2, SWARM = 1, ELSEWHERE = 0x0b000000 };

static trk_answer ask_want(int want, int nearness, trk_address from)
{
    trk_announce announce = kit_announce(SWARM, 5, TRK_EVENT_NONE);
    trk_policy policy = kit_policy;

    announce.numwant = want;
    policy.nearness = nearness;
    return ask(&announce, &policy, from, NULL, 0);
}

/* Joins `count` leechers, `step` addresses apart. */
static void join_many(uint32_t first, uint32_t step, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        join(SWARM, kit_v4(first + i * step, 1000), 5);
}

static int named_within(const trk_answer *answer, uint32_t first, int bits)
{
    int named = 0;

    for (int i = 0; i < answer->count4; i++) {
        const unsigned char *wire = answer->peers4 + 6 * i;
        uint32_t ip = (uint32_t)wire[0] << 24 | (uint32_t)wire[1] << 16 | (uint32_t)wire[2] << 8 | wire[3];

        named += ip >> (32 - bits) == first >> (32 - bits);
    }
    return named;
}

static void nobody_twice(const trk_answer *answer)
{
    for (int i = 0; i < answer->count4; i++)
        for (int j = 0; j < i; j++)
            assert_memory_not_equal(answer->peers4 + 6 * i, answer->peers4 + 6 * j, 6);
    for (int i = 0; i < answer->count6; i++)
        for (int j = 0; j < i; j++)
            assert_memory_not_equal(answer->peers6 + 18 * i, answer->peers6 + 18 * j, 18);
}

static void test_the_few_that_are_near_are_named(void **state)
{
    trk_address me = kit_v4(0x5db80064, 1);

    join_many(ELSEWHERE, 0x10000, 150);
    join_many(0x5db80001, 1, 5);      /* the same /24 */
    join_many(0x5db81001, 0x100, 10); /* the same /16 */
    join_many(ELSEWHERE + 0x1000000, 0x10000, 150);
    for (int round = 0; round < 200; round++) {
        trk_answer answer = ask_want(WANT, 50, me);

        assert_int_equal(answer.count4, WANT);
        nobody_twice(&answer);
        assert_int_equal(named_within(&answer, 0x5db80001, 24), 5);
        assert_int_equal(named_within(&answer, 0x5db80001, 16), 15);
    }
}

static void test_the_nearest_come_first(void **state)
{
    trk_address me = kit_v4(0x5db80064, 1);
    int by_chance = 0;

    join_many(0x5db81001, 0x100, 200); /* the same /16 */
    join_many(ELSEWHERE, 0x10000, 140);
    join_many(0x5db80001, 1, 40); /* the same /24 */
    for (int round = 0; round < 200; round++) {
        trk_answer answer = ask_want(WANT, 50, me);

        assert_int_equal(answer.count4, WANT);
        nobody_twice(&answer);
        assert_true(named_within(&answer, 0x5db80001, 24) >= NEAR);
        by_chance += named_within(&answer, ELSEWHERE, 8);
    }
    assert_true(by_chance > 200 * NEAR / 4); /* of 355 that are left for the other half, 140 are elsewhere */
}

/* Half of the answer is drawn from all, however many are near: a swarm does not fall into neighbourhoods. */
static void test_nearness_has_its_share_only(void **state)
{
    trk_address me = kit_v4(0x5db800ff, 1);
    int far = 0;

    join_many(0x5db80001, 1, 200);
    join_many(ELSEWHERE, 0x10000, 200);
    join_many(ELSEWHERE + 0x1000000, 0x10000, 200);
    join_many(ELSEWHERE + 0x2000000, 0x10000, 200);
    for (int round = 0; round < 400; round++) {
        trk_answer answer = ask_want(WANT, 50, me);

        nobody_twice(&answer);
        assert_int_equal(answer.count4, WANT);
        far += WANT - named_within(&answer, 0x5db80001, 24);
        assert_int_equal(ask_want(WANT, 100, me).count4, WANT);
    }
    assert_in_range(far, 400 * NEAR * 6 / 10, 400 * NEAR * 95 / 100);
}

/* Neither a low address nor an early announce helps among equally near ones. */
static void test_equally_near_ones_take_turns(void **state)
{
    enum { PEERS = 100, ROUNDS = 4000 };
    static int named[PEERS];
    int least = ROUNDS, most = 0;

    memset(named, 0, sizeof named);
    join_many(0x5db80000, 1, PEERS);
    join_many(ELSEWHERE, 0x10000, 250);
    for (int round = 0; round < ROUNDS; round++) {
        trk_answer answer = ask_want(WANT, 50, kit_v4(0x5db800ff, 1));

        for (int i = 0; i < answer.count4; i++)
            if (answer.peers4[6 * i] == 0x5d)
                named[answer.peers4[6 * i + 3]]++;
    }
    for (int i = 0; i < PEERS; i++) {
        least = named[i] < least ? named[i] : least;
        most = named[i] > most ? named[i] : most;
    }
    /* 25 of 100 for being near, 25 x 75/325 by chance: 1230 are expected, with a deviation of 30. */
    assert_true(least > 1080);
    assert_true(most < 1380);
}

/* Samples of a huge swarm find as many as there are to be found. */
static void test_nearness_in_a_huge_swarm(void **state)
{
    enum { PEERS = 60000, ROUNDS = 200 };
    trk_address me = kit_v4(0x5db80063, 1);
    int near = 0, by_chance = 0;

    for (uint32_t i = 0; i < PEERS; i++) /* each twentieth of our /16 */
        join(SWARM, i % 20 ? kit_v4(ELSEWHERE + i * 0x100, 1) : kit_v4(0x5db80000 + i / 20, 1), 5);
    for (int round = 0; round < ROUNDS; round++) {
        trk_answer answer = ask_want(WANT, 50, me);

        assert_int_equal(answer.count4, WANT);
        nobody_twice(&answer);
        near += named_within(&answer, 0x5db80000, 16);
        answer = ask_want(WANT, 0, me);
        by_chance += named_within(&answer, 0x5db80000, 16);
    }
    assert_true(near > ROUNDS * 18);     /* 20 of 400 looked at, and 1.5 by chance */
    assert_true(by_chance < ROUNDS * 4); /* 2.5 */
    kit_sound(swarms);
}

static void test_nearness_of_v6(void **state)
{
    trk_address me = {{0x2a, 0x02, 0x81, 0x08, 0x00, 0x17, [15] = 1}, 1, 1}, other = me;

    for (uint32_t i = 0; i < 100; i++) {
        join(SWARM, kit_v6(i, 1), 5);
        join(SWARM, kit_v4(ELSEWHERE + i, 1), 5);
    }
    for (int i = 0; i < 6; i++) { /* the same /48, and the same /32 */
        other.ip[4] = 0;
        other.ip[7] = (unsigned char)(i + 1);
        join(SWARM, other, 5);
        other.ip[4] = 9;
        join(SWARM, other, 5);
    }
    for (int round = 0; round < 200; round++) {
        trk_answer answer = ask_want(WANT, 50, me);
        int near = 0;

        assert_int_equal(answer.count4 + answer.count6, WANT);
        nobody_twice(&answer);
        for (int i = 0; i < answer.count6; i++)
            near += memcmp(answer.peers6 + 18 * i, me.ip, 4) == 0;
        assert_int_equal(near, 12); /* a quarter of the wanted is half of those of one's own family */
    }
}

/* --- nearness by an atlas --- */

/* The last byte of an address is its network, and the tens of it are its country; 0 is unknown. */
static int looked_up;

static trk_location locate(void *baton, const unsigned char *ip, int is_v6)
{
    assert_ptr_equal(baton, &swarms);
    assert_false(is_v6);
    looked_up++;
    return (trk_location){ip[3], ip[3] / 10};
}

static const trk_atlas atlas = {locate, &swarms};

static uint32_t at(uint32_t network, uint32_t number)
{
    return (number + 11) << 24 | network; /* no two in one /16, for up to 200 */
}

static trk_answer ask_with_atlas(trk_address from, const trk_atlas *with)
{
    trk_announce announce = kit_announce(SWARM, 5, TRK_EVENT_NONE);
    trk_policy policy = kit_policy;

    announce.numwant = WANT;
    policy.atlas = with;
    return ask(&announce, &policy, from, NULL, 0);
}

static int named_at(const trk_answer *answer, int from, int to)
{
    int named = 0;

    for (int i = 0; i < answer->count4; i++)
        named += answer->peers4[6 * i + 3] >= from && answer->peers4[6 * i + 3] <= to;
    return named;
}

static void test_the_same_network_and_country_are_near(void **state)
{
    trk_address me = kit_v4(0xd8000037, 1), neighbour = kit_v4(0xd80000c8, 1000); /* 216.0.0.55 and .200 */

    for (uint32_t i = 0; i < 100; i++)
        join(SWARM, kit_v4(at(100 + i % 100, i), 1000), 5);
    for (uint32_t i = 0; i < 6; i++)
        join(SWARM, kit_v4(at(55, i), 1000), 5);
    for (uint32_t i = 0; i < 10; i++)
        join(SWARM, kit_v4(at(50 + i % 5, 20 + i), 1000), 5);
    join(SWARM, neighbour, 5);
    for (int round = 0; round < 200; round++) {
        trk_answer answer = ask_with_atlas(me, &atlas);

        assert_int_equal(answer.count4, WANT);
        nobody_twice(&answer);
        assert_int_equal(kit_names(&answer, neighbour), 1);
        assert_int_equal(named_at(&answer, 55, 55), 6);
        assert_int_equal(named_at(&answer, 50, 59), 16);
    }
}

/* The nearest first: the network before the /16, and that before the country. */
static void test_an_atlas_goes_before_the_start_of_an_address(void **state)
{
    trk_address me = kit_v4(0xd8000037, 1);
    int by_address = 0;

    for (uint32_t i = 0; i < 70; i++)
        join(SWARM, kit_v4(at(50 + i % 5, i), 1000), 5); /* the same country */
    for (uint32_t i = 0; i < 20; i++)
        join(SWARM, kit_v4(at(55, i), 1000), 5); /* the same network */
    for (uint32_t i = 1; i < 21; i++)
        join(SWARM, kit_v4(0xd80000c8 + i * 0x100, 1000), 5); /* the same /16, in a network elsewhere */
    for (int round = 0; round < 100; round++) {
        trk_answer answer = ask_with_atlas(me, &atlas);

        nobody_twice(&answer);
        assert_int_equal(named_at(&answer, 55, 55), 20);
        assert_true(named_at(&answer, 200, 200) >= NEAR - 20);
        by_address += named_at(&answer, 200, 200);
    }
    assert_true(by_address < 100 * 12); /* 5 for being near, and 25 of 85 of the other 15: 9.4; with addresses first, 20 */
}

/* Only so many are looked up in a large swarm, but wherever they are. */
static void test_lookups_are_bounded_and_spread(void **state)
{
    int named = 0;

    for (uint32_t i = 0; i < 4000; i++)
        join(SWARM, kit_v4((i % 200 + 11) << 24 | i << 8 | (i % 10 == 3 ? 55 : 100), 1000), 5);
    for (int round = 0; round < 200; round++) {
        trk_answer answer;

        looked_up = 0;
        answer = ask_with_atlas(kit_v4(0xd8000037, 1), &atlas);
        assert_in_range(looked_up, 100, 170); /* 128 made even, and who asks */
        named += named_at(&answer, 55, 55);
    }
    assert_in_range(named, 200 * 12, 200 * 22); /* a tenth of 160 for being near, and of the rest by chance; without, 5 */
}

static void test_the_unknown_is_near_nobody(void **state)
{
    trk_address me = kit_v4(0xd8000000, 1);
    int known = 0, without = 0;

    for (uint32_t i = 0; i < 150; i++)
        join(SWARM, kit_v4(at(100 + i % 100, i), 1000), 5);
    for (uint32_t i = 0; i < 50; i++)
        join(SWARM, kit_v4(at(0, i), 1000), 5);
    for (int round = 0; round < 200; round++) {
        known += named_at((const trk_answer[]){ask_with_atlas(me, &atlas)}, 0, 0);
        without += named_at((const trk_answer[]){ask_with_atlas(me, NULL)}, 0, 0);
    }
    assert_in_range(known, without * 8 / 10, without * 12 / 10); /* a quarter of 50 each, by chance */
}

/* Whoever may not be named is not named for being near. */
static void test_near_ones_must_fit_too(void **state)
{
    trk_address me = kit_v4(0x5db80064, 1), own = kit_v4(0x5db80065, 80);
    trk_announce announce = kit_announce(SWARM, 0, TRK_EVENT_NONE);
    trk_answer answer;

    join_many(ELSEWHERE, 0x10000, 250);
    for (uint32_t i = 0; i < 10; i++)
        join(SWARM, kit_v4(0x5db80001 + i, 1), 0);
    join(SWARM, own, 5);
    join(SWARM, me, 0);
    announce.numwant = WANT;
    for (int round = 0; round < 50; round++) {
        answer = ask(&announce, &kit_policy, me, &own, 1); /* a seed */
        assert_int_equal(named_within(&answer, 0x5db80001, 24), 0);
        answer = ask_want(WANT, 50, own);
        assert_int_equal(kit_names(&answer, own), 0);
    }
}

/* --- the server itself is spared --- */

static void test_the_origin_is_spared_where_a_swarm_carries_itself(void **state)
{
    trk_address own = kit_v4(0xcb007101, 80), leecher = kit_v4(0x5db80064, 1);
    trk_announce announce = kit_announce(SWARM, 5, TRK_EVENT_NONE);
    trk_policy policy = kit_policy;
    trk_answer answer;

    policy.spare_origin = 1;
    for (uint32_t seeds = 0; seeds < 4; seeds++) { /* so few may be gone tomorrow */
        answer = ask(&announce, &policy, leecher, &own, 1);
        assert_int_equal(kit_names(&answer, own), 1);
        join(SWARM, kit_v4(0xc0000000 + seeds, 1), 0);
    }
    for (uint32_t leechers = 1; leechers <= 16; leechers++) { /* the one that asks is the first */
        answer = ask(&announce, &policy, leecher, &own, 1);
        assert_int_equal(kit_names(&answer, own), 0);
        assert_int_equal(answer.complete, 5); /* but it is counted */
        assert_int_equal(answer.count4, 4 + leechers - 1);
        policy.spare_origin = 0;
        answer = ask(&announce, &policy, leecher, &own, 1);
        assert_int_equal(kit_names(&answer, own), 1);
        policy.spare_origin = 1;
        join(SWARM, kit_v4(ELSEWHERE + leechers, 1), 5);
    }
    answer = ask(&announce, &policy, leecher, &own, 1); /* 17 leechers for 4 seeds */
    assert_int_equal(kit_names(&answer, own), 1);
    join(SWARM, kit_v4(0xc0000004, 1), 0);
    join(SWARM, own, 0); /* nobody else brings it in */
    answer = ask(&announce, &policy, leecher, &own, 1);
    assert_int_equal(kit_names(&answer, own), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    static const struct CMUnitTest tests[] = {
        TEST(test_some_clients_refuse_the_ports_of_http),
        TEST(test_a_second_port_is_named_once),
        TEST(test_the_few_that_are_near_are_named),
        TEST(test_the_nearest_come_first),
        TEST(test_nearness_has_its_share_only),
        TEST(test_equally_near_ones_take_turns),
        TEST(test_nearness_in_a_huge_swarm),
        TEST(test_nearness_of_v6),
        TEST(test_near_ones_must_fit_too),
        TEST(test_the_same_network_and_country_are_near),
        TEST(test_an_atlas_goes_before_the_start_of_an_address),
        TEST(test_lookups_are_bounded_and_spread),
        TEST(test_the_unknown_is_near_nobody),
        TEST(test_the_origin_is_spared_where_a_swarm_carries_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
