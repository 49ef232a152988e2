/* The spread of pieces in a crowd, in a model: nobody starves, no piece goes out twice before all are out, the seed yields
 * where leechers feed each other and nowhere else; and its sums are right whatever peers come, go and say. */
#include "t/unit/unit.h"

#include <string.h>

#include "t/unit/crowd_model.h"

static model crowd;

static void pieces_go_out_once_before_any_twice(void **state)
{
    for (uint64_t dice = 1; dice <= 5; dice++) {
        model_start(&crowd, 1024, 20, 64, 32, 1, dice);
        assert_true(model_run(&crowd, 100) > 0);
        assert_true(crowd.early_twice <= 32); /* of 1024: at the very end, when the last ones are under way */
        model_end(&crowd);
    }
}

static void a_crowd_is_served_near_the_bound_with_few_copies(void **state)
{
    for (uint64_t dice = 1; dice <= 5; dice++) {
        double last;
        model_start(&crowd, 1024, 20, 64, 32, 1, dice);
        last = model_run(&crowd, 100) / model_bound(&crowd, 32);
        print_message("    spread: %.2f x the bound, %.2f copies\n", last, crowd.sent / 1024.0);
        assert_true(last > 0 && last <= 1.2);
        assert_true(crowd.sent <= 1.4 * 1024);
        model_end(&crowd);
    }
}

static void those_who_cannot_feed_each_other_get_all_from_the_seed(void **state)
{
    double spread, plain;

    model_start(&crowd, 256, 10, 64, 0, 1, 3);
    spread = model_run(&crowd, 1000);
    model_end(&crowd);
    model_start(&crowd, 256, 10, 64, 0, 0, 3);
    plain = model_run(&crowd, 1000);
    model_end(&crowd);
    print_message("    spread %.1f s, plain %.1f s\n", spread, plain);
    assert_true(spread > 0 && spread <= plain * 1.02);
}

static void a_fast_seed_holds_nothing_back(void **state)
{
    double spread, plain;

    model_start(&crowd, 1024, 6, 10000, 32, 1, 4);
    spread = model_run(&crowd, 1000);
    model_end(&crowd);
    model_start(&crowd, 1024, 6, 10000, 32, 0, 4);
    plain = model_run(&crowd, 1000);
    model_end(&crowd);
    print_message("    spread %.1f s, plain %.1f s\n", spread, plain);
    assert_true(spread > 0 && spread <= plain + 0.2);
}

/* Requests come half a second after a piece is shown: whoever is shown little at a time must not get less. */
static void far_away_peers_get_their_share(void **state)
{
    double spread, plain;

    model_start(&crowd, 1024, 8, 320, 8, 1, 4);
    crowd.delay = 5;
    spread = model_run(&crowd, 1000);
    model_end(&crowd);
    model_start(&crowd, 1024, 8, 320, 8, 0, 4);
    plain = model_run(&crowd, 1000);
    model_end(&crowd);
    print_message("    spread %.1f s, plain %.1f s\n", spread, plain);
    assert_true(spread > 0 && spread <= plain * 1.1 + 1);
}

/* One of them takes from the seed alone, another never says what it has. */
static void an_outsider_is_not_forgotten(void **state)
{
    for (int silent = 0; silent < 2; silent++) {
        double last;
        model_start(&crowd, 512, 20, 64, 32, 1, 5);
        if (silent)
            crowd.peers[7].silent = 1;
        else
            crowd.peers[7].upload = 0;
        last = model_run(&crowd, 1000);
        print_message("    %s: done after %.1f s, last %.1f s, %.2f copies\n", silent ? "silent" : "alone", crowd.peers[7].done, last,
                      crowd.sent / 512.0);
        assert_true(last > 0 && last <= 60);
        model_end(&crowd);
    }
}

/* Asks once a second for what it was shown a second before, as Transmission does, half of it each time. @return pieces of the last two seconds */
static int run_slow_asker(int seconds, int nobody_waits)
{
    unsigned char shown[128] = {0};
    apr_uint32_t heard[1024], asked[1024], piece;
    int heard_count = 0, asked_count = 0, i;
    seed_share share;
    apr_time_t now = 0;
    seed_spread *spread = seed_spread_make(1024, 65536, 1, now);

    memset(&share, 0, sizeof share);
    assert_true(seed_spread_join(spread, &share, shown, now));
    for (; seconds > 0; seconds--) {
        now += APR_USEC_PER_SEC;
        for (i = 0; i < asked_count; i++) {
            seed_spread_sent(spread, &share, 65536, now);
            seed_spread_has(spread, &share, asked[i], 1, 1, now);
        }
        memcpy(asked, heard, sizeof heard);
        asked_count = heard_count;
        if (nobody_waits)
            seed_spread_spare(spread, &share, now);
        seed_spread_tick(spread, now);
        for (heard_count = 0; (now > APR_USEC_PER_SEC || heard_count < 2) &&
                              (piece = seed_spread_next(spread, &share, shown, now)) != SEED_SPREAD_NOTHING; heard_count++) {
            shown[piece / 8] |= (unsigned char)(0x80 >> piece % 8);
            heard[heard_count] = piece;
        }
    }
    seed_spread_leave(spread, &share);
    seed_spread_free(spread);
    return asked_count + heard_count;
}

static void who_asks_late_gets_more_while_there_is_more(void **state)
{
    int kept_short = run_slow_asker(9, 0);

    assert_in_range(kept_short, 1, 8);
    assert_true(run_slow_asker(9, 1) >= 4 * kept_short);
}

