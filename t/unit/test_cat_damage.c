/* Whatever lies where the catalogue should be: it opens, and works. Each attempt runs in a child of its own, so that a
 * crash is seen as one. */
#include "cat_fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_strings.h>
#include <lmdb.h>

#include "catalog/check.h"
#include "catalog/file.h"

enum { ENTRIES = 150 };

typedef struct {
    unsigned char *bytes;
    apr_size_t size;
} image;

static image read_image(const char *name)
{
    image img = {NULL, 0};
    struct stat info;
    int fd = open(name, O_RDONLY);

    assert_true(fd >= 0 && fstat(fd, &info) == 0);
    img.size = (apr_size_t)info.st_size;
    img.bytes = malloc(img.size);
    assert_int_equal(read(fd, img.bytes, img.size), (ssize_t)img.size);
    close(fd);
    return img;
}

static void write_image(const char *name, const unsigned char *bytes, apr_size_t size)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), (ssize_t)size);
    close(fd);
}

/* A catalogue with a history: small and large values, free pages, branches, gone info-hashes. */
static image make_image(fixture *f)
{
    fix_open(f);
    for (unsigned i = 0; i < ENTRIES; i++)
        assert_int_equal(
            fix_publish(f->catalog, apr_psprintf(f->pool, "/file %u", i), i, i % 5 ? 300 : 9000, i % 3 ? 64 : 5000),
            APR_SUCCESS);
    for (unsigned i = 0; i < ENTRIES; i += 7)
        assert_int_equal(
            cat_withdraw(f->catalog, apr_psprintf(f->pool, "/file %u", i), i % 2 ? CAT_CHANGED : CAT_PROTECTED),
            APR_SUCCESS);
    fix_check(f->catalog);
    fix_close(f);
    return read_image(fix_name(f, "catalog.mdb"));
}

static int nothing(void *baton, const cat_entry *entry)
{
    return 0;
}

/* Uses all of the interface; exits with the number of the step that failed. */
static void use_catalogue(fixture *f)
{
    apr_int64_t faults;
    tg_torrent torrent;
    cat_entry entry;

    if (cat_open(&f->catalog, f->directory, f->pool) != APR_SUCCESS)
        _exit(1);
    for (unsigned i = 0; i < ENTRIES; i++) {
        const char *path = apr_psprintf(f->pool, "/file %u", i);

        if (cat_find_path(f->catalog, path, f->pool, &entry) == APR_SUCCESS) {
            cat_read_torrent(f->catalog, &entry, f->pool, &torrent);
            cat_standing_of(f->catalog, &entry.v1);
        }
        if (i % 3 == 0)
            cat_withdraw(f->catalog, path, i % 2 ? CAT_CHANGED : CAT_PROTECTED);
        if (i % 4 == 0 && fix_publish(f->catalog, path, i + 1000, 3000, 0) != APR_SUCCESS)
            _exit(2);
    }
    if (cat_walk(f->catalog, nothing, NULL) != APR_SUCCESS)
        _exit(3);
    cat_check(f->catalog, NULL, NULL, &faults);
    if (fix_publish(f->catalog, "/new", 5000, 100, 0) != APR_SUCCESS ||
        cat_find_path(f->catalog, "/new", f->pool, &entry) != APR_SUCCESS ||
        cat_read_torrent(f->catalog, &entry, f->pool, &torrent) != APR_SUCCESS)
        _exit(4);
    apr_pool_destroy(f->pool);
    _exit(fix_logged(100) ? 100 : 0);
}

/* @return 1 if what lay there was set aside, 0 if it was used */
static int survives(fixture *f, const char *what)
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        use_catalogue(f);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status) || (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != 100))
        fail_msg("%s: wait status 0x%x", what, (unsigned)status);
    return WEXITSTATUS(status) == 100;
}

static void forget_bad(fixture *f)
{
    char command[128];

    snprintf(command, sizeof command, "rm -rf %s/catalog.mdb*", f->directory);
    assert_int_equal(system(command), 0);
}

static void test_sound_file_is_kept(void **state)
{
    fixture *f = *state;
    image img = make_image(f);

    assert_int_equal(survives(f, "sound"), 0);
    assert_int_equal(fix_count_files(f, "catalog.mdb.bad"), 0);
    fix_open(f);
    fix_check(f->catalog);
    free(img.bytes);
}

static void test_cut_short(void **state)
{
    fixture *f = *state;
    image img = make_image(f);
    const apr_size_t sizes[] = {0,    1,    15,   100,   4095,         4096,           4097,
                                8191, 8192, 8193, 12288, img.size / 2, img.size - img.size / 8}; /* the very last pages may be free ones */

    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        forget_bad(f);
        write_image(fix_name(f, "catalog.mdb"), img.bytes, sizes[i]);
        assert_int_equal(survives(f, apr_psprintf(f->pool, "cut to %lu", (unsigned long)sizes[i])), 1);
        assert_int_equal(fix_count_files(f, "catalog.mdb.bad"), 1);
    }
    free(img.bytes);
}

static void test_not_a_database(void **state)
{
    fixture *f = *state;
    const char *name = fix_name(f, "catalog.mdb");
    unsigned char noise[20000];

    for (unsigned i = 0; i < sizeof noise; i++)
        noise[i] = (unsigned char)(i * 2654435761u >> 13);
    write_image(name, noise, sizeof noise);
    assert_int_equal(survives(f, "noise"), 1);
    forget_bad(f);
    assert_int_equal(mkdir(name, 0700), 0);
    assert_int_equal(survives(f, "directory"), 1);
    forget_bad(f);
    assert_int_equal(mkfifo(name, 0600), 0);
    assert_int_equal(survives(f, "fifo"), 1);
    forget_bad(f);
    assert_int_equal(symlink("/etc/passwd", name), 0);
    assert_int_equal(survives(f, "symbolic link"), 1);
    forget_bad(f);
    assert_int_equal(mkdir(fix_name(f, "catalog.mdb-lock"), 0700), 0);
    assert_int_equal(survives(f, "directory as lock"), 0);
    forget_bad(f);
    write_image(fix_name(f, "catalog.mdb-lock"), noise, sizeof noise);
    assert_int_equal(survives(f, "noise as lock"), 0);
    forget_bad(f);
}

