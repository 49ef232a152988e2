/* A real .torrent beside a file: adopted if it is of that file, else left alone, and a torrent of our own is made. */
#include "t/unit/unit.h"

#include <apr_strings.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "t/unit/naive.h"
#include "torrentgen/metainfo.h"
#include "torrentgen/queue.h"

enum { LENGTH = 300000, PIECE = 65536 };

static apr_pool_t *pool;
static unsigned char data[LENGTH];
static char *path;

static int set_up(void **state)
{
    uint64_t seed = 5;

    apr_initialize();
    if (apr_pool_create(&pool, NULL) != APR_SUCCESS)
        return -1;
    unit_fill(&seed, data, sizeof data);
    path = naive_file("the file", data, sizeof data);
    return 0;
}

static int clean(void **state)
{
    free(path);
    apr_pool_destroy(pool);
    naive_clean();
    return 0;
}

/* --- one request through a queue -------------------------------------------------------------------------------------- */

typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int done;
    apr_status_t status;
    tg_result result; /* its torrent copied */
} ear;

static void hear(void *baton, apr_status_t status, const tg_result *result)
{
    ear *one = baton;

    pthread_mutex_lock(&one->lock);
    one->status = status;
    one->result = *result;
    if (status == APR_SUCCESS)
        tg_torrent_copy(&one->result.torrent, &result->torrent, pool);
    one->done = 1;
    pthread_cond_broadcast(&one->changed);
    pthread_mutex_unlock(&one->lock);
}

static tg_result make(const tg_request *request)
{
    ear one = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    tg_queue *queue;

    assert_int_equal(tg_queue_create(&queue, 2, 1, pool), APR_SUCCESS);
    assert_int_equal(tg_queue_add(queue, request, NULL, hear, &one), APR_SUCCESS);
    pthread_mutex_lock(&one.lock);
    while (!one.done)
        pthread_cond_wait(&one.changed, &one.lock);
    pthread_mutex_unlock(&one.lock);
    tg_queue_stop(queue);
    assert_int_equal(one.status, APR_SUCCESS);
    return one.result;
}

static tg_result make_beside(const char *sidecar, int urgent)
{
    const tg_request request = {.path = path,
                                .name = "the file",
                                .version = TG_HYBRID,
                                .piece_length = PIECE,
                                .sidecar = sidecar,
                                .urgent = urgent,
                                .digest = !urgent};

    return make(&request);
}

static void assert_own(const tg_result *result)
{
    const tg_request request = {.path = path, .name = "the file", .version = TG_HYBRID, .piece_length = PIECE};
    tg_torrent own;

    assert_int_equal(tg_make(&request, pool, &own, NULL), APR_SUCCESS);
    assert_false(result->adopted);
    assert_memory_equal(result->torrent.v1.b, own.v1.b, 20);
    assert_memory_equal(result->torrent.v2.b, own.v2.b, 32);
    assert_int_equal(result->torrent.layer_length, own.layer_length);
    assert_memory_equal(result->torrent.layer, own.layer, own.layer_length);
}

/* --- torrents that somebody else may have made -------------------------------------------------------------------------- */

/* Of the file, or of other bytes; with a key that we do not write. */
static bt_buf foreign(const char *name, const unsigned char *bytes, apr_size_t length, tg_version version,
                      apr_uint32_t piece_length, const char *more)
{
    size_t pieces = (length + piece_length - 1) / piece_length * 20;
    unsigned char *sha1 = naive_v1(bytes, length, piece_length), root[32], *layer = NULL;
    bt_buf buf;

    bt_buf_init(&buf, 1 << 20);
    bt_buf_printf(&buf, "d7:comment5:hello4:infod");
    if (version & TG_V2) {
        naive_root(bytes, length, root);
        layer = naive_layer(bytes, length, piece_length);
        bt_buf_printf(&buf, "9:file treed%zu:%sd0:d6:lengthi%zue11:pieces root32:", strlen(name), name, length);
        bt_buf_add(&buf, root, 32);
        bt_buf_printf(&buf, "eee");
    }
    if (version & TG_V1)
        bt_buf_printf(&buf, "6:lengthi%zue", length);
    if (version & TG_V2)
        bt_buf_printf(&buf, "12:meta versioni2e");
    bt_buf_printf(&buf, "4:name%zu:%s12:piece lengthi%ue", strlen(name), name, piece_length);
    if (version & TG_V1) {
        bt_buf_printf(&buf, "6:pieces%zu:", pieces);
        bt_buf_add(&buf, sha1, pieces);
    }
    bt_buf_printf(&buf, "%se", more);
    if (version & TG_V2 && length > piece_length) {
        bt_buf_printf(&buf, "12:piece layersd32:");
        bt_buf_add(&buf, root, 32);
        bt_buf_printf(&buf, "%zu:", pieces / 20 * 32);
        bt_buf_add(&buf, layer, pieces / 20 * 32);
        bt_buf_printf(&buf, "e");
    }
    bt_buf_printf(&buf, "e");
    free(sha1);
    free(layer);
    return buf;
}

static char *beside(bt_buf *buf)
{
    char *file = naive_file("the file.torrent", buf->data, buf->length);

    bt_buf_free(buf);
    return file;
}

