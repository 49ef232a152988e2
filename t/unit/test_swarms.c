/* What an announce changes, and what it is told. */
#include "swarms_kit.h"

enum { MEGABYTE = 1024 * 1024 };

static const apr_time_t second = APR_USEC_PER_SEC;

static trk_swarms *swarms;

static int setup(void **state)
{
    swarms = kit_new(4 * MEGABYTE);
    return 0;
}

static int teardown(void **state)
{
    kit_sound(swarms);
    kit_free(swarms);
    return 0;
}

static trk_answer say(uint32_t swarm, trk_address from, int64_t left, trk_event event, apr_time_t after)
{
    trk_answer answer;

    assert_int_equal(kit_send(swarms, swarm, from, left, event, kit_start + after, &answer), APR_SUCCESS);
    return answer;
}

/* The same with every parameter. */
static trk_answer ask(trk_announce announce, trk_policy policy, trk_address from, const trk_address *seeds, int count)
{
    trk_answer answer;

    trk_swarms_announce(swarms, &policy, &announce, &from, seeds, count, kit_start, 7, &answer);
    return answer;
}

static void test_peers_meet(void **state)
{
    trk_address a = kit_v4(0xc0000201, 6881), b = kit_v4(0xc0000202, 6882), c = kit_v6(3, 6883);
    trk_answer answer = say(1, a, 100, TRK_EVENT_STARTED, 0);

    assert_int_equal(answer.count4 + answer.count6, 0);
    assert_int_equal(answer.incomplete, 1);
    answer = say(1, b, 100, TRK_EVENT_STARTED, 0);
    assert_int_equal(answer.count4, 1);
    assert_int_equal(kit_names(&answer, a), 1);
    answer = say(1, c, 100, TRK_EVENT_STARTED, 0);
    assert_int_equal(answer.count4, 2);
    answer = say(1, a, 100, TRK_EVENT_NONE, 0);
    assert_int_equal(answer.count4, 1);
    assert_int_equal(answer.count6, 1);
    assert_int_equal(kit_names(&answer, c), 1);
    assert_int_equal(kit_names(&answer, b), 1);
    assert_int_equal(answer.incomplete, 3);
    assert_int_equal(answer.complete, 0);
}

static void test_swarms_are_never_mixed(void **state)
{
    trk_answer answer;

    for (uint32_t i = 0; i < 50; i++)
        say(i % 2, kit_v4(0xc0000200 + i, 1000), 1, TRK_EVENT_NONE, 0);
    answer = say(0, kit_v4(0xc6336401, 1), 1, TRK_EVENT_NONE, 0);
    assert_int_equal(answer.count4, 25);
    for (uint32_t i = 0; i < 50; i++)
        assert_int_equal(kit_names(&answer, kit_v4(0xc0000200 + i, 1000)), i % 2 == 0);
}

static void test_a_mapped_address_is_v4(void **state)
{
    trk_address mapped = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1}, 6881, 1};
    trk_answer answer;

    say(1, mapped, 1, TRK_EVENT_NONE, 0);
    answer = say(1, kit_v4(0xc0000201, 6881), 1, TRK_EVENT_NONE, 0);
    assert_int_equal(answer.incomplete, 1);
    assert_int_equal(answer.count4 + answer.count6, 0);
    answer = say(1, kit_v4(0xc0000202, 6881), 1, TRK_EVENT_NONE, 0);
    assert_int_equal(kit_names(&answer, kit_v4(0xc0000201, 6881)), 1);
}

