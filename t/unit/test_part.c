#include "config.h"
#include "t/unit/unit.h"

#include <apr_general.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "t/unit/naive.h"
#include "torrentgen/part.h"

static const int never;
static tg_worker workers[3];
static int worker_count;

static void add_worker(const tg_engine *engine)
{
    if (tg_worker_init(&workers[worker_count], engine) == APR_SUCCESS)
        worker_count++;
    else
        tg_worker_free(&workers[worker_count]);
}

static int make_workers(void **state)
{
    add_worker(&tg_engine_openssl);
#ifdef HAVE_IPSEC_MB
    add_worker(&tg_engine_avx2);
    add_worker(&tg_engine_avx512);
#endif
    return worker_count ? 0 : -1;
}

static int free_workers(void **state)
{
    while (worker_count--)
        tg_worker_free(&workers[worker_count]);
    naive_clean();
    return 0;
}

/* --- every size, all engines, all versions, against the naive hashes --------------------------------------------------- */

static unsigned char *naive_padded(const unsigned char *data, size_t length, size_t piece)
{
    size_t pieces = (length + piece - 1) / piece;
    unsigned char *all = calloc(pieces + 1, piece), *hashes;

    memcpy(all, data, length);
    hashes = naive_v1(all, pieces * piece, piece);
    free(all);
    return hashes;
}

static void check_results(const tg_part *part, const unsigned char *data, size_t length)
{
    size_t pieces = (length + part->piece_length - 1) / part->piece_length;
    unsigned char *expected = part->padded ? naive_padded(data, length, part->piece_length)
                                           : naive_v1(data, length, part->piece_length);

    if (part->version & TG_V1)
        assert_memory_equal(part->sha1, expected, 20 * pieces);
    free(expected);
    if (!(part->version & TG_V2) || !length)
        return;
    if (length > part->piece_length) {
        expected = naive_layer(data, length, part->piece_length);
    } else {
        expected = malloc(32);
        naive_root(data, length, expected);
    }
    assert_memory_equal(part->layer, expected, 32 * pieces);
    free(expected);
}

static void hash_and_check(const char *path, const unsigned char *data, size_t length, size_t piece, int v2_too)
{
    size_t pieces = (length + piece - 1) / piece;
    unsigned char *sha1 = malloc(20 * pieces + 1), *layer = malloc(32 * pieces + 1);
    tg_part part = {.path = path, .piece_length = (apr_uint32_t)piece, .sha1 = sha1, .layer = layer};

    assert_int_equal(truncate(path, (off_t)length), 0);
    assert_int_equal(bt_stamp_path(path, &part.stamp), APR_SUCCESS);
    for (int w = 0; w < worker_count; w++)
        for (int version = TG_V1; version <= (v2_too ? TG_HYBRID : TG_V1); version++)
            for (part.padded = 0; part.padded <= 1; part.padded++) {
                part.version = (tg_version)version;
                memset(sha1, 0, 20 * pieces);
                memset(layer, 0, 32 * pieces);
                assert_int_equal(tg_part_hash(&part, &workers[w], 0, (apr_int64_t)pieces, &never), APR_SUCCESS);
                check_results(&part, data, length);
            }
    free(sha1);
    free(layer);
}

/* From the largest size down, so that the file need not be written again. */
static void test_every_size_of_small_pieces(void **state)
{
    static const struct {
        size_t piece, pieces;
    } cases[] = {{1, 20}, {61, 19}, {64, 18}, {100, 3}, {1000, 3}};
    static unsigned char data[4000];
    uint64_t random = 0x71;

    unit_fill(&random, data, sizeof data);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t most = cases[i].piece * cases[i].pieces + 1;
        char *path = naive_file("f", data, most);

        for (size_t length = most + 1; length-- > 0;)
            hash_and_check(path, data, length, cases[i].piece, 0);
        free(path);
    }
}

