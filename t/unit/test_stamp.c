#include "t/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/stamp.h"

static char directory[] = "/tmp/bth-stamp-XXXXXX";

static const char *path_of(const char *name)
{
    static char path[2][200];
    static int turn;

    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", directory, name);
    return path[turn];
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(path_of(name), "w");

    assert_non_null(file);
    assert_int_equal(fputs(text, file) >= 0, 1);
    assert_int_equal(fclose(file), 0);
}

static void test_path_and_descriptor_agree(void **state)
{
    bt_stamp by_path, by_fd;
    int fd;

    write_file("a", "hello");
    fd = open(path_of("a"), O_RDONLY | O_CLOEXEC);
    assert_int_equal(bt_stamp_path(path_of("a"), &by_path), APR_SUCCESS);
    assert_int_equal(bt_stamp_fd(fd, &by_fd), APR_SUCCESS);
    assert_int_equal(by_path.size, 5);
    assert_true(bt_stamp_equal(&by_path, &by_fd));
    close(fd);
}

static void test_what_is_no_regular_file_is_refused(void **state)
{
    bt_stamp stamp;

    assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
    assert_int_equal(bt_stamp_path(path_of("fifo"), &stamp), APR_EINVAL);
    assert_int_equal(bt_stamp_path(directory, &stamp), APR_EINVAL);
    assert_int_equal(bt_stamp_path("/dev/null", &stamp), APR_EINVAL);
    assert_true(APR_STATUS_IS_ENOENT(bt_stamp_path(path_of("missing"), &stamp)));
    assert_int_equal(bt_stamp_fd(-1, &stamp), EBADF);
}

static void test_each_member_counts_but_the_device(void **state)
{
    bt_stamp a = {1, 2, 3, 4, 5}, b = a;

    assert_true(bt_stamp_equal(&a, &b));
    b = a, b.size++;
    assert_false(bt_stamp_equal(&a, &b));
    b = a, b.mtime_ns++;
    assert_false(bt_stamp_equal(&a, &b));
    b = a, b.ctime_ns++;
    assert_false(bt_stamp_equal(&a, &b));
    b = a, b.inode++;
    assert_false(bt_stamp_equal(&a, &b));
    b = a, b.device++;
    assert_true(bt_stamp_equal(&a, &b));
}

static void test_nanoseconds_and_far_times(void **state)
{
    static const struct timespec times[] = {{1, 1}, {1700000000, 999999999}, {-5, 7}, {(time_t)1 << 33, 5}};
    bt_stamp stamp;

    write_file("b", "x");
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        struct timespec set[2] = {times[i], times[i]};
        struct stat info;

        assert_int_equal(utimensat(AT_FDCWD, path_of("b"), set, 0), 0);
        assert_int_equal(stat(path_of("b"), &info), 0); /* a file system may clamp */
        assert_int_equal(bt_stamp_path(path_of("b"), &stamp), APR_SUCCESS);
        assert_true(stamp.mtime_ns == (apr_int64_t)info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec);
    }
    /* beyond what 64 bits of nanoseconds hold (the year 2262): any value, but no undefined behaviour */
    struct timespec beyond[2] = {{(time_t)1 << 34, 0}, {(time_t)1 << 34, 0}};

    assert_int_equal(utimensat(AT_FDCWD, path_of("b"), beyond, 0), 0);
    assert_int_equal(bt_stamp_path(path_of("b"), &stamp), APR_SUCCESS);
}

static void test_replaced_by_rename(void **state)
{
    bt_stamp before, after;

    write_file("c", "same");
    write_file("d", "same");
    assert_int_equal(bt_stamp_path(path_of("c"), &before), APR_SUCCESS);
    assert_int_equal(rename(path_of("d"), path_of("c")), 0);
    assert_int_equal(bt_stamp_path(path_of("c"), &after), APR_SUCCESS);
    assert_false(bt_stamp_equal(&before, &after));
}

static int make_directory(void **state)
{
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
    static const char *const names[] = {"a", "b", "c", "fifo"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(path_of(names[i]));
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_path_and_descriptor_agree),
        cmocka_unit_test(test_what_is_no_regular_file_is_refused),
        cmocka_unit_test(test_each_member_counts_but_the_device),
        cmocka_unit_test(test_nanoseconds_and_far_times),
        cmocka_unit_test(test_replaced_by_rename),
    };

    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
