/* Random announces, decided by the table and by a model too simple to be wrong, must come out the same; and in a table that
 * is always full, whatever is left must be sound. */
#include "swarms_kit.h"

enum { SWARMS = 6, ADDRESSES = 400, STEPS = 25000, MEGABYTE = 1024 * 1024 };

typedef struct {
    int there, is_seed, completed, paused;
    apr_time_t seen;
} model_peer;

typedef struct {
    model_peer peers[SWARMS][ADDRESSES];
    uint32_t downloaded[SWARMS];
    apr_time_t now;
    uint64_t random;
    trk_swarms *swarms;
} model;

static uint32_t below(model *m, uint32_t limit)
{
    return (uint32_t)(trk_random(&m->random) % limit);
}

/* Some of one host and several ports, some of v6. */
static trk_address address_of(uint32_t number)
{
    if (number % 3 == 0)
        return kit_v6(0x01000000 + number, 6881);
    return kit_v4(0xc0000000 + number / 8, (uint16_t)(7000 + number % 8));
}

static int is_live(const model *m, const model_peer *peer)
{
    return peer->there && apr_time_sec(m->now - peer->seen) <= trk_limit_of(kit_policy.interval);
}

static void model_announce(model *m, uint32_t swarm, uint32_t who, int is_seed, trk_event event)
{
    model_peer *peer = &m->peers[swarm][who];

    if (event == TRK_EVENT_STOPPED) {
        memset(peer, 0, sizeof *peer);
        return;
    }
    if (is_seed && !peer->completed && ((peer->there && !peer->is_seed) || event == TRK_EVENT_COMPLETED)) {
        peer->completed = 1;
        m->downloaded[swarm]++;
    }
    peer->there = 1;
    peer->is_seed = is_seed;
    peer->paused = !is_seed && event == TRK_EVENT_PAUSED;
    peer->seen = m->now;
}

static void check_numbers(const model *m, uint32_t swarm, uint32_t complete, uint32_t incomplete, uint32_t downloaded,
                          uint32_t downloaders)
{
    uint32_t seeds = 0, leechers = 0, paused = 0;

    for (int i = 0; i < ADDRESSES; i++) {
        seeds += m->peers[swarm][i].there && m->peers[swarm][i].is_seed;
        leechers += m->peers[swarm][i].there && !m->peers[swarm][i].is_seed;
        paused += m->peers[swarm][i].there && m->peers[swarm][i].paused;
    }
    assert_int_equal(complete, seeds);
    assert_int_equal(incomplete, leechers);
    assert_int_equal(downloaded, m->downloaded[swarm]);
    assert_int_equal(downloaders, leechers - paused);
}

/* Only those are named who may be, each once, and as many as there are or are wanted. */
static void check_named(const model *m, uint32_t swarm, uint32_t who, int is_seed, int want, const trk_answer *answer)
{
    int candidates = 0, named = answer->count4 + answer->count6, fit = 0;

    for (uint32_t i = 0; i < ADDRESSES; i++) {
        const model_peer *peer = &m->peers[swarm][i];
        int may = is_live(m, peer) && i != who && !(is_seed && peer->is_seed);
        int times = kit_names(answer, address_of(i));

        assert_true(times <= may);
        candidates += may;
        fit += times;
    }
    assert_int_equal(fit, named);
    assert_int_equal(named, candidates < want ? candidates : want);
}

static void announce(model *m)
{
    uint32_t swarm = below(m, SWARMS), who = below(m, swarm == 0 ? ADDRESSES : 5 * swarm + 3);
    int is_seed = below(m, 3) == 0, want = below(m, 4) ? (int)below(m, 40) : TRK_NUMWANT_MAX;
    trk_event event = below(m, 4) ? TRK_EVENT_NONE : (trk_event)below(m, 5);
    trk_announce said = kit_announce(swarm, is_seed ? 0 : 77, event);
    trk_address from = address_of(who);
    trk_answer answer;

    said.numwant = want;
    assert_int_equal(trk_swarms_announce(m->swarms, &kit_policy, &said, &from, NULL, 0, m->now, trk_random(&m->random),
                                         &answer),
                     APR_SUCCESS);
    model_announce(m, swarm, who, is_seed, event);
    check_numbers(m, swarm, answer.complete, answer.incomplete, answer.downloaded, answer.downloaders);
    check_named(m, swarm, who, is_seed, event == TRK_EVENT_STOPPED ? 0 : want, &answer);
}

/* Time passes, and everybody who was silent for too long goes, here and there. */
static void pass_time(model *m)
{
    m->now += below(m, 900) * APR_TIME_C(1000000);
    for (unsigned turn = 0; turn < TRK_SHARDS; turn++)
        trk_swarms_expire(m->swarms, turn, m->now, kit_policy.interval);
    for (int swarm = 0; swarm < SWARMS; swarm++)
        for (int i = 0; i < ADDRESSES; i++)
            if (!is_live(m, &m->peers[swarm][i]))
                memset(&m->peers[swarm][i], 0, sizeof(model_peer));
}

static void drop(model *m)
{
    uint32_t swarm = below(m, SWARMS);
    bt_infohash hash = kit_hash(swarm);

    trk_swarms_drop(m->swarms, &hash);
    memset(m->peers[swarm], 0, sizeof m->peers[swarm]);
    m->downloaded[swarm] = 0;
}

