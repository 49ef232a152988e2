/* Which job goes first, digests, and the figures of the queue. */
#include "t/unit/unit.h"

#include <apr_strings.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <unistd.h>

#include "t/unit/queue_kit.h"

static apr_pool_t *pool;

static int make_pool(void **state)
{
    apr_initialize();
    return apr_pool_create(&pool, NULL);
}

static int clean(void **state)
{
    apr_pool_destroy(pool);
    naive_clean();
    return 0;
}

static void add(tg_queue *queue, const char *path, int urgent, ear *one)
{
    const tg_request request = {.path = path,
                                .name = "f",
                                .version = TG_HYBRID,
                                .piece_length = 16384,
                                .urgent = urgent,
                                .digest = 1,
                                .size = 1000};

    assert_int_equal(tg_queue_add(queue, &request, hear_progress, hear_done, one), APR_SUCCESS);
}

/* A queue of one worker that is held up in the first, urgent job, so that all others wait. */
typedef struct {
    tg_queue *queue;
    ear first;
    char *path;
} held;

static void hold(held *up)
{
    up->path = random_file("first", 9000000, 1);
    ear_init(&up->first, 1);
    assert_int_equal(tg_queue_create(&up->queue, 1, 100, pool), APR_SUCCESS);
    add(up->queue, up->path, 1, &up->first);
    wait_at_gate(&up->first);
}

static void let_go(held *up)
{
    open_gate(&up->first);
    wait_done(&up->first);
    free(up->path);
}

static void test_urgent_ones_go_first(void **state)
{
    enum { OTHERS = 5 };
    char *path = random_file("f", 5000000, 2);
    ear others[OTHERS], urgent;
    held up;

    hold(&up);
    for (int i = 0; i < OTHERS; i++) {
        ear_init(&others[i], 0);
        add(up.queue, path, 0, &others[i]);
    }
    ear_init(&urgent, 0);
    add(up.queue, path, 1, &urgent);
    let_go(&up);
    wait_done(&urgent);
    for (int i = 0; i < OTHERS; i++)
        wait_done(&others[i]);
    assert_true(up.first.turn < others[0].turn && urgent.turn < others[0].turn);
    for (int i = 1; i < OTHERS; i++)
        assert_int_equal(others[i].turn, others[i - 1].turn + 1); /* in order, one after the other */
    tg_queue_stop(up.queue);
    free(path);
}

static void test_raised_ones_too(void **state)
{
    enum { OTHERS = 4 };
    char *paths[OTHERS];
    ear others[OTHERS];
    held up;

    hold(&up);
    for (int i = 0; i < OTHERS; i++) {
        paths[i] = random_file(apr_psprintf(pool, "raised%d", i), 5000000, 2);
        ear_init(&others[i], 0);
        add(up.queue, paths[i], 0, &others[i]);
    }
    assert_int_equal(tg_queue_raise(up.queue, paths[2]), APR_SUCCESS);
    assert_int_equal(tg_queue_raise(up.queue, paths[2]), APR_NOTFOUND); /* it is urgent already */
    assert_int_equal(tg_queue_raise(up.queue, "/elsewhere"), APR_NOTFOUND);
    let_go(&up);
    for (int i = 0; i < OTHERS; i++)
        wait_done(&others[i]);
    assert_true(others[2].turn < others[0].turn && others[0].turn < others[1].turn && others[1].turn < others[3].turn);
    assert_false(others[2].has_digest);
    assert_true(others[0].has_digest);
    for (int i = 0; i < OTHERS; i++)
        free(paths[i]);
    tg_queue_stop(up.queue);
}

/* --- digests ------------------------------------------------------------------------------------------------------------ */

static void test_digests_of_all_sizes(void **state)
{
    static const size_t sizes[] = {0, 1, 16384, 65535, 65536, 65537, 4194304, 4194305, 9000000};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int threads = 1; threads <= 3; threads++) {
            char *path = random_file("digest", sizes[i], 3);
            unsigned char *data = malloc(sizes[i] + 1), digest[32];
            uint64_t seed = 3;
            tg_queue *queue;
            ear calm, urgent;

            unit_fill(&seed, data, sizes[i]);
            SHA256(data, sizes[i], digest);
            ear_init(&calm, 0);
            ear_init(&urgent, 0);
            assert_int_equal(tg_queue_create(&queue, threads, 2, pool), APR_SUCCESS);
            add(queue, path, 0, &calm);
            add(queue, path, 1, &urgent);
            wait_done(&calm);
            wait_done(&urgent);
            assert_int_equal(calm.status, APR_SUCCESS);
            assert_true(calm.has_digest);
            assert_memory_equal(calm.digest, digest, 32);
            assert_false(urgent.has_digest && sizes[i]); /* somebody waited for it */
            assert_memory_equal(calm.v2.b, urgent.v2.b, 32);
            tg_queue_stop(queue);
            free(data);
            free(path);
        }
}

static void hear_digest(void *baton, apr_status_t status, const unsigned char digest[32])
{
    tg_result result = {.has_digest = status == APR_SUCCESS};

    result.torrent.version = status == APR_SUCCESS; /* what hear_done wants to see */
    memcpy(result.digest, digest, sizeof result.digest);
    hear_done(baton, status, &result);
}

