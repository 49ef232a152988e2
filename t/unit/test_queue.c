#include "t/unit/unit.h"

#include <apr_strings.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "t/unit/naive.h"
#include "t/unit/queue_kit.h"
#include "torrentgen/queue.h"

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

static apr_status_t add(tg_queue *queue, const char *path, ear *one)
{
    const tg_request request = {.path = path, .name = "f", .version = TG_HYBRID, .piece_length = 16384, .urgent = 1};

    return tg_queue_add(queue, &request, hear_progress, hear_done, one);
}

/* The queue must give what tg_make gives, whatever the threads do. */
static void many_jobs(int threads)
{
    enum { JOBS = 24 };
    static ear ears[JOBS];
    char *paths[JOBS];
    tg_queue *queue;

    assert_int_equal(tg_queue_create(&queue, threads, JOBS, pool), APR_SUCCESS);
    for (int i = 0; i < JOBS; i++) {
        size_t length = i % 6 == 0 ? 9000000 : (size_t)i % 6 * 16384 - (size_t)i % 3;

        ear_init(&ears[i], 0);
        paths[i] = random_file(apr_psprintf(pool, "many%d", i), i == 5 ? 0 : length, (uint64_t)i + 1);
        assert_int_equal(add(queue, paths[i], &ears[i]), APR_SUCCESS);
    }
    for (int i = 0; i < JOBS; i++) {
        const tg_request request = {.path = paths[i], .name = "f", .version = TG_HYBRID, .piece_length = 16384, .urgent = 1};
        tg_torrent torrent;
        bt_stamp stamp;

        wait_done(&ears[i]);
        assert_int_equal(ears[i].status, APR_SUCCESS);
        assert_int_equal(tg_make(&request, pool, &torrent, &stamp), APR_SUCCESS);
        assert_memory_equal(ears[i].v1.b, torrent.v1.b, 20);
        assert_memory_equal(ears[i].v2.b, torrent.v2.b, 32);
        assert_true(bt_stamp_equal(&ears[i].stamp, &stamp));
        assert_int_equal(ears[i].last_percent, stamp.size ? 100 : 0);
        assert_true(ears[i].in_order);
        free(paths[i]);
    }
    tg_queue_stop(queue);
    for (int i = 0; i < JOBS; i++)
        assert_int_equal(ears[i].done, 1);
}

static void test_many_jobs_and_threads(void **state)
{
    many_jobs(1);
    many_jobs(2);
    many_jobs(7);
}

/* A worker is held inside the large file; the other one does the small file, which was added later. */
static void test_a_large_file_does_not_hold_up_a_small_one(void **state)
{
    char *large = random_file("large", 40000000, 1), *small = random_file("small", 100000, 2);
    ear large_ear, small_ear;
    tg_queue *queue;

    ear_init(&large_ear, 1);
    ear_init(&small_ear, 0);
    assert_int_equal(tg_queue_create(&queue, 2, 10, pool), APR_SUCCESS);
    assert_int_equal(add(queue, large, &large_ear), APR_SUCCESS);
    wait_at_gate(&large_ear);
    assert_int_equal(add(queue, small, &small_ear), APR_SUCCESS);
    open_gate(&large_ear);
    wait_done(&small_ear);
    wait_done(&large_ear);
    assert_int_equal(small_ear.status, APR_SUCCESS);
    assert_int_equal(large_ear.status, APR_SUCCESS);
    tg_queue_stop(queue);
    free(large);
    free(small);
}

/* With a single worker: runs of two files alternate. */
static ear *order_large;
static int percent_when_small_was_done;

static void small_done(void *baton, apr_status_t status, const tg_result *result)
{
    percent_when_small_was_done = order_large->last_percent; /* the same, only thread writes it */
    hear_done(baton, status, result);
}

static void test_files_take_turns(void **state)
{
    char *large = random_file("large", 60000000, 1), *small = random_file("small", 100000, 2);
    const tg_request request = {.path = small, .name = "f", .version = TG_V1, .piece_length = 16384, .urgent = 1};
    ear large_ear, small_ear;
    tg_queue *queue;

    ear_init(&large_ear, 1);
    ear_init(&small_ear, 0);
    order_large = &large_ear;
    assert_int_equal(tg_queue_create(&queue, 1, 10, pool), APR_SUCCESS);
    assert_int_equal(add(queue, large, &large_ear), APR_SUCCESS);
    wait_at_gate(&large_ear); /* after its first run */
    assert_int_equal(tg_queue_add(queue, &request, hear_progress, small_done, &small_ear), APR_SUCCESS);
    open_gate(&large_ear);
    wait_done(&small_ear);
    wait_done(&large_ear);
    assert_in_range(percent_when_small_was_done, 1, 40);
    tg_queue_stop(queue);
    free(large);
    free(small);
}