/* Every size near an edge of blocks, pieces, lanes and chunks, and others at random. */
static void test_sizes_of_real_pieces(void **state)
{
    static const size_t lengths[] = {16384, 65536};
    static unsigned char data[20 * 65536];
    uint64_t random = 0x72;

    unit_fill(&random, data, sizeof data);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        size_t piece = lengths[i], most = 18 * piece + 1;
        char *path = naive_file("f", data, most);

        for (size_t edge = 18 * piece;; edge -= edge > 3 * piece ? piece : 16384) {
            for (size_t length = edge + 1; length + 2 > edge && length <= most; length--)
                hash_and_check(path, data, length, piece, 1);
            if (edge)
                hash_and_check(path, data, edge - 1 - unit_below(&random, 16384), piece, 1);
            if (!edge)
                break;
        }
        free(path);
    }
}

/* Lengths that v1 torrents of others may have. */
static void test_odd_piece_lengths(void **state)
{
    static const size_t lengths[] = {16384 + 1, 3 * 16384, 100000, 700001};
    static unsigned char data[5 * 700001];
    uint64_t random = 0x73;

    unit_fill(&random, data, sizeof data);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        char *path = naive_file("f", data, sizeof data);

        hash_and_check(path, data, sizeof data, lengths[i], 0);
        hash_and_check(path, data, 2 * lengths[i] + 77, lengths[i], 0);
        free(path);
    }
}

static void test_runs_in_any_order(void **state)
{
    static unsigned char data[37 * 16384 + 5];
    unsigned char sha1[38 * 20], layer[38 * 32];
    uint64_t random = 0x74;
    char *path;
    tg_part part = {.version = TG_HYBRID, .piece_length = 16384, .sha1 = sha1, .layer = layer};

    unit_fill(&random, data, sizeof data);
    part.path = path = naive_file("f", data, sizeof data);
    assert_int_equal(bt_stamp_path(path, &part.stamp), APR_SUCCESS);
    for (int w = 0; w < worker_count; w++)
        for (int run = 1; run <= 38; run++) {
            memset(sha1, 0, sizeof sha1);
            memset(layer, 0, sizeof layer);
            for (int first = (37 / run) * run; first >= 0; first -= run)
                assert_int_equal(tg_part_hash(&part, &workers[w], first, 38 - first < run ? 38 - first : run, &never), APR_SUCCESS);
            check_results(&part, data, sizeof data);
        }
    free(path);
}

static void test_runs_fill_lanes(void **state)
{
    for (int w = 0; w < worker_count; w++)
        for (apr_int64_t size = 1; size < (apr_int64_t)1 << 41; size *= 3) {
            const tg_part part = {.stamp = {.size = size}, .piece_length = tg_piece_length_for(size)};
            apr_int64_t run = tg_part_run(&part, &workers[w]), lanes = workers[w].engine->lanes;

            assert_true(run >= lanes && run % lanes == 0);
            assert_true(run * part.piece_length <= 64 << 20 || run == lanes);
        }
}

/* --- the digest of the whole, of the same bytes ------------------------------------------------------------------------- */

static void test_digest(void **state)
{
    static unsigned char data[3000001];
    unsigned char sha1[46 * 20], layer[46 * 32], whole[32], expected[32];
    uint64_t random = 0x75;
    tg_digest digest = {0}, alone = {0};
    tg_part part = {.version = TG_HYBRID, .piece_length = 65536, .sha1 = sha1, .layer = layer, .digest = &digest};
    char *path;

    unit_fill(&random, data, sizeof data);
    part.path = path = naive_file("f", data, sizeof data);
    assert_int_equal(bt_stamp_path(path, &part.stamp), APR_SUCCESS);
    assert_int_equal(tg_digest_begin(&digest), APR_SUCCESS);
    for (int first = 0; first < 46; first += 20)
        assert_int_equal(tg_part_hash(&part, &workers[0], first, 46 - first < 20 ? 46 - first : 20, &never), APR_SUCCESS);
    assert_int_equal(tg_digest_end(&digest, whole), APR_SUCCESS);
    assert_memory_equal(SHA256(data, sizeof data, expected), whole, 32);
    check_results(&part, data, sizeof data);
    assert_int_equal(tg_digest_begin(&alone), APR_SUCCESS);
    assert_int_equal(tg_digest_add_alone(&alone, path, &part.stamp, 0, 1000000, &never), APR_SUCCESS);
    assert_int_equal(tg_digest_add_alone(&alone, path, &part.stamp, 1000000, 2000001, &never), APR_SUCCESS);
    assert_int_equal(tg_digest_end(&alone, whole), APR_SUCCESS);
    assert_memory_equal(expected, whole, 32);
    tg_digest_free(&digest);
    tg_digest_free(&alone);
    free(path);
}

