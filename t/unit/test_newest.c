#include "t/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "module/newest.h"

enum { ALL = 10000 };

/* What a scan would meet: mtimes that are often alike, in no order. */
static void add_all(bth_newest *newest, size_t *not_taken)
{
    uint64_t state = 7;
    char path[40];

    *not_taken = 0;
    for (int i = 0; i < ALL; i++) {
        snprintf(path, sizeof path, "%d/%d", i % 100, i);
        *not_taken += (size_t)bth_newest_add(newest, i % 3, path, (apr_int64_t)unit_below(&state, 500) - 250, i);
    }
}

static int is_in_order(const bth_candidate *a, const bth_candidate *b)
{
    if (a->mtime_ns != b->mtime_ns)
        return a->mtime_ns > b->mtime_ns;
    return a->root != b->root ? a->root < b->root : strcmp(a->path, b->path) < 0;
}

static void test_each_file_once_and_newest_first(size_t files_max, size_t bytes_max, int walks_max)
{
    bth_newest *newest = bth_newest_create(files_max, bytes_max);
    bth_candidate *before = NULL, *each;
    size_t taken = 0, left;
    int walks = 0;

    do {
        bth_newest_go_on(newest);
        add_all(newest, &left);
        assert_int_equal(left, ALL - taken);
        assert_true(bth_newest_count(newest) <= files_max);
        while ((each = bth_newest_take(newest))) {
            assert_true(!before || is_in_order(before, each));
            free(before);
            before = each;
            taken++;
        }
        walks++;
    } while (bth_newest_has_more(newest) && walks < 2 * walks_max);
    assert_int_equal(taken, ALL);
    assert_true(walks <= walks_max);
    free(before);
    bth_newest_free(newest);
}

static void test_bound_by_number(void **state)
{
    (void)state;
    test_each_file_once_and_newest_first(1000, 1 << 20, 11);
    test_each_file_once_and_newest_first(ALL, 1 << 24, 1);
    test_each_file_once_and_newest_first(ALL - 1, 1 << 24, 2);
}

static void test_bound_by_memory(void **state)
{
    (void)state;
    test_each_file_once_and_newest_first(ALL, 64 * 1024, 12);
}

static void test_a_candidate_larger_than_the_bound_is_kept_alone(void **state)
{
    bth_newest *newest = bth_newest_create(10, 8);
    bth_candidate *taken;

    (void)state;
    assert_int_equal(bth_newest_add(newest, 0, "old", 1, 1), 1);
    assert_int_equal(bth_newest_add(newest, 0, "new", 2, 1), 1);
    assert_int_equal(bth_newest_count(newest), 1);
    taken = bth_newest_take(newest);
    assert_string_equal(taken->path, "new");
    free(taken);
    assert_null(bth_newest_take(newest));
    assert_true(bth_newest_has_more(newest));
    bth_newest_free(newest);
}

static void test_restart_begins_at_the_newest(void **state)
{
    bth_newest *newest = bth_newest_create(1, 1000);
    bth_candidate *taken;

    (void)state;
    assert_null(bth_newest_take(newest));
    bth_newest_restart(newest);
    bth_newest_add(newest, 0, "a", 2, 10);
    bth_newest_add(newest, 1, "b", 1, 20);
    taken = bth_newest_take(newest);
    assert_string_equal(taken->path, "a");
    free(taken);
    bth_newest_go_on(newest);
    assert_int_equal(bth_newest_add(newest, 0, "a", 2, 10), 0);
    assert_int_equal(bth_newest_add(newest, 1, "b", 1, 20), 1);
    bth_newest_restart(newest);
    assert_int_equal(bth_newest_count(newest), 0);
    assert_int_equal(bth_newest_add(newest, 0, "a", 2, 10), 1);
    bth_newest_free(newest); /* with what is in it */
    bth_newest_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bound_by_number),
        cmocka_unit_test(test_bound_by_memory),
        cmocka_unit_test(test_a_candidate_larger_than_the_bound_is_kept_alone),
        cmocka_unit_test(test_restart_begins_at_the_newest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
