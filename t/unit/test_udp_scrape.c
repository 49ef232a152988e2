/* Scrapes by UDP (BEP 15). */
#include "udp_kit.h"

enum { HEADER = 16, ENTRY = 12 };

/* Asks for `count` swarms from `first` on, and `extra` bytes after them. */
static kit_reply scrape(uint32_t first, uint32_t count, size_t extra)
{
    size_t length = HEADER + (size_t)count * 20 + extra;
    unsigned char *packet = calloc(1, length);
    kit_reply reply;

    kit_put(packet, kit_connect(&world, v4, kit_start), 8);
    kit_put(packet + 8, 2, 4);
    memcpy(packet + 12, "TRAN", 4);
    for (uint32_t i = 0; i < count; i++) {
        bt_infohash hash = kit_hash(first + i);

        memcpy(packet + HEADER + (size_t)i * 20, hash.b, 20);
    }
    reply = kit_ask(&world, packet, length, v4, kit_start);
    assert_int_equal(reply.result, TRK_UDP_SCRAPE);
    assert_memory_equal(reply.bytes, "\0\0\0\2TRAN", 8);
    free(packet);
    return reply;
}

static void test_scrape_byte_for_byte(void **state)
{
    kit_reply reply;

    kit_announced(&world, 1, kit_v4(1, 1));
    kit_announced(&world, 1, kit_v6(1, 1));
    kit_announce_with(&world, 1, kit_v6(2, 1), 64, 0, 8);
    kit_announced(&world, 2, v4);
    kit_announce_with(&world, 2, v4, 64, 0, 8); /* has it all now */
    reply = scrape(1, 2, 0);
    assert_int_equal(reply.length, 8 + 2 * ENTRY);
    assert_memory_equal(reply.bytes + 8,
                        "\0\0\0\1\0\0\0\0\0\0\0\2" /* complete, downloaded, incomplete */
                        "\0\0\0\1\0\0\0\1\0\0\0\0",
                        24);
}

static void test_the_server_itself_is_counted(void **state)
{
    kit_reply reply;

    world.seeds[0] = v6;
    world.seeds[1] = kit_v4(1, 1);
    world.seed_count = 2;
    reply = scrape(1, 1, 0);
    assert_memory_equal(reply.bytes + 8, "\0\0\0\1\0\0\0\0\0\0\0\0", 12);
    assert_memory_equal(&world.local, &kit_local, sizeof kit_local);
    assert_int_equal(world.client.port, 0); /* a scrape names none */
}

static void test_what_is_not_published_has_zeros(void **state)
{
    trk_answer answer;
    kit_reply reply;

    kit_send(world.tracker.swarms, KIT_UNPUBLISHED, v4, 1, TRK_EVENT_STARTED, kit_start, &answer); /* once it was */
    world.seeds[0] = v6;
    world.seed_count = 1;
    reply = scrape(KIT_UNPUBLISHED - 1, 3, 0);
    assert_int_equal(reply.length, 8 + 3 * ENTRY);
    assert_memory_equal(reply.bytes + 8,
                        "\0\0\0\1\0\0\0\0\0\0\0\0"
                        "\0\0\0\0\0\0\0\0\0\0\0\0"
                        "\0\0\0\1\0\0\0\0\0\0\0\0",
                        36);
}

static void test_a_scrape_of_74_is_answered_whole(void **state)
{
    kit_reply reply;

    kit_announced(&world, 73, v4);
    reply = scrape(0, 74, 0);
    assert_int_equal(reply.length, 8 + 74 * ENTRY);
    assert_memory_equal(reply.bytes + 8 + 73 * ENTRY, "\0\0\0\0\0\0\0\0\0\0\0\1", 12);
}

static void test_of_more_than_74_the_first_are_answered(void **state)
{
    kit_reply whole = scrape(0, 74, 0), more;

    world.found = 0;
    for (uint32_t count = 75; count < 4000; count *= 2) {
        more = scrape(0, count, 0);
        assert_int_equal(more.length, whole.length);
        assert_memory_equal(more.bytes, whole.bytes, whole.length);
    }
    assert_int_equal(world.found % 74, 0);
}

static void test_half_a_hash_is_passed_over(void **state)
{
    for (size_t extra = 0; extra < 20; extra++) {
        assert_int_equal(scrape(1, 2, extra).length, 8 + 2 * ENTRY);
        assert_int_equal(scrape(1, 0, extra).length, 8);
    }
}

static void test_a_scrape_allocates_nothing(void **state)
{
    trk_totals before, after;

    kit_announced(&world, 1, v4);
    trk_swarms_totals(world.tracker.swarms, &before);
    for (uint32_t i = 0; i < 100; i++)
        scrape(1000 * i, 74, 0);
    trk_swarms_totals(world.tracker.swarms, &after);
    assert_int_equal(after.swarms, before.swarms);
    assert_int_equal(after.memory_used, before.memory_used);
}

/* A datagram may be read into TRK_UDP_REQUEST_MAX bytes and the rest be dropped: the answer is the same. */
static void test_what_is_behind_the_longest_request_does_not_matter(void **state)
{
    unsigned char packet[TRK_UDP_REQUEST_MAX + 500] = {0};
    kit_reply whole, cut;

    kit_announced(&world, 0, v4);
    kit_put(packet, kit_connect(&world, v4, kit_start), 8);
    kit_put(packet + 8, 2, 4);
    whole = kit_ask(&world, packet, sizeof packet, v4, kit_start);
    cut = kit_ask(&world, packet, TRK_UDP_REQUEST_MAX, v4, kit_start);
    assert_int_equal(whole.length, cut.length);
    assert_memory_equal(whole.bytes, cut.bytes, cut.length);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static const char *authorize_nobody(void *baton, const bt_infohash *hash, const char *url, apr_size_t length, apr_time_t now)
{
    assert_int_equal(length, 0);
    return "no";
}

static void test_who_is_not_authorized_is_told_zeros(void **state)
{
    kit_reply reply;

    kit_announced(&world, 1, v4);
    world.tracker.authorize = authorize_nobody;
    reply = scrape(1, 2, 0);
    assert_int_equal(reply.result, TRK_UDP_SCRAPE);
    assert_int_equal(reply.length, 8 + 2 * ENTRY);
    for (apr_size_t i = 8; i < reply.length; i++)
        assert_int_equal(reply.bytes[i], 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_scrape_byte_for_byte),
        TEST(test_the_server_itself_is_counted),
        TEST(test_what_is_not_published_has_zeros),
        TEST(test_who_is_not_authorized_is_told_zeros),
        TEST(test_a_scrape_of_74_is_answered_whole),
        TEST(test_of_more_than_74_the_first_are_answered),
        TEST(test_half_a_hash_is_passed_over),
        TEST(test_a_scrape_allocates_nothing),
        TEST(test_what_is_behind_the_longest_request_does_not_matter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
