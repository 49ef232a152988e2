/* How often one address and one network may ask. */
#include "t/unit/unit.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tracker/limits.h"

static const apr_time_t start = APR_TIME_C(1700000000) * APR_USEC_PER_SEC;
static const unsigned char key[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

enum { RATE = 10, BURST = RATE * TRK_RATE_BURST, NETWORK = BURST * TRK_RATE_NETWORK };

static int make_table(void **state)
{
    *state = malloc(trk_limits_size());
    assert_non_null(*state);
    memset(*state, 0xff, trk_limits_size());
    trk_limits_init(*state, key);
    return 0;
}

static int free_table(void **state)
{
    free(*state);
    return 0;
}

static apr_time_t after(apr_time_t milliseconds)
{
    return start + milliseconds * 1000;
}

static trk_address v4(uint32_t number)
{
    trk_address address = {{(unsigned char)(number >> 24), (unsigned char)(number >> 16), (unsigned char)(number >> 8),
                            (unsigned char)number},
                           1,
                           0};

    return address;
}

/* In 2001:db8::/32: a number of the /48, one of the /64 in it, one of the address in that. */
static trk_address v6(unsigned network, unsigned subnet, unsigned host)
{
    trk_address address = {{0x20, 0x01, 0x0d, 0xb8, (unsigned char)(network >> 8), (unsigned char)network,
                            (unsigned char)(subnet >> 8), (unsigned char)subnet, [14] = (unsigned char)(host >> 8),
                            (unsigned char)host},
                           1,
                           1};

    return address;
}

static trk_result ask(void **state, trk_address from, apr_time_t now)
{
    return trk_limits_take(*state, RATE, &from, 1, now);
}

/* @return how many of so many requests at once are admitted */
static int ask_often(void **state, trk_address from, int times, apr_time_t now)
{
    int admitted = 0;

    while (times-- > 0)
        admitted += ask(state, from, now) == TRK_RESULT_OK;
    return admitted;
}

static void a_table_of_another_layout_is_not_used(void **state)
{
    apr_uint32_t *table = *state;

    assert_true(trk_limits_usable(table, trk_limits_size()));
    assert_false(trk_limits_usable(table, trk_limits_size() - 1));
    table[1]++; /* the layout */
    assert_false(trk_limits_usable(table, trk_limits_size()));
}

static void the_table_is_small(void **state)
{
    (void)state;
    assert_true(trk_limits_size() < 600 * 1024);
}

static void an_address_has_its_burst_and_then_its_rate(void **state)
{
    assert_int_equal(ask_often(state, v4(0x01020304), BURST + 50, start), BURST);
    assert_int_equal(ask(state, v4(0x01020304), after(0)), TRK_RESULT_RATE_ADDRESS);
    assert_int_equal(ask(state, v4(0x01020304), after(99)), TRK_RESULT_RATE_ADDRESS);
    assert_int_equal(ask_often(state, v4(0x01020304), 5, after(100)), 1);
    assert_int_equal(ask_often(state, v4(0x01020304), 50, after(1100)), RATE);
    assert_int_equal(ask_often(state, v4(0x01020304), 2 * BURST, after(3600 * 1000)), BURST);
}

/* What is refused costs nothing, so that who asks on and on gets its rate all the same. */
static void who_asks_on_and_on_gets_its_rate(void **state)
{
    int admitted = 0;

    for (int millisecond = 0; millisecond < 300 * 1000; millisecond += 7)
        admitted += ask(state, v4(0x01020304), after(millisecond)) == TRK_RESULT_OK;
    assert_in_range(admitted, BURST + 299 * RATE, BURST + 300 * RATE);
}

static void others_do_not_suffer(void **state)
{
    ask_often(state, v4(0x01020304), 100 * BURST, start);
    assert_int_equal(ask_often(state, v4(0x01020305), BURST, start), BURST); /* of the same network */
    assert_int_equal(ask_often(state, v4(0x01020404), BURST, start), BURST);
}

static void a_v4_network_has_a_limit_of_its_own(void **state)
{
    int admitted = 0;

    for (uint32_t host = 1; host < 255; host++)
        admitted += ask_often(state, v4(0x01020300 | host), BURST, start);
    assert_int_equal(admitted, NETWORK);
    assert_int_equal(ask(state, v4(0x010203ff), start), TRK_RESULT_RATE_NETWORK);
    assert_int_equal(ask(state, v4(0x01020400), start), TRK_RESULT_OK);
    assert_int_equal(ask(state, v4(0x010203fe), after(1000)), TRK_RESULT_OK);
}

static void a_v6_address_is_its_64_and_its_network_the_48(void **state)
{
    int admitted = 0;

    for (unsigned host = 0; host < BURST + 10; host++)
        admitted += ask(state, v6(1, 1, host), start) == TRK_RESULT_OK;
    assert_int_equal(admitted, BURST);
    assert_int_equal(ask(state, v6(1, 1, 7), start), TRK_RESULT_RATE_ADDRESS);
    for (unsigned subnet = 2; subnet < 100; subnet++)
        admitted += ask_often(state, v6(1, subnet, 1), BURST, start);
    assert_int_equal(admitted, NETWORK);
    assert_int_equal(ask(state, v6(1, 100, 1), start), TRK_RESULT_RATE_NETWORK);
    assert_int_equal(ask(state, v6(2, 1, 1), start), TRK_RESULT_OK);
}

static void a_mapped_address_is_v4(void **state)
{
    trk_address mapped = {{[10] = 0xff, 0xff, 1, 2, 3, 4}, 1, 1};

    ask_often(state, v4(0x01020304), BURST, start);
    assert_int_equal(ask(state, mapped, start), TRK_RESULT_RATE_ADDRESS);
}

static void ports_make_no_difference(void **state)
{
    trk_address from = v4(0x01020304);

    for (int i = 0; i < BURST; i++) {
        from.port = (apr_uint16_t)(i + 1);
        assert_int_equal(ask(state, from, start), TRK_RESULT_OK);
    }
    from.port = 65000;
    assert_int_equal(ask(state, from, start), TRK_RESULT_RATE_ADDRESS);
}

static void a_scrape_counts_by_its_hashes(void **state)
{
    trk_address from = v4(0x01020304);
    int scrapes = 0;

    assert_int_equal(trk_scrape_cost(0), 1); /* an announce */
    assert_int_equal(trk_scrape_cost(1), 1);
    assert_int_equal(trk_scrape_cost(TRK_RATE_SCRAPED), 1);
    assert_int_equal(trk_scrape_cost(TRK_RATE_SCRAPED + 1), 2);
    assert_int_equal(trk_scrape_cost(TRK_SCRAPE_MAX), 13);
    while (trk_limits_take(*state, RATE, &from, trk_scrape_cost(TRK_SCRAPE_MAX), start) == TRK_RESULT_OK)
        scrapes++;
    assert_int_equal(scrapes, BURST / 13);
    /* At the lowest rate that can be said the largest scrape can be had. */
    from = v4(0x05060708);
    assert_int_equal(trk_limits_take(*state, 1, &from, trk_scrape_cost(TRK_SCRAPE_MAX), start), TRK_RESULT_OK);
}

static void unlimited_is_unlimited(void **state)
{
    trk_address from = v4(0x01020304);

    for (int i = 0; i < 100 * BURST; i++)
        assert_int_equal(trk_limits_take(*state, 0, &from, 1, start), TRK_RESULT_OK);
}

static void the_highest_rate_can_be_counted(void **state)
{
    trk_address from = v4(0x01020304);
    int admitted = 0;

    while (trk_limits_take(*state, TRK_RATE_MAX, &from, 1, start) == TRK_RESULT_OK)
        admitted++;
    assert_int_equal(admitted, TRK_RATE_MAX * TRK_RATE_BURST);
}

/* Buckets whose time has come round, and those of a clock that was put back, are full. */
static void old_buckets_and_other_clocks_do_no_harm(void **state)
{
    static const apr_time_t days[] = {1, 6, 12, 13, 100, 400, -1, -400};

    for (size_t i = 0; i < sizeof days / sizeof *days; i++) {
        trk_address from = v4(0x0a000000 + (uint32_t)i * 256);

        assert_int_equal(ask_often(state, from, 2 * BURST, start), BURST);
        assert_int_equal(ask_often(state, from, 2 * BURST, start + days[i] * 24 * 3600 * APR_USEC_PER_SEC), BURST);
    }
}

/* Each of very many addresses is heard, though the table has no room for them all; and who floods beside them gets no
 * more than a little more than its rate, since buckets that are full again go first. */
static void many_addresses_do_not_lift_the_limit(void **state)
{
    trk_address flooder = v4(0x01020304);
    int admitted = ask_often(state, flooder, 2 * BURST, start);

    assert_int_equal(admitted, BURST);
    for (uint32_t i = 0; i < 1000000; i++) { /* 100,000 addresses a second for 10 seconds, each of another network */
        assert_int_equal(ask(state, v4(0x20000000 + i * 256), after(i / 100)), TRK_RESULT_OK);
        admitted += ask(state, flooder, after(i / 100)) == TRK_RESULT_OK;
    }
    assert_in_range(admitted, BURST + 10 * RATE - 1, BURST + 10 * RATE + BURST / 10);
}

/* Of two threads one may be late: its clock was read before the other took something. */
static void a_thread_that_is_late_finds_what_others_took(void **state)
{
    assert_int_equal(ask_often(state, v4(0x01020304), BURST, after(500)), BURST);
    for (int late = 0; late < 500; late += 50)
        assert_int_equal(ask(state, v4(0x01020304), after(late)), TRK_RESULT_RATE_ADDRESS);
}

enum { THREADS = 4, EACH = 100000 };

static void *ask_a_lot(void *baton)
{
    apr_size_t admitted = 0;

    for (int i = 0; i < EACH; i++)
        admitted += ask(baton, v4(0x01020300 + (uint32_t)i % 4), after(i * 1000 / EACH)) == TRK_RESULT_OK;
    return (void *)admitted;
}

static void threads_share_a_bucket(void **state)
{
    pthread_t threads[THREADS];
    apr_size_t admitted = 0;

    for (uint32_t i = 0; i < 4; i++)
        ask(state, v4(0x01020300 + i), start); /* so that each has its place: of two at once, both might take one */
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_a_lot, state), 0);
    for (int i = 0; i < THREADS; i++) {
        void *one;

        pthread_join(threads[i], &one);
        admitted += (apr_size_t)one;
    }
    assert_in_range(admitted, 4 * (BURST - 1), 4 * (BURST + 2 * RATE));
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, make_table, free_table)
    const struct CMUnitTest tests[] = {
        TEST(a_table_of_another_layout_is_not_used),
        TEST(the_table_is_small),
        TEST(an_address_has_its_burst_and_then_its_rate),
        TEST(who_asks_on_and_on_gets_its_rate),
        TEST(others_do_not_suffer),
        TEST(a_v4_network_has_a_limit_of_its_own),
        TEST(a_v6_address_is_its_64_and_its_network_the_48),
        TEST(a_mapped_address_is_v4),
        TEST(ports_make_no_difference),
        TEST(a_scrape_counts_by_its_hashes),
        TEST(unlimited_is_unlimited),
        TEST(the_highest_rate_can_be_counted),
        TEST(old_buckets_and_other_clocks_do_no_harm),
        TEST(many_addresses_do_not_lift_the_limit),
        TEST(a_thread_that_is_late_finds_what_others_took),
        TEST(threads_share_a_bucket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