static void check_seeds_not_given_to_seeds(uint32_t each)
{
    trk_answer answer;

    for (uint32_t i = 0; i < each; i++) {
        say(each, kit_v4(0xc0000000 + i, 1), 0, TRK_EVENT_NONE, 0);
        say(each, kit_v4(0xc6330000 + i, 1), 5, TRK_EVENT_NONE, 0);
        say(each, kit_v6(i, 1), 0, TRK_EVENT_NONE, 0);
        say(each, kit_v6(0xff0000 + i, 1), 5, TRK_EVENT_NONE, 0);
    }
    answer = say(each, kit_v4(0xc0000000, 1), 0, TRK_EVENT_NONE, 0);
    assert_int_equal(answer.count4, each);
    assert_int_equal(answer.count6, each);
    assert_int_equal(answer.complete, 2 * each);
    for (uint32_t i = 0; i < each; i++) {
        assert_int_equal(kit_names(&answer, kit_v4(0xc6330000 + i, 1)), 1);
        assert_int_equal(kit_names(&answer, kit_v6(0xff0000 + i, 1)), 1);
    }
    answer = say(each, kit_v4(0xc6330000, 1), 5, TRK_EVENT_NONE, 0);
    assert_int_equal(answer.count4 + answer.count6, 4 * each - 1);
    assert_int_equal(kit_names(&answer, kit_v4(0xc6330000, 1)), 0);
}

static void test_seeds_are_not_given_to_seeds(void **state)
{
    check_seeds_not_given_to_seeds(1);
    check_seeds_not_given_to_seeds(2);
    check_seeds_not_given_to_seeds(45);
}

static void test_numwant(void **state)
{
    trk_announce announce = kit_announce(1, 5, TRK_EVENT_NONE);
    trk_address own[2];
    trk_answer answer;

    own[0] = kit_v4(0xcb007101, 80);
    own[1] = kit_v6(99, 80);
    for (uint32_t i = 0; i < 3000; i++)
        say(1, i % 2 ? kit_v4(0xc0000000 + i, 1) : kit_v6(i, 1), i % 3, TRK_EVENT_NONE, 0);
    for (int want = 0; want <= TRK_NUMWANT_MAX; want++) {
        announce.numwant = want;
        answer = ask(announce, kit_policy, kit_v4(0xc6336401, 1), own, 2);
        assert_int_equal(answer.count4 + answer.count6, want);
        assert_true(answer.count4 >= want / 2);
    }
    announce.numwant = 100000;
    answer = ask(announce, kit_policy, kit_v6(0xc6336401, 1), own, 2);
    assert_int_equal(answer.count4 + answer.count6, TRK_NUMWANT_MAX);
    assert_true(answer.count6 >= TRK_NUMWANT_MAX / 2);
}

/* Nobody is named twice; all who are there are named in the long run, about equally often. */
static void test_selection_is_even(void **state)
{
    enum { PEERS = 1000, ROUNDS = 4000, WANT = 50 };
    static int named[PEERS];
    trk_announce announce = kit_announce(1, 5, TRK_EVENT_NONE);
    uint64_t random = 1;
    int least = ROUNDS, most = 0;

    announce.numwant = WANT;
    memset(named, 0, sizeof named);
    for (uint32_t i = 0; i < PEERS; i++)
        say(1, kit_v4(0xc0000000 + i, 1), 5, TRK_EVENT_NONE, 0);
    for (int round = 0; round < ROUNDS; round++) {
        trk_address from = kit_v4(0xc0000000 + (uint32_t)round % PEERS, 1);
        trk_answer answer;

        trk_swarms_announce(swarms, &kit_policy, &announce, &from, NULL, 0, kit_start, trk_random(&random), &answer);
        assert_int_equal(answer.count4, WANT);
        for (int i = 0; i < WANT; i++) {
            int number = answer.peers4[6 * i + 2] << 8 | answer.peers4[6 * i + 3];

            for (int j = 0; j < i; j++)
                assert_memory_not_equal(answer.peers4 + 6 * i, answer.peers4 + 6 * j, 6);
            assert_int_not_equal(number, round % PEERS);
            named[number]++;
        }
    }
    for (int i = 0; i < PEERS; i++) {
        least = named[i] < least ? named[i] : least;
        most = named[i] > most ? named[i] : most;
    }
    /* 200 are expected, with a deviation of 14. */
    assert_true(least > 120);
    assert_true(most < 290);
}

