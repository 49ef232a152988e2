/* Many processes and threads at one table; some are killed wherever they happen to be. Afterwards the table is sound, the
 * others were never held up, and no more was lost than what the killed ones were changing. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "swarms_kit.h"

enum { MEGABYTE = 1024 * 1024, CHILDREN = 4, THREADS = 4 };

#ifdef __SANITIZE_THREAD__
enum { ROUNDS = 20, EACH_THREAD = 4000 };
#elif defined(__SANITIZE_ADDRESS__)
enum { ROUNDS = 60, EACH_THREAD = 20000 };
#else
enum { ROUNDS = 200, EACH_THREAD = 40000 };
#endif

/* A child that works until it is killed or told to stop, and writes a byte now and then while it gets on. */
typedef struct {
    pid_t pid;
    int progress; /* the pipe's end to read from */
} child;

/* Everything that can be done to a table, at random, mostly in few swarms so that they meet. */
static void hammer(trk_swarms *swarms, uint64_t *random)
{
    uint64_t what = trk_random(random) % 1000;
    uint32_t who = (uint32_t)(trk_random(random) % 30000), swarm = (uint32_t)(trk_random(random) % 3);
    trk_announce announce = kit_announce(swarm, who % 3, who % 11 ? TRK_EVENT_NONE : TRK_EVENT_STOPPED);
    trk_address from = who % 4 ? kit_v4(0x0b000000 + who, 1) : kit_v6(who, 1);
    bt_infohash hash = kit_hash((uint32_t)trk_random(random) % 3000);
    apr_time_t now = kit_start + (apr_time_t)(trk_random(random) % 3600) * APR_USEC_PER_SEC;
    trk_scrape numbers;
    trk_totals totals;
    trk_answer answer;

    if (what < 700)
        announce.hash = hash;
    if (what < 990)
        trk_swarms_announce(swarms, &kit_policy, &announce, &from, NULL, 0, now, trk_random(random), &answer);
    else if (what < 996)
        trk_swarms_scrape(swarms, &hash, now, &numbers);
    else if (what < 997)
        trk_swarms_totals(swarms, &totals);
    else if (what < 998)
        trk_swarms_drop(swarms, &hash);
    else
        trk_swarms_expire(swarms, (unsigned)who, now, kit_policy.interval);
}

static child start_child(trk_swarms *swarms, const int *stop, uint64_t random)
{
    enum { A_BYTE_EACH = 16 /* announces */ };
    child made;
    int ends[2];

    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    made.progress = ends[0];
    made.pid = fork();
    assert_true(made.pid >= 0);
    if (made.pid == 0) {
        for (uint64_t done = 1; !__atomic_load_n(stop, __ATOMIC_RELAXED); done++) {
            hammer(swarms, &random);
            if (done % A_BYTE_EACH == 0 && write(ends[1], "+", 1) < 0 && errno != EAGAIN)
                _exit(1);
        }
        _exit(0);
    }
    close(ends[1]);
    return made;
}

/* Waits until a child has got on by so many bytes from now; a hang is caught by the alarm in main. */
static void wait_for(const child *who, uint64_t bytes)
{
    struct pollfd wait = {who->progress, POLLIN, 0};
    char some[4096];
    ssize_t got;

    while (read(who->progress, some, sizeof some) > 0)
        ; /* what was before */
    while (bytes > 0) {
        assert_int_equal(poll(&wait, 1, -1), 1);
        got = read(who->progress, some, bytes < sizeof some ? bytes : sizeof some);
        assert_true(got > 0);
        bytes -= (uint64_t)got;
    }
}