static void test_full(void **state)
{
    char *path = random_file("f", 10000000, 3);
    ear first, second, third;
    tg_queue *queue;

    ear_init(&first, 1);
    ear_init(&second, 0);
    ear_init(&third, 0);
    assert_int_equal(tg_queue_create(&queue, 1, 2, pool), APR_SUCCESS);
    assert_int_equal(add(queue, path, &first), APR_SUCCESS);
    wait_at_gate(&first);
    assert_int_equal(add(queue, path, &second), APR_SUCCESS);
    assert_int_equal(add(queue, path, &third), APR_ENOSPC);
    open_gate(&first);
    wait_done(&first);
    wait_done(&second);
    assert_int_equal(add(queue, path, &third), APR_SUCCESS); /* there is room again */
    wait_done(&third);
    tg_queue_stop(queue);
    assert_int_equal(third.done, 1);
    assert_int_equal(third.status, APR_SUCCESS);
    free(path);
}

/* --- a job that adds the next one ---------------------------------------------------------------------------------- */

typedef struct {
    tg_queue *queue;
    const char *path;
    int left;
    ear last;
} chain;

static void add_next(void *baton, apr_status_t status, const tg_result *result)
{
    chain *links = baton;
    const tg_request request = {.path = links->path, .name = "f", .version = TG_V2, .urgent = 1};

    if (status == APR_SUCCESS && --links->left > 0) { /* from here on the next one may be at work */
        status = tg_queue_add(links->queue, &request, NULL, add_next, links);
        if (status == APR_SUCCESS)
            return;
    }
    hear_done(&links->last, status, result);
}

static void test_done_may_add(void **state)
{
    char *path = random_file("f", 1000, 4);
    const tg_request request = {.path = path, .name = "f", .version = TG_V2, .urgent = 1};
    chain links = {.path = path, .left = 20};

    ear_init(&links.last, 0);
    assert_int_equal(tg_queue_create(&links.queue, 2, 1, pool), APR_SUCCESS);
    assert_int_equal(tg_queue_add(links.queue, &request, NULL, add_next, &links), APR_SUCCESS);
    wait_done(&links.last);
    assert_int_equal(links.last.status, APR_SUCCESS);
    assert_int_equal(links.left, 0);
    tg_queue_stop(links.queue);
    free(path);
}

/* --- stopping -------------------------------------------------------------------------------------------------------- */

static void *stop(void *queue)
{
    tg_queue_stop(queue);
    return NULL;
}

static void test_stop_cancels_every_job(void **state)
{
    enum { JOBS = 10 };
    char *path = random_file("f", 50000000, 5);
    ear ears[JOBS];
    tg_queue *queue;
    pthread_t stopper;
    ear late;

    assert_int_equal(tg_queue_create(&queue, 2, JOBS, pool), APR_SUCCESS);
    for (int i = 0; i < JOBS; i++) {
        ear_init(&ears[i], i == 0);
        assert_int_equal(add(queue, path, &ears[i]), APR_SUCCESS);
    }
    wait_at_gate(&ears[0]);
    assert_int_equal(pthread_create(&stopper, NULL, stop, queue), 0);
    for (int i = 1; i < JOBS; i++)
        wait_done(&ears[i]); /* the other worker ends them while one is held up */
    open_gate(&ears[0]);
    pthread_join(stopper, NULL);
    for (int i = 0; i < JOBS; i++) {
        assert_int_equal(ears[i].done, 1);
        assert_int_equal(ears[i].status, APR_EINTR);
        assert_true(ears[i].in_order);
    }
    ear_init(&late, 0);
    assert_int_equal(add(queue, path, &late), APR_EINTR);
    tg_queue_stop(queue); /* again: nothing */
    assert_int_equal(late.done, 0);
    free(path);
}

static void test_stop_at_any_moment(void **state)
{
    char *path = random_file("f", 3000000, 6);

    for (int round = 0; round < 40; round++) {
        enum { JOBS = 6 };
        ear ears[JOBS];
        tg_queue *queue;

        assert_int_equal(tg_queue_create(&queue, 1 + round % 3, JOBS, pool), APR_SUCCESS);
        for (int i = 0; i < JOBS; i++) {
            ear_init(&ears[i], 0);
            assert_int_equal(add(queue, path, &ears[i]), APR_SUCCESS);
        }
        if (round % 4)
            wait_done(&ears[round % 4 - 1]);
        tg_queue_stop(queue);
        for (int i = 0; i < JOBS; i++) {
            assert_int_equal(ears[i].done, 1);
            assert_true(ears[i].status == APR_SUCCESS || ears[i].status == APR_EINTR);
            assert_true(ears[i].in_order);
        }
    }
    free(path);
}

/* --- files that change, and what is no file -------------------------------------------------------------------------- */

typedef void change_fn(const char *path);

static void cut(const char *path)
{
    assert_int_equal(truncate(path, 5000000), 0);
}

static void grow(const char *path)
{
    assert_int_equal(truncate(path, 30000000), 0);
}

static void overwrite(const char *path)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    assert_int_equal(pwrite(fd, "?", 1, 7), 1);
    close(fd);
}