static void test_the_own_seed(void **state)
{
    trk_address own[2], leecher = kit_v4(0xc0000201, 1);
    trk_announce announce = kit_announce(1, 5, TRK_EVENT_NONE);
    trk_answer answer;
    trk_scrape numbers;
    bt_infohash hash = kit_hash(1);

    own[0] = kit_v4(0xcb007101, 80);
    own[1] = kit_v6(99, 80);
    answer = ask(announce, kit_policy, leecher, own, 2);
    assert_int_equal(answer.complete, 1);
    assert_int_equal(kit_names(&answer, own[0]) + kit_names(&answer, own[1]), 2);
    announce.numwant = 1;
    answer = ask(announce, kit_policy, leecher, own, 2);
    assert_int_equal(kit_names(&answer, own[0]), 1);
    assert_int_equal(answer.count4 + answer.count6, 1);
    announce.numwant = 0;
    answer = ask(announce, kit_policy, leecher, own, 2);
    assert_int_equal(answer.count4 + answer.count6, 0);
    announce.numwant = 50;
    announce.left = 0;
    answer = ask(announce, kit_policy, leecher, own, 2);
    assert_int_equal(answer.complete, 2);
    assert_int_equal(answer.count4 + answer.count6, 0);
    trk_swarms_scrape(swarms, &hash, kit_start, &numbers);
    assert_int_equal(numbers.complete, 1);
}

/* Somebody who announces our own address adds no second entry of it. */
static void test_the_own_seed_is_named_once(void **state)
{
    trk_address own = kit_v4(0xcb007101, 80);
    trk_answer answer;

    say(1, own, 0, TRK_EVENT_NONE, 0);
    answer = ask(kit_announce(1, 5, TRK_EVENT_NONE), kit_policy, kit_v4(0xc0000201, 1), &own, 1);
    assert_int_equal(kit_names(&answer, own), 1);
    assert_int_equal(answer.count4, 1);
    answer = ask(kit_announce(1, 5, TRK_EVENT_NONE), kit_policy, own, &own, 1);
    assert_int_equal(kit_names(&answer, own), 0);
}

static void test_completed_counts_once_a_peer(void **state)
{
    trk_address a = kit_v4(0xc0000201, 1), b = kit_v4(0xc0000202, 1), c = kit_v4(0xc0000203, 1);

    assert_int_equal(say(1, a, 5, TRK_EVENT_STARTED, 0).downloaded, 0);
    assert_int_equal(say(1, a, 0, TRK_EVENT_COMPLETED, 0).downloaded, 1);
    assert_int_equal(say(1, a, 0, TRK_EVENT_COMPLETED, 0).downloaded, 1);
    assert_int_equal(say(1, a, 5, TRK_EVENT_NONE, 0).downloaded, 1);
    assert_int_equal(say(1, a, 0, TRK_EVENT_COMPLETED, 0).downloaded, 1);
    assert_int_equal(say(1, b, 0, TRK_EVENT_STARTED, 0).downloaded, 1); /* came as a seed */
    assert_int_equal(say(1, b, 0, TRK_EVENT_NONE, 0).downloaded, 1);
    assert_int_equal(say(1, c, 5, TRK_EVENT_STARTED, 0).downloaded, 1);
    assert_int_equal(say(1, c, 5, TRK_EVENT_COMPLETED, 0).downloaded, 1); /* not while something is left */
    assert_int_equal(say(1, c, 0, TRK_EVENT_PAUSED, 0).downloaded, 2);    /* Transmission says paused instead */
    assert_int_equal(say(1, c, 0, TRK_EVENT_COMPLETED, 0).downloaded, 2);
}

static uint32_t downloaders(uint32_t swarm)
{
    trk_scrape numbers;
    bt_infohash hash = kit_hash(swarm);

    trk_swarms_scrape(swarms, &hash, kit_start, &numbers);
    return numbers.downloaders;
}

