#include "t/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

#include "torrentgen/tree.h"
#include "torrentgen/watch.h"

#define QUIET apr_time_from_sec(10) /* of a clock that the tests set themselves */

static apr_pool_t *pool;
static char root[64];
static tg_watch *watch;
static apr_time_t now;
static char told[1024 * 1024]; /* one line an event */
static size_t length;          /* of it */
static int walks;            /* directories that come are walked, as a caller does */

static const char *below(const char *name)
{
    return *name ? apr_pstrcat(pool, root, "/", name, NULL) : root;
}

static void make_file(const char *name)
{
    FILE *file = fopen(below(name), "w");

    assert_non_null(file);
    fputs("text", file);
    assert_int_equal(fclose(file), 0);
}

static void make_dir(const char *name)
{
    assert_int_equal(mkdir(below(name), 0755), 0);
}

static void note(const char *what, const char *path)
{
    length += (size_t)snprintf(told + length, sizeof told - length, "%s %s\n", what, path);
    assert_true(length < sizeof told);
}

static int found(void *baton, const char *path, const bt_stamp *stamp)
{
    (void)stamp;
    note("walked", apr_pstrcat(pool, (const char *)baton + strlen(root) + 1, "/", path, NULL));
    return 0;
}

static int enter(void *baton, const char *path)
{
    const char *directory = *path ? apr_pstrcat(pool, (const char *)baton, "/", path, NULL) : baton;

    return tg_watch_add(watch, directory) == APR_SUCCESS;
}

static void tell(void *baton, tg_watch_event event, const char *path)
{
    static const char *const names[] = {"file", "gone", "moved-away", "directory", "root-gone", "lost"};
    char *copy = apr_pstrdup(pool, path);

    (void)baton;
    note(names[event], strlen(path) > strlen(root) ? path + strlen(root) + 1 : "");
    if (event == TG_WATCH_DIRECTORY && walks)
        tg_tree_walk(copy, &(tg_tree_options){0}, enter, found, copy, pool);
}

/* What is told now, and what once `later` has passed. Events are there as soon as the call that caused them returns. */
static const char *hear(apr_interval_time_t later)
{
    told[0] = '\0';
    length = 0;
    now += later;
    tg_watch_read(watch, now, tell, NULL);
    return told;
}

static void watch_with(int watches_max, int pending_max)
{
    tg_watch_options options = {watches_max, pending_max, QUIET};

    assert_int_equal(tg_watch_create(&watch, &options, pool), APR_SUCCESS);
}

static int set_up(void **state)
{
    (void)state;
    apr_pool_create(&pool, NULL);
    strcpy(root, "/tmp/bth-watch-XXXXXX");
    now = apr_time_from_sec(1000);
    walks = 0;
    watch = NULL;
    return !mkdtemp(root);
}

static int tear_down(void **state)
{
    char *command = apr_psprintf(pool, "rm -rf '%s'", root);
    int failed = system(command);

    (void)state;
    if (watch)
        tg_watch_destroy(watch);
    apr_pool_destroy(pool);
    return failed;
}

static void test_a_file_is_told_once_and_when_quiet(void **state)
{
    (void)state;
    watch_with(10, 10);
    assert_int_equal(tg_watch_add(watch, root), APR_SUCCESS);
    assert_int_equal(tg_watch_due(watch, now), -1);
    make_file("a");
    make_file("a");
    assert_string_equal(hear(0), "");
    assert_int_equal(tg_watch_due(watch, now), QUIET);
    assert_string_equal(hear(QUIET / 2), "");
    make_file("a"); /* again: it begins anew */
    make_file("b");
    assert_string_equal(hear(0), "");
    assert_string_equal(hear(QUIET - 1), "");
    assert_int_equal(tg_watch_due(watch, now), 1);
    assert_string_equal(hear(1), "file a\nfile b\n");
    assert_string_equal(hear(QUIET), "");
}