/* --- what goes wrong ------------------------------------------------------------------------------------------------------ */

enum { SMALL = 40 * 16384 };

static apr_status_t hash_small(tg_worker *worker, const char *path, const bt_stamp *stamp, apr_int64_t first, apr_int64_t count,
                               const int *cancel)
{
    static unsigned char sha1[40 * 20], layer[40 * 32];
    const tg_part part = {
        .path = path, .stamp = *stamp, .version = TG_HYBRID, .piece_length = 16384, .sha1 = sha1, .layer = layer};

    return tg_part_hash(&part, worker, first, count, cancel);
}

static void test_failures(void **state)
{
    static unsigned char data[SMALL];
    static const int always = 1;
    char *path = naive_file("f", data, sizeof data), *other = naive_file("other", data, sizeof data);
    bt_stamp stamp, longer;

    assert_int_equal(bt_stamp_path(path, &stamp), APR_SUCCESS);
    for (int w = 0; w < worker_count; w++) {
        tg_worker *worker = &workers[w];

        assert_int_equal(hash_small(worker, path, &stamp, 0, 40, &always), APR_EINTR);
        assert_int_equal(hash_small(worker, other, &stamp, 0, 40, &never), APR_EBUSY);
        assert_int_equal(hash_small(worker, "/nonexistent/file", &stamp, 0, 40, &never), APR_EBUSY);
        assert_int_equal(hash_small(worker, "/dev/zero", &stamp, 0, 40, &never), APR_EBUSY);
        assert_int_equal(hash_small(worker, naive_directory(), &stamp, 0, 40, &never), APR_EBUSY);
        assert_int_equal(hash_small(worker, path, &stamp, 0, 40, &never), APR_SUCCESS); /* and it is none the worse */
    }
    assert_int_equal(truncate(path, SMALL + 1), 0);
    assert_int_equal(bt_stamp_path(path, &longer), APR_SUCCESS);
    for (int w = 0; w < worker_count; w++)
        assert_int_equal(hash_small(&workers[w], path, &stamp, 0, 40, &never), APR_EBUSY);
    free(path);
    free(other);
}

/* A file is cut short between two reads: an engine does it, at the first hash that it is asked for. */
static const tg_engine *engine_below;
static const char *path_to_cut;

static apr_status_t cut_then_hash(tg_hasher *hasher, const unsigned char *blocks, apr_size_t size, apr_size_t count, unsigned char *out)
{
    assert_int_equal(truncate(path_to_cut, 100), 0);
    return engine_below->sha256_blocks(hasher, blocks, size, count, out);
}

static void test_shrinks_while_it_is_read(void **state)
{
    static unsigned char data[SMALL];

    for (int w = 0; w < worker_count; w++) {
        tg_engine cutting = *workers[w].engine;
        char *path = naive_file("f", data, sizeof data);
        tg_worker worker = workers[w];
        bt_stamp stamp;

        engine_below = workers[w].engine;
        path_to_cut = path;
        cutting.sha256_blocks = cut_then_hash;
        worker.engine = &cutting;
        assert_int_equal(bt_stamp_path(path, &stamp), APR_SUCCESS);
        assert_int_equal(hash_small(&worker, path, &stamp, 0, 40, &never), APR_EBUSY);
        workers[w].leaves = worker.leaves; /* it may have grown */
        workers[w].leaves_room = worker.leaves_room;
        free(path);
    }
}

