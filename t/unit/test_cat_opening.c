/* Opening looks through the whole file only when it must: after a crash of the machine, if somebody else wrote to it,
 * or if it was not closed properly several times in a row. */
#include "cat_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_strings.h>

#include "catalog/mark.h"
#include "catalog/record.h"

enum { ENTRIES = 400, MARK_SIZE = 104, MARK_BOOT = 20 };

static void fill(fixture *f)
{
    fix_open(f);
    for (unsigned i = 0; i < ENTRIES; i++)
        assert_int_equal(fix_publish(f->catalog, apr_psprintf(f->pool, "/file %u", i), i, 300, 64), APR_SUCCESS);
}

/* Writes over the file, as somebody else would, until its time of change is another one: the clock has ticks. */
static void damage(fixture *f, off_t where)
{
    int fd = open(fix_name(f, "catalog.mdb"), O_RDWR);
    struct stat before, after;
    unsigned char noise[16];

    assert_true(fd >= 0 && fstat(fd, &before) == 0);
    memset(noise, 0xA5, sizeof noise);
    do {
        assert_int_equal(pwrite(fd, noise, sizeof noise, where), sizeof noise);
        assert_int_equal(fstat(fd, &after), 0);
    } while (memcmp(&before.st_ctim, &after.st_ctim, sizeof before.st_ctim) == 0);
    close(fd);
}

/* The head of each page but the two first. */
static void damage_all_pages(fixture *f)
{
    struct stat info;

    assert_int_equal(stat(fix_name(f, "catalog.mdb"), &info), 0);
    for (off_t at = 8192; at < info.st_size; at += 4096)
        damage(f, at);
}

/* The mark as its own code sees it. */
static int is_trusted(fixture *f)
{
    int lock = open(fix_name(f, "catalog.lock"), O_RDWR), data = open(fix_name(f, "catalog.mdb"), O_RDWR), trusted;
    unsigned char before[512];
    ssize_t size = pread(lock, before, sizeof before, 0);
    uint64_t txn[2];

    assert_true(size > 0);
    assert_int_equal(pread(data, &txn[0], 8, 16 + 24 + 2 * 48 + 8), 8);
    assert_int_equal(pread(data, &txn[1], 8, 4096 + 16 + 24 + 2 * 48 + 8), 8);
    trusted = cat_mark_trusts(lock, data, txn[0] > txn[1] ? txn[0] : txn[1]);
    assert_int_equal(pwrite(lock, before, (size_t)size, 0), size); /* asking counts: put it back */
    close(lock);
    close(data);
    return trusted;
}

static void test_closed_properly(void **state)
{
    fixture *f = *state;

    fill(f);
    fix_close(f);
    assert_true(is_trusted(f));
    for (int i = 0; i < 10; i++) {
        fix_open(f);
        if (i % 2)
            assert_int_equal(fix_publish(f->catalog, "/x", 5000 + (unsigned)i, 300, 0), APR_SUCCESS);
        fix_close(f);
        assert_true(is_trusted(f));
    }
    fix_open(f);
    fix_check(f->catalog);
}

/* A child that does `work` with the catalogue and is killed. */
static void in_a_killed_child(fixture *f, void (*work)(fixture *f))
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        fix_open(f);
        work(f);
        kill(getpid(), SIGKILL);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void only_open(fixture *f)
{
}

static void change(fixture *f)
{
    if (fix_publish(f->catalog, "/changed", (unsigned)getpid(), 300, 0) != APR_SUCCESS)
        _exit(1);
}

static void test_killed(void **state)
{
    fixture *f = *state;

    fill(f);
    fix_close(f);
    in_a_killed_child(f, change);
    assert_true(is_trusted(f));
    in_a_killed_child(f, only_open);
    in_a_killed_child(f, change);
    assert_false(is_trusted(f)); /* three times in a row: now it is looked through */
    in_a_killed_child(f, change);
    assert_true(is_trusted(f));
    fix_open(f);
    fix_check(f->catalog);
    assert_int_equal(fix_logged(100), 0);
    fix_close(f);
    assert_true(is_trusted(f));
}

/* Crashes as damage would make it, at each opening: ends with the file being looked through. */
static void test_a_crash_at_each_opening(void **state)
{
    fixture *f = *state;
    int rounds = 0;

    fill(f);
    fix_close(f);
    while (is_trusted(f) && rounds++ < 10)
        in_a_killed_child(f, only_open);
    assert_int_equal(rounds, 3);
}

