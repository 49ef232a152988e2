/* Where the bytes of a torrent lie: against a plain concatenation of the files, and when the files change. */
#include "t/unit/unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

#include "seeder/send.h"

enum { PIECE = 16384, SECOND = APR_USEC_PER_SEC, NOW = 5 * SECOND, FILES = 16 };

static apr_pool_t *pool;
static char directory[64];
static tg_member *members;
static size_t count;
static unsigned char *all; /* every byte of the torrent, as it must be, and a piece of zeros behind */
static apr_int64_t length;
static seed_source *source;
static seed_files *files;
static int files_before;
static uint64_t seed;

static int open_files(void)
{
    DIR *fds = opendir("/proc/self/fd");
    int number = -3; /* ".", ".." and this one */

    while (readdir(fds))
        number++;
    closedir(fds);
    return number;
}

static int set_up(void **state)
{
    apr_pool_create(&pool, NULL);
    strcpy(directory, "/tmp/bthttp-source-XXXXXX");
    assert_non_null(mkdtemp(directory));
    strcat(directory, "/");
    seed = 11;
    files = seed_files_make(FILES, &seed_disk_kernel);
    source = NULL;
    files_before = open_files();
    return 0;
}

static int tear_down(void **state)
{
    int failed;

    seed_source_close(source);
    seed_files_free(files);
    assert_int_equal(open_files(), files_before);
    free(all);
    all = NULL;
    failed = system(apr_psprintf(pool, "rm -r '%s'", directory));
    apr_pool_destroy(pool);
    return failed;
}

static const char *path_of(size_t nth)
{
    return apr_pstrcat(pool, directory, members[nth].path, NULL);
}

