#include "t/unit/unit.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "seeder/leaves.h"
#include "t/unit/naive.h"

enum { BLOCK = 16384, PIECE = 4 * BLOCK, LENGTH = 11 * PIECE + 2 * BLOCK + 7 };

static seed_leaves *store;
static unsigned char data[LENGTH], root[32], *layer;
static char *path;
static bt_stamp stamp;
static seed_hash_tree tree;

static int set_up(void **state)
{
    uint64_t random = 0x1ea5;

    unit_fill(&random, data, sizeof data);
    path = naive_file("leaves", data, sizeof data);
    naive_root(data, sizeof data, root);
    layer = naive_layer(data, sizeof data, PIECE);
    tree = (seed_hash_tree){root, LENGTH, PIECE, layer};
    return bt_stamp_path(path, &stamp) || seed_leaves_open(&store);
}

static int tear_down(void **state)
{
    seed_leaves_close(store);
    free(layer);
    free(path);
    naive_clean();
    return 0;
}

static void wait_for_event(void)
{
    struct pollfd on = {seed_leaves_event(store), POLLIN, 0};

    assert_int_equal(poll(&on, 1, 30000), 1);
    seed_leaves_heard(store);
}

static seed_hash_plan plan_for(apr_uint32_t first, apr_uint32_t count)
{
    seed_hash_plan plan = {.first_leaf = first, .leaves = count};

    return plan;
}

static apr_status_t get(const seed_hash_plan *plan, const unsigned char **leaves)
{
    apr_status_t status;

    while ((status = seed_leaves_get(store, &tree, plan, path, &stamp, 1, leaves)) == APR_EAGAIN)
        wait_for_event();
    return status;
}

static void test_leaves_of_every_piece(void **state)
{
    for (apr_uint32_t first = 0; first < LENGTH / BLOCK + 1; first += 4) {
        apr_uint32_t count = first + 4 <= LENGTH / BLOCK ? 4 : LENGTH / BLOCK + 1 - first;
        seed_hash_plan plan = plan_for(first, count);
        const unsigned char *leaves;
        unsigned char expected[32];

        assert_int_equal(seed_leaves_get(store, &tree, &plan, path, &stamp, 1, &leaves), APR_EAGAIN);
        assert_int_equal(get(&plan, &leaves), APR_SUCCESS);
        for (apr_uint32_t i = 0; i < count; i++) {
            naive_node(data, LENGTH, first + i, 1, expected);
            assert_memory_equal(leaves + 32 * i, expected, 32);
        }
        assert_int_equal(seed_leaves_get(store, &tree, &plan, path, &stamp, 2, &leaves), APR_SUCCESS); /* kept */
    }
}

static void test_unused_ones_are_dropped(void **state)
{
    seed_hash_plan plan = plan_for(8, 4);
    const unsigned char *leaves;

    assert_int_equal(get(&plan, &leaves), APR_SUCCESS);
    seed_leaves_tick(store, apr_time_from_sec(SEED_LEAVES_SECONDS) / 2);
    assert_int_equal(seed_leaves_get(store, &tree, &plan, path, &stamp, 1, &leaves), APR_SUCCESS);
    assert_true(seed_leaves_hold_any(store));
    seed_leaves_tick(store, apr_time_from_sec(SEED_LEAVES_SECONDS + 1));
    assert_false(seed_leaves_hold_any(store));
    assert_int_equal(seed_leaves_get(store, &tree, &plan, path, &stamp, 1, &leaves), APR_EAGAIN);
    assert_int_equal(get(&plan, &leaves), APR_SUCCESS);
}

static void test_another_version_is_not_read(void **state)
{
    seed_hash_plan plan = plan_for(0, 8);
    bt_stamp other = stamp;
    const unsigned char *leaves;
    apr_status_t status;

    other.mtime_ns++;
    while ((status = seed_leaves_get(store, &tree, &plan, path, &other, 1, &leaves)) == APR_EAGAIN)
        wait_for_event();
    assert_int_equal(status, APR_EBUSY);
    /* The failure is remembered for a while, so that nobody can have it tried again and again. */
    assert_int_equal(seed_leaves_get(store, &tree, &plan, path, &stamp, apr_time_from_sec(1), &leaves), APR_EBUSY);
    seed_leaves_tick(store, apr_time_from_sec(SEED_LEAVES_FAILED_SECONDS) + 1);
    assert_int_equal(get(&plan, &leaves), APR_SUCCESS);
}

static void test_what_does_not_fit_the_tree_is_not_given(void **state)
{
    seed_hash_plan plan = plan_for(4, 8);
    unsigned char wrong[32 * 12];
    const unsigned char *leaves;

    memcpy(wrong, layer, sizeof wrong);
    wrong[2 * 32] ^= 1;
    tree.layer = wrong;
    assert_int_equal(get(&plan, &leaves), APR_EBUSY);
    tree.layer = layer;
    assert_int_equal(get(&plan, &leaves), APR_EBUSY); /* remembered */
    seed_leaves_tick(store, apr_time_from_sec(SEED_LEAVES_FAILED_SECONDS) + 2);
    assert_int_equal(get(&plan, &leaves), APR_SUCCESS);
}

