/* Which torrents the tracker over UDP remembers: for how long, how many, and in which state of the catalogue. */
#include "t/unit/unit.h"

#include <apr_general.h>
#include <string.h>

#include "module/udp_known.h"

#define START ((apr_time_t)1 << 50)

static apr_pool_t *pool;
static bth_known *known;

static int set_up(void **state)
{
    apr_pool_create(&pool, NULL);
    known = bth_known_create(pool);
    if (!known)
        return -1;
    bth_known_at(known, START, 1);
    return 0;
}

static int tear_down(void **state)
{
    apr_pool_destroy(pool);
    return 0;
}

static bt_infohash hash_of(uint64_t number)
{
    bt_infohash hash = {{0}};
    uint64_t words[2];

    for (int i = 0; i < 2; i++) /* as random as info-hashes are, and the same each time */
        words[i] = unit_random(&number);
    memcpy(hash.b, words, sizeof words);
    return hash;
}

static int is_open(uint64_t number)
{
    bt_infohash hash = hash_of(number);

    bth_known_fetch(known, &hash);
    return bth_known_is_open(known, &hash);
}

static void note(uint64_t number)
{
    bt_infohash hash = hash_of(number);

    bth_known_note(known, &hash);
}

static void only_what_passed_is_open(void **state)
{
    assert_false(is_open(1));
    note(1);
    assert_true(is_open(1));
    assert_false(is_open(2));
}

static void for_a_moment(void **state)
{
    note(1);
    bth_known_at(known, START + BTH_KNOWN_MOMENT - 1, 1);
    assert_true(is_open(1));
    bth_known_at(known, START + BTH_KNOWN_MOMENT, 1);
    assert_false(is_open(1));
    note(1);
    assert_true(is_open(1));
    bth_known_at(known, START - 1, 1); /* the clock was put back */
    assert_false(is_open(1));
}

static void while_the_catalogue_stays_the_same(void **state)
{
    note(1);
    bth_known_at(known, START, 2);
    assert_false(is_open(1));
}

/* Only what is known and stale counts: who asks for what is not there cannot make anything last longer. */
static void longer_where_too_much_is_due(void **state)
{
    for (uint64_t i = 0; i < BTH_KNOWN_LOOKS + 100; i++)
        note(i);
    bth_known_at(known, START + 2 * APR_USEC_PER_SEC, 1);
    for (uint64_t i = 0; i < 3 * BTH_KNOWN_LOOKS; i++)
        assert_false(is_open(1000000 + i));
    for (uint64_t i = 0; i < BTH_KNOWN_LOOKS; i++)
        assert_false(is_open(i));
    for (uint64_t i = BTH_KNOWN_LOOKS; i < BTH_KNOWN_LOOKS + 100; i++)
        assert_true(is_open(i));
    bth_known_at(known, START + 3 * APR_USEC_PER_SEC, 1); /* another second */
    assert_false(is_open(BTH_KNOWN_LOOKS));
    bth_known_at(known, START + BTH_KNOWN_LONGEST, 1);
    assert_false(is_open(BTH_KNOWN_LOOKS + 1));
}

/* Nearly all of a hundred thousand have a place; and a million do no harm. */
static void many(void **state)
{
    int found = 0;

    for (uint64_t i = 0; i < 100000; i++)
        note(i);
    for (uint64_t i = 0; i < 100000; i++)
        found += is_open(i);
    assert_in_range(found, 99900, 100000);
    for (uint64_t i = 0; i < 1000000; i++)
        note(i);
    assert_true(is_open(999999));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(only_what_passed_is_open, set_up, tear_down),
        cmocka_unit_test_setup_teardown(for_a_moment, set_up, tear_down),
        cmocka_unit_test_setup_teardown(while_the_catalogue_stays_the_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(longer_where_too_much_is_due, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many, set_up, tear_down),
    };

    apr_initialize();
    return cmocka_run_group_tests_name("known", tests, NULL, NULL);
}