/* A process's own memory can be opened and, at its start, not be read: the only regular file whose reading fails that there is
 * everywhere. */
static void test_read_error(void **state)
{
    bt_stamp stamp;

    assert_int_equal(bt_stamp_path("/proc/self/mem", &stamp), APR_SUCCESS);
    stamp.size = 0;
    for (int w = 0; w < worker_count; w++) {
        unsigned char sha1[20];
        tg_intake intake;

        assert_int_equal(tg_intake_open(&intake, "/proc/self/mem", &stamp, 0, 16384), APR_SUCCESS);
        tg_intake_ahead(&intake, 0, 16384);
        assert_int_equal(tg_intake_read(&intake, sha1, sizeof sha1, 0), EIO);
        tg_intake_close(&intake);
    }
}

/* --- the page cache ----------------------------------------------------------------------------------------------------- */

static size_t cached_pages(const char *path, size_t length)
{
    size_t pages = (length + 4095) / 4096, found = 0;
    unsigned char *there = malloc(pages);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    void *map = mmap(NULL, length, PROT_READ, MAP_SHARED, fd, 0);

    assert_ptr_not_equal(map, MAP_FAILED);
    assert_int_equal(mincore(map, length, there), 0);
    for (size_t i = 0; i < pages; i++)
        found += there[i] & 1;
    munmap(map, length);
    close(fd);
    free(there);
    return found;
}

static void drop_from_cache(const char *path, off_t offset)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    assert_int_equal(fsync(fd), 0);
    assert_int_equal(posix_fadvise(fd, offset, 0, POSIX_FADV_DONTNEED), 0);
    close(fd);
}

/* On a file system that lives in the page cache, nothing can be dropped, and all must stay. */
static void test_leaves_the_page_cache_as_it_was(void **state)
{
    enum { LENGTH = 12 << 20, HALF = LENGTH / 2 };
    unsigned char *data = malloc(LENGTH), sha1[192 * 20], layer[192 * 32];
    uint64_t random = 0x76;
    tg_part part = {.version = TG_HYBRID, .piece_length = 65536, .sha1 = sha1, .layer = layer};
    char *path;

    unit_fill(&random, data, LENGTH);
    part.path = path = naive_file("f", data, LENGTH);
    assert_int_equal(bt_stamp_path(path, &part.stamp), APR_SUCCESS);
    for (int w = 0; w < worker_count; w++)
        for (int piece = 0; piece < 2; piece++) {
            size_t before, after;

            part.piece_length = piece ? 2 << 20 : 65536;
            drop_from_cache(path, HALF);
            before = cached_pages(path, LENGTH);
            assert_true(before >= HALF / 4096);
            assert_int_equal(tg_part_hash(&part, &workers[w], 0, LENGTH / part.piece_length, &never), APR_SUCCESS);
            check_results(&part, data, LENGTH);
            after = cached_pages(path, LENGTH);
            assert_true(after >= HALF / 4096);
            assert_true(after <= before + 64); /* a granule that lies half in memory may be taken for cached */
            assert_int_equal(hash_small(&workers[w], path, &part.stamp, 0, 40, &never), APR_SUCCESS);
        }
    free(path);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_size_of_small_pieces), cmocka_unit_test(test_sizes_of_real_pieces),
        cmocka_unit_test(test_odd_piece_lengths),          cmocka_unit_test(test_runs_in_any_order),
        cmocka_unit_test(test_runs_fill_lanes),            cmocka_unit_test(test_digest),
        cmocka_unit_test(test_failures),                   cmocka_unit_test(test_shrinks_while_it_is_read),
        cmocka_unit_test(test_read_error),                 cmocka_unit_test(test_leaves_the_page_cache_as_it_was),
    };

    return cmocka_run_group_tests(tests, make_workers, free_workers);
}