/* In a small swarm and in a big one, and on the way from one to the other. */
static void test_who_is_paused_is_no_downloader(void **state)
{
    for (uint16_t i = 0; i < 20; i++) {
        trk_address from = kit_v4(0xc0000200u + i, 1);
        trk_answer answer = say(1, from, 5, i % 2 ? TRK_EVENT_PAUSED : TRK_EVENT_STARTED, 0);

        assert_int_equal(answer.incomplete, i + 1);
        assert_int_equal(answer.downloaders, i / 2 + 1);
        assert_int_equal(downloaders(1), i / 2 + 1);
    }
    for (uint16_t i = 0; i < 20; i++) /* one leaves, one goes on, one is done */
        say(1, kit_v4(0xc0000200u + i, 1), i % 3 == 2 ? 0 : 5, i % 3 == 0 ? TRK_EVENT_STOPPED : TRK_EVENT_NONE, 0);
    assert_int_equal(downloaders(1), 7);
    say(1, kit_v4(0xc0000200u + 2, 1), 0, TRK_EVENT_PAUSED, 0); /* a seed */
    assert_int_equal(downloaders(1), 7);
    for (uint16_t i = 1; i < 18; i++)
        say(1, kit_v4(0xc0000200u + i, 1), 5, TRK_EVENT_STOPPED, 0);
    assert_int_equal(downloaders(1), 1);
    assert_null(trk_check(swarms));
}

static void test_downloaded_outlives_the_peers(void **state)
{
    trk_address a = kit_v4(0xc0000201, 1);
    trk_scrape numbers;
    bt_infohash hash = kit_hash(1);

    say(1, a, 5, TRK_EVENT_STARTED, 0);
    say(1, a, 0, TRK_EVENT_COMPLETED, 0);
    say(1, a, 0, TRK_EVENT_STOPPED, 0);
    trk_swarms_scrape(swarms, &hash, kit_start, &numbers);
    assert_int_equal(numbers.downloaded, 1);
    assert_int_equal(numbers.complete, 0);
}

static void test_stopped_removes(void **state)
{
    trk_address a = kit_v4(0xc0000201, 1), b = kit_v4(0xc0000202, 1), other = kit_v4(0xc0000201, 2);
    trk_answer answer;

    say(1, a, 5, TRK_EVENT_NONE, 0);
    say(1, b, 5, TRK_EVENT_NONE, 0);
    answer = say(1, other, 5, TRK_EVENT_STOPPED, 0); /* another port: another peer, unknown */
    assert_int_equal(answer.incomplete, 2);
    answer = say(1, a, 5, TRK_EVENT_STOPPED, 0);
    assert_int_equal(answer.incomplete, 1);
    assert_int_equal(answer.count4, 0);
    say(1, b, 0, TRK_EVENT_STOPPED, 0); /* whatever it says is left */
    say(2, b, 0, TRK_EVENT_STOPPED, 0); /* a swarm that is not there is not made */
    assert_int_equal(swarms->header->fresh - 1, swarms->header->free_count);
}

static void test_without_a_port_nothing_is_kept(void **state)
{
    trk_address a = kit_v4(0xc0000201, 1);
    trk_answer answer;

    say(1, a, 5, TRK_EVENT_NONE, 0);
    answer = say(1, kit_v4(0xc0000202, 0), 5, TRK_EVENT_STARTED, 0);
    assert_int_equal(answer.incomplete, 1);
    assert_int_equal(kit_names(&answer, a), 1);
    answer = say(1, kit_v4(0xc0000201, 0), 5, TRK_EVENT_STOPPED, 0);
    assert_int_equal(answer.incomplete, 1);
    say(2, kit_v4(0xc0000202, 0), 5, TRK_EVENT_STARTED, 0);
    kit_sound(swarms);
}

