/* A disk that does not answer: those who wait for it wait, and nobody else does. */
#include "t/unit/unit.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "seeder/mail.h"
#include "seeder/reader.h"
#include "t/unit/peer_bytes.h"
#include "t/unit/seed_world.h"

enum { PIECES = 4, SIZE = PIECES * WORLD_PIECE };

/* Under the mutex. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static ino_t cold; /* the file that is not in the page cache */
static int held, inside;
static apr_status_t answer;

static int is_cold(int file)
{
    struct stat info;

    return fstat(file, &info) == 0 && info.st_ino == cold;
}

static ssize_t peek(void *baton, int file, const struct iovec *to, int count, apr_int64_t offset)
{
    int missing;

    pthread_mutex_lock(&mutex);
    missing = is_cold(file);
    pthread_mutex_unlock(&mutex);
    if (!missing)
        return preadv(file, to, count, offset);
    errno = EAGAIN;
    return -1;
}

static apr_status_t fetch(void *baton, int file, apr_int64_t offset, apr_size_t length)
{
    apr_status_t result;

    pthread_mutex_lock(&mutex);
    inside++;
    pthread_cond_broadcast(&changed);
    while (held)
        pthread_cond_wait(&changed, &mutex);
    inside--;
    result = answer;
    pthread_mutex_unlock(&mutex);
    return result;
}

static const seed_disk disk = {peek, fetch, NULL};
static world *w;
static seed_seeder *seeder;
static const char *path;
static bt_infohash hash, other, v2;
static int peer;

static void thaw(apr_status_t result)
{
    pthread_mutex_lock(&mutex);
    held = 0;
    answer = result;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

static void wait_for_reads(int number)
{
    pthread_mutex_lock(&mutex);
    while (inside < number)
        pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
}

static int join(const bt_infohash *which)
{
    int fd = world_connect(w, 0);

    world_shake(fd, which, PW_BIT_FAST, PIECES);
    world_get_unchoked(fd);
    return fd;
}

/* A peer waits for a block of a file whose disk does not answer. */
static int set_up(void **state)
{
    struct stat info;

    w = world_make();
    w->limits.disk = &disk;
    w->config.max_peers = w->config.upload_slots = 1000;
    path = world_file(w, "cold", SIZE, TG_HYBRID, &hash, &v2);
    world_file(w, "hot", SIZE, TG_HYBRID, &other, &v2);
    stat(path, &info);
    cold = info.st_ino;
    held = 1;
    inside = 0;
    seeder = world_start(w);
    peer = join(&hash);
    world_ask(peer, 1, 16384, 16384);
    world_ask(peer, 1, 32768, 16384);
    wait_for_reads(1);
    return 0;
}

static int tear_down(void **state)
{
    thaw(APR_SUCCESS);
    if (seeder)
        world_stop(seeder, 0);
    world_free(w);
    return 0;
}

static void take_both(void)
{
    assert_int_equal(world_take_block(peer, 1, 16384), 16384);
    assert_int_equal(world_take_block(peer, 1, 32768), 16384);
    close(peer);
}

static void others_are_served_meanwhile(void **state)
{
    int quick = join(&other);

    world_download(quick, SIZE);
    world_download(quick, SIZE);
    close(quick);
    thaw(APR_SUCCESS);
    take_both();
}

/* Of the same file, too, while what they want can be read. */
static void more_of_them_wait(void **state)
{
    int more[20];

    for (int i = 0; i < 20; i++) {
        more[i] = join(&hash);
        world_ask(more[i], 0, 0, 16384);
    }
    wait_for_reads(4);
    thaw(APR_SUCCESS);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(world_take_block(more[i], 0, 0), 16384);
        close(more[i]);
    }
    take_both();
}

