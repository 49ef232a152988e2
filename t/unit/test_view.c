/* What is known of a mapped file, and how much may be mapped. */
#include "t/unit/unit.h"

#include <stdlib.h>
#include <unistd.h>

#include "seeder/view.h"

enum { UNIT = SEED_VIEW_UNIT, UNITS = 100, LENGTH = UNITS * UNIT + 5000, HALF = SEED_VIEW_KNOWN / 2 };

static const apr_time_t START = (apr_time_t)1 << 40;

static seed_views views;
static seed_view *view;
static int file;

static int make_file(off_t length)
{
    char path[] = "/tmp/bthttp-view-XXXXXX";
    int made = mkstemp(path);

    assert_true(made >= 0);
    unlink(path);
    assert_int_equal(ftruncate(made, length), 0);
    return made;
}

static int set_up(void **state)
{
    seed_views_init(&views);
    file = make_file(LENGTH);
    view = seed_view_make(&views, file);
    return view ? 0 : -1;
}

static int tear_down(void **state)
{
    seed_view_free(&views, view);
    view = NULL;
    close(file);
    return views.mapped == 0 ? 0 : -1;
}

static int known(apr_int64_t offset, apr_size_t length, apr_time_t now)
{
    return seed_view_of(view, offset, length, now) != NULL;
}

static void nothing_is_known_at_first(void **state)
{
    assert_false(known(0, 1, START));
    assert_null(seed_view_of(NULL, 0, 1, START));
}

static void whole_units_only(void **state)
{
    seed_view_note(view, UNIT - 1, UNIT, START); /* it ends one byte too early */
    assert_false(known(UNIT, 1, START));
    seed_view_note(view, UNIT + 1, 2 * UNIT, START); /* and begins one too late */
    assert_false(known(UNIT, UNIT, START));
    assert_true(known(2 * UNIT, UNIT, START));
    assert_false(known(2 * UNIT - 1, 2, START));
    assert_false(known(3 * UNIT - 1, 2, START));
    assert_ptr_equal((char *)seed_view_of(view, 2 * UNIT + 7, 9, START), (char *)seed_view_of(view, 2 * UNIT, 1, START) + 7);
}

static void the_end_is_a_unit_too(void **state)
{
    seed_view_note(view, UNITS * UNIT, 4999, START);
    assert_false(known(UNITS * UNIT, 4999, START));
    seed_view_note(view, UNITS * UNIT, 5000, START);
    assert_true(known(UNITS * UNIT, 5000, START));
    assert_true(known(LENGTH - 1, 1, START));
    assert_false(known(LENGTH - 1, 2, START));
    assert_false(known(LENGTH, 1, START));
}

static void it_is_known_for_a_while(void **state)
{
    for (apr_time_t later = 0; later < 3 * HALF; later += HALF / 7) {
        seed_view_note(view, 0, UNIT, START + later);
        assert_true(known(0, UNIT, START + later + HALF - 1));
        assert_false(known(0, UNIT, START + later + 2 * SEED_VIEW_KNOWN));
        tear_down(state);
        set_up(state);
    }
}

static void what_is_read_again_stays_known(void **state)
{
    apr_time_t now = START;

    for (int i = 0; i < 50; i++, now += HALF - 1) {
        seed_view_note(view, UNIT, 3 * UNIT, now);
        assert_true(known(UNIT, 3 * UNIT, now + HALF - 2));
    }
}

static void what_is_sent_again_stays_known(void **state)
{
    apr_time_t now = START;

    seed_view_note(view, 0, 4 * UNIT, now);
    for (int i = 0; i < 50; i++, now += HALF - 1)
        assert_true(known(UNIT + 1, UNIT, now)); /* parts of two units */
    assert_true(known(UNIT, 2 * UNIT, now));
    assert_false(known(0, 1, now));
    assert_false(known(3 * UNIT, 1, now));
}

static void any_runs_against_a_plain_list(void **state)
{
    char list[UNITS + 1] = {0};
    uint64_t seed = 5;

    for (int i = 0; i < 2000; i++) {
        apr_int64_t offset = (apr_int64_t)unit_below(&seed, LENGTH);
        apr_size_t length = 1 + unit_below(&seed, (uint64_t)(LENGTH - offset < 5 * UNIT ? LENGTH - offset : 5 * UNIT));
        apr_int64_t end = offset + (apr_int64_t)length;
        int all = 1;

        for (apr_int64_t unit = offset / UNIT; unit * UNIT < end; unit++)
            all &= list[unit];
        assert_int_equal(known(offset, length, START), all);
        if (unit_below(&seed, 4))
            continue;
        seed_view_note(view, offset, length, START);
        for (apr_int64_t unit = 0; unit <= UNITS; unit++) {
            apr_int64_t last = (unit + 1) * UNIT < LENGTH ? (unit + 1) * UNIT : LENGTH;
            list[unit] |= unit * UNIT >= offset && last <= end;
        }
    }
}

static void a_file_that_became_shorter_or_longer(void **state)
{
    assert_true(seed_view_is_whole(view, file));
    assert_int_equal(ftruncate(file, LENGTH - 1), 0);
    assert_false(seed_view_is_whole(view, file));
    assert_int_equal(ftruncate(file, LENGTH + 1), 0);
    assert_false(seed_view_is_whole(view, file));
}

static void not_more_than_may_be_mapped(void **state)
{
    seed_view *other;

    views.most = 2 * LENGTH - 1;
    assert_null(seed_view_make(&views, file));
    views.most++;
    other = seed_view_make(&views, file);
    assert_non_null(other);
    assert_int_equal(views.mapped, 2 * LENGTH);
    seed_view_free(&views, other);
    assert_int_equal(views.mapped, LENGTH);
}

static void what_cannot_be_mapped(void **state)
{
    int ends[2], small = make_file(SEED_VIEW_UNIT - 1);

    assert_int_equal(pipe(ends), 0);
    assert_null(seed_view_make(&views, ends[0]));
    assert_null(seed_view_make(&views, -1));
    assert_null(seed_view_make(&views, small));
    close(ends[0]);
    close(ends[1]);
    close(small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_known_at_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(whole_units_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_end_is_a_unit_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_is_known_for_a_while, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_read_again_stays_known, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_sent_again_stays_known, set_up, tear_down),
        cmocka_unit_test_setup_teardown(any_runs_against_a_plain_list, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_became_shorter_or_longer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(not_more_than_may_be_mapped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_mapped, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("view", tests, NULL, NULL);
}