static void test_scribbled_on(void **state)
{
    fixture *f = *state;
    image img = make_image(f);
    unsigned char *copy = malloc(img.size);
    int aside = 0;

    srand(4711);
    for (int round = 0; round < 300; round++) {
        int count = 1 + round % 8;
        int where = round % 3; /* the two heads, the first bytes of pages, anywhere */

        memcpy(copy, img.bytes, img.size);
        for (int i = 0; i < count; i++) {
            apr_size_t at = (apr_size_t)rand() % (where == 0 ? 8192 : img.size);
            if (where < 2)
                at = (at & ~(apr_size_t)4095) | (at & (where == 0 ? 255 : 63));
            copy[at] ^= (unsigned char)(1 + rand() % 255);
        }
        forget_bad(f);
        write_image(fix_name(f, "catalog.mdb"), copy, img.size);
        aside += survives(f, apr_psprintf(f->pool, "round %d", round));
    }
    assert_true(aside > 50 && aside < 300);
    free(copy);
    free(img.bytes);
}

/* Changes the layout mark with LMDB itself. */
static void write_layout(fixture *f, const char *mark)
{
    MDB_val key = {6, (void *)(uintptr_t) "layout"}, value = {strlen(mark), (void *)(uintptr_t)mark};
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;

    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, 8), 0);
    assert_int_equal(mdb_env_open(env, fix_name(f, "catalog.mdb"), MDB_NOSUBDIR, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, "layout", MDB_CREATE, &dbi), 0);
    assert_int_equal(mdb_put(txn, dbi, &key, &value, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

static void test_another_layout(void **state)
{
    fixture *f = *state;
    image img = make_image(f);

    write_layout(f, "bthcatl of old");
    assert_int_equal(survives(f, "older layout"), 1);
    assert_int_equal(fix_count_files(f, "catalog.mdb.bad"), 1);
    forget_bad(f);
    write_layout(f, "x"); /* somebody else's database */
    assert_int_equal(survives(f, "foreign database"), 1);
    free(img.bytes);
}

static void test_three_are_kept(void **state)
{
    fixture *f = *state;

    for (int i = 0; i < 6; i++) {
        write_image(fix_name(f, "catalog.mdb"), (const unsigned char *)"no database", 11);
        fix_open(f);
        fix_close(f);
        assert_int_equal(fix_logged(100), i + 1);
        assert_int_equal(fix_count_files(f, "catalog.mdb.bad-"), i < 3 ? i + 1 : 3);
    }
}

static void test_killed_before_the_first_commit(void **state)
{
    fixture *f = *state;
    MDB_env *env;

    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_open(env, fix_name(f, "catalog.mdb"), MDB_NOSUBDIR, 0600), 0);
    mdb_env_close(env);
    assert_int_equal(survives(f, "empty database"), 0);
}

static void test_directory_that_cannot_be_used(void **state)
{
    fixture *f = *state;
    cat_catalog *catalog = NULL;
    char long_name[5000];

    assert_int_equal(cat_open(&catalog, fix_name(f, "missing"), f->pool), ENOENT);
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    assert_int_equal(cat_open(&catalog, long_name, f->pool), ENAMETOOLONG);
    assert_null(catalog);
    assert_int_equal(fix_logged(102), 1);
}

/* Damage that is met while running: a page is scribbled on after the file was opened. */
static void test_damage_met_later(void **state)
{
    fixture *f = *state;
    image img = make_image(f);
    apr_int64_t count;
    cat_entry entry;
    int fd;

    fix_open(f);
    fd = open(fix_name(f, "catalog.mdb"), O_WRONLY);
    assert_true(fd >= 0);
    /* LMDB finds root pages that are beyond the end, which is what it can report; both heads say so. */
    for (int i = 0; i < 2; i++) {
        uint64_t beyond = 1u << 30;
        assert_int_equal(pwrite(fd, &beyond, sizeof beyond, i * 4096 + 16 + 24 + 48 + 40), sizeof beyond);
    }
    close(fd);
    assert_int_equal(cat_find_path(f->catalog, "/file 1", f->pool, &entry), APR_NOTFOUND);
    assert_int_equal(fix_logged(100), 1);
    assert_int_equal(fix_logged(105), 1);
    assert_int_equal(fix_count_files(f, "catalog.mdb.bad"), 1);
    assert_int_equal(cat_count(f->catalog, &count), APR_SUCCESS);
    assert_int_equal(count, 0);
    assert_int_equal(fix_publish(f->catalog, "/again", 1, 100, 0), APR_SUCCESS);
    fix_check(f->catalog);
    free(img.bytes);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fix_setup, fix_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_sound_file_is_kept),
                                       TEST(test_cut_short),
                                       TEST(test_not_a_database),
                                       TEST(test_scribbled_on),
                                       TEST(test_another_layout),
                                       TEST(test_three_are_kept),
                                       TEST(test_killed_before_the_first_commit),
                                       TEST(test_directory_that_cannot_be_used),
                                       TEST(test_damage_met_later)};

    return cmocka_run_group_tests_name("catalogue damage", tests, NULL, NULL);
}