static void test_private_addresses(void **state)
{
    static const trk_address private[] = {
        {{10, 1, 2, 3}, 1, 0},      {{127, 0, 0, 1}, 1, 0},      {{192, 168, 1, 1}, 1, 0}, {{172, 16, 0, 1}, 1, 0},
        {{172, 31, 255, 1}, 1, 0},  {{169, 254, 1, 1}, 1, 0},    {{100, 64, 0, 1}, 1, 0},  {{100, 127, 1, 1}, 1, 0},
        {{0, 0, 0, 0}, 1, 0},       {{224, 0, 0, 1}, 1, 0},      {{255, 255, 255, 255}, 1, 0},
        {{0xfd, 1}, 1, 1},          {{0xfc, 1}, 1, 1},           {{0xfe, 0x80}, 1, 1},     {{0xff, 2}, 1, 1},
        {{0}, 1, 1},                {{[15] = 1}, 1, 1},
        {{[10] = 0xff, 0xff, 10, 0, 0, 1}, 1, 1}};
    static const trk_address public[] = {{{11, 0, 0, 1}, 1, 0},     {{172, 15, 0, 1}, 1, 0},  {{172, 32, 0, 1}, 1, 0},
                                         {{100, 63, 0, 1}, 1, 0},   {{100, 128, 0, 1}, 1, 0}, {{192, 167, 1, 1}, 1, 0},
                                         {{169, 253, 0, 1}, 1, 0},  {{223, 1, 1, 1}, 1, 0},   {{0x20, 1}, 1, 1},
                                         {{0xfb, 1}, 1, 1},         {{[15] = 2}, 1, 1}};
    const int count = sizeof private / sizeof *private, publics = sizeof public / sizeof *public;
    trk_policy policy = {.interval = kit_policy.interval};
    trk_announce announce = kit_announce(1, 5, TRK_EVENT_NONE);
    trk_answer answer;

    for (int i = 0; i < publics; i++)
        assert_int_equal(trk_swarms_announce(swarms, &policy, &announce, &public[i], NULL, 0, kit_start, 5, &answer),
                         APR_SUCCESS);
    for (int i = 0; i < count; i++) {
        assert_int_equal(trk_swarms_announce(swarms, &policy, &announce, &private[i], NULL, 0, kit_start, 5, &answer),
                         APR_EACCES);
        assert_int_equal(answer.count4 + answer.count6, publics); /* answered all the same */
        assert_int_equal(answer.incomplete, publics);
    }
    for (int i = 0; i < count; i++) /* kept under another policy, they are still not named under this one */
        say(1, private[i], 5, TRK_EVENT_NONE, 0);
    answer = ask(announce, policy, public[0], NULL, 0);
    assert_int_equal(answer.count4 + answer.count6, publics - 1);
    answer = ask(announce, kit_policy, public[0], NULL, 0);
    assert_int_equal(answer.count4 + answer.count6, publics - 1 + count);
}

static void test_the_silent_expire(void **state)
{
    trk_answer answer;

    for (uint32_t swarm = 1; swarm < 100; swarm *= 10)
        for (uint32_t i = 0; i < swarm; i++)
            say(swarm, kit_v4(0xc0000000 + i, 1), i % 2, TRK_EVENT_NONE, 0);
    answer = say(100, kit_v4(0xc6336401, 1), 5, TRK_EVENT_NONE, 0);
    for (uint32_t i = 0; i < 10; i++)
        say(100, kit_v4(0xc0000000 + i, 1), 5, TRK_EVENT_NONE, 2700 * second);
    answer = say(100, kit_v4(0xc6336401, 1), 5, TRK_EVENT_NONE, 2700 * second);
    assert_int_equal(answer.count4, 10); /* at 1.5 intervals all are there */
    for (uint32_t i = 10; i < 100; i++)
        say(100, kit_v4(0xc0000000 + i, 1), 5, TRK_EVENT_NONE, 0);
    for (unsigned turn = 0; turn < TRK_SHARDS; turn++)
        trk_swarms_expire(swarms, turn, kit_start + 2700 * second, kit_policy.interval);
    assert_int_equal(say(10, kit_v4(0xc6336402, 1), 0, TRK_EVENT_NONE, 2700 * second).complete, 6);
    answer = say(100, kit_v4(0xc6336401, 1), 5, TRK_EVENT_NONE, 3600 * second);
    assert_int_equal(answer.count4, 10); /* at 2 none is named, even if not yet dropped */
    for (unsigned turn = 0; turn < TRK_SHARDS; turn++)
        trk_swarms_expire(swarms, turn, kit_start + 3600 * second, kit_policy.interval);
    answer = say(100, kit_v4(0xc6336401, 1), 5, TRK_EVENT_NONE, 3600 * second);
    assert_int_equal(answer.complete + answer.incomplete, 11);
    assert_int_equal(say(10, kit_v4(0xc6336403, 1), 5, TRK_EVENT_NONE, 3600 * second).complete, 1);
}