static void check_killing(size_t size, int rounds)
{
    trk_swarms *swarms = kit_new(size);
    int *stop = mmap(NULL, sizeof *stop, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint64_t random = size;
    child children[CHILDREN];
    int status;

    assert_ptr_not_equal(stop, MAP_FAILED);
    for (int i = 0; i < CHILDREN; i++)
        children[i] = start_child(swarms, stop, trk_random(&random));
    for (int round = 0; round < rounds; round++) {
        child *victim = &children[trk_random(&random) % CHILDREN];

        wait_for(victim, trk_random(&random) % 12);
        assert_int_equal(kill(victim->pid, SIGKILL), 0);
        assert_int_equal(waitpid(victim->pid, &status, 0), victim->pid);
        assert_true(WIFSIGNALED(status));
        close(victim->progress);
        *victim = start_child(swarms, stop, trk_random(&random));
        wait_for(&children[round % CHILDREN], 3); /* the others go on */
        if (round % 10 == 0)
            kit_sound(swarms);
    }
    __atomic_store_n(stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < CHILDREN; i++) {
        assert_int_equal(waitpid(children[i].pid, &status, 0), children[i].pid);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        close(children[i].progress);
    }
    kit_sound(swarms);
    munmap(stop, sizeof *stop);
    kit_free(swarms);
}

static void test_killed_with_room(void **state)
{
    check_killing(16 * MEGABYTE, ROUNDS);
}

/* With no room left, processes also reach into each other's shards. */
static void test_killed_in_a_full_table(void **state)
{
    check_killing(TRK_MEMORY_MIN, ROUNDS);
}

/* Dies with a lock in its hands, after doing half of something. */
static void die_while(trk_swarms *swarms, void (*act)(trk_swarms *swarms, unsigned shard))
{
    bt_infohash hash = kit_hash(1);
    unsigned shard = trk_shard_of(trk_hash(swarms, hash.b, sizeof hash.b));
    int status;
    pid_t dying = fork();

    assert_true(dying >= 0);
    if (dying == 0) {
        if (trk_shard_lock(swarms, shard) == APR_SUCCESS)
            act(swarms, shard);
        _exit(0);
    }
    assert_int_equal(waitpid(dying, &status, 0), dying);
    assert_true(WIFEXITED(status));
}

static trk_swarm *the_swarm(trk_swarms *swarms)
{
    bt_infohash hash = kit_hash(1);

    return trk_swarm_at(swarms, trk_swarm_find(swarms, &hash, trk_hash(swarms, hash.b, sizeof hash.b)));
}

static void do_nothing(trk_swarms *swarms, unsigned shard)
{
}

static void lose_the_index(trk_swarms *swarms, unsigned shard)
{
    memset(&swarms->shards[shard].index, 0xff, sizeof(trk_heads));
    swarms->shards[shard].swarms = 12345;
}

static void lose_the_sets(trk_swarms *swarms, unsigned shard)
{
    for (int i = 0; i < TRK_SETS; i++) {
        the_swarm(swarms)->sets[i].root = 99999999;
        the_swarm(swarms)->sets[i].heads.root = 1;
        the_swarm(swarms)->sets[i].heads.count = 77;
    }
}

static void double_a_peer(trk_swarms *swarms, unsigned shard)
{
    trk_swarm *swarm = the_swarm(swarms);

    memcpy(trk_set_record(swarms, swarm, TRK_LEECHERS4, 3), trk_set_record(swarms, swarm, TRK_LEECHERS4, 2), 12);
}

static void hold_memory_too(trk_swarms *swarms, unsigned shard)
{
    trk_kind kind = TRK_PEERS;
    trk_ref ref;

    trk_take(swarms, shard, &kind, &ref, 1); /* linked from nowhere */
    if (trk_memory_lock(swarms) == APR_SUCCESS)
        swarms->header->free_head = 0, swarms->header->free_count = 555;
}

/* @return the peers of the swarm after the next announce, and checks that all is sound */
static uint32_t after(void (*act)(trk_swarms *swarms, unsigned shard), uint32_t peers)
{
    trk_swarms *swarms = kit_new(2 * MEGABYTE);
    trk_answer answer;

    for (uint32_t i = 0; i < peers; i++) {
        kit_send(swarms, 1, i % 4 ? kit_v4(0x0b000000 + i, 1) : kit_v6(i, 1), 5, TRK_EVENT_STARTED, kit_start, &answer);
        if (i % 5 == 0)
            kit_send(swarms, 1, i % 4 ? kit_v4(0x0b000000 + i, 1) : kit_v6(i, 1), 0, TRK_EVENT_COMPLETED, kit_start, &answer);
        kit_send(swarms, 2 + i % 5, kit_v4(0x0b000000 + i, 1), 5, TRK_EVENT_NONE, kit_start, &answer);
    }
    die_while(swarms, act);
    assert_int_equal(kit_send(swarms, 1, kit_v4(0x0c000000, 1), 1, TRK_EVENT_NONE, kit_start, &answer), APR_SUCCESS);
    assert_int_equal(answer.downloaded, peers / 5);
    kit_sound(swarms);
    kit_free(swarms);
    return answer.complete + answer.incomplete - 1;
}

static void test_what_is_sound_is_kept(void **state)
{
    assert_int_equal(after(do_nothing, 1000), 1000);
    assert_int_equal(after(lose_the_index, 1000), 1000);
    assert_int_equal(after(lose_the_sets, 1000), 1000);
    assert_int_equal(after(double_a_peer, 1000), 999);
    assert_int_equal(after(hold_memory_too, 1000), 1000);
    assert_int_equal(after(do_nothing, 20), 20);
}

typedef struct {
    trk_swarms *swarms;
    uint64_t random;
} worker;

static void *work(void *data)
{
    worker *w = data;

    for (int i = 0; i < EACH_THREAD; i++)
        hammer(w->swarms, &w->random);
    return NULL;
}

static void check_threads(size_t size)
{
    trk_swarms *swarms = kit_new(size);
    pthread_t threads[THREADS];
    worker workers[THREADS];

    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker){swarms, (uint64_t)i * 1000};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    kit_sound(swarms);
    kit_free(swarms);
}

static void test_threads(void **state)
{
    check_threads(16 * MEGABYTE);
    check_threads(TRK_MEMORY_MIN);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_sound_is_kept),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_killed_with_room),
        cmocka_unit_test(test_killed_in_a_full_table),
    };

    alarm(300); /* only a hang takes so long */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