static void test_somebody_else_wrote(void **state)
{
    fixture *f = *state;

    fill(f);
    fix_close(f);
    damage_all_pages(f);
    assert_false(is_trusted(f));
    fix_open(f);
    assert_int_equal(fix_logged(100), 1);
    fix_close(f);
}

/* Seen at the next change, and remembered. */
static void test_somebody_else_wrote_while_it_was_open(void **state)
{
    fixture *f = *state;
    struct stat info;

    fill(f);
    assert_int_equal(stat(fix_name(f, "catalog.mdb"), &info), 0);
    damage(f, info.st_size - 16);
    assert_int_equal(fix_publish(f->catalog, "/after", 9000, 300, 0), APR_SUCCESS);
    fix_close(f);
    assert_false(is_trusted(f));
}

static void test_another_file_in_its_place(void **state)
{
    fixture *f = *state;
    char command[400];

    fill(f);
    fix_close(f);
    snprintf(command, sizeof command, "cp -p %s/catalog.mdb %s/copy && mv %s/copy %s/catalog.mdb", f->directory,
             f->directory, f->directory, f->directory);
    assert_int_equal(system(command), 0);
    assert_false(is_trusted(f));
    fix_open(f); /* it is sound, and looked through once */
    assert_int_equal(fix_logged(100), 0);
    fix_check(f->catalog);
    fix_close(f);
    assert_true(is_trusted(f));
}

/* Makes the mark another boot's. */
static void reboot(fixture *f)
{
    int lock = open(fix_name(f, "catalog.lock"), O_RDWR);
    unsigned char bytes[MARK_SIZE];
    apr_uint64_t sum;

    assert_int_equal(pread(lock, bytes, sizeof bytes, 0), sizeof bytes);
    bytes[MARK_BOOT] ^= 1;
    sum = cat_sum(bytes, MARK_SIZE - sizeof sum);
    memcpy(bytes + MARK_SIZE - sizeof sum, &sum, sizeof sum);
    assert_int_equal(pwrite(lock, bytes, sizeof bytes, 0), sizeof bytes);
    close(lock);
}

static void test_the_machine_crashed(void **state)
{
    fixture *f = *state;

    fill(f);
    fix_close(f);
    reboot(f);
    assert_true(is_trusted(f)); /* it was closed and synced before */
    in_a_killed_child(f, only_open);
    reboot(f);
    assert_true(is_trusted(f)); /* nobody wrote since */
    in_a_killed_child(f, change);
    reboot(f);
    assert_false(is_trusted(f));
    fix_open(f);
    fix_check(f->catalog);
    assert_int_equal(fix_logged(100), 0);
}

static void test_no_mark(void **state)
{
    fixture *f = *state;

    fill(f);
    assert_true(is_trusted(f)); /* as if all were killed now */
    assert_int_equal(truncate(fix_name(f, "catalog.lock"), 0), 0);
    assert_int_equal(fix_publish(f->catalog, "/after", 9000, 300, 0), APR_SUCCESS);
    fix_close(f);
    assert_false(is_trusted(f)); /* and no change makes it trusted */
    fix_open(f);
    fix_check(f->catalog);
    assert_int_equal(fix_logged(100), 0);
    fix_close(f);
    assert_true(is_trusted(f));
}

/* A mark that is damaged anywhere is none. */
static void test_a_damaged_mark(void **state)
{
    fixture *f = *state;
    unsigned char byte;
    int lock;

    fill(f);
    fix_close(f);
    lock = open(fix_name(f, "catalog.lock"), O_RDWR);
    for (off_t at = 0; at < MARK_SIZE; at++) {
        assert_int_equal(pread(lock, &byte, 1, at), 1);
        byte ^= 0x10;
        assert_int_equal(pwrite(lock, &byte, 1, at), 1);
        assert_false(is_trusted(f));
        byte ^= 0x10;
        assert_int_equal(pwrite(lock, &byte, 1, at), 1);
    }
    assert_true(is_trusted(f));
    close(lock);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fix_setup, fix_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_closed_properly),
                                       TEST(test_killed),
                                       TEST(test_a_crash_at_each_opening),
                                       TEST(test_somebody_else_wrote),
                                       TEST(test_somebody_else_wrote_while_it_was_open),
                                       TEST(test_another_file_in_its_place),
                                       TEST(test_the_machine_crashed),
                                       TEST(test_no_mark),
                                       TEST(test_a_damaged_mark)};

    return cmocka_run_group_tests_name("catalogue: opening", tests, NULL, NULL);
}
