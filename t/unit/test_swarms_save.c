/* Swarms over a restart: saved, loaded, copied; and what is no saved swarms is not loaded. */
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "swarms_kit.h"

enum { MEGABYTE = 1024 * 1024, PEERS = 3000, HEADER = 16, DIGEST = 32 };

static const apr_time_t second = APR_USEC_PER_SEC;

static char directory[64];
static char path[128];
static trk_swarms *full, *empty;

static int setup(void **state)
{
    trk_answer answer;

    strcpy(directory, "/tmp/test_swarms_save.XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof path, "%s/swarms", directory);
    full = kit_new(4 * MEGABYTE);
    empty = kit_new(2 * MEGABYTE);
    for (uint32_t i = 0; i < PEERS; i++) {
        trk_address from = i % 3 ? kit_v4(0x0b000000 + i, 1) : kit_v6(i, 1);

        kit_send(full, i % 7 ? 1 : i, from, 9, TRK_EVENT_STARTED, kit_start, &answer);
        if (i % 2)
            kit_send(full, i % 7 ? 1 : i, from, 0, TRK_EVENT_COMPLETED, kit_start + i % 100 * second, &answer);
    }
    return 0;
}

static int teardown(void **state)
{
    char beside[160];

    snprintf(beside, sizeof beside, "%s.new", path);
    unlink(path);
    if (unlink(beside) == 0)
        return -1; /* a half-written file was left */
    kit_sound(full);
    kit_sound(empty);
    kit_free(full);
    kit_free(empty);
    return rmdir(directory);
}

static void same_numbers(trk_swarms *a, trk_swarms *b)
{
    for (uint32_t i = 0; i < PEERS; i++) {
        bt_infohash hash = kit_hash(i);
        trk_scrape left, right;

        trk_swarms_scrape(a, &hash, kit_start, &left);
        trk_swarms_scrape(b, &hash, kit_start, &right);
        assert_memory_equal(&left, &right, sizeof left);
    }
}

static uint64_t peers_of(trk_swarms *swarms)
{
    trk_totals totals;

    trk_swarms_totals(swarms, &totals);
    return totals.seeds + totals.leechers;
}

static void test_saved_and_loaded(void **state)
{
    struct stat file;
    trk_answer answer;

    assert_int_equal(trk_swarms_save(full, path, kit_start + 100 * second), APR_SUCCESS);
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
    assert_int_equal(trk_swarms_load(empty, path, kit_start + 200 * second, kit_policy.interval), APR_SUCCESS);
    same_numbers(full, empty);
    assert_int_equal(peers_of(empty), PEERS);
    /* A completion that was counted is not counted again. */
    kit_send(empty, 1, kit_v4(0x0b000001, 1), 9, TRK_EVENT_NONE, kit_start + 200 * second, &answer);
    kit_send(empty, 1, kit_v4(0x0b000001, 1), 0, TRK_EVENT_COMPLETED, kit_start + 200 * second, &answer);
    same_numbers(full, empty);
    assert_int_equal(trk_swarms_save(full, path, kit_start + 100 * second), APR_SUCCESS); /* over the old one */
}

static void test_loaded_into_what_is_not_empty(void **state)
{
    trk_answer answer;

    kit_send(empty, 1, kit_v4(0x0b000001, 1), 0, TRK_EVENT_NONE, kit_start, &answer);
    kit_send(empty, 1, kit_v4(0x0c000001, 1), 0, TRK_EVENT_NONE, kit_start, &answer);
    assert_int_equal(trk_swarms_save(full, path, kit_start), APR_SUCCESS);
    assert_int_equal(trk_swarms_load(empty, path, kit_start, kit_policy.interval), APR_SUCCESS);
    assert_int_equal(peers_of(empty), PEERS + 1);
}

static void test_the_expired_are_not_loaded(void **state)
{
    apr_time_t interval = 40 * second; /* after 70 s a peer is expired */

    assert_int_equal(trk_swarms_save(full, path, kit_start + 100 * second), APR_SUCCESS);
    assert_int_equal(trk_swarms_load(empty, path, kit_start + 100 * second, interval), APR_SUCCESS);
    assert_true(peers_of(empty) > PEERS / 4 && peers_of(empty) < PEERS / 2);
}

static void test_too_old_or_not_yet(void **state)
{
    assert_int_equal(trk_swarms_save(full, path, kit_start), APR_SUCCESS);
    assert_int_equal(trk_swarms_load(empty, path, kit_start + 1801 * second, kit_policy.interval), APR_EINVAL);
    assert_int_equal(trk_swarms_load(empty, path, kit_start - second, kit_policy.interval), APR_EINVAL);
    assert_int_equal(peers_of(empty), 0);
    assert_int_equal(trk_swarms_load(empty, path, kit_start + 1799 * second, kit_policy.interval), APR_SUCCESS);
    assert_int_equal(peers_of(empty), PEERS);
}

static void test_no_file(void **state)
{
    char missing[160];

    assert_int_equal(trk_swarms_load(empty, path, kit_start, kit_policy.interval), ENOENT);
    assert_int_equal(trk_swarms_load(empty, directory, kit_start, kit_policy.interval), APR_EINVAL);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(trk_swarms_load(empty, path, kit_start, kit_policy.interval), APR_EINVAL);
    snprintf(missing, sizeof missing, "%s/none/swarms", directory);
    assert_int_equal(trk_swarms_save(full, missing, kit_start), ENOENT);
}

static void write_file(const unsigned char *bytes, size_t length)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static size_t read_file(unsigned char *bytes, size_t room)
{
    FILE *file = fopen(path, "r");
    size_t length;

    assert_non_null(file);
    length = fread(bytes, 1, room, file);
    fclose(file);
    return length;
}

static void test_a_damaged_file(void **state)
{
    static unsigned char bytes[MEGABYTE];
    size_t length;

    assert_int_equal(trk_swarms_save(full, path, kit_start), APR_SUCCESS);
    length = read_file(bytes, sizeof bytes);
    for (size_t at = 0; at < length; at += length / 50) {
        bytes[at] ^= 0x10;
        write_file(bytes, length);
        assert_int_equal(trk_swarms_load(empty, path, kit_start, kit_policy.interval), APR_EINVAL);
        bytes[at] ^= 0x10;
        write_file(bytes, at);
        assert_int_equal(trk_swarms_load(empty, path, kit_start, kit_policy.interval), APR_EINVAL);
    }
    bytes[length] = 0;
    write_file(bytes, length + 1);
    assert_int_equal(trk_swarms_load(empty, path, kit_start, kit_policy.interval), APR_EINVAL);
    assert_int_equal(peers_of(empty), 0);
    write_file(bytes, length);
    assert_int_equal(trk_swarms_load(empty, path, kit_start, kit_policy.interval), APR_SUCCESS);
}

/* A right sum over nonsense: nothing of it is loaded, not even what comes before. */
static void test_a_file_that_lies(void **state)
{
    static unsigned char bytes[MEGABYTE];
    size_t length;

    assert_int_equal(trk_swarms_save(full, path, kit_start), APR_SUCCESS);
    length = read_file(bytes, sizeof bytes) - DIGEST;
    for (size_t cut = 1; cut < 6; cut++) { /* from the end towards the front: what is still needed is not overwritten */
        assert_true(EVP_Digest(bytes, length - cut, bytes + length - cut, NULL, EVP_sha256(), NULL));
        assert_int_equal(trk_swarms_load_bytes(empty, bytes, length - cut + DIGEST, kit_start, kit_policy.interval),
                         APR_EINVAL);
        assert_int_equal(peers_of(empty), 0);
    }
    memset(bytes + HEADER + 24, 0xff, 4); /* four thousand million peers in the first swarm */
    assert_true(EVP_Digest(bytes, length, bytes + length, NULL, EVP_sha256(), NULL));
    assert_int_equal(trk_swarms_load_bytes(empty, bytes, length + DIGEST, kit_start, kit_policy.interval), APR_EINVAL);
    assert_int_equal(peers_of(empty), 0);
}

static void test_copied_to_another_size(void **state)
{
    trk_swarms *larger = kit_new(9 * MEGABYTE), *smaller = kit_new(MEGABYTE);

    trk_swarms_copy(larger, full, kit_start + 100 * second);
    same_numbers(full, larger);
    trk_swarms_copy(smaller, larger, kit_start + 100 * second);
    same_numbers(full, smaller);
    kit_sound(larger);
    kit_sound(smaller);
    kit_free(larger);
    kit_free(smaller);
}

/* What does not fit is left out at random; the rest is whole. */
static void test_copied_to_what_is_too_small(void **state)
{
    trk_swarms *large = kit_new(4 * MEGABYTE), *small = kit_new(MEGABYTE);
    trk_answer answer;

    for (uint32_t i = 0; i < 150000; i++) {
        trk_announce announce = kit_announce(i % 9, 1, TRK_EVENT_NONE);
        trk_address from = kit_v4(0x0b000000 + i, 1);

        announce.numwant = 0;
        trk_swarms_announce(large, &kit_policy, &announce, &from, NULL, 0, kit_start, i, &answer);
    }
    trk_swarms_copy(small, large, kit_start);
    assert_true(peers_of(small) > 30000);
    kit_sound(small);
    assert_int_equal(trk_swarms_save(large, path, kit_start), APR_SUCCESS);
    assert_int_equal(trk_swarms_load(empty, path, kit_start, kit_policy.interval), APR_SUCCESS);
    assert_true(peers_of(empty) > 60000);
    kit_free(large);
    kit_free(small);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    static const struct CMUnitTest tests[] = {
        TEST(test_saved_and_loaded),
        TEST(test_loaded_into_what_is_not_empty),
        TEST(test_the_expired_are_not_loaded),
        TEST(test_too_old_or_not_yet),
        TEST(test_no_file),
        TEST(test_a_damaged_file),
        TEST(test_a_file_that_lies),
        TEST(test_copied_to_another_size),
        TEST(test_copied_to_what_is_too_small),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
