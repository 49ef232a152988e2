#include "t/unit/unit.h"

#include <apr_strings.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "t/unit/naive.h"
#include "torrentgen/job.h"
#include "torrentgen/metainfo.h"

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

/* --- what was made, against the naive hashes, and read back -------------------------------------------------------- */

static void check_hashes(const tg_torrent *torrent, const tg_metainfo *meta, const unsigned char *data, size_t length)
{
    size_t piece = torrent->piece_length, pieces = (length + piece - 1) / piece;
    unsigned char zero[32] = {0}, root[32], digest[32];

    if (torrent->version & TG_V1) {
        unsigned char *hashes = naive_v1(data, length, piece);

        assert_int_equal(meta->pieces_length, 20 * pieces);
        if (pieces)
            assert_memory_equal(meta->pieces, hashes, 20 * pieces);
        free(hashes);
        SHA1(torrent->infodict, torrent->infodict_length, digest);
        assert_memory_equal(torrent->v1.b, digest, 20);
    } else {
        assert_null(meta->pieces);
        assert_memory_equal(torrent->v1.b, zero, 20);
    }
    if (torrent->version & TG_V2) {
        SHA256(torrent->infodict, torrent->infodict_length, digest);
        assert_memory_equal(torrent->v2.b, digest, 32);
    } else {
        assert_memory_equal(torrent->v2.b, zero, 32);
    }
    memset(root, 0, sizeof root);
    if (length && torrent->version & TG_V2)
        naive_root(data, length, root);
    assert_memory_equal(torrent->root, root, 32);
    assert_memory_equal(meta->files[0].root, root, 32);
    if (length > piece && torrent->version & TG_V2) {
        unsigned char *layer = naive_layer(data, length, piece);

        assert_int_equal(torrent->layer_length, 32 * pieces);
        assert_memory_equal(torrent->layer, layer, 32 * pieces);
        free(layer);
    } else {
        assert_null(torrent->layer);
        assert_int_equal(torrent->layer_length, 0);
    }
}

static void check_torrent(const tg_torrent *torrent, const char *name, const unsigned char *data, size_t length)
{
    static const tg_envelope envelope;
    const char *why = NULL;
    tg_metainfo meta;
    bt_buf buf;

    bt_buf_init(&buf, 1 << 24);
    assert_int_equal(tg_metainfo_write(&buf, torrent, &envelope), APR_SUCCESS);
    assert_int_equal(tg_metainfo_read(buf.data, buf.length, pool, &meta, &why), APR_SUCCESS);
    assert_int_equal(meta.file_count, 1);
    assert_string_equal(meta.name, name);
    assert_string_equal(meta.files[0].path, name);
    assert_true(meta.files[0].length == (apr_int64_t)length && meta.torrent.length == (apr_int64_t)length);
    assert_true(torrent->length == (apr_int64_t)length);
    assert_int_equal(meta.torrent.version, torrent->version);
    assert_memory_equal(meta.torrent.v1.b, torrent->v1.b, 20);
    assert_memory_equal(meta.torrent.v2.b, torrent->v2.b, 32);
    assert_memory_equal(meta.torrent.v1_keyless.b, torrent->v1_keyless.b, 20);
    assert_int_equal(meta.torrent.layer_length, torrent->layer_length);
    check_hashes(torrent, &meta, data, length);
    bt_buf_free(&buf);
}

static void make_and_check(const char *path, const unsigned char *data, size_t length, apr_uint32_t piece_length)
{
    for (int version = TG_V1; version <= TG_HYBRID; version++) {
        const tg_request request = {
            .path = path, .name = "the file", .version = (tg_version)version, .piece_length = piece_length};
        tg_torrent torrent;
        bt_stamp stamp, now;

        assert_int_equal(tg_make(&request, pool, &torrent, &stamp), APR_SUCCESS);
        assert_int_equal(torrent.piece_length, piece_length ? piece_length : tg_piece_length_for((apr_int64_t)length));
        assert_int_equal(bt_stamp_path(path, &now), APR_SUCCESS);
        assert_true(bt_stamp_equal(&stamp, &now));
        check_torrent(&torrent, "the file", data, length);
    }
    apr_pool_clear(pool);
}

static void test_tricky_sizes(void **state)
{
    static const apr_uint32_t pieces[] = {16384, 65536, 262144};
    static unsigned char data[1 << 20];
    uint64_t random = 0x51;

    unit_fill(&random, data, sizeof data);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        size_t piece = pieces[i];
        size_t sizes[] = {0,         1,         16383,         16384,     16385,         piece - 1,
                          piece,     piece + 1, 3 * piece - 1, 3 * piece, 3 * piece + 1, piece + 16384,
                          131071,    131072,    131073,        1 + unit_below(&random, sizeof data)};

        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            char *path = naive_file("f", data, sizes[s]);

            make_and_check(path, data, sizes[s], (apr_uint32_t)piece);
            free(path);
        }
    }
}

