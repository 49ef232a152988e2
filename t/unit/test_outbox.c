/* The outbox, what the swarms put into it, and what they learn from other hosts. */
#include "t/unit/swarms_kit.h"

#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tracker/outbox.h"

enum { ROOM = 32768, PARCELS = 64, PUSHES = 8000 /* a thread */ };

static const unsigned char host[TRK_HOST_ID_SIZE] = "thishost";

static trk_outbox *new_outbox(void)
{
    void *memory = mmap(NULL, trk_outbox_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_ptr_not_equal(memory, MAP_FAILED);
    assert_false(trk_outbox_usable(memory, trk_outbox_size()));
    assert_int_equal(trk_outbox_format(memory, eventfd(0, EFD_NONBLOCK), host), APR_SUCCESS);
    assert_true(trk_outbox_usable(memory, trk_outbox_size()));
    return memory;
}

static void free_outbox(trk_outbox *outbox)
{
    close(trk_outbox_wake(outbox));
    munmap(outbox, trk_outbox_size());
}

static void push(trk_outbox *outbox, uint32_t number)
{
    trk_change change = {.hash = kit_hash(number), .peer = kit_v4(number, 1)};

    trk_outbox_push(outbox, &change, 7, NULL, 0);
}

static uint32_t number_of(const trk_parcel *parcel)
{
    uint32_t number;

    memcpy(&number, parcel->change.hash.b, sizeof number);
    return number;
}

static void what_is_read_stays_until_it_is_done(void **state)
{
    trk_outbox *outbox = new_outbox();
    trk_parcel parcels[PARCELS];
    apr_uint64_t upto;

    (void)state;
    for (uint32_t i = 0; i < 100; i++)
        push(outbox, i);
    for (int again = 0; again < 2; again++) {
        assert_int_equal(trk_outbox_read(outbox, parcels, PARCELS, &upto), PARCELS);
        assert_int_equal(number_of(&parcels[0]), 0);
    }
    trk_outbox_done(outbox, upto);
    assert_int_equal(trk_outbox_read(outbox, parcels, PARCELS, &upto), 100 - PARCELS);
    assert_int_equal(number_of(&parcels[0]), PARCELS);
    trk_outbox_done(outbox, upto);
    assert_int_equal(trk_outbox_read(outbox, parcels, PARCELS, &upto), 0);
    free_outbox(outbox);
}

static void when_it_is_full_the_oldest_go(void **state)
{
    trk_outbox *outbox = new_outbox();
    trk_parcel parcels[PARCELS];
    apr_uint64_t upto;

    (void)state;
    for (uint32_t i = 0; i < PARCELS; i++)
        push(outbox, i);
    trk_outbox_read(outbox, parcels, PARCELS, &upto);
    for (uint32_t i = PARCELS; i < ROOM + 1000; i++)
        push(outbox, i);
    assert_int_equal(trk_outbox_counters(outbox)->dropped, 1000);
    trk_outbox_done(outbox, upto); /* what was read then is gone already: nothing else goes for it */
    assert_int_equal(trk_outbox_read(outbox, parcels, PARCELS, &upto), PARCELS);
    assert_int_equal(number_of(&parcels[0]), 1000);
    free_outbox(outbox);
}

static int is_awake(const trk_outbox *outbox)
{
    uint64_t times;

    return read(trk_outbox_wake(outbox), &times, sizeof times) == sizeof times;
}

static void only_a_reader_that_rests_is_woken(void **state)
{
    trk_outbox *outbox = new_outbox();
    trk_parcel parcels[PARCELS];
    apr_uint64_t upto;

    (void)state;
    push(outbox, 1);
    assert_false(is_awake(outbox));
    assert_false(trk_outbox_rest(outbox));
    assert_int_equal(trk_outbox_read(outbox, parcels, PARCELS, &upto), 1);
    trk_outbox_done(outbox, upto);
    assert_true(trk_outbox_rest(outbox));
    push(outbox, 2);
    assert_true(is_awake(outbox));
    push(outbox, 3);
    assert_false(is_awake(outbox));
    free_outbox(outbox);
}

static void *push_many(void *outbox)
{
    for (uint32_t i = 0; i < PUSHES; i++)
        push(outbox, i);
    return NULL;
}

/* Children that are killed at any moment leave an outbox that others go on with. */
static void who_dies_in_it_leaves_it_sound(void **state)
{
    trk_outbox *outbox = new_outbox();
    trk_parcel parcels[PARCELS];
    apr_uint64_t upto;

    (void)state;
    for (int i = 0; i < 20; i++) {
        pid_t child = fork();
        uint64_t seen;

        assert_true(child >= 0);
        for (uint32_t n = 0; child == 0; n++)
            push(outbox, n);
        do {
            trk_outbox_read(outbox, parcels, 1, &seen);
        } while (seen == 0);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        push(outbox, 7);
        assert_int_equal(trk_outbox_read(outbox, parcels, PARCELS, &upto) > 0, 1);
        trk_outbox_done(outbox, upto);
    }
    free_outbox(outbox);
}

static void threads_lose_nothing(void **state)
{
    enum { THREADS = 4, ALL = THREADS * PUSHES };
    trk_outbox *outbox = new_outbox();
    trk_parcel parcels[PARCELS];
    pthread_t threads[THREADS];
    apr_uint64_t upto;
    int count = 0;

    (void)state;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, push_many, outbox), 0);
    while (count < ALL) {
        int read = trk_outbox_read(outbox, parcels, PARCELS, &upto);

        trk_outbox_done(outbox, upto);
        count += read;
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(trk_outbox_read(outbox, parcels, PARCELS, &upto), 0);
    assert_int_equal(trk_outbox_counters(outbox)->dropped, 0);
    free_outbox(outbox);
}