static void test_good_ones_are_adopted(void **state)
{
    static const apr_uint32_t pieces[] = {16384, PIECE, 524288, 50000, 123}; /* odd ones: v1 only */

    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
        for (int version = TG_V1; version <= (i < 3 ? TG_HYBRID : TG_V1); version++)
            for (int urgent = 0; urgent <= 1; urgent++) {
                bt_buf buf = foreign("the file", data, sizeof data, (tg_version)version, pieces[i], "6:source4:tape");
                char *file = beside(&buf);
                tg_result result = make_beside(file, urgent);
                bt_stamp stamp;

                assert_true(result.adopted);
                assert_null(result.sidecar_why);
                assert_int_equal(bt_stamp_path(file, &stamp), APR_SUCCESS);
                assert_true(bt_stamp_equal(&stamp, &result.sidecar));
                assert_int_equal(result.torrent.version, version);
                assert_int_equal(result.torrent.piece_length, pieces[i]);
                assert_int_equal(result.torrent.length, sizeof data);
                assert_non_null(memmem(result.torrent.infodict, result.torrent.infodict_length, "6:source4:tape", 14));
                if (version & TG_V2 && pieces[i] < sizeof data) {
                    unsigned char *layer = naive_layer(data, sizeof data, pieces[i]);

                    assert_int_equal(result.torrent.layer_length, (sizeof data + pieces[i] - 1) / pieces[i] * 32);
                    assert_memory_equal(result.torrent.layer, layer, result.torrent.layer_length);
                    free(layer);
                }
                assert_int_equal(result.has_digest, !urgent);
                free(file);
            }
}

/* A wrong byte in the file that the torrent was made of: only hashing can tell. */
static void test_wrong_hashes(void **state)
{
    static unsigned char other[LENGTH];

    memcpy(other, data, sizeof other);
    other[LENGTH - 1] ^= 1;
    for (int version = TG_V1; version <= TG_HYBRID; version++)
        for (size_t piece = 16384; piece <= PIECE; piece *= 4) { /* another piece length than ours: hashed once more */
            bt_buf buf = foreign("the file", other, sizeof other, (tg_version)version, (apr_uint32_t)piece, "");
            char *file = beside(&buf);
            tg_result result = make_beside(file, version % 2);
            unsigned char digest[32];

            assert_string_equal(result.sidecar_why, "its hashes are not those of the file");
            assert_true(result.sidecar.size > 0);
            assert_own(&result);
            SHA256(data, sizeof data, digest);
            assert_int_equal(result.has_digest, !(version % 2));
            if (result.has_digest)
                assert_memory_equal(result.digest, digest, 32);
            free(file);
        }
}

static void left_alone(bt_buf buf, const char *why)
{
    char *file = beside(&buf);
    tg_result result = make_beside(file, 1);

    assert_non_null(result.sidecar_why);
    if (why)
        assert_string_equal(result.sidecar_why, why);
    assert_own(&result);
    free(file);
}

static bt_buf text(const char *bytes)
{
    bt_buf buf;

    bt_buf_init(&buf, 1000);
    bt_buf_add_string(&buf, bytes);
    return buf;
}

static void test_those_that_are_left_alone(void **state)
{
    bt_buf hybrid = foreign("the file", data, sizeof data, TG_HYBRID, PIECE, ""), cut;

    left_alone(foreign("another", data, sizeof data, TG_HYBRID, PIECE, ""), "it is of a file of another name");
    left_alone(foreign("the file", data, sizeof data - 1, TG_V1, PIECE, ""), "it is of a file of another length");
    left_alone(foreign("the file", data, sizeof data, TG_V1, PIECE, "7:privatei1e"), "it is private");
    left_alone(text("d4:infod5:filesld6:lengthi3e4:pathl8:the fileeee4:name3:dir12:piece lengthi16384e6:pieces20:"
                    "01234567890123456789ee"),
               "it is of a directory");
    left_alone(text("this is no torrent"), "not bencoded");
    left_alone(text(""), "it is empty");
    bt_buf_init(&cut, 1 << 20);
    bt_buf_add(&cut, hybrid.data, hybrid.length - 100);
    left_alone(cut, NULL);
    bt_buf_free(&hybrid);
}

static void test_what_is_no_sidecar(void **state)
{
    char *fifo = apr_pstrcat(pool, naive_directory(), "/fifo.torrent", NULL);
    const char *const none[] = {"/nonexistent/the file.torrent", naive_directory(), fifo};

    assert_int_equal(mkfifo(fifo, 0600), 0);
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        tg_result result = make_beside(none[i], 1);

        assert_null(result.sidecar_why);
        assert_int_equal(result.sidecar.inode, 0);
        assert_own(&result);
    }
}

static void test_too_large(void **state)
{
    bt_buf buf = text("x");
    char *file = beside(&buf);
    tg_result result;

    assert_int_equal(truncate(file, 33 << 20), 0);
    result = make_beside(file, 1);
    assert_string_equal(result.sidecar_why, "it is too large");
    assert_own(&result);
    free(file);
}

/* The torrent may have the name that the file has on disk, where ours has one in UTF-8. */
static void test_a_name_that_is_not_utf8(void **state)
{
    char *odd = naive_file("na\xefve", data, sizeof data);
    bt_buf buf = foreign("na\xefve", data, sizeof data, TG_V1, PIECE, "");
    char *file = beside(&buf);
    const tg_request request = {.path = odd, .name = "na%EFve", .version = TG_V1, .sidecar = file, .urgent = 1};

    assert_true(make(&request).adopted);
    free(odd);
    free(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_ones_are_adopted), cmocka_unit_test(test_wrong_hashes),
        cmocka_unit_test(test_those_that_are_left_alone), cmocka_unit_test(test_what_is_no_sidecar),
        cmocka_unit_test(test_too_large), cmocka_unit_test(test_a_name_that_is_not_utf8),
    };

    return cmocka_run_group_tests(tests, set_up, clean);
}