static void write_file(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* Makes files of these sizes, each beginning with a piece. */
static void make_files(const size_t *sizes, size_t number)
{
    apr_int64_t at = 0;

    count = number;
    members = apr_pcalloc(pool, number * sizeof *members);
    for (size_t i = 0; i < number; at = members[i].offset + (apr_int64_t)sizes[i], i++) {
        members[i].offset = (at + PIECE - 1) / PIECE * PIECE;
        members[i].path = apr_psprintf(pool, "file %05d", (int)i);
    }
    length = at;
    all = calloc(1, (size_t)length + 2 * PIECE);
    for (size_t i = 0; i < number; i++) {
        unit_fill(&seed, all + members[i].offset, sizes[i]);
        write_file(path_of(i), all + members[i].offset, sizes[i]);
        assert_int_equal(bt_stamp_path(path_of(i), &members[i].stamp), APR_SUCCESS);
    }
}

static apr_status_t open_source(void)
{
    return seed_source_open_members(&source, files, directory, members, count, SECOND, NOW);
}

static void make(const size_t *sizes, size_t number)
{
    make_files(sizes, number);
    assert_int_equal(open_source(), APR_SUCCESS);
    assert_int_equal(seed_source_length(source), length);
}

/* Reads a range by seed_source_at and compares it. @return why it could not be read */
static apr_status_t read_by_runs(apr_int64_t offset, size_t size, apr_time_t now)
{
    while (size > 0) {
        static unsigned char got[4 * PIECE];
        seed_segment run;
        apr_status_t status = seed_source_at(source, offset, size, now, &run);

        if (status != APR_SUCCESS)
            return status;
        assert_in_range(run.length, 1, size);
        if (run.file < 0)
            memset(got, 0, run.length);
        else
            assert_int_equal(pread(run.file, got, run.length, (off_t)run.offset), run.length);
        assert_memory_equal(got, all + offset, run.length);
        offset += (apr_int64_t)run.length;
        size -= run.length;
    }
    return APR_SUCCESS;
}

/* The same by seed_source_read, into buffers of any sizes with gaps between them. */
static int read_by_buffers(apr_int64_t offset, size_t size, apr_time_t now)
{
    static unsigned char got[4 * PIECE + 64];
    struct iovec to[8] = {{0}}, kept[8];
    size_t left = size, at = 0, read;
    int used = 0;

    while (left > 0) {
        size_t part = used == 7 ? left : 1 + unit_below(&seed, left);
        to[used++] = (struct iovec){got + at, part};
        at += part + 3;
        left -= part;
    }
    memcpy(kept, to, sizeof to);
    memset(got, 0xee, sizeof got);
    if (seed_source_read(source, to, used, offset, now, NULL, &read) != SEED_READ_DONE)
        return 0;
    assert_int_equal(read, size);
    for (int i = 0; i < used; i++) {
        unsigned char *end = (unsigned char *)kept[i].iov_base + kept[i].iov_len;
        assert_memory_equal(kept[i].iov_base, all + offset, kept[i].iov_len);
        assert_memory_equal(end, "\xee\xee\xee", 3);
        offset += (apr_int64_t)kept[i].iov_len;
    }
    return 1;
}

static void random_reads_of_random_files(void **state)
{
    static const size_t likely[] = {1, 100, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 3 * PIECE + 77};

    for (int round = 0; round < 20; round++) {
        size_t sizes[60], number = 1 + unit_below(&seed, 60);
        for (size_t i = 0; i < number; i++)
            sizes[i] = unit_below(&seed, 2) ? likely[unit_below(&seed, 7)] : 1 + unit_below(&seed, 5 * PIECE);
        make(sizes, number);
        for (int i = 0; i < 300; i++) {
            apr_int64_t offset = (apr_int64_t)unit_below(&seed, (uint64_t)length + 200);
            size_t size = 1 + unit_below(&seed, unit_below(&seed, 4) ? PIECE : 3 * PIECE);
            if (offset + (apr_int64_t)size > length + 2 * PIECE)
                size = (size_t)(length + 2 * PIECE - offset);
            if (unit_below(&seed, 2))
                assert_int_equal(read_by_runs(offset, size, NOW), APR_SUCCESS);
            else
                assert_int_equal(read_by_buffers(offset, size, NOW), 1);
        }
        tear_down(state);
        set_up(state);
        seed = (uint64_t)round;
    }
}

static void every_offset_of_small_files(void **state)
{
    const size_t sizes[] = {5, PIECE, 1, PIECE + 1, 20};

    make(sizes, 5);
    for (apr_int64_t offset = 0; offset < length + PIECE; offset++)
        assert_int_equal(read_by_runs(offset, 1 + (size_t)offset % 40, NOW), APR_SUCCESS);
    for (apr_int64_t offset = length; offset >= 0; offset -= 7)
        assert_int_equal(read_by_buffers(offset, 50, NOW), 1);
}

static void a_single_file_ends_in_zeros(void **state)
{
    const size_t sizes[] = {3 * PIECE + 5};

    make_files(sizes, 1);
    assert_int_equal(seed_source_open_file(&source, files, path_of(0), &members[0].stamp, SECOND, NOW), APR_SUCCESS);
    assert_int_equal(seed_source_length(source), length);
    for (apr_int64_t offset = 0; offset < length + 10; offset += 101) {
        assert_int_equal(read_by_runs(offset, PIECE, NOW), APR_SUCCESS);
        assert_int_equal(read_by_buffers(offset, PIECE, NOW), 1);
    }
    assert_int_equal(open_files(), files_before + 1);
    write_file(path_of(0), "x", 1);
    assert_int_equal(seed_source_fresh(source, NOW + SECOND - 1), 1);
    assert_int_equal(seed_source_fresh(source, NOW + SECOND), 0);
    write_file(path_of(0), all, (size_t)length); /* once changed, changed for good */
    assert_int_equal(seed_source_fresh(source, NOW + 5 * SECOND), 0);
}

/* --- descriptors --- */

static void many(size_t number)
{
    size_t *sizes = apr_palloc(pool, number * sizeof *sizes);

    for (size_t i = 0; i < number; i++)
        sizes[i] = 10 + i % 7;
    make(sizes, number);
}

static void no_more_files_than_the_bound(void **state)
{
    many(100);
    assert_int_equal(open_files(), files_before); /* looked at, not opened */
    for (int i = 0; i < 1000; i++) {
        size_t nth = unit_below(&seed, 100);
        assert_int_equal(read_by_runs(members[nth].offset, 10, NOW), APR_SUCCESS);
        assert_in_range(open_files(), files_before + 1, files_before + FILES);
        assert_int_equal(files->count, open_files() - files_before);
    }
    assert_int_equal(open_files(), files_before + FILES);
    seed_source_close(source);
    source = NULL;
    assert_int_equal(files->count, 0);
}

static void what_was_used_last_stays_open(void **state)
{
    seed_segment run, again;

    many(100);
    assert_int_equal(seed_source_at(source, 0, 10, NOW, &run), APR_SUCCESS);
    for (size_t i = 1; i < 100; i++) {
        assert_int_equal(seed_source_at(source, members[i].offset, 10, NOW, &again), APR_SUCCESS);
        assert_int_equal(seed_source_at(source, 0, 10, NOW, &again), APR_SUCCESS);
        assert_int_equal(again.file, run.file);
    }
}

static void one_bound_for_all_torrents(void **state)
{
    seed_source *singles[3 * FILES];
    seed_segment run;

    many(3 * FILES);
    for (size_t i = 0; i < 3 * FILES; i++)
        assert_int_equal(seed_source_open_file(&singles[i], files, apr_pstrdup(pool, path_of(i)), &members[i].stamp,
                                               SECOND, NOW), APR_SUCCESS);
    for (int i = 0; i < 1000; i++) {
        size_t nth = unit_below(&seed, 3 * FILES);
        char got;
        if (i % 2)
            assert_int_equal(read_by_runs(members[nth].offset, 10, NOW), APR_SUCCESS);
        assert_int_equal(seed_source_at(singles[nth], 3, 1, NOW, &run), APR_SUCCESS);
        assert_int_equal(pread(run.file, &got, 1, (off_t)run.offset), 1);
        assert_int_equal(got, (char)all[members[nth].offset + 3]);
    }
    assert_int_equal(open_files(), files_before + FILES);
    for (size_t i = 0; i < 3 * FILES; i++)
        seed_source_close(singles[i]);
    assert_int_equal(files->count, open_files() - files_before);
}

static void what_is_idle_is_closed_and_opened_again(void **state)
{
    many(10);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(read_by_runs(members[i].offset, 10, NOW + (apr_time_t)i), APR_SUCCESS);
    seed_files_close_idle(files, NOW + 3);
    assert_int_equal(open_files(), files_before + 6);
    seed_files_close_idle(files, NOW + 100);
    assert_int_equal(open_files(), files_before);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(read_by_runs(members[i].offset, 10, NOW + 200), APR_SUCCESS);
}

/* Closed meanwhile, it is looked at when it is opened again. */
static void another_file_in_its_place_is_noticed(void **state)
{
    for (int i = 0; i < 2; i++) {
        seed_source *single;
        seed_segment run;

        many(1);
        assert_int_equal(seed_source_open_file(&single, files, path_of(0), &members[0].stamp, SECOND, NOW), APR_SUCCESS);
        assert_int_equal(seed_source_at(single, 0, 10, NOW, &run), APR_SUCCESS);
        seed_files_close_idle(files, NOW);
        if (i)
            unlink(path_of(0));
        else
            write_file(path_of(0), "another", 7);
        assert_int_equal(seed_source_at(single, 0, 10, NOW, &run), APR_EBUSY);
        seed_source_close(single);
        tear_down(state);
        set_up(state);
    }
}

static void out_of_descriptors(void **state)
{
    struct rlimit was, few;

    many(40);
    assert_int_equal(read_by_runs(0, 10, NOW), APR_SUCCESS);
    getrlimit(RLIMIT_NOFILE, &was);
    few = was;
    few.rlim_cur = 0;
    setrlimit(RLIMIT_NOFILE, &few);
    assert_int_equal(read_by_runs(0, 10, NOW), APR_SUCCESS);
    assert_int_equal(read_by_runs(members[1].offset, 10, NOW), EMFILE);
    assert_int_equal(seed_source_shortage(source), EMFILE);
    assert_int_equal(seed_source_fresh(source, NOW), 1); /* nothing is wrong with the file */
    setrlimit(RLIMIT_NOFILE, &was);
    assert_int_equal(read_by_runs(members[1].offset, 10, NOW), APR_SUCCESS);
    assert_int_equal(seed_source_shortage(source), APR_SUCCESS);
}

/* --- changes --- */

static void to_another_version(size_t nth)
{
    write_file(path_of(nth), "another", 7);
}

static void to_nothing(size_t nth)
{
    unlink(path_of(nth));
}

static void to_the_same_bytes_anew(size_t nth)
{
    unlink(path_of(nth));
    write_file(apr_pstrcat(pool, directory, "in the place of its inode", NULL), "", 0);
    write_file(path_of(nth), all + members[nth].offset, (size_t)members[nth].stamp.size);
}

static void to_a_fifo(size_t nth)
{
    unlink(path_of(nth));
    assert_int_equal(mkfifo(path_of(nth), 0600), 0);
}

static void to_a_directory(size_t nth)
{
    unlink(path_of(nth));
    assert_int_equal(mkdir(path_of(nth), 0700), 0);
}

static void to_a_shorter_one(size_t nth)
{
    assert_int_equal(truncate(path_of(nth), 3), 0);
}

typedef void change_fn(size_t nth);

static change_fn *const changes[] = {to_another_version, to_nothing,     to_the_same_bytes_anew,
                                     to_a_fifo,          to_a_directory, to_a_shorter_one};

enum { CHANGES = sizeof changes / sizeof *changes };

static void a_change_is_seen_before_a_read(void **state)
{
    for (int i = 0; i < 2 * CHANGES; i++) {
        many(5);
        if (i % 2) /* open before, or not */
            assert_int_equal(read_by_runs(members[2].offset, 10, NOW), APR_SUCCESS);
        changes[i / 2](2);
        assert_int_equal(read_by_runs(members[1].offset, 10, NOW + SECOND), APR_SUCCESS);
        assert_int_equal(read_by_runs(members[2].offset, 10, NOW + SECOND), APR_EBUSY);
        assert_string_equal(seed_source_culprit(source), path_of(2));
        assert_int_equal(read_by_runs(members[1].offset, 10, NOW + SECOND), APR_EBUSY); /* and it ends the torrent */
        assert_int_equal(seed_source_fresh(source, NOW + SECOND), 0);
        tear_down(state);
        set_up(state);
    }
}

static void a_change_is_seen_by_the_sweep(void **state)
{
    for (int i = 0; i < CHANGES; i++) {
        many(9);
        changes[i](7);
        assert_int_equal(seed_source_sweep(source, NOW + SECOND - 1), 1);
        assert_int_equal(seed_source_sweep(source, NOW + SECOND), 0);
        assert_string_equal(seed_source_culprit(source), path_of(7));
        tear_down(state);
        set_up(state);
    }
}

static void sweeps_take_turns(void **state)
{
    int sweeps = 0;

    many(3 * SEED_SOURCE_SWEEP);
    to_nothing(3 * SEED_SOURCE_SWEEP - 1);
    while (seed_source_sweep(source, NOW + (sweeps + 1) * SECOND))
        sweeps++;
    assert_int_equal(sweeps, 1); /* opening looked at the first third */
}

static void what_is_open_is_looked_at_at_once(void **state)
{
    many(5);
    assert_int_equal(read_by_runs(members[3].offset, 10, NOW), APR_SUCCESS);
    to_a_shorter_one(1);
    assert_int_equal(seed_source_fresh_now(source, NOW), 1); /* not open */
    to_a_shorter_one(3);
    assert_int_equal(read_by_buffers(members[3].offset, 10, NOW), 0);
    assert_int_equal(seed_source_fresh(source, NOW), 1);
    assert_int_equal(seed_source_fresh_now(source, NOW), 0);
    assert_string_equal(seed_source_culprit(source), path_of(3));
}

static void a_changed_one_does_not_open(void **state)
{
    const size_t sizes[] = {10, 20, 30};

    make_files(sizes, 3);
    to_another_version(1);
    assert_int_equal(open_source(), APR_EBUSY);
    seed_source_close(source);
    assert_int_equal(seed_source_open_file(&source, files, path_of(1), &members[1].stamp, SECOND, NOW), APR_EBUSY);
    seed_source_close(source);
    unlink(path_of(1));
    assert_int_equal(seed_source_open_file(&source, files, path_of(1), &members[1].stamp, SECOND, NOW), APR_EBUSY);
}

static void a_path_that_is_too_long(void **state)
{
    const size_t sizes[] = {10, 20};
    char *longest = apr_palloc(pool, 5001);

    make_files(sizes, 2);
    memset(longest, 'x', 5000);
    longest[5000] = '\0';
    members[1].path = longest;
    assert_int_equal(open_source(), APR_EBUSY);
    assert_string_equal(seed_source_culprit(source), directory);
}

/* --- sent to a peer --- */

static void blocks_to_a_peer(void **state)
{
    static unsigned char buffer[SEED_BATCH_SIZE], got[PW_BLOCK_MAX + PW_PIECE_HEADER];
    const size_t sizes[] = {40000, 5, PIECE, 7 * PIECE + 1, 100};
    seed_content content = {0, PIECE, 0, 1, 1, {{0}}, 0};
    seed_peer peer;
    int ends[2];

    make(sizes, 5);
    content.length = length;
    content.pieces = (apr_uint32_t)((length + PIECE - 1) / PIECE);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    seed_peer_init(&peer, &seed_limits_default, NOW);
    peer.content = &content;
    peer.state = SEED_PEER_LIVE;
    for (int i = 0; i < 500; i++) {
        seed_block blocks[4];
        int number = 1 + (int)unit_below(&seed, 4);
        seed_sent sent;
        for (int k = 0; k < number; k++) {
            blocks[k].piece = (apr_uint32_t)unit_below(&seed, content.pieces);
            blocks[k].begin = (apr_uint32_t)unit_below(&seed, PIECE);
            blocks[k].length = 1 + (apr_uint32_t)unit_below(&seed, PIECE - blocks[k].begin);
            assert_int_equal(seed_requests_push(&peer.requests, &blocks[k], 10), 1);
        }
        while (seed_send(&peer, ends[0], source, NULL, buffer, 1 + unit_below(&seed, 100000), NOW, &sent) == SEED_SEND_MORE)
            ;
        assert_false(seed_peer_has_output(&peer));
        for (int k = 0; k < number; k++) {
            size_t size = PW_PIECE_HEADER + blocks[k].length;
            assert_int_equal(recv(ends[1], got, size, MSG_WAITALL), size);
            assert_int_equal(pw_get_u32(got + 5), blocks[k].piece);
            assert_memory_equal(got + PW_PIECE_HEADER, all + seed_content_offset(&content, &blocks[k]), blocks[k].length);
        }
    }
    seed_peer_free(&peer);
    close(ends[0]);
    close(ends[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(random_reads_of_random_files),
        TEST(every_offset_of_small_files),
        TEST(a_single_file_ends_in_zeros),
        TEST(no_more_files_than_the_bound),
        TEST(what_was_used_last_stays_open),
        TEST(one_bound_for_all_torrents),
        TEST(what_is_idle_is_closed_and_opened_again),
        TEST(another_file_in_its_place_is_noticed),
        TEST(out_of_descriptors),
        TEST(a_change_is_seen_before_a_read),
        TEST(a_change_is_seen_by_the_sweep),
        TEST(sweeps_take_turns),
        TEST(what_is_open_is_looked_at_at_once),
        TEST(a_changed_one_does_not_open),
        TEST(a_path_that_is_too_long),
        TEST(blocks_to_a_peer),
    };

    apr_initialize();
    return cmocka_run_group_tests_name("source", tests, NULL, NULL);
}