/* --- announces --- */

static void announces_are_put_into_it(void **state)
{
    trk_swarms *swarms = kit_new(TRK_MEMORY_MIN);
    trk_outbox *outbox = new_outbox();
    trk_parcel parcels[PARCELS];
    trk_answer answer;
    apr_uint64_t upto;

    (void)state;
    trk_swarms_share(swarms, outbox);
    kit_send(swarms, 1, kit_v4(1, 7001), 5, TRK_EVENT_STARTED, kit_start, &answer);
    kit_send(swarms, 1, kit_v6(2, 7002), 0, TRK_EVENT_COMPLETED, kit_start, &answer);
    kit_send(swarms, 1, kit_v4(1, 7001), 5, TRK_EVENT_STOPPED, kit_start, &answer);
    kit_send(swarms, 1, kit_v4(3, 0), 5, TRK_EVENT_NONE, kit_start, &answer); /* is not kept, so it is nobody's peer */
    assert_int_equal(trk_outbox_read(outbox, parcels, PARCELS, &upto), 3);
    assert_int_equal(parcels[0].change.peer.port, 7001);
    assert_false(parcels[0].change.is_seed || parcels[0].change.is_gone || parcels[0].change.completed);
    assert_true(parcels[1].change.peer.is_v6 && parcels[1].change.is_seed && parcels[1].change.completed);
    assert_true(parcels[2].change.is_gone);
    free_outbox(outbox);
    kit_free(swarms);
}

static void a_refused_address_is_not_told(void **state)
{
    trk_policy policy = kit_policy;
    trk_swarms *swarms = kit_new(TRK_MEMORY_MIN);
    trk_announce announce = kit_announce(1, 5, TRK_EVENT_STARTED);
    trk_address from = kit_v4(0x0a000001, 7001), seeds[3] = {kit_v4(0x01020304, 80), kit_v6(5, 80), kit_v4(6, 80)};
    trk_outbox *outbox = new_outbox();
    trk_parcel parcels[PARCELS];
    trk_answer answer;
    apr_uint64_t upto;

    (void)state;
    trk_swarms_share(swarms, outbox);
    policy.allow_private_peers = 0;
    assert_int_equal(trk_swarms_announce(swarms, &policy, &announce, &from, seeds, 3, kit_start, 1, &answer), APR_EACCES);
    assert_int_equal(trk_outbox_read(outbox, parcels, PARCELS, &upto), 0);
    policy.allow_private_peers = 1;
    assert_int_equal(trk_swarms_announce(swarms, &policy, &announce, &from, seeds, 3, kit_start, 1, &answer), APR_SUCCESS);
    assert_int_equal(trk_outbox_read(outbox, parcels, PARCELS, &upto), 1);
    assert_int_equal(parcels[0].second, apr_time_sec(kit_start));
    assert_int_equal(parcels[0].seed_count, TRK_PARCEL_SEEDS);
    assert_memory_equal(parcels[0].seeds[0].ip, seeds[0].ip, 4);
    free_outbox(outbox);
    kit_free(swarms);
}

/* --- learning --- */

static void learn(trk_swarms *swarms, trk_address peer, int is_seed, int completed, uint32_t age, apr_time_t now)
{
    trk_change change = {.hash = kit_hash(1), .peer = peer, .is_seed = (unsigned char)is_seed, .completed = (unsigned char)completed};

    trk_swarms_learn(swarms, &change, age, now, kit_policy.interval, 1);
    kit_sound(swarms);
}