static void test_piece_length_by_table(void **state)
{
    static unsigned char data[100000];
    uint64_t random = 0x52;
    char *path;

    unit_fill(&random, data, sizeof data);
    path = naive_file("f", data, sizeof data);
    make_and_check(path, data, sizeof data, 0);
    free(path);
}

/* --- an engine with several lanes must be able to stand behind the interface ---------------------------------------- */

struct tg_hasher {
    SHA_CTX lane[TG_LANES_MAX];
    int lanes;
};
enum { LANES = 4 };

/* The plain functions of OpenSSL are old-fashioned, and for that reason right for a second opinion. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

static apr_status_t lanes_create(tg_hasher **hasher)
{
    *hasher = calloc(1, sizeof **hasher);
    return *hasher ? APR_SUCCESS : APR_ENOMEM;
}

static void lanes_destroy(tg_hasher *hasher)
{
    free(hasher);
}

static apr_status_t lanes_sha256(tg_hasher *hasher, const unsigned char *blocks, apr_size_t size, apr_size_t count,
                                 unsigned char *out)
{
    for (apr_size_t i = 0; i < count; i++) {
        unsigned char digest[32];

        SHA256(blocks + i * size, size, digest);
        memcpy(out + 32 * i, digest, 32);
    }
    return APR_SUCCESS;
}

static apr_status_t lanes_begin(tg_hasher *hasher, int lanes)
{
    assert_in_range(lanes, 1, LANES);
    hasher->lanes = lanes;
    for (int i = 0; i < lanes; i++)
        SHA1_Init(&hasher->lane[i]);
    return APR_SUCCESS;
}

static apr_status_t lanes_update(tg_hasher *hasher, int lanes, const unsigned char *const *data, apr_size_t length)
{
    assert_int_equal(lanes, hasher->lanes);
    for (int i = 0; i < lanes; i++)
        SHA1_Update(&hasher->lane[i], data[i], length);
    return APR_SUCCESS;
}

static apr_status_t lanes_end(tg_hasher *hasher, int lanes, unsigned char *out)
{
    assert_int_equal(lanes, hasher->lanes);
    for (int i = 0; i < lanes; i++)
        SHA1_Final(out + 20 * i, &hasher->lane[i]);
    return APR_SUCCESS;
}

static const tg_engine four_lanes = {"four lanes", LANES,       lanes_create, lanes_destroy,
                                     lanes_sha256, lanes_begin, lanes_update, lanes_end};

static void test_an_engine_with_lanes(void **state)
{
    static unsigned char data[11 * 32768 + 777];
    static const int never;
    uint64_t random = 0x53;
    char *path;
    tg_worker worker;

    unit_fill(&random, data, sizeof data);
    path = naive_file("f", data, sizeof data);
    assert_int_equal(tg_worker_init(&worker, &four_lanes), APR_SUCCESS);
    for (int version = TG_V1; version <= TG_HYBRID; version++)
        for (int run = 1; run <= 12; run++) {
            const tg_request request = {
                .path = path, .name = "lanes", .version = (tg_version)version, .piece_length = 32768};
            tg_job job;
            tg_result result;

            assert_int_equal(tg_job_init(&job, &request), APR_SUCCESS);
            assert_int_equal(tg_job_start(&job), APR_SUCCESS);
            assert_int_equal(tg_job_pieces(&job), 12);
            for (apr_int64_t first = (11 / run) * run; first >= 0; first -= run) /* runs in any order */
                assert_int_equal(tg_job_hash(&job, &worker, first, 12 - first < run ? 12 - first : run, 0, &never),
                                 APR_SUCCESS);
            assert_int_equal(tg_job_finish(&job, &worker, APR_SUCCESS, &result), APR_SUCCESS);
            check_torrent(&result.torrent, "lanes", data, sizeof data);
            tg_job_free(&job);
        }
    tg_worker_free(&worker);
    free(path);
}

/* --- what cannot be hashed ------------------------------------------------------------------------------------------ */

static apr_status_t make(const char *path, const char *name, apr_uint32_t piece_length)
{
    const tg_request request = {.path = path, .name = name, .version = TG_HYBRID, .piece_length = piece_length};
    tg_torrent torrent;

    return tg_make(&request, pool, &torrent, NULL);
}