/* So many that some cannot even be read for: they stand in line, and those who leave it hold nobody up. */
static void more_than_can_be_read_for(void **state)
{
    enum { MORE = SEED_READER_MOST + 40 };
    int more[MORE];

    for (int i = 0; i < MORE; i++) {
        more[i] = join(&hash);
        world_ask(more[i], 0, 0, 16384);
    }
    world_wait_for(&w->config.counters->reading, MORE + 1);
    for (int i = 0; i < MORE; i += 3)
        close(more[i]);
    world_wait_for(&w->config.counters->peers, MORE - (MORE + 2) / 3 + 1);
    thaw(APR_SUCCESS);
    for (int i = 0; i < MORE; i++) {
        if (i % 3 == 0)
            continue;
        assert_int_equal(world_take_block(more[i], 0, 0), 16384);
        close(more[i]);
    }
    take_both();
    world_wait_for(&w->config.counters->reading, 0);
}

static void a_peer_that_goes_away(void **state)
{
    int quick;

    close(peer);
    world_wait_for(&w->config.counters->peers, 0);
    quick = join(&hash); /* its swarm came anew */
    world_ask(quick, 0, 0, 16384);
    wait_for_reads(2);
    thaw(APR_SUCCESS);
    assert_int_equal(world_take_block(quick, 0, 0), 16384);
    close(quick);
}

static void a_peer_that_cancels(void **state)
{
    unsigned char reject[17];
    bt_buf bytes;

    bt_buf_init(&bytes, 100);
    say(&bytes, PW_CANCEL, 1, 32768, 16384, 0);
    world_send(peer, &bytes);
    thaw(APR_SUCCESS);
    for (int got = 0; got < 1;) { /* a piece or a reject each, in any order */
        assert_true(world_read(peer, reject, 13));
        if (reject[4] == PW_REJECT) {
            assert_true(world_read(peer, reject + 13, 4));
            assert_int_equal(pw_get_u32(reject + 9), 32768);
            continue;
        }
        assert_int_equal(reject[4], PW_PIECE);
        for (int i = 0; i < 16384; i++)
            assert_true(world_read(peer, reject, 1));
        got++;
    }
    close(peer);
}

static void a_torrent_that_is_withdrawn(void **state)
{
    assert_int_equal(seed_post_withdraw(w->config.mailbox, path), APR_SUCCESS);
    world_expect_closed(peer);
    assert_int_equal(__atomic_load_n(&w->config.counters->closed[SEED_CLOSE_WITHDRAWN], __ATOMIC_RELAXED), 1);
}

static void a_file_that_changes(void **state)
{
    assert_int_equal(truncate(path, WORLD_PIECE + 20000), 0);
    world_expect_closed(peer); /* the tick finds it, the disk still being silent */
    assert_int_equal(__atomic_load_n(&w->config.counters->closed[SEED_CLOSE_WITHDRAWN], __ATOMIC_RELAXED), 1);
}

static void a_disk_that_fails(void **state)
{
    thaw(EIO);
    world_expect_closed(peer);
    assert_int_equal(__atomic_load_n(&w->config.counters->closed[SEED_CLOSE_READ_ERROR], __ATOMIC_RELAXED), 1);
}

static void the_server_stops(void **state)
{
    seed_leave(seeder, 0);
    world_expect_closed(peer);
}

/* The next seeder goes on with it, even while the last one cannot end yet. */
static void the_peer_is_handed_over(void **state)
{
    seed_limits limits = w->limits;
    seed_seeder *next;

    limits.disk = &seed_disk_kernel;
    seed_leave(seeder, 1);
    assert_int_equal(seed_start_limited(&next, &w->config, &limits, w->pool), APR_SUCCESS);
    take_both();
    thaw(APR_SUCCESS);
    seed_join(seeder);
    seeder = NULL;
    world_stop(next, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(others_are_served_meanwhile), TEST(more_of_them_wait),           TEST(more_than_can_be_read_for),
        TEST(a_peer_that_goes_away),
        TEST(a_peer_that_cancels),         TEST(a_torrent_that_is_withdrawn), TEST(a_file_that_changes),
        TEST(a_disk_that_fails),           TEST(the_server_stops),            TEST(the_peer_is_handed_over),
    };

    apr_initialize();
    return cmocka_run_group_tests_name("cold", tests, NULL, NULL);
}