static void test_a_digest_alone(void **state)
{
    enum { LENGTH = 5000000 };
    static unsigned char data[LENGTH];
    char *path = random_file("f", LENGTH, 4);
    unsigned char expected[32];
    uint64_t seed = 4;
    ear digest, stale, other;
    bt_stamp stamp;
    held up;

    unit_fill(&seed, data, sizeof data);
    SHA256(data, sizeof data, expected);
    assert_int_equal(bt_stamp_path(path, &stamp), APR_SUCCESS);
    hold(&up);
    ear_init(&digest, 0);
    ear_init(&stale, 0);
    ear_init(&other, 0);
    add(up.queue, path, 0, &other);
    assert_int_equal(tg_queue_digest(up.queue, path, &stamp, hear_digest, &digest), APR_SUCCESS);
    stamp.mtime_ns++;
    assert_int_equal(tg_queue_digest(up.queue, path, &stamp, hear_digest, &stale), APR_SUCCESS);
    let_go(&up);
    wait_done(&digest);
    wait_done(&stale);
    wait_done(&other);
    assert_int_equal(digest.status, APR_SUCCESS);
    assert_memory_equal(digest.digest, expected, 32);
    assert_int_equal(stale.status, APR_EBUSY);
    assert_true(digest.turn < stale.turn && stale.turn < other.turn); /* before what nobody asked for */
    tg_queue_stop(up.queue);
    free(path);
}

/* --- figures ------------------------------------------------------------------------------------------------------------- */

static void test_figures(void **state)
{
    char *path = random_file("f", 300000, 5);
    tg_queue_figures figures;
    ear calm, second, urgent;
    bt_stamp stamp;
    held up;

    hold(&up);
    tg_queue_stats(up.queue, &figures);
    assert_int_equal(figures.hashing, 1);
    assert_true(figures.urgent == 0 && figures.waiting == 0);
    assert_true(figures.bytes_done > 0 && figures.bytes_done + (apr_uint64_t)figures.bytes_left == 9000000);
    ear_init(&calm, 0);
    ear_init(&second, 0);
    ear_init(&urgent, 0);
    add(up.queue, path, 0, &calm);
    add(up.queue, path, 0, &second);
    add(up.queue, path, 1, &urgent);
    assert_int_equal(bt_stamp_path(path, &stamp), APR_SUCCESS);
    tg_queue_stats(up.queue, &figures);
    assert_true(figures.urgent == 1 && figures.waiting == 2 && figures.hashing == 1);
    assert_true(figures.bytes_done + (apr_uint64_t)figures.bytes_left == 9000000 + 3 * 1000); /* as they were announced */
    let_go(&up);
    wait_done(&calm);
    wait_done(&second);
    wait_done(&urgent);
    tg_queue_stats(up.queue, &figures);
    assert_true(figures.urgent == 0 && figures.waiting == 0 && figures.hashing == 0);
    assert_int_equal(figures.bytes_left, 0);
    assert_int_equal(figures.bytes_done, 9000000 + 3 * 300000);
    tg_queue_stop(up.queue);
    free(path);
}

/* --- all at once: for the thread sanitizer ---------------------------------------------------------------------------------- */

static void test_raised_at_any_moment(void **state)
{
    enum { JOBS = 12 };
    char *paths[JOBS];
    bt_infohash_v2 expected[JOBS];
    uint64_t random = 7;

    for (int i = 0; i < JOBS; i++) {
        const size_t length = unit_below(&random, 2) ? unit_below(&random, 9000000) : unit_below(&random, 50000);
        tg_request request = {.name = "f", .version = TG_HYBRID, .piece_length = 16384};
        tg_torrent torrent;

        request.path = paths[i] = random_file(apr_psprintf(pool, "any%d", i), length, (uint64_t)i);
        assert_int_equal(tg_make(&request, pool, &torrent, NULL), APR_SUCCESS);
        expected[i] = torrent.v2;
    }
    for (int round = 0; round < 12; round++) {
        ear ears[JOBS];
        tg_queue *queue;

        assert_int_equal(tg_queue_create(&queue, 1 + round % 3, JOBS, pool), APR_SUCCESS);
        for (int i = 0; i < JOBS; i++) {
            ear_init(&ears[i], 0);
            add(queue, paths[i], unit_below(&random, 4) == 0, &ears[i]);
        }
        for (int i = 0; i < 20; i++) {
            tg_queue_figures figures;

            tg_queue_raise(queue, paths[unit_below(&random, JOBS)]);
            tg_queue_stats(queue, &figures);
            assert_true(figures.bytes_left >= 0 && figures.hashing >= 0 && figures.waiting >= 0);
            usleep((useconds_t)unit_below(&random, 2000)); /* at any moment; nothing depends on it */
        }
        for (int i = 0; i < JOBS; i++) {
            wait_done(&ears[i]);
            assert_int_equal(ears[i].status, APR_SUCCESS);
            assert_memory_equal(ears[i].v2.b, expected[i].b, 32);
        }
        tg_queue_stop(queue);
    }
    for (int i = 0; i < JOBS; i++)
        free(paths[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urgent_ones_go_first), cmocka_unit_test(test_raised_ones_too),
        cmocka_unit_test(test_digests_of_all_sizes), cmocka_unit_test(test_a_digest_alone),
        cmocka_unit_test(test_figures),              cmocka_unit_test(test_raised_at_any_moment),
    };

    return cmocka_run_group_tests(tests, make_pool, clean);
}