static void test_refusals(void **state)
{
    char *path = naive_file("f", "x", 1), *fifo = apr_pstrcat(pool, naive_directory(), "/fifo", NULL);

    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(make(fifo, "f", 0), APR_EINVAL); /* and does not wait for a writer */
    assert_int_equal(make(naive_directory(), "f", 0), APR_EINVAL);
    assert_int_equal(make("/dev/zero", "f", 0), APR_EINVAL);
    assert_true(APR_STATUS_IS_ENOENT(make("/nonexistent/file", "f", 0)));
    assert_int_equal(make(path, "a/b", 0), APR_EINVAL);
    assert_int_equal(make(path, "", 0), APR_EINVAL);
    assert_int_equal(make(path, "\xff", 0), APR_EINVAL);
    assert_int_equal(make(path, "f", 16385), APR_EINVAL);
    assert_int_equal(make(path, "f", 8192), APR_EINVAL);
    assert_int_equal(make(path, "f", 32 << 20), APR_EINVAL);
    assert_int_equal(make(path, "f", 16384), APR_SUCCESS);
    free(path);
}

static void test_too_many_pieces(void **state)
{
    char *path = naive_file("sparse", "", 0);

    if (truncate(path, ((apr_int64_t)TG_PIECES_MAX << 14) + 1) != 0)
        fail_msg("no sparse file of 32 GiB on this file system");
    assert_int_equal(make(path, "f", 16384), EFBIG);
    assert_int_equal(unlink(path), 0);
    free(path);
}

/* --- a file that changes: at each step of a job --------------------------------------------------------------------- */

typedef void change_fn(const char *path);

static void rewrite_in_place(const char *path)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    assert_int_equal(pwrite(fd, "y", 1, 3), 1);
    close(fd);
}

static void cut(const char *path)
{
    assert_int_equal(truncate(path, 100), 0);
}

static void append(const char *path)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

    assert_int_equal(write(fd, "y", 1), 1);
    close(fd);
}

static void replace(const char *path)
{
    static char data[100000];
    char *other = naive_file("other", data, sizeof data);

    assert_int_equal(rename(other, path), 0);
    free(other);
}

static void replace_by_fifo(const char *path)
{
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
}

static void delete(const char *path)
{
    assert_int_equal(unlink(path), 0);
}

/* The same bytes, and the modification time put back: the change time still tells. */
static void touch_and_hide_it(const char *path)
{
    struct stat before;
    struct timespec times[2];

    assert_int_equal(stat(path, &before), 0);
    rewrite_in_place(path);
    times[0] = before.st_atim;
    times[1] = before.st_mtim;
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void change_at_step(change_fn *change, int step)
{
    static char data[100000];
    static const int never;
    char *path = naive_file("changing", data, sizeof data);
    const tg_request request = {.path = path, .name = "f", .version = TG_HYBRID, .piece_length = 16384};
    apr_status_t status = APR_SUCCESS;
    tg_result result;
    tg_worker worker;
    tg_job job;

    assert_int_equal(tg_worker_init(&worker, tg_engine_default()), APR_SUCCESS);
    assert_int_equal(tg_job_init(&job, &request), APR_SUCCESS);
    assert_int_equal(tg_job_start(&job), APR_SUCCESS);
    for (int piece = 0; piece < tg_job_pieces(&job) && status == APR_SUCCESS; piece++) {
        if (piece == step)
            change(path);
        status = tg_job_hash(&job, &worker, piece, 1, 0, &never);
    }
    if (step == tg_job_pieces(&job))
        change(path);
    status = tg_job_finish(&job, &worker, status, &result);
    assert_string_equal(result.culprit, path);
    assert_int_equal(status, APR_EBUSY);
    tg_job_free(&job);
    tg_worker_free(&worker);
    unlink(path);
    free(path);
}

static void test_a_change_is_seen_whenever_it_comes(void **state)
{
    static change_fn *const changes[] = {rewrite_in_place, cut, append, replace, replace_by_fifo, delete, touch_and_hide_it};

    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        for (int step = 0; step <= 7; step++)
            change_at_step(changes[i], step);
}

static void test_cancelled(void **state)
{
    static const int always = 1;
    char *path = naive_file("f", "hello", 5);
    const tg_request request = {.path = path, .name = "f", .version = TG_HYBRID, .piece_length = 16384};
    tg_worker worker;
    tg_job job;

    assert_int_equal(tg_worker_init(&worker, tg_engine_default()), APR_SUCCESS);
    assert_int_equal(tg_job_init(&job, &request), APR_SUCCESS);
    assert_int_equal(tg_job_start(&job), APR_SUCCESS);
    assert_int_equal(tg_job_hash(&job, &worker, 0, 1, 0, &always), APR_EINTR);
    tg_job_free(&job);
    tg_worker_free(&worker);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tricky_sizes),
        cmocka_unit_test(test_piece_length_by_table),
        cmocka_unit_test(test_an_engine_with_lanes),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_too_many_pieces),
        cmocka_unit_test(test_a_change_is_seen_whenever_it_comes),
        cmocka_unit_test(test_cancelled),
    };

    return cmocka_run_group_tests(tests, make_pool, clean);
}
