/* Several processes on one catalogue: killed at any moment, opening all at once, growing it under each other's feet. */
#include "cat_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_strings.h>

#include "catalog/handle.h"

enum { DEADLINE = 20 }; /* seconds, for what should take one */

/* --- steps that processes tell each other ------------------------------------------------------------------------- */

static void tell(int fd)
{
    if (write(fd, "x", 1) != 1)
        _exit(90);
}

static void hear(int fd)
{
    char byte;

    if (read(fd, &byte, 1) != 1)
        _exit(91);
}

#define CHILD_NEEDS(condition)                                                                                         \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "child, line %d: %s\n", __LINE__, #condition);                                             \
            _exit(1);                                                                                                  \
        }                                                                                                              \
    } while (0)

static void child_open(fixture *f)
{
    CHILD_NEEDS(cat_open(&f->catalog, f->directory, f->pool) == APR_SUCCESS);
}

static void assert_good_end(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* --- killed ------------------------------------------------------------------------------------------------------- */

/* A collection and some files, in one transaction. */
static apr_status_t publish_group(cat_catalog *catalog)
{
    static const tg_member members[] = {{.path = "a", .stamp = {.size = 5}},
                                        {.path = "b/c", .stamp = {.size = 7}, .offset = 16384}};
    unsigned seed = (unsigned)rand() % 20;
    tg_torrent file = fix_torrent(TG_HYBRID, seed, 3000, 0), directory = fix_torrent(TG_HYBRID, seed + 20, 500, 64);
    char paths[6][32];
    cat_publication list[6];
    apr_status_t status;

    directory.members = members;
    directory.member_count = 2;
    for (unsigned i = 0; i < 6; i++) {
        snprintf(paths[i], sizeof paths[i], i == 0 ? "/churn %u/" : "/churn %u", (unsigned)rand() % 40);
        list[i] = (cat_publication){.path = paths[i],
                                    .url = "1 80 http h /u",
                                    .published = rand() % 2,
                                    .listed = 1,
                                    .stamp = fix_stamp(seed),
                                    .torrent = i == 0 ? &directory : &file};
    }
    status = cat_publish(catalog, list, 6);
    fix_free_torrent(&file);
    fix_free_torrent(&directory);
    return status;
}

static apr_status_t grant_group(cat_catalog *catalog)
{
    char paths[10][32];
    cat_grant_item list[10];

    for (unsigned i = 0; i < 10; i++) {
        snprintf(paths[i], sizeof paths[i], "/churn %u%s", (unsigned)rand() % 40, rand() % 4 ? "" : "/");
        list[i] = (cat_grant_item){paths[i], "1 80 http h2 /u", rand() % 2, rand() % 2};
    }
    return cat_grant_many(catalog, list, 10, (apr_uint64_t)rand());
}

/* Changes without end. */
static void churn(fixture *f, unsigned seed, int started)
{
    child_open(f);
    tell(started);
    srand(seed);
    for (;;) {
        apr_pool_t *pool;
        char path[32];
        unsigned n = (unsigned)rand() % 40;

        apr_pool_create(&pool, f->pool);
        snprintf(path, sizeof path, "/churn %u", n);
        switch (rand() % 7) {
        case 5:
            CHILD_NEEDS(publish_group(f->catalog) == APR_SUCCESS);
            break;
        case 6:
            CHILD_NEEDS(grant_group(f->catalog) == APR_SUCCESS);
            break;
        case 0:
        case 1:
            /* few torrents among many paths, so that they share info-hashes */
            CHILD_NEEDS(fix_publish(f->catalog, path, (unsigned)rand() % 20, 3000, rand() % 2 ? 9000 : 0) == 0);
            break;
        case 2:
            cat_withdraw(f->catalog, path, CAT_CHANGED);
            break;
        case 3:
            cat_withdraw(f->catalog, path, CAT_PROTECTED);
            break;
        default:
            cat_grant(f->catalog, path, "1 80 http h /u", (apr_uint64_t)rand(), rand() % 2);
        }
        apr_pool_destroy(pool);
    }
}

static void test_killed_at_any_moment(void **state)
{
    fixture *f = *state;
    int status, started[2];
    pid_t pids[2];

    assert_int_equal(pipe(started), 0);
    srand(1);
    for (int round = 0; round < 60; round++) {
        for (int i = 0; i < 2; i++) {
            if ((pids[i] = fork()) == 0)
                churn(f, (unsigned)(2 * round + i), started[1]);
            assert_true(pids[i] > 0);
        }
        for (int i = 0; i < 2; i++)
            hear(started[0]);
        for (int i = 0; i < 2; i++) {
            usleep((useconds_t)rand() % 20000); /* the moment is to be any */
            assert_int_equal(kill(pids[i], SIGKILL), 0);
        }
        for (int i = 0; i < 2; i++) {
            assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
            assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        }
        fix_open(f);
        fix_check(f->catalog);
        fix_close(f);
        assert_int_equal(fix_logged(100), 0);
    }
    close(started[0]);
    close(started[1]);
}

static void test_killed_while_opening(void **state)
{
    fixture *f = *state;
    int status;

    srand(2);
    for (int round = 0; round < 60; round++) {
        pid_t pid = fork();

        if (pid == 0)
            for (;;) {
                apr_pool_t *pool;
                apr_pool_create(&pool, NULL);
                CHILD_NEEDS(cat_open(&f->catalog, f->directory, pool) == APR_SUCCESS);
                apr_pool_destroy(pool);
            }
        usleep((useconds_t)rand() % 5000);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        fix_open(f);
        fix_check(f->catalog);
        fix_close(f);
        if (round % 4 == 0) /* made anew as well */
            assert_int_equal(unlink(fix_name(f, "catalog.mdb")), 0);
    }
}

static int __attribute__((noreturn)) read_for_ever(const cat_txn *txn, void *baton)
{
    tell(*(int *)baton);
    for (;;)
        pause();
}

static int count_dead(const cat_txn *txn, void *baton)
{
    return mdb_reader_check(mdb_txn_env(txn->txn), baton);
}

static void test_dead_readers_are_cleared(void **state)
{
    fixture *f = *state;
    int status, started[2], dead = -1;
    pid_t holder, reader;
    int go[2];

    assert_int_equal(pipe(started), 0);
    assert_int_equal(pipe(go), 0);
    if ((holder = fork()) == 0) { /* keeps the lock file in use */
        child_open(f);
        tell(started[1]);
        hear(go[0]);
        apr_pool_destroy(f->pool);
        _exit(0);
    }
    hear(started[0]);
    if ((reader = fork()) == 0) {
        child_open(f);
        cat_env_read(f->catalog->env, read_for_ever, &started[1]);
        _exit(1);
    }
    hear(started[0]);
    assert_int_equal(kill(reader, SIGKILL), 0);
    assert_int_equal(waitpid(reader, &status, 0), reader);
    fix_open(f);
    assert_int_equal(cat_env_read(f->catalog->env, count_dead, &dead), APR_SUCCESS);
    assert_int_equal(dead, 0);
    tell(go[1]);
    assert_good_end(holder);
}

/* --- opening all at once ------------------------------------------------------------------------------------------ */

static void open_all_at_once(fixture *f, int aside)
{
    enum { CHILDREN = 12 };
    pid_t pids[CHILDREN];
    apr_int64_t count;
    int gate[2];

    assert_int_equal(pipe(gate), 0);
    for (unsigned i = 0; i < CHILDREN; i++)
        if ((pids[i] = fork()) == 0) {
            char byte;
            close(gate[1]);
            CHILD_NEEDS(read(gate[0], &byte, 1) == 0); /* all see the end at once */
            child_open(f);
            CHILD_NEEDS(fix_publish(f->catalog, apr_psprintf(f->pool, "/%u", i), i, 5000, 0) == APR_SUCCESS);
            apr_pool_destroy(f->pool);
            _exit(0);
        }
    close(gate[0]);
    close(gate[1]);
    for (unsigned i = 0; i < CHILDREN; i++)
        assert_good_end(pids[i]);
    assert_int_equal(fix_count_files(f, "catalog.mdb.bad"), aside);
    fix_open(f);
    fix_check(f->catalog);
    assert_int_equal(cat_count(f->catalog, &count), APR_SUCCESS);
    assert_int_equal(count, CHILDREN);
}

static void test_made_by_one_of_many(void **state)
{
    open_all_at_once(*state, 0);
}

static void test_set_aside_by_one_of_many(void **state)
{
    fixture *f = *state;
    int fd = open(fix_name(f, "catalog.mdb"), O_WRONLY | O_CREAT, 0600);

    assert_int_equal(write(fd, "no database", 11), 11);
    close(fd);
    open_all_at_once(f, 1);
}

/* --- growing ------------------------------------------------------------------------------------------------------ */

enum { BIG = 4 * 1024 * 1024, BIG_COUNT = 20 }; /* together more than the map starts with */

static int publish_big(fixture *f, const char *who)
{
    for (unsigned i = 0; i < BIG_COUNT; i++)
        if (fix_publish(f->catalog, apr_psprintf(f->pool, "/%s %u", who, i), i, BIG, 0) != APR_SUCCESS)
            return 0;
    return 1;
}

static int read_big(fixture *f, const char *who)
{
    apr_pool_t *pool;
    tg_torrent torrent;
    cat_entry entry;
    int good = 1;

    for (unsigned i = 0; good && i < BIG_COUNT; i++) {
        apr_pool_create(&pool, f->pool);
        good = cat_find_path(f->catalog, apr_psprintf(pool, "/%s %u", who, i), pool, &entry) == APR_SUCCESS &&
               cat_read_torrent(f->catalog, &entry, pool, &torrent) == APR_SUCCESS;
        apr_pool_destroy(pool);
    }
    return good;
}

static void test_grows_under_another_process(void **state)
{
    fixture *f = *state;
    int to_child[2], to_parent[2];
    pid_t pid;

    assert_int_equal(pipe(to_child), 0);
    assert_int_equal(pipe(to_parent), 0);
    if ((pid = fork()) == 0) {
        child_open(f);
        tell(to_parent[1]);
        hear(to_child[0]); /* the parent has it open, too */
        CHILD_NEEDS(publish_big(f, "child"));
        CHILD_NEEDS(fix_logged(106) >= 1);
        tell(to_parent[1]);
        hear(to_child[0]); /* the parent grew it further */
        CHILD_NEEDS(read_big(f, "parent") && read_big(f, "child"));
        CHILD_NEEDS(fix_publish(f->catalog, "/last", 99, BIG, 0) == APR_SUCCESS);
        apr_pool_destroy(f->pool);
        _exit(0);
    }
    hear(to_parent[0]);
    fix_open(f);
    tell(to_child[1]);
    hear(to_parent[0]);
    assert_true(read_big(f, "child"));
    assert_true(publish_big(f, "parent"));
    assert_true(fix_logged(106) >= 1);
    tell(to_child[1]);
    assert_good_end(pid);
    fix_check(f->catalog);
    assert_int_equal(fix_logged(105), 0);
}

/* --- replaced ----------------------------------------------------------------------------------------------------- */

/* Waits until `path` is known, asking often. */
static int comes_up(fixture *f, const char *path)
{
    apr_time_t deadline = apr_time_now() + apr_time_from_sec(DEADLINE);
    apr_pool_t *pool;
    cat_entry entry;
    int found = 0;

    while (!found && apr_time_now() < deadline) {
        apr_pool_create(&pool, f->pool);
        found = cat_find_path(f->catalog, path, pool, &entry) == APR_SUCCESS;
        apr_pool_destroy(pool);
        if (!found)
            usleep(10000);
    }
    return found;
}

static void test_follows_a_file_set_aside(void **state)
{
    fixture *f = *state;
    int to_child[2], to_parent[2], fd;
    const uint64_t beyond = 1u << 30;
    cat_entry entry;
    pid_t pid;

    assert_int_equal(pipe(to_child), 0);
    assert_int_equal(pipe(to_parent), 0);
    if ((pid = fork()) == 0) {
        child_open(f);
        CHILD_NEEDS(fix_publish(f->catalog, "/old", 1, 100, 0) == APR_SUCCESS);
        tell(to_parent[1]);
        hear(to_child[0]);
        CHILD_NEEDS(comes_up(f, "/new"));
        CHILD_NEEDS(fix_publish(f->catalog, "/from the child", 3, 100, 0) == APR_SUCCESS);
        apr_pool_destroy(f->pool);
        _exit(0);
    }
    hear(to_parent[0]);
    fix_open(f);
    assert_int_equal(cat_find_path(f->catalog, "/old", f->pool, &entry), APR_SUCCESS);
    fd = open(fix_name(f, "catalog.mdb"), O_WRONLY);
    for (int i = 0; i < 2; i++) /* the root of the main tree, in both heads */
        assert_int_equal(pwrite(fd, &beyond, sizeof beyond, i * 4096 + 16 + 24 + 48 + 40), sizeof beyond);
    close(fd);
    assert_int_equal(cat_find_path(f->catalog, "/old", f->pool, &entry), APR_NOTFOUND);
    assert_int_equal(fix_publish(f->catalog, "/new", 2, 100, 0), APR_SUCCESS);
    tell(to_child[1]);
    assert_good_end(pid);
    assert_int_equal(cat_find_path(f->catalog, "/from the child", f->pool, &entry), APR_SUCCESS);
    assert_int_equal(fix_count_files(f, "catalog.mdb.bad"), 1);
    fix_check(f->catalog);
}

static void test_removed_file_is_made_again(void **state)
{
    fixture *f = *state;
    apr_time_t deadline = apr_time_now() + apr_time_from_sec(DEADLINE);
    cat_entry entry;

    fix_open(f);
    assert_int_equal(fix_publish(f->catalog, "/a", 1, 100, 0), APR_SUCCESS);
    assert_int_equal(unlink(fix_name(f, "catalog.mdb")), 0);
    while (cat_find_path(f->catalog, "/a", f->pool, &entry) == APR_SUCCESS && apr_time_now() < deadline)
        usleep(10000);
    assert_int_equal(fix_publish(f->catalog, "/b", 2, 100, 0), APR_SUCCESS);
    fix_close(f);
    fix_open(f);
    assert_int_equal(cat_find_path(f->catalog, "/b", f->pool, &entry), APR_SUCCESS);
    assert_int_equal(cat_find_path(f->catalog, "/a", f->pool, &entry), APR_NOTFOUND);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fix_setup, fix_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_killed_at_any_moment),     TEST(test_killed_while_opening),
                                       TEST(test_dead_readers_are_cleared), TEST(test_made_by_one_of_many),
                                       TEST(test_set_aside_by_one_of_many), TEST(test_grows_under_another_process),
                                       TEST(test_follows_a_file_set_aside), TEST(test_removed_file_is_made_again)};

    return cmocka_run_group_tests_name("catalogue among processes", tests, NULL, NULL);
}