static void test_missing_file(void **state)
{
    seed_hash_plan plan = plan_for(16, 16);
    const unsigned char *leaves;
    apr_status_t status;

    while ((status = seed_leaves_get(store, &tree, &plan, "/nonexistent", &stamp, 1, &leaves)) == APR_EAGAIN)
        wait_for_event();
    assert_int_equal(status, APR_EBUSY);
    seed_leaves_tick(store, apr_time_from_sec(SEED_LEAVES_FAILED_SECONDS) + 1);
}

static void test_crown(void **state)
{
    enum { PIECES = 1000 };
    static unsigned char wide[PIECES * 32], top[32];
    seed_hash_tree large = {top, (apr_int64_t)PIECES * BLOCK, BLOCK, wide};
    unsigned char *expected = malloc(seed_crown_size(&large));
    const unsigned char *crown;
    uint64_t random = 5;
    apr_status_t status;

    unit_fill(&random, wide, sizeof wide);
    unit_fill(&random, top, sizeof top);
    assert_int_equal(seed_crown_make(seed_leaves_nodes(store), &large, expected), APR_SUCCESS);
    assert_int_equal(seed_leaves_crown(store, &large, 1, &crown), APR_EAGAIN);
    while ((status = seed_leaves_crown(store, &large, 1, &crown)) == APR_EAGAIN)
        wait_for_event();
    assert_int_equal(status, APR_SUCCESS);
    assert_memory_equal(crown, expected, seed_crown_size(&large));
    free(expected);
}

/* However many are asked for, so many wait at most and so many are kept of one file; the others are refused or made room. */
static void test_bounds(void **state)
{
    enum { MANY = 100 };
    static unsigned char many_root[32], *many_layer, *large;
    seed_hash_tree many = {many_root, (apr_int64_t)2 * MANY * BLOCK, 2 * BLOCK, NULL};
    bt_stamp many_stamp;
    uint64_t random = 9;
    char *name;
    int made = 0, kept = 0;

    large = malloc((size_t)many.length);
    unit_fill(&random, large, (size_t)many.length);
    name = naive_file("many", large, (size_t)many.length);
    many.layer = many_layer = naive_layer(large, (size_t)many.length, 2 * BLOCK);
    naive_root(large, (size_t)many.length, many_root);
    assert_int_equal(bt_stamp_path(name, &many_stamp), APR_SUCCESS);
    for (apr_uint32_t i = 0; i < MANY; i++) {
        seed_hash_plan plan = plan_for(2 * i, 2);
        const unsigned char *leaves;
        apr_status_t status;

        while ((status = seed_leaves_get(store, &many, &plan, name, &many_stamp, 1, &leaves)) == APR_EAGAIN)
            wait_for_event();
        made += status == APR_SUCCESS;
    }
    assert_int_equal(made, MANY);
    for (apr_uint32_t i = MANY; i-- > 0;) { /* the newest ones first: asking for one that is gone makes room for it */
        seed_hash_plan plan = plan_for(2 * i, 2);
        const unsigned char *leaves;

        if (seed_leaves_get(store, &many, &plan, name, &many_stamp, 1, &leaves) != APR_SUCCESS)
            break;
        kept++;
    }
    assert_int_equal(kept, SEED_LEAVES_OF_ONE);
    free(name);
    free(many_layer);
    free(large);
}

static void test_queue_is_bounded_and_closing_does_not_wait_for_it(void **state)
{
    seed_leaves *other;
    int refused = 0;
    const unsigned char *leaves;

    assert_int_equal(seed_leaves_open(&other), APR_SUCCESS);
    for (int i = 0; i < 4 * SEED_LEAVES_WAITING; i++) {
        unsigned char some_root[32] = {(unsigned char)i, (unsigned char)(i >> 8)};
        seed_hash_tree some = {some_root, LENGTH, PIECE, layer};
        seed_hash_plan plan = plan_for(0, LENGTH / BLOCK + 1);
        apr_status_t status = seed_leaves_get(other, &some, &plan, path, &stamp, 1, &leaves);

        assert_true(status == APR_EAGAIN || status == APR_ENOSPC);
        refused += status == APR_ENOSPC;
    }
    assert_true(refused <= 3 * SEED_LEAVES_WAITING);
    seed_leaves_close(other);
}

/* Of many small files, too, no more results are kept than can be looked through for each question. */
static void test_results_of_all_files_are_bounded(void **state)
{
    const unsigned char *leaves;

    for (int i = 0; i < 2 * SEED_LEAVES_RESULTS; i++) {
        unsigned char some_root[32] = {1, (unsigned char)i, (unsigned char)(i >> 8)};
        seed_hash_tree some = {some_root, LENGTH, PIECE, layer};
        seed_hash_plan plan = plan_for(0, 1);

        while (seed_leaves_get(store, &some, &plan, "/nonexistent", &stamp, 1, &leaves) == APR_EAGAIN)
            wait_for_event();
        assert_true(seed_leaves_count(store) <= SEED_LEAVES_RESULTS);
    }
    seed_leaves_tick(store, apr_time_from_sec(SEED_LEAVES_SECONDS) + 1);
    assert_int_equal(seed_leaves_count(store), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leaves_of_every_piece),
        cmocka_unit_test(test_unused_ones_are_dropped),
        cmocka_unit_test(test_another_version_is_not_read),
        cmocka_unit_test(test_what_does_not_fit_the_tree_is_not_given),
        cmocka_unit_test(test_missing_file),
        cmocka_unit_test(test_crown),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_results_of_all_files_are_bounded),
        cmocka_unit_test(test_queue_is_bounded_and_closing_does_not_wait_for_it),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