static void a_newcomer_gets_something_to_trade(void **state)
{
    model_start(&crowd, 1024, 20, 64, 32, 1, 6);
    crowd.peers[3].there = 0;
    seed_spread_leave(crowd.spread, &crowd.peers[3].share);
    assert_true(model_run(&crowd, 18) < 0); /* the seed yields by now */
    assert_true(seed_spread_yields(crowd.spread));
    crowd.peers[3].there = 1;
    crowd.peers[3].upload = 0;
    seed_spread_join(crowd.spread, &crowd.peers[3].share, crowd.peers[3].shown, crowd.steps * 100000);
    assert_true(model_run(&crowd, 20) < 0);
    assert_true(crowd.peers[3].has_count >= 4);
    assert_true(crowd.peers[3].first <= 19.5);
    model_end(&crowd);
}

/* The others are done: there is nobody to feed, whatever it was shown until now, as after a hand-over. */
static void the_last_leecher_is_shown_everything(void **state)
{
    model_start(&crowd, 64, 5, 64, 0, 1, 8);
    seed_spread_tick(crowd.spread, 1 * APR_USEC_PER_SEC);
    for (int p = 0; p < 5; p++)
        assert_false(seed_spread_is_fast(crowd.spread, &crowd.peers[p].share));
    for (apr_uint32_t piece = 0; piece < 64; piece++) {
        for (int p = 0; p < 4; p++)
            seed_spread_has(crowd.spread, &crowd.peers[p].share, piece, 1, 0, 1 * APR_USEC_PER_SEC);
    }
    seed_spread_tick(crowd.spread, 2 * APR_USEC_PER_SEC);
    assert_true(seed_spread_is_fast(crowd.spread, &crowd.peers[4].share));
    model_end(&crowd);
}

/* --- sums --- */

static void check_sums(const model *m, const apr_uint32_t fresh)
{
    assert_int_equal(seed_spread_is_young(m->spread), fresh > 0);
}

static void whatever_peers_say(void **state)
{
    uint64_t dice = 77;

    model_start(&crowd, 40, 12, 64, 0, 1, 9);
    for (int i = 0; i < 200000; i++) {
        model_peer *peer = &crowd.peers[unit_below(&dice, 12)];
        apr_uint32_t piece = (apr_uint32_t)unit_below(&dice, 40), shown, fresh = 0;
        apr_time_t now = i * (apr_time_t)1000;

        switch (unit_below(&dice, 8)) {
        case 0:
            if (unit_below(&dice, 10) == 0 && peer->there) {
                seed_spread_leave(crowd.spread, &peer->share);
                memset(peer, 0, sizeof *peer);
            } else if (!peer->there) {
                peer->there = 1;
                peer->whole = unit_below(&dice, 4) == 0;
                seed_spread_join(crowd.spread, &peer->share, peer->whole ? NULL : peer->shown, now);
            }
            break;
        case 1:
            seed_spread_release(crowd.spread, &peer->share);
            break;
        case 2:
            seed_spread_tick(crowd.spread, now);
            break;
        case 3:
            seed_spread_sent(crowd.spread, &peer->share, 1000, now);
            seed_spread_dry(crowd.spread, &peer->share, now);
            break;
        case 4:
            if (peer->there && !peer->whole &&
                (shown = seed_spread_next(crowd.spread, &peer->share, peer->shown, now)) != SEED_SPREAD_NOTHING) {
                assert_true(shown < 40);
                assert_false(peer->shown[shown / 8] & (0x80 >> (shown % 8)));
                assert_false(peer->has[shown / 8] & (0x80 >> (shown % 8)));
                peer->shown[shown / 8] |= (unsigned char)(0x80 >> (shown % 8));
            }
            break;
        default:
            if (!peer->there)
                break;
            peer->has[piece / 8] ^= (unsigned char)(0x80 >> (piece % 8));
            seed_spread_has(crowd.spread, &peer->share, piece, (peer->has[piece / 8] & (0x80 >> (piece % 8))) != 0,
                            !peer->whole && (peer->shown[piece / 8] & (0x80 >> (piece % 8))) != 0, now);
        }
        for (piece = 0; piece < 40; piece++) {
            int somebody = 0;
            for (int p = 0; p < 12; p++)
                somebody |= crowd.peers[p].has[piece / 8] & (0x80 >> (piece % 8));
            fresh += !somebody && !seed_spread_is_lent(crowd.spread, piece);
        }
        check_sums(&crowd, fresh);
        for (int p = 0; p < 12; p++) {
            apr_uint32_t has = 0;
            for (piece = 0; piece < 40; piece++)
                has += (crowd.peers[p].has[piece / 8] & (0x80 >> (piece % 8))) != 0;
            assert_int_equal(crowd.peers[p].share.has, has);
            assert_true(crowd.peers[p].share.waiting <= 40);
            assert_true(crowd.peers[p].share.unpassed <= 40);
        }
    }
    model_end(&crowd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_go_out_once_before_any_twice),
        cmocka_unit_test(a_crowd_is_served_near_the_bound_with_few_copies),
        cmocka_unit_test(those_who_cannot_feed_each_other_get_all_from_the_seed),
        cmocka_unit_test(a_fast_seed_holds_nothing_back),
        cmocka_unit_test(far_away_peers_get_their_share),
        cmocka_unit_test(an_outsider_is_not_forgotten),
        cmocka_unit_test(who_asks_late_gets_more_while_there_is_more),
        cmocka_unit_test(a_newcomer_gets_something_to_trade),
        cmocka_unit_test(the_last_leecher_is_shown_everything),
        cmocka_unit_test(whatever_peers_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