static void test_changed_while_hashed(void **state)
{
    static change_fn *const changes[] = {cut, grow, overwrite};

    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        for (int threads = 1; threads <= 2; threads++) {
            char *path = random_file("changing", 20000000, 7);
            tg_queue *queue;
            ear one;

            ear_init(&one, 1);
            assert_int_equal(tg_queue_create(&queue, threads, 1, pool), APR_SUCCESS);
            assert_int_equal(add(queue, path, &one), APR_SUCCESS);
            wait_at_gate(&one);
            changes[i](path);
            open_gate(&one);
            wait_done(&one);
            assert_int_equal(one.status, APR_EBUSY);
            tg_queue_stop(queue);
            free(path);
        }
}

static void test_what_cannot_be_hashed(void **state)
{
    char *fifo = apr_pstrcat(pool, naive_directory(), "/fifo", NULL), *path = random_file("f", 10, 8);
    const tg_request bad_name = {.path = path, .name = "..", .version = TG_V1};
    const tg_request bad_piece = {.path = path, .name = "f", .version = TG_V1, .piece_length = 12345};
    ear no_file, no_regular;
    tg_queue *queue;

    assert_int_equal(mkfifo(fifo, 0600), 0);
    ear_init(&no_file, 0);
    ear_init(&no_regular, 0);
    assert_int_equal(tg_queue_create(&queue, 1, 2, pool), APR_SUCCESS);
    assert_int_equal(add(queue, "/nonexistent/file", &no_file), APR_SUCCESS);
    assert_int_equal(add(queue, fifo, &no_regular), APR_SUCCESS);
    wait_done(&no_file);
    wait_done(&no_regular);
    assert_true(APR_STATUS_IS_ENOENT(no_file.status));
    assert_int_equal(no_regular.status, APR_EINVAL);
    assert_int_equal(tg_queue_add(queue, &bad_name, NULL, hear_done, &no_file), APR_EINVAL);
    assert_int_equal(tg_queue_add(queue, &bad_piece, NULL, hear_done, &no_file), APR_EINVAL);
    tg_queue_stop(queue);
    assert_int_equal(no_file.done, 1);
    free(path);
}

/* --- priority: of the workers' threads, below that of whoever made the queue ------------------------------------------ */

typedef struct {
    const char *path;
    int policy, io_priority; /* of a worker */
    int failed;
    ear heard;
} ranks;

static void note_rank(void *baton, apr_status_t status, const tg_result *result)
{
    enum { WHO_PROCESS = 1 };
    ranks *noted = baton;

    noted->policy = sched_getscheduler(0);
    noted->io_priority = (int)syscall(SYS_ioprio_get, WHO_PROCESS, 0);
    hear_done(&noted->heard, status, result);
}

static void *make_queue_and_note_rank(void *baton) /* on a thread of its own, where no assertion may fail */
{
    ranks *noted = baton;
    const tg_request request = {.path = noted->path, .name = "f", .version = TG_V1, .urgent = 1};
    tg_queue *queue;

    noted->failed |= tg_queue_create(&queue, 1, 1, pool);
    if (noted->failed)
        return NULL;
    ear_init(&noted->heard, 0);
    noted->failed |= tg_queue_add(queue, &request, NULL, note_rank, noted);
    if (!noted->failed)
        wait_done(&noted->heard);
    tg_queue_stop(queue);
    return NULL;
}

static void test_workers_give_way(void **state)
{
    enum { CLASS_IDLE = 3 << 13 };
    char *path = random_file("f", 1000, 9);
    ranks noted = {.path = path};
    int own = sched_getscheduler(0);
    pthread_t maker;

    assert_int_equal(pthread_create(&maker, NULL, make_queue_and_note_rank, &noted), 0);
    pthread_join(maker, NULL);
    assert_int_equal(noted.failed, 0);
    assert_int_equal(noted.policy, SCHED_IDLE);
    assert_int_equal(noted.io_priority, CLASS_IDLE);
    assert_int_equal(sched_getscheduler(0), own);
    free(path);
}

static void test_bad_arguments(void **state)
{
    tg_queue *queue;

    assert_int_equal(tg_queue_create(&queue, 0, 1, pool), APR_EINVAL);
    assert_int_equal(tg_queue_create(&queue, 1, 0, pool), APR_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_jobs_and_threads),
        cmocka_unit_test(test_a_large_file_does_not_hold_up_a_small_one),
        cmocka_unit_test(test_files_take_turns),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_done_may_add),
        cmocka_unit_test(test_stop_cancels_every_job),
        cmocka_unit_test(test_stop_at_any_moment),
        cmocka_unit_test(test_changed_while_hashed),
        cmocka_unit_test(test_what_cannot_be_hashed),
        cmocka_unit_test(test_workers_give_way),
        cmocka_unit_test(test_bad_arguments),
    };

    return cmocka_run_group_tests(tests, make_pool, clean);
}