static void test_a_file_is_not_told_while_it_is_written(void **state)
{
    int fd;

    (void)state;
    watch_with(10, 10);
    tg_watch_add(watch, root);
    fd = open(below("slow"), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_int_equal(write(fd, "x", 1), 1);
    hear(0);
    assert_string_equal(hear(QUIET), "");
    assert_int_equal(write(fd, "x", 1), 1);
    hear(0);
    assert_string_equal(hear(QUIET), "");
    close(fd);
    hear(0);
    assert_string_equal(hear(QUIET), "file slow\n");
}

static void test_moved_linked_and_with_other_rights(void **state)
{
    (void)state;
    make_file("old");
    make_dir("other");
    make_file("other/in");
    watch_with(10, 10);
    tg_watch_add(watch, root);
    assert_int_equal(rename(below("other/in"), below("in")), 0);
    assert_int_equal(link(below("in"), below("hard")), 0);
    assert_int_equal(symlink("in", below("soft")), 0);
    hear(0);
    hear(QUIET);
    assert_non_null(strstr(told, "file in\n"));
    assert_non_null(strstr(told, "file hard\n"));
    assert_non_null(strstr(told, "file soft\n"));
    assert_int_equal(chmod(below("old"), 0600), 0);
    hear(0);
    assert_string_equal(hear(QUIET), "file old\n");
}

static void test_what_goes_is_told_at_once(void **state)
{
    (void)state;
    make_file("a");
    make_file("b");
    make_dir("d");
    watch_with(10, 10);
    tg_watch_add(watch, root);
    make_file("a");
    assert_int_equal(unlink(below("a")), 0);
    assert_int_equal(rename(below("b"), "/dev/null/nowhere"), -1);
    make_dir("e");
    assert_int_equal(rename(below("b"), below("e/b")), 0); /* e is not watched: moved away */
    assert_int_equal(rmdir(below("d")), 0);
    assert_string_equal(hear(0), "gone a\ndirectory e\ngone b\n");
    assert_string_equal(hear(QUIET), ""); /* a was waiting */
}

static void test_new_directories_are_walked_without_a_gap(void **state)
{
    (void)state;
    walks = 1;
    watch_with(100, 100);
    tg_watch_add(watch, root);
    make_dir("d");
    make_dir("d/e");
    make_file("d/e/early");
    hear(0);
    assert_string_equal(told, "directory d\nwalked d/e/early\n");
    assert_int_equal(tg_watch_count(watch), 3);
    make_file("d/e/late");
    make_dir("d/e/f");
    assert_string_equal(hear(0), "directory d/e/f\n");
    assert_string_equal(hear(QUIET), "file d/e/late\n");
}

static void test_a_directory_moved_away_takes_its_watches_with_it(void **state)
{
    (void)state;
    walks = 1;
    watch_with(100, 100);
    tg_watch_add(watch, root);
    make_dir("d");
    make_dir("d/e");
    make_dir("dd");
    hear(0);
    assert_int_equal(tg_watch_count(watch), 4);
    assert_int_equal(rename(below("d"), below("new")), 0);
    assert_string_equal(hear(0), "moved-away d\ndirectory new\n");
    assert_int_equal(tg_watch_count(watch), 4); /* under its new name */
    make_file("new/e/f");
    hear(0);
    assert_string_equal(hear(QUIET), "file new/e/f\n");
    assert_int_equal(system(apr_psprintf(pool, "rm -r '%s'", below("new"))), 0);
    hear(0);
    assert_non_null(strstr(told, "gone new/e/f\n"));
    assert_null(strstr(told, "moved-away"));
    assert_null(strstr(told, "root-gone"));
    assert_int_equal(tg_watch_count(watch), 2);
}

static void test_one_directory_under_two_names(void **state)
{
    (void)state;
    make_dir("real");
    assert_int_equal(symlink("real", below("alias")), 0);
    watch_with(10, 10);
    assert_int_equal(tg_watch_add(watch, below("real")), APR_SUCCESS);
    assert_int_equal(tg_watch_add(watch, below("alias")), APR_SUCCESS);
    assert_int_equal(tg_watch_add(watch, below("alias")), APR_SUCCESS);
    assert_int_equal(tg_watch_count(watch), 2);
    make_file("real/f");
    hear(0);
    hear(QUIET);
    assert_non_null(strstr(told, "file real/f\n"));
    assert_non_null(strstr(told, "file alias/f\n"));
    /* The alias leads elsewhere: only its name goes on. */
    make_dir("second");
    assert_int_equal(unlink(below("alias")), 0);
    assert_int_equal(symlink("second", below("alias")), 0);
    assert_int_equal(tg_watch_add(watch, below("alias")), APR_SUCCESS);
    hear(0);
    make_file("second/g");
    hear(0);
    assert_string_equal(hear(QUIET), "file alias/g\n");
}

static void test_a_root_that_goes_is_told(void **state)
{
    (void)state;
    make_dir("a");
    make_dir("b");
    watch_with(10, 10);
    tg_watch_add(watch, below("a"));
    tg_watch_add(watch, below("b"));
    assert_int_equal(rmdir(below("a")), 0);
    assert_int_equal(rename(below("b"), below("c")), 0);
    assert_string_equal(hear(0), "root-gone a\nroot-gone b\n");
    assert_int_equal(tg_watch_count(watch), 0);
}

static void test_bounds(void **state)
{
    (void)state;
    make_dir("a");
    make_dir("b");
    watch_with(2, 3);
    assert_int_equal(tg_watch_add(watch, root), APR_SUCCESS);
    assert_int_equal(tg_watch_add(watch, below("a")), APR_SUCCESS);
    assert_int_equal(tg_watch_add(watch, below("b")), APR_ENOSPC);
    assert_int_equal(tg_watch_add(watch, below("a")), APR_SUCCESS);
    assert_int_equal(tg_watch_add(watch, below("none")), APR_ENOSPC);
    for (int i = 0; i < 4; i++)
        make_file(apr_psprintf(pool, "%d", i));
    assert_string_equal(hear(0), "lost \n");
    assert_string_equal(hear(QUIET), "");
}

static void test_what_cannot_be_watched(void **state)
{
    (void)state;
    make_file("file");
    watch_with(10, 10);
    assert_int_equal(tg_watch_add(watch, below("none")), ENOENT);
    assert_int_equal(tg_watch_add(watch, below("file")), ENOTDIR);
    assert_int_equal(tg_watch_count(watch), 0);
}

static int queue_of_the_kernel(void)
{
    FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
    int bound = 0;

    if (file) {
        if (fscanf(file, "%d", &bound) != 1)
            bound = 0;
        fclose(file);
    }
    return bound;
}

/* More events than the kernel keeps. */
static void test_an_overflow_is_told_as_lost(void **state)
{
    int bound = queue_of_the_kernel();
    char path[80];

    (void)state;
    assert_true(bound > 0 && bound <= 1 << 20);
    watch_with(10, 10);
    tg_watch_add(watch, root);
    snprintf(path, sizeof path, "%s/d", root);
    for (int i = 0; i <= bound / 2; i++) { /* two events each, never two alike in a row */
        assert_int_equal(mkdir(path, 0755), 0);
        assert_int_equal(rmdir(path), 0);
    }
    for (int i = 0; i < 10 && !strstr(told, "lost"); i++)
        hear(0);
    assert_non_null(strstr(told, "lost"));
    make_file("after");
    hear(0);
    assert_string_equal(hear(QUIET), "file after\n");
}

static void test_the_descriptor_is_readable_when_there_are_events(void **state)
{
    struct pollfd ready = {.events = POLLIN};

    (void)state;
    watch_with(10, 10);
    tg_watch_add(watch, root);
    ready.fd = tg_watch_descriptor(watch);
    assert_int_equal(poll(&ready, 1, 0), 0);
    make_file("a");
    assert_int_equal(poll(&ready, 1, 0), 1);
    hear(0);
    assert_int_equal(poll(&ready, 1, 0), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_file_is_told_once_and_when_quiet),
        TEST(test_a_file_is_not_told_while_it_is_written),
        TEST(test_moved_linked_and_with_other_rights),
        TEST(test_what_goes_is_told_at_once),
        TEST(test_new_directories_are_walked_without_a_gap),
        TEST(test_a_directory_moved_away_takes_its_watches_with_it),
        TEST(test_one_directory_under_two_names),
        TEST(test_a_root_that_goes_is_told),
        TEST(test_bounds),
        TEST(test_what_cannot_be_watched),
        TEST(test_an_overflow_is_told_as_lost),
        TEST(test_the_descriptor_is_readable_when_there_are_events),
    };
    int failed;

    apr_initialize();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return failed;
}