static void assert_numbers(trk_swarms *swarms, uint32_t complete, uint32_t incomplete, uint32_t downloaded)
{
    bt_infohash hash = kit_hash(1);
    trk_scrape numbers;

    trk_swarms_scrape(swarms, &hash, kit_start, &numbers);
    assert_int_equal(numbers.complete, complete);
    assert_int_equal(numbers.incomplete, incomplete);
    assert_int_equal(numbers.downloaded, downloaded);
}

static void what_is_learned_is_named(void **state)
{
    trk_swarms *swarms = kit_new(TRK_MEMORY_MIN);
    trk_change gone = {.hash = kit_hash(1), .peer = kit_v4(9, 7009), .is_gone = 1};
    trk_totals totals;
    trk_answer answer;

    (void)state;
    learn(swarms, kit_v4(9, 7009), 0, 0, 0, kit_start);
    trk_swarms_totals(swarms, &totals);
    assert_int_equal(totals.announces, 0); /* nobody announced himself here */
    kit_send(swarms, 1, kit_v4(1, 7001), 5, TRK_EVENT_NONE, kit_start, &answer);
    assert_true(kit_names4(&answer, kit_v4(9, 7009)));
    trk_swarms_learn(swarms, &gone, 0, kit_start, kit_policy.interval, 1);
    kit_send(swarms, 1, kit_v4(1, 7001), 5, TRK_EVENT_NONE, kit_start, &answer);
    assert_int_equal(answer.count4, 0);
    kit_free(swarms);
}

static void who_is_paused_downloads_nothing(void **state)
{
    trk_change change = {.hash = kit_hash(1), .peer = kit_v4(9, 7009), .paused = 1};
    trk_swarms *swarms = kit_new(TRK_MEMORY_MIN);
    trk_answer answer;

    (void)state;
    trk_swarms_learn(swarms, &change, 0, kit_start, kit_policy.interval, 1);
    kit_send(swarms, 1, kit_v4(1, 7001), 5, TRK_EVENT_NONE, kit_start, &answer);
    assert_int_equal(answer.incomplete, 2);
    assert_int_equal(answer.downloaders, 1);
    kit_sound(swarms);
    kit_free(swarms);
}

static void a_completion_is_counted_where_it_is_heard_at_once(void **state)
{
    trk_swarms *swarms = kit_new(TRK_MEMORY_MIN);

    (void)state;
    learn(swarms, kit_v4(1, 1), 0, 0, 0, kit_start);
    learn(swarms, kit_v4(1, 1), 1, 1, 0, kit_start);
    learn(swarms, kit_v4(1, 1), 1, 1, 0, kit_start);
    assert_numbers(swarms, 1, 0, 1);
    learn(swarms, kit_v4(2, 1), 1, 1, 600, kit_start); /* found in the store: it may have been counted */
    learn(swarms, kit_v4(2, 1), 1, 1, 0, kit_start);
    assert_numbers(swarms, 2, 0, 1);
    kit_free(swarms);
}

static void what_is_older_changes_nothing(void **state)
{
    trk_swarms *swarms = kit_new(TRK_MEMORY_MIN);
    trk_answer answer;

    (void)state;
    kit_send(swarms, 1, kit_v4(1, 7001), 0, TRK_EVENT_NONE, kit_start, &answer);
    learn(swarms, kit_v4(1, 7001), 0, 0, 100, kit_start);
    assert_numbers(swarms, 1, 0, 0);
    learn(swarms, kit_v4(1, 7001), 0, 0, 100, kit_start + apr_time_from_sec(200));
    assert_numbers(swarms, 0, 1, 0);
    learn(swarms, kit_v4(2, 7002), 0, 0, 3151, kit_start); /* 1.75 intervals and a second */
    assert_numbers(swarms, 0, 1, 0);
    learn(swarms, kit_v4(2, 7002), 0, 0, 3150, kit_start);
    assert_numbers(swarms, 0, 2, 0);
    kit_send(swarms, 1, kit_v4(3, 7003), 5, TRK_EVENT_NONE, kit_start + apr_time_from_sec(1), &answer);
    assert_false(kit_names4(&answer, kit_v4(2, 7002)));
    kit_free(swarms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_read_stays_until_it_is_done),
        cmocka_unit_test(when_it_is_full_the_oldest_go),
        cmocka_unit_test(only_a_reader_that_rests_is_woken),
        cmocka_unit_test(who_dies_in_it_leaves_it_sound),
        cmocka_unit_test(threads_lose_nothing),
        cmocka_unit_test(announces_are_put_into_it),
        cmocka_unit_test(a_refused_address_is_not_told),
        cmocka_unit_test(what_is_learned_is_named),
        cmocka_unit_test(who_is_paused_downloads_nothing),
        cmocka_unit_test(a_completion_is_counted_where_it_is_heard_at_once),
        cmocka_unit_test(what_is_older_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