static void test_announces_drop_the_expired(void **state)
{
    trk_answer answer = {0};

    for (uint32_t i = 0; i < 500; i++)
        say(1, kit_v4(0xc0000000 + i, 1), i % 2, TRK_EVENT_NONE, 0);
    for (int i = 0; i < 80; i++)
        answer = say(1, kit_v4(0xc6336401, 1), 5, TRK_EVENT_NONE, 3600 * second);
    assert_int_equal(answer.complete, 0);
    assert_int_equal(answer.incomplete, 1);
}

/* Everything that is kept of a time wraps after 12 days: nobody is taken for young or old by that. */
static void test_time_wraps_and_goes_back(void **state)
{
    trk_address a = kit_v4(0xc0000201, 1), b = kit_v4(0xc0000202, 1);
    trk_answer answer;
    apr_time_t round = ((apr_time_t)1 << TRK_SEEN_BITS) * second;
    apr_time_t end = round - apr_time_from_sec(apr_time_sec(kit_start) % (1 << TRK_SEEN_BITS)); /* where it wraps */

    say(1, a, 5, TRK_EVENT_NONE, end - second);
    answer = say(1, b, 5, TRK_EVENT_NONE, end + second);
    assert_int_equal(kit_names(&answer, a), 1);
    answer = say(1, b, 5, TRK_EVENT_NONE, end - 1000 * second); /* the clock is set back */
    assert_int_equal(kit_names(&answer, a), 1);
    answer = say(1, b, 5, TRK_EVENT_NONE, end + 3600 * second);
    assert_int_equal(kit_names(&answer, a), 0);
    assert_int_equal(answer.incomplete, 1);
}

static void test_an_address_has_so_many_ports(void **state)
{
    trk_totals totals;
    trk_answer answer;
    uint32_t others = 30;

    for (uint32_t i = 0; i < others; i++)
        say(1, kit_v4(0xc6330000 + i, 1), 5, TRK_EVENT_NONE, 0);
    for (uint32_t port = 1; port <= 2000; port++) {
        answer = say(1, kit_v4(0xc0000201, (uint16_t)port), port % 2, TRK_EVENT_NONE, port * second / 10);
        assert_true(answer.complete + answer.incomplete <= others + TRK_PER_ADDRESS);
    }
    assert_int_equal(answer.complete + answer.incomplete, others + TRK_PER_ADDRESS);
    for (uint32_t port = 1; port <= 2000; port++) { /* one host of v6 has a whole /64 */
        trk_address from = kit_v6(7, 80);

        from.ip[12] = (unsigned char)(port >> 8);
        from.ip[13] = (unsigned char)port;
        answer = say(1, from, port % 2, TRK_EVENT_NONE, 300 * second);
    }
    assert_int_equal(answer.complete + answer.incomplete, others + 2 * TRK_PER_ADDRESS);
    answer = say(1, kit_v4(0xc6330001, 1), 5, TRK_EVENT_NONE, 300 * second);
    assert_int_equal(kit_names(&answer, kit_v4(0xc6330000, 1)), 1);
    trk_swarms_totals(swarms, &totals);
    assert_int_equal(totals.crowded, 2 * (2000 - TRK_PER_ADDRESS));
    assert_int_equal(totals.evictions, 0);
}

static void test_drop(void **state)
{
    bt_infohash hash = kit_hash(2), none = kit_hash(77);
    trk_scrape numbers;
    trk_totals totals;

    for (uint32_t i = 0; i < 500; i++)
        say(i % 4 + 1, i % 3 ? kit_v4(0xc0000000 + i, 1) : kit_v6(i, 1), i % 2, TRK_EVENT_COMPLETED, 0);
    trk_swarms_drop(swarms, &hash);
    trk_swarms_drop(swarms, &none);
    trk_swarms_scrape(swarms, &hash, kit_start, &numbers);
    assert_int_equal(numbers.complete + numbers.incomplete + numbers.downloaded, 0);
    trk_swarms_totals(swarms, &totals);
    assert_int_equal(totals.swarms, 3);
    assert_int_equal(totals.seeds + totals.leechers, 375);
    assert_int_equal(totals.announces, 500);
}