static void check_scrape(const model *m, uint32_t swarm)
{
    bt_infohash hash = kit_hash(swarm);
    trk_scrape numbers;

    trk_swarms_scrape(m->swarms, &hash, m->now, &numbers);
    check_numbers(m, swarm, numbers.complete, numbers.incomplete, numbers.downloaded, numbers.downloaders);
}

/* A copy to another size, or a file in between, changes nothing. */
static void move_house(model *m, uint32_t way)
{
    trk_swarms *other = kit_new((4 + way) * MEGABYTE);

    trk_swarms_copy(other, m->swarms, m->now);
    kit_free(m->swarms);
    m->swarms = other;
}

static void test_against_the_model(void **state)
{
    static model m;

    for (uint64_t seed = 1; seed <= 3; seed++) {
        memset(&m, 0, sizeof m);
        m.random = seed * 1000;
        m.now = kit_start;
        m.swarms = kit_new(4 * MEGABYTE);
        for (int step = 0; step < STEPS; step++) {
            announce(&m);
            if (below(&m, 400) == 0)
                pass_time(&m);
            if (below(&m, 3000) == 0)
                drop(&m);
            if (below(&m, 3000) == 0)
                move_house(&m, below(&m, 5));
            if (below(&m, 500) == 0) {
                kit_sound(m.swarms);
                check_scrape(&m, below(&m, SWARMS));
            }
        }
        for (uint32_t i = 0; i < SWARMS; i++) {
            bt_infohash hash = kit_hash(i);

            trk_swarms_drop(m.swarms, &hash);
        }
        kit_sound(m.swarms);
        assert_int_equal(m.swarms->header->free_count, m.swarms->header->fresh - 1); /* nothing is lost */
        kit_free(m.swarms);
    }
}

/* Far more peers than there is room for, in swarms of all sizes: every announce is kept and answered. */
static void test_a_full_table(void **state)
{
    enum { ANNOUNCES = 300000 };
    trk_swarms *swarms = kit_new(TRK_MEMORY_MIN);
    uint64_t random = 5;
    trk_totals totals;

    for (uint32_t i = 0; i < ANNOUNCES; i++) {
        uint32_t swarm = (uint32_t)(trk_random(&random) % 4 ? trk_random(&random) % 3 : trk_random(&random) % 100000);
        uint32_t who = (uint32_t)trk_random(&random);
        trk_address from = who % 4 ? kit_v4(0x0b000000 + who % 0x800000, 1) : kit_v6(who, 1);
        trk_answer answer;

        assert_int_equal(kit_send(swarms, swarm, from, who % 3, TRK_EVENT_NONE, kit_start + i * APR_TIME_C(1000), &answer),
                         APR_SUCCESS);
        assert_true(answer.complete + answer.incomplete >= 1);
        if (i % 30000 == 0)
            kit_sound(swarms);
    }
    kit_sound(swarms);
    trk_swarms_totals(swarms, &totals);
    assert_true(totals.evictions > ANNOUNCES / 2);
    assert_true(totals.memory_used <= totals.memory_size);
    assert_true(totals.memory_used > totals.memory_size * 9 / 10);
    assert_true(totals.evictions + totals.seeds + totals.leechers <= ANNOUNCES);
    kit_free(swarms);
}

/* What is expired goes first. */
static void test_a_full_table_drops_the_expired_first(void **state)
{
    trk_swarms *swarms = kit_new(TRK_MEMORY_MIN);
    uint32_t old = 0;
    trk_totals totals;
    trk_answer answer;

    while (swarms->header->fresh <= swarms->block_count)
        kit_send(swarms, old++, kit_v4(0x0b000000, 1), 1, TRK_EVENT_NONE, kit_start, &answer);
    trk_swarms_totals(swarms, &totals);
    assert_int_equal(totals.evictions, 0);
    for (uint32_t i = 0; i < old / 2; i++)
        assert_int_equal(kit_send(swarms, 1000000 + i, kit_v4(0x0b000000, 1), 1, TRK_EVENT_NONE,
                                  kit_start + 4000 * APR_TIME_C(1000000), &answer),
                         APR_SUCCESS);
    trk_swarms_totals(swarms, &totals);
    assert_true(totals.evictions < old / 100);
    kit_sound(swarms);
    kit_free(swarms);
}

/* One swarm that fills the whole table gives way to others, and they to it. */
static void test_no_swarm_keeps_others_out(void **state)
{
    trk_swarms *swarms = kit_new(TRK_MEMORY_MIN);
    trk_answer answer;

    for (uint32_t i = 0; i < 200000; i++)
        assert_int_equal(kit_send(swarms, 1, kit_v4(0x0b000000 + i, 1), 1, TRK_EVENT_NONE, kit_start, &answer), APR_SUCCESS);
    for (uint32_t i = 2; i < 2000; i++) {
        assert_int_equal(kit_send(swarms, i, kit_v6(i, 1), 1, TRK_EVENT_NONE, kit_start, &answer), APR_SUCCESS);
        assert_int_equal(answer.incomplete, 1);
    }
    kit_sound(swarms);
    kit_free(swarms);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_the_model),
        cmocka_unit_test(test_a_full_table),
        cmocka_unit_test(test_a_full_table_drops_the_expired_first),
        cmocka_unit_test(test_no_swarm_keeps_others_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
