/* Connection ids of the tracker by UDP (BEP 15), and what who has none gets. */
#include "udp_kit.h"

static const apr_time_t second = APR_USEC_PER_SEC;

static int is_good(uint64_t id, trk_address from, apr_time_t now)
{
    return kit_announce_by(&world, id, 1, from, now).result == TRK_UDP_ANNOUNCE;
}

/* The ids were worked out with another program: SipHash-2-4 of the family, 16 bytes of address, and the step,
 * whose two lowest bits are those of the id. */
static void test_connect_byte_for_byte(void **state)
{
    static const unsigned char packet[] = "\0\0\x04\x17\x27\x10\x19\x80\0\0\0\0\xde\xad\0\xef";
    kit_reply reply = kit_ask(&world, packet, 16, v4, kit_start);

    assert_int_equal(reply.length, 16);
    assert_memory_equal(reply.bytes, "\0\0\0\0\xde\xad\0\xef\x52\x22\x9e\xf1\xbe\x0c\x00\xf4", 16);
    reply = kit_ask(&world, packet, 16, v6, kit_start + 63 * second);
    assert_int_equal(reply.length, 16);
    assert_memory_equal(reply.bytes, "\0\0\0\0\xde\xad\0\xef\x01\xbd\x62\x13\x9f\xa4\xfd\x1c", 16);
    assert_int_equal(world.found, 0);
}

static void test_a_connect_of_fewer_than_16_bytes_is_silence(void **state)
{
    static const unsigned char packet[] = "\0\0\x04\x17\x27\x10\x19\x80\0\0\0\0TRAN";

    for (size_t length = 0; length < 16; length++)
        assert_int_equal(kit_ask(&world, packet, length, v4, kit_start).result, TRK_UDP_SILENT);
}

static void test_a_longer_connect_gets_no_longer_answer(void **state)
{
    unsigned char packet[KIT_PACKET] = "\0\0\x04\x17\x27\x10\x19\x80\0\0\0\0TRAN";

    for (size_t length = 16; length <= sizeof packet; length += 127) {
        kit_reply reply = kit_ask(&world, packet, length, v4, kit_start);

        assert_int_equal(reply.result, TRK_UDP_CONNECT);
        assert_int_equal(reply.length, 16);
    }
}

static void test_a_connect_without_the_magic_is_silence(void **state)
{
    unsigned char packet[16] = "\0\0\x04\x17\x27\x10\x19\x80\0\0\0\0TRA";

    for (int bit = 0; bit < 64; bit++) {
        packet[bit / 8] ^= (unsigned char)(1 << bit % 8);
        assert_int_equal(kit_ask(&world, packet, 16, v4, kit_start).result, TRK_UDP_SILENT);
        packet[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    kit_put(packet, kit_connect(&world, v4, kit_start), 8); /* not even with an id that is right */
    assert_int_equal(kit_ask(&world, packet, 16, v4, kit_start).result, TRK_UDP_SILENT);
}

static void test_a_wrong_id_is_silence(void **state)
{
    uint64_t id = kit_connect(&world, v4, kit_start);
    unsigned char scrape[36] = {0};

    assert_true(is_good(id, v4, kit_start));
    world.found = 0;
    for (int bit = 0; bit < 64; bit++)
        assert_false(is_good(id ^ (uint64_t)1 << bit, v4, kit_start));
    assert_false(is_good(0, v4, kit_start));
    assert_false(is_good(UINT64_MAX, v4, kit_start));
    assert_false(is_good(0x41727101980, v4, kit_start));
    kit_put(scrape, id + 1, 8);
    kit_put(scrape + 8, 2, 4);
    assert_int_equal(kit_ask(&world, scrape, sizeof scrape, v4, kit_start).result, TRK_UDP_SILENT);
    assert_int_equal(world.found, 0);
}

static void test_a_wrong_id_changes_no_swarm(void **state)
{
    trk_totals totals;

    assert_false(is_good(1, v4, kit_start));
    trk_swarms_totals(world.tracker.swarms, &totals);
    assert_int_equal(totals.announces + totals.swarms, 0);
}

static void test_who_is_not_validated_gets_no_more_than_was_sent(void **state)
{
    static const uint32_t actions[] = {0, 1, 2, 3, 4, 0x80000000, UINT32_MAX};
    unsigned char packet[KIT_PACKET];
    uint64_t random = 5;

    for (int i = 0; i < 20000; i++) {
        size_t length = trk_random(&random) % (i % 2 ? 128 : sizeof packet);
        kit_reply reply;

        for (size_t at = 0; at < sizeof packet; at += 8)
            kit_put(packet + at, trk_random(&random), 8);
        if (i % 3 == 0)
            kit_put(packet, 0x41727101980, 8);
        kit_put(packet + 8, actions[i % 7], 4);
        reply = kit_ask(&world, packet, length, v4, kit_start);
        assert_true(reply.length <= length);
        assert_true(reply.result == TRK_UDP_CONNECT || reply.result == TRK_UDP_SILENT);
    }
    assert_int_equal(world.found, 0);
}

static void test_an_id_is_bound_to_the_address(void **state)
{
    trk_address other = v4, other6 = v6, alike = {{192, 0, 2, 7}, 6881, 1};

    other.ip[3]++;
    other6.ip[15]++;
    assert_false(is_good(kit_connect(&world, v4, kit_start), other, kit_start));
    assert_false(is_good(kit_connect(&world, v6, kit_start), other6, kit_start));
    assert_false(is_good(kit_connect(&world, v4, kit_start), alike, kit_start)); /* c000:207:: */
    assert_false(is_good(kit_connect(&world, alike, kit_start), v4, kit_start));
    assert_true(is_good(kit_connect(&world, v6, kit_start), v6, kit_start));
}

static void test_an_id_is_good_for_other_ports_of_the_address(void **state)
{
    trk_address other = v4;

    other.port++;
    assert_true(is_good(kit_connect(&world, v4, kit_start), other, kit_start));
    assert_true(is_good(kit_connect(&world, mapped, kit_start), v4, kit_start));
}

static void test_an_id_is_good_for_two_minutes_and_expires(void **state)
{
    for (int after = 0; after < 64; after++) {
        apr_time_t then = kit_start + after * second;
        uint64_t id = kit_connect(&world, v4, then);

        assert_true(is_good(id, v4, then));
        assert_true(is_good(id, v4, then + 60 * second));
        assert_true(is_good(id, v4, then + 128 * second));
        assert_false(is_good(id, v4, then + 192 * second));
        assert_false(is_good(id, v4, then + 100000 * second));
        assert_false(is_good(id, v4, then - 64 * second)); /* nor was it good before */
    }
}

static void test_an_id_is_of_its_secret(void **state)
{
    uint64_t id = kit_connect(&world, v4, kit_start);

    world.secret[15] ^= 1;
    assert_false(is_good(id, v4, kit_start));
    world.secret[15] ^= 1;
    assert_true(is_good(id, v4, kit_start));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_connect_byte_for_byte),
        TEST(test_a_connect_of_fewer_than_16_bytes_is_silence),
        TEST(test_a_longer_connect_gets_no_longer_answer),
        TEST(test_a_connect_without_the_magic_is_silence),
        TEST(test_a_wrong_id_is_silence),
        TEST(test_a_wrong_id_changes_no_swarm),
        TEST(test_who_is_not_validated_gets_no_more_than_was_sent),
        TEST(test_an_id_is_bound_to_the_address),
        TEST(test_an_id_is_good_for_other_ports_of_the_address),
        TEST(test_an_id_is_good_for_two_minutes_and_expires),
        TEST(test_an_id_is_of_its_secret),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