static void test_a_scrape_makes_nothing(void **state)
{
    trk_totals before, after;
    trk_scrape numbers = {1, 1, 1, 1};

    trk_swarms_totals(swarms, &before);
    for (uint32_t i = 0; i < 1000; i++) {
        bt_infohash hash = kit_hash(i);

        trk_swarms_scrape(swarms, &hash, kit_start, &numbers);
        assert_int_equal(numbers.complete + numbers.incomplete + numbers.downloaded, 0);
    }
    trk_swarms_totals(swarms, &after);
    assert_int_equal(before.memory_used, after.memory_used);
    assert_int_equal(after.swarms, 0);
}

static void test_attach_refuses_what_is_no_table(void **state)
{
    trk_swarms *view;
    unsigned char *memory = (unsigned char *)swarms->header;
    size_t size = 4 * MEGABYTE;

    assert_int_equal(trk_swarms_attach(&view, memory, size), APR_SUCCESS);
    trk_swarms_detach(view);
    assert_int_equal(trk_swarms_attach(&view, memory, size - 4096), APR_EINVAL);
    assert_int_equal(trk_swarms_attach(&view, memory, TRK_MEMORY_MIN - 1), APR_EINVAL);
    swarms->header->layout++;
    assert_int_equal(trk_swarms_attach(&view, memory, size), APR_EINVAL);
    swarms->header->layout--;
    memory[0] ^= 1;
    assert_int_equal(trk_swarms_attach(&view, memory, size), APR_EINVAL);
    memory[0] ^= 1;
    assert_int_equal(trk_swarms_format(memory, TRK_MEMORY_MIN - 1, kit_key), APR_EINVAL);
}

/* APR's shared memory begins 8 bytes into a page. */
static void test_memory_may_begin_anywhere(void **state)
{
    unsigned char *memory = calloc(1, 2 * MEGABYTE);

    for (size_t skip = 8; skip < 256; skip += 8) {
        size_t size = MEGABYTE + skip;
        trk_swarms *view;
        trk_answer answer;

        memset(memory, 0, 2 * MEGABYTE);
        memset(memory + skip + size, 0x55, 64);
        assert_int_equal(trk_swarms_format(memory + skip, size, kit_key), APR_SUCCESS);
        assert_int_equal(trk_swarms_attach(&view, memory + skip, size), APR_SUCCESS);
        for (uint32_t i = 0; i < 9000; i++)
            kit_send(view, i, kit_v4(0xc0000000 + i, 1), 5, TRK_EVENT_NONE, kit_start, &answer);
        kit_sound(view);
        for (int i = 0; i < 64; i++)
            assert_int_equal(memory[skip + size + (size_t)i], 0x55);
        trk_swarms_detach(view);
    }
    free(memory);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    static const struct CMUnitTest tests[] = {
        TEST(test_peers_meet),
        TEST(test_swarms_are_never_mixed),
        TEST(test_a_mapped_address_is_v4),
        TEST(test_seeds_are_not_given_to_seeds),
        TEST(test_numwant),
        TEST(test_selection_is_even),
        TEST(test_the_own_seed),
        TEST(test_the_own_seed_is_named_once),
        TEST(test_completed_counts_once_a_peer),
        TEST(test_who_is_paused_is_no_downloader),
        TEST(test_downloaded_outlives_the_peers),
        TEST(test_stopped_removes),
        TEST(test_without_a_port_nothing_is_kept),
        TEST(test_private_addresses),
        TEST(test_the_silent_expire),
        TEST(test_announces_drop_the_expired),
        TEST(test_time_wraps_and_goes_back),
        TEST(test_an_address_has_so_many_ports),
        TEST(test_drop),
        TEST(test_a_scrape_makes_nothing),
        TEST(test_attach_refuses_what_is_no_table),
        TEST(test_memory_may_begin_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
