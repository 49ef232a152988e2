/* Threads that read in place of the loop: what was asked for comes back once, what was abandoned does not, and nothing is
 * left open. */
#include "t/unit/unit.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include <apr_general.h>

#include "seeder/reader.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int held, inside, most_inside, fetches; /* under the mutex */

static apr_status_t fetch(void *baton, int file, apr_int64_t offset, apr_size_t length)
{
    pthread_mutex_lock(&mutex);
    fetches++;
    inside++;
    most_inside = inside > most_inside ? inside : most_inside;
    pthread_cond_broadcast(&changed);
    while (held)
        pthread_cond_wait(&changed, &mutex);
    inside--;
    pthread_mutex_unlock(&mutex);
    return length == 13 ? EIO : APR_SUCCESS;
}

static const seed_disk disk = {NULL, fetch, NULL};
static seed_reader *reader;
static int file, files_before;

static seed_read *begin(apr_int64_t offset, apr_size_t length, void *waiter)
{
    seed_read *begun;

    assert_int_equal(seed_reader_begin(reader, file, offset, length, waiter, &begun), APR_SUCCESS);
    assert_non_null(begun);
    return begun;
}

static int open_files(void)
{
    DIR *fds = opendir("/proc/self/fd");
    int number = -3; /* ".", ".." and this one */

    while (readdir(fds))
        number++;
    closedir(fds);
    return number;
}

static void hold(int on)
{
    pthread_mutex_lock(&mutex);
    held = on;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

static void wait_for_inside(int number)
{
    pthread_mutex_lock(&mutex);
    while (inside < number)
        pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
}

static int set_up(void **state)
{
    char path[] = "/tmp/bthttp-reader-XXXXXX";

    files_before = open_files();
    file = mkstemp(path);
    unlink(path);
    fetches = inside = most_inside = held = 0;
    return seed_reader_open(&reader, &disk) == APR_SUCCESS ? 0 : -1;
}

static int tear_down(void **state)
{
    close(file);
    return open_files() == files_before ? 0 : -1;
}

/* Waits for the next that is finished. */
static void *next(apr_status_t *status)
{
    void *waiter;

    while (!(waiter = seed_reader_finished(reader, status))) {
        struct pollfd wait = {seed_reader_fd(reader), POLLIN, 0};
        assert_int_equal(poll(&wait, 1, 10000), 1);
    }
    return waiter;
}

static void each_comes_back_once(void **state)
{
    int waiters[1000] = {0};
    apr_status_t status;

    for (int begun = 0, i = 0; i < 1000; i++) {
        int *waiter;

        for (; begun < 1000 && seed_reader_room(reader) > 0; begun++)
            begin(begun, begun == 500 ? 13 : 1000, &waiters[begun]);
        waiter = next(&status);
        assert_int_equal(++*waiter, 1);
        assert_int_equal(status, waiter == &waiters[500] ? EIO : APR_SUCCESS);
    }
    assert_null(seed_reader_finished(reader, &status));
    assert_in_range(most_inside, 1, SEED_READER_THREADS);
    seed_reader_close(reader);
}

static void several_at_once(void **state)
{
    int waiter;
    apr_status_t status;

    hold(1);
    for (int i = 0; i < 10; i++)
        begin(0, 1, &waiter);
    wait_for_inside(SEED_READER_THREADS); /* one that hangs does not keep the others waiting */
    assert_null(seed_reader_finished(reader, &status));
    hold(0);
    for (int i = 0; i < 10; i++)
        assert_ptr_equal(next(&status), &waiter);
    seed_reader_close(reader);
}

static void what_is_abandoned_does_not_come_back(void **state)
{
    int waiters[20];
    seed_read *reads[20];
    apr_status_t status;

    hold(1);
    for (int i = 0; i < 20; i++)
        reads[i] = begin(0, 1, &waiters[i]);
    wait_for_inside(SEED_READER_THREADS);
    for (int i = 0; i < 20; i += 2) /* some that are being read, some that wait */
        seed_reader_abandon(reader, reads[i]);
    hold(0);
    for (int i = 1; i < 20; i += 2)
        assert_int_equal(((int *)next(&status) - waiters) % 2, 1);
    seed_reader_close(reader);
    assert_int_equal(fetches, 10 + SEED_READER_THREADS / 2); /* what nobody waits for is not begun */
}

/* Each holds a descriptor, and many more peers may wait than httpd can spare. */
static void no_more_than_there_is_room_for(void **state)
{
    seed_read *reads[SEED_READER_MOST], *more;
    int waiter, files;

    hold(1);
    for (int i = 0; i < SEED_READER_MOST; i++)
        reads[i] = begin(0, 1, &waiter);
    wait_for_inside(SEED_READER_THREADS);
    files = open_files();
    assert_int_equal(seed_reader_begin(reader, file, 0, 1, &waiter, &more), APR_EAGAIN);
    assert_null(more);
    assert_int_equal(open_files(), files);
    seed_reader_abandon(reader, reads[0]); /* it is under way */
    assert_int_equal(seed_reader_room(reader), 0);
    seed_reader_abandon(reader, reads[SEED_READER_MOST - 1]);
    assert_int_equal(seed_reader_room(reader), 1);
    assert_int_equal(open_files(), files - 1);
    begin(0, 1, &waiter);
    hold(0);
    seed_reader_close(reader);
}

static void *let_go(void *baton)
{
    hold(0);
    return NULL;
}

/* It ends with reads waiting, under way and finished: nothing leaks, nothing comes later. */
static void closing_in_the_middle(void **state)
{
    pthread_t other;
    int waiter;

    hold(1);
    for (int i = 0; i < 100; i++)
        begin(0, 1, &waiter);
    wait_for_inside(SEED_READER_THREADS);
    pthread_create(&other, NULL, let_go, NULL);
    seed_reader_close(reader);
    pthread_join(other, NULL);
}

static void a_bad_descriptor(void **state)
{
    seed_read *begun;

    assert_int_equal(seed_reader_begin(reader, -1, 0, 1, reader, &begun), APR_ENOMEM);
    assert_null(begun);
    seed_reader_close(reader);
}

/* The kernel's own: past the end of a file is no error, a directory is one. */
static void the_kernels_disk(void **state)
{
    char path[] = "/tmp/bthttp-reader-XXXXXX", bytes[100000] = {0};
    int some = mkstemp(path);

    unlink(path);
    assert_int_equal(write(some, bytes, sizeof bytes), sizeof bytes);
    assert_int_equal(seed_disk_kernel.fetch(NULL, some, 0, 1 << 20), APR_SUCCESS);
    assert_int_equal(seed_disk_kernel.fetch(NULL, some, 1 << 20, 5), APR_SUCCESS);
    assert_int_equal(seed_disk_kernel.fetch(NULL, -1, 0, 5), EBADF);
    close(some);
    seed_reader_close(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_comes_back_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(several_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_abandoned_does_not_come_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_more_than_there_is_room_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(closing_in_the_middle, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_bad_descriptor, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_kernels_disk, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("reader", tests, NULL, NULL);
}
