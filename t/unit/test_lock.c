/* Who seeds: one holder, and another as soon as it dies. */
#include "t/unit/unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "seeder/lock.h"

static char directory[] = "/tmp/bthttp-lock-XXXXXX";

static int remove_all(void **state)
{
    char path[64];

    snprintf(path, sizeof path, "%s/seeder.lock", directory);
    unlink(path);
    return rmdir(directory);
}

static void one_holder_in_a_process(void **state)
{
    int first, second;

    assert_int_equal(seed_lock_open(&first, directory), APR_SUCCESS);
    assert_int_equal(seed_lock_open(&second, directory), APR_SUCCESS);
    assert_int_equal(seed_lock_try(first), APR_SUCCESS);
    assert_int_equal(seed_lock_try(second), APR_EAGAIN);
    seed_lock_close(first);
    assert_int_equal(seed_lock_try(second), APR_SUCCESS);
    seed_lock_close(second);
}

static void heirs_are_seen(void **state)
{
    int holder, heir;

    assert_int_equal(seed_lock_open(&holder, directory), APR_SUCCESS);
    assert_int_equal(seed_lock_open(&heir, directory), APR_SUCCESS);
    assert_int_equal(seed_lock_try(holder), APR_SUCCESS);
    assert_false(seed_lock_has_heir(holder, 0));
    assert_int_equal(seed_lock_stand(heir, 7), APR_SUCCESS);
    assert_int_equal(seed_lock_stand(heir, 7), APR_SUCCESS);
    assert_true(seed_lock_has_heir(holder, 0));
    assert_true(seed_lock_has_heir(holder, 7));
    assert_false(seed_lock_has_heir(holder, 8));
    seed_lock_step_back(heir, 7);
    assert_false(seed_lock_has_heir(holder, 0));
    assert_int_equal(seed_lock_stand(heir, 8), APR_SUCCESS);
    assert_int_equal(seed_lock_try(heir), APR_EAGAIN);
    seed_lock_close(holder);
    assert_int_equal(seed_lock_try(heir), APR_SUCCESS);
    seed_lock_close(heir);
}

static void a_killed_holder_frees_it(void **state)
{
    int fd, tell[2], status;
    char byte;
    pid_t child;

    assert_int_equal(seed_lock_open(&fd, directory), APR_SUCCESS);
    assert_int_equal(pipe(tell), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int mine;
        close(fd);
        if (seed_lock_open(&mine, directory) != APR_SUCCESS || seed_lock_try(mine) != APR_SUCCESS ||
            write(tell[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    assert_int_equal(read(tell[0], &byte, 1), 1);
    assert_int_equal(seed_lock_try(fd), APR_EAGAIN);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(seed_lock_try(fd), APR_SUCCESS);
    seed_lock_close(fd);
    close(tell[0]);
    close(tell[1]);
}

static void a_script_does_not_keep_it(void **state)
{
    int fd, status;
    pid_t child;

    assert_int_equal(seed_lock_open(&fd, directory), APR_SUCCESS);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char test[64];
        snprintf(test, sizeof test, "test ! -e /proc/self/fd/%d", fd);
        execl("/bin/sh", "sh", "-c", test, (char *)NULL);
        _exit(9);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    seed_lock_close(fd);
}

static void no_directory(void **state)
{
    int fd;

    assert_true(APR_STATUS_IS_ENOENT(seed_lock_open(&fd, "/nonexistent/directory")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_holder_in_a_process),
        cmocka_unit_test(heirs_are_seen),
        cmocka_unit_test(a_killed_holder_frees_it),
        cmocka_unit_test(a_script_does_not_keep_it),
        cmocka_unit_test(no_directory),
    };
    if (!mkdtemp(directory))
        return 1;
    return cmocka_run_group_tests(tests, NULL, remove_all);
}
