#include "t/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <apr_strings.h>

#include "torrentgen/tree.h"

enum { NOBODY = 65534 };

/* What a walk told, one line each. */
typedef struct {
    char text[64 * 1024];
    size_t files, errors;
    apr_int64_t bytes;
    const char *left_out; /* a directory that enter refuses */
    size_t stop_after;    /* files; 0: never */
} tale;

static apr_pool_t *pool;
static char root[64];

static const char *below(const char *name)
{
    return *name ? apr_pstrcat(pool, root, "/", name, NULL) : root;
}

static void make_file(const char *name, const char *text)
{
    FILE *file = fopen(below(name), "w");

    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void make_dir(const char *name)
{
    assert_int_equal(mkdir(below(name), 0755), 0);
}

static void make_link(const char *target, const char *name)
{
    assert_int_equal(symlink(target, below(name)), 0);
}

static void add_line(tale *t, const char *what, const char *path)
{
    size_t length = strlen(t->text);

    snprintf(t->text + length, sizeof t->text - length, "%s%s\n", what, path);
}

static int visit(void *baton, const char *path, const bt_stamp *stamp)
{
    tale *t = baton;
    bt_stamp now;

    add_line(t, "", path);
    t->files++;
    t->bytes += stamp->size;
    if (bt_stamp_path(below(path), &now) == APR_SUCCESS)
        assert_true(bt_stamp_equal(&now, stamp));
    return t->stop_after && t->files == t->stop_after;
}

static int enter(void *baton, const char *path)
{
    const tale *t = baton;

    return !t->left_out || strcmp(t->left_out, path) != 0;
}

static void trouble(void *baton, const char *path, apr_status_t status)
{
    tale *t = baton;

    add_line(t, apr_psprintf(pool, "!%d ", (int)status), path);
    t->errors++;
}

static apr_status_t walk(tale *t, tg_tree_options options)
{
    memset(t->text, 0, sizeof t->text);
    t->files = t->errors = 0;
    t->bytes = 0;
    options.error = trouble;
    return tg_tree_walk(root, &options, enter, visit, t, pool);
}

static int set_up(void **state)
{
    (void)state;
    apr_pool_create(&pool, NULL);
    strcpy(root, "/tmp/bth-tree-XXXXXX");
    return !mkdtemp(root) || chmod(root, 0755) != 0;
}

static int tear_down(void **state)
{
    char *command = apr_psprintf(pool, "chmod -R u+rwx '%s' && rm -rf '%s'", root, root);
    int failed = system(command);

    (void)state;
    apr_pool_destroy(pool);
    return failed;
}

static void test_order_is_that_of_path_elements(void **state)
{
    tale t = {.left_out = NULL};

    (void)state;
    make_dir("a");
    make_file("a/z", "1");
    make_file("a-b", "22");
    make_file("a.txt", "333");
    make_dir("B");
    make_file("B/b", "");
    make_file("\xff", "x");
    make_file("\xc3\xa9", "x");
    make_file("z", "x");
    assert_int_equal(walk(&t, (tg_tree_options){0}), APR_SUCCESS);
    assert_string_equal(t.text, "B/b\na/z\na-b\na.txt\nz\n\xc3\xa9\n\xff\n");
    assert_int_equal(t.bytes, 9);
    assert_int_equal(walk(&t, (tg_tree_options){.any_order = 1}), APR_SUCCESS);
    assert_int_equal(t.files, 7);
    assert_int_equal(t.bytes, 9);
}

static void test_hidden_names_and_refused_directories(void **state)
{
    tale t = {.left_out = "private"};

    (void)state;
    make_file(".htaccess", "x");
    make_dir(".git");
    make_file(".git/x", "x");
    make_dir("private");
    make_file("private/x", "x");
    make_file("seen", "x");
    assert_int_equal(walk(&t, (tg_tree_options){0}), APR_SUCCESS);
    assert_string_equal(t.text, "seen\n");
    assert_int_equal(walk(&t, (tg_tree_options){.hidden = 1}), APR_SUCCESS);
    assert_string_equal(t.text, ".git/x\n.htaccess\nseen\n");
    t.left_out = "";
    assert_int_equal(walk(&t, (tg_tree_options){0}), APR_SUCCESS);
    assert_string_equal(t.text, "");
}

static void test_links_are_followed_only_when_told(void **state)
{
    tale t = {.left_out = NULL};

    (void)state;
    make_dir("d");
    make_file("d/f", "12345");
    make_link("d", "l");
    make_link("d/f", "lf");
    make_link("nowhere", "n");
    make_link("self", "self");
    assert_int_equal(walk(&t, (tg_tree_options){0}), APR_SUCCESS);
    assert_string_equal(t.text, "d/f\n");
    assert_int_equal(walk(&t, (tg_tree_options){.follow_links = 1}), APR_SUCCESS);
    assert_string_equal(t.text, apr_psprintf(pool, "d/f\nl/f\nlf\n!%d n\n!%d self\n", ENOENT, ELOOP));
    assert_int_equal(t.bytes, 15);
}

static void test_loops_of_links_end(void **state)
{
    tale t = {.left_out = NULL};

    (void)state;
    make_dir("a");
    make_dir("b");
    make_file("a/f", "x");
    make_link(".", "a/here");
    make_link("..", "a/up");
    make_link("../b", "a/other");
    make_link("../a", "b/other");
    assert_int_equal(walk(&t, (tg_tree_options){.follow_links = 1}), APR_SUCCESS);
    assert_string_equal(t.text, apr_psprintf(pool, "a/f\n!%d a/here\n!%d a/other/other\n!%d a/up\n"
                                                   "b/other/f\n!%d b/other/here\n!%d b/other/other\n!%d b/other/up\n",
                                             ELOOP, ELOOP, ELOOP, ELOOP, ELOOP, ELOOP));
}

/* Each of twelve directories has a link to each other: more ways than anybody could walk. */
static void test_a_thicket_of_links_is_bounded(void **state)
{
    tale t = {.left_out = NULL};

    (void)state;
    for (int i = 0; i < 12; i++)
        make_dir(apr_psprintf(pool, "%d", i));
    for (int i = 0; i < 12; i++)
        for (int j = 0; j < 12; j++)
            make_link(apr_psprintf(pool, "../%d", j), apr_psprintf(pool, "%d/%d", i, j));
    assert_int_equal(walk(&t, (tg_tree_options){.follow_links = 1, .entries_max = 20000}), APR_ENOSPC);
    assert_int_equal(walk(&t, (tg_tree_options){.follow_links = 1, .files_max = 10}), APR_ENOSPC);
    assert_int_equal(walk(&t, (tg_tree_options){.follow_links = 1, .files_max = 10, .any_order = 1}), APR_ENOSPC);
}

static void make_socket(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    apr_cpystrn(address.sun_path, below(name), sizeof address.sun_path);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
}

/* Opening a FIFO for reading would wait for a writer for ever. */
static void test_what_is_no_file_is_passed_over(void **state)
{
    tale t = {.left_out = NULL};

    (void)state;
    assert_int_equal(mkfifo(below("fifo"), 0644), 0);
    make_socket("socket");
    make_link("fifo", "to-fifo");
    make_link("/dev/zero", "to-device");
    make_file("file", "x");
    assert_int_equal(walk(&t, (tg_tree_options){.follow_links = 1}), APR_SUCCESS);
    assert_string_equal(t.text, "file\n");
    assert_int_equal(walk(&t, (tg_tree_options){0}), APR_SUCCESS);
    assert_string_equal(t.text, "file\n");
}

static void test_any_bytes_in_names(void **state)
{
    tale t = {.left_out = NULL};
    char longest[256];

    (void)state;
    memset(longest, 'n', 255);
    longest[255] = '\0';
    make_file("new\nline", "x");
    make_file("\xff\xfe not UTF-8", "x");
    make_file("back\\slash", "x");
    make_file("...", "x");
    make_dir(longest);
    make_file(apr_pstrcat(pool, longest, "/", longest, NULL), "x");
    assert_int_equal(walk(&t, (tg_tree_options){.hidden = 1}), APR_SUCCESS);
    assert_string_equal(t.text, apr_pstrcat(pool, "...\nback\\slash\nnew\nline\n", longest, "/", longest,
                                            "\n\xff\xfe not UTF-8\n", NULL));
}

static void test_unreadable_directories_are_told(void **state)
{
    tale t = {.left_out = NULL};
    int is_root = geteuid() == 0;
    apr_status_t status;

    (void)state;
    make_dir("closed");
    make_file("closed/f", "x");
    make_dir("blind"); /* names can be read, files not looked at */
    make_file("blind/f", "x");
    make_file("open", "x");
    assert_int_equal(chmod(below("closed"), 0), 0);
    assert_int_equal(chmod(below("blind"), 0444), 0);
    if (is_root)
        assert_int_equal(seteuid(NOBODY), 0);
    status = walk(&t, (tg_tree_options){0});
    if (is_root)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(status, APR_SUCCESS);
    assert_string_equal(t.text, apr_psprintf(pool, "!%d blind/f\n!%d closed\nopen\n", EACCES, EACCES));
}

/* A chain of directories deeper than any bound, made step by step as no path is long enough. */
static void make_deep(int levels, const char *name)
{
    int at = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    for (int i = 0; i < levels; i++) {
        int next;

        assert_int_equal(mkdirat(at, name, 0755), 0);
        next = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(next >= 0);
        close(at);
        at = next;
    }
    close(at);
}

static void test_depth_is_bounded(void **state)
{
    tale t = {.left_out = NULL};

    (void)state;
    make_deep(200, "d");
    make_file("f", "x");
    assert_int_equal(walk(&t, (tg_tree_options){0}), APR_SUCCESS);
    assert_int_equal(t.files, 1);
    assert_int_equal(t.errors, 1);
    assert_non_null(strstr(t.text, apr_psprintf(pool, "!%d d/d/", APR_ENOSPC)));
    assert_int_equal(walk(&t, (tg_tree_options){.depth_max = 250}), APR_SUCCESS);
    assert_int_equal(t.errors, 0);
}

static void test_paths_are_bounded(void **state)
{
    tale t = {.left_out = NULL};
    char longest[256];

    (void)state;
    memset(longest, 'n', 255);
    longest[255] = '\0';
    make_deep(20, longest);
    assert_int_equal(walk(&t, (tg_tree_options){0}), APR_SUCCESS);
    assert_int_equal(t.errors, 1);
    assert_non_null(strstr(t.text, apr_psprintf(pool, "!%d ", ENAMETOOLONG)));
}

static void test_ten_thousand_files_and_bounds(void **state)
{
    tale t = {.left_out = NULL};

    (void)state;
    for (int i = 0; i < 10000; i++) {
        if (i % 1000 == 0)
            make_dir(apr_psprintf(pool, "%d", i / 1000));
        make_file(apr_psprintf(pool, "%d/%d", i / 1000, i), "");
    }
    assert_int_equal(walk(&t, (tg_tree_options){0}), APR_SUCCESS);
    assert_int_equal(t.files, 10000);
    assert_int_equal(walk(&t, (tg_tree_options){.files_max = 10000}), APR_SUCCESS);
    assert_int_equal(walk(&t, (tg_tree_options){.files_max = 9999}), APR_ENOSPC);
    assert_int_equal(t.files, 9999);
    assert_int_equal(walk(&t, (tg_tree_options){.entries_max = 10010}), APR_SUCCESS);
    assert_int_equal(walk(&t, (tg_tree_options){.entries_max = 10009}), APR_ENOSPC);
    t.stop_after = 17;
    assert_int_equal(walk(&t, (tg_tree_options){0}), APR_EINTR);
    assert_int_equal(t.files, 17);
}

static void test_a_root_that_cannot_be_read(void **state)
{
    tale t = {.left_out = NULL};

    (void)state;
    make_file("file", "x");
    assert_int_equal(tg_tree_walk(below("none"), &(tg_tree_options){0}, NULL, visit, &t, pool), ENOENT);
    assert_int_equal(tg_tree_walk(below("file"), &(tg_tree_options){0}, NULL, visit, &t, pool), ENOTDIR);
    make_link(".", "link");
    memset(t.text, 0, sizeof t.text);
    assert_int_equal(tg_tree_walk(below("link"), &(tg_tree_options){0}, NULL, visit, &t, pool), APR_SUCCESS);
    assert_string_equal(t.text, "file\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_order_is_that_of_path_elements),
        TEST(test_hidden_names_and_refused_directories),
        TEST(test_links_are_followed_only_when_told),
        TEST(test_loops_of_links_end),
        TEST(test_a_thicket_of_links_is_bounded),
        TEST(test_what_is_no_file_is_passed_over),
        TEST(test_any_bytes_in_names),
        TEST(test_unreadable_directories_are_told),
        TEST(test_depth_is_bounded),
        TEST(test_paths_are_bounded),
        TEST(test_ten_thousand_files_and_bounds),
        TEST(test_a_root_that_cannot_be_read),
    };
    int failed;

    apr_initialize();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return failed;
}
