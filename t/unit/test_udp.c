/* Announces by UDP (BEP 15, 41). */
#include "udp_kit.h"

/* The interval is that of the core, whatever the wire form. */
static void answer_is(const kit_reply *reply, trk_address from, const char *numbers, const char *peers, size_t size)
{
    trk_answer core;

    from.port = 6881;
    kit_send(world.tracker.swarms, 1, from, 1000, TRK_EVENT_NONE, kit_start, &core);
    assert_int_equal(reply->result, TRK_UDP_ANNOUNCE);
    assert_int_equal(reply->length, 20 + size);
    assert_memory_equal(reply->bytes, "\0\0\0\1TRAN", 8);
    assert_int_equal(kit_get(reply->bytes + 8, 4), core.interval);
    assert_memory_equal(reply->bytes + 12, numbers, 8);
    assert_memory_equal(reply->bytes + 20, peers, size);
}

static void test_announce_byte_for_byte_v4(void **state)
{
    trk_address other = {{203, 0, 113, 9}, 0xabcd, 0};
    kit_reply reply = kit_announced(&world, 1, v4);

    answer_is(&reply, v4, "\0\0\0\1\0\0\0\0", "", 0);
    kit_announced(&world, 1, other);
    kit_announce_with(&world, 1, kit_v4(0xcb007101, 1), 64, 0, 8); /* a seed */
    world.seeds[0] = (trk_address){{198, 51, 100, 1}, 80, 0};
    world.seed_count = 1;
    reply = kit_announced(&world, 1, other);
    assert_int_equal(reply.length, 20 + 3 * 6);
    assert_memory_equal(reply.bytes + 12, "\0\0\0\2\0\0\0\2\xc6\x33\x64\x01\0\x50", 14); /* the own seed is first */
    world.seed_count = 0;
    kit_announce_with(&world, 1, kit_v4(0xcb007101, 1), 80, 3, 4); /* it stops */
    reply = kit_announced(&world, 1, v4);
    answer_is(&reply, v4, "\0\0\0\2\0\0\0\0", "\xcb\0\x71\x09\xab\xcd", 6);
}

static void test_announce_byte_for_byte_v6(void **state)
{
    trk_address other = {{0x20, 1, 0xd, 0xb8, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9}, 0xabcd, 1};
    kit_reply reply;

    kit_announced(&world, 1, other);
    reply = kit_announced(&world, 1, v6);
    answer_is(&reply, v6, "\0\0\0\2\0\0\0\0", "\x20\1\xd\xb8\xff\0\0\0\0\0\0\0\0\0\0\x09\xab\xcd", 18);
}

static void test_the_stride_follows_the_family_of_the_packet(void **state)
{
    kit_reply reply;

    kit_announced(&world, 1, kit_v4(0xcb007109, 0xabcd));
    kit_announced(&world, 1, kit_v6(1, 0xabcd));
    assert_int_equal(kit_announced(&world, 1, v4).length, 26);
    assert_int_equal(kit_announced(&world, 1, v6).length, 38);
    /* a v4 packet, by a socket of both families */
    reply = kit_announce_by(&world, kit_connect(&world, mapped, kit_start), 1, mapped, kit_start);
    assert_int_equal(reply.length, 26);
    assert_memory_equal(reply.bytes + 20, "\xcb\0\x71\x09\xab\xcd", 6);
}

static void fill_both_families(uint32_t swarm, uint32_t of_each)
{
    trk_answer answer;

    for (uint32_t i = 0; i < of_each; i++) {
        kit_send(world.tracker.swarms, swarm, kit_v4(0xcb000000 + i, 6881), i % 2 ? 1 : 0, TRK_EVENT_STARTED, kit_start,
                 &answer);
        kit_send(world.tracker.swarms, swarm, kit_v6(i, 6881), i % 2 ? 1 : 0, TRK_EVENT_STARTED, kit_start, &answer);
    }
}

static void test_peers_of_the_other_family_take_no_place(void **state)
{
    kit_reply reply;

    fill_both_families(1, 500);
    reply = kit_announce_with(&world, 1, v4, 92, 60, 4);
    assert_int_equal(kit_peers(&reply, 0), 60);
    reply = kit_announce_with(&world, 1, v6, 92, 60, 4);
    assert_int_equal(kit_peers(&reply, 1), 60);
    fill_both_families(2, 2); /* one that is too small for sets of its own */
    reply = kit_announce_with(&world, 2, v4, 92, 2, 4);
    assert_int_equal(kit_peers(&reply, 0), 2);
    reply = kit_announce_with(&world, 2, v6, 92, 2, 4);
    assert_int_equal(kit_peers(&reply, 1), 2);
}

static void test_an_answer_is_under_1200_bytes(void **state)
{
    kit_reply reply;

    fill_both_families(1, 500);
    reply = kit_announce_with(&world, 1, v4, 92, 0x7fffffff, 4);
    assert_int_equal(kit_peers(&reply, 0), 196);
    assert_true(reply.length < 1200);
    reply = kit_announce_with(&world, 1, v6, 92, 0x7fffffff, 4);
    assert_int_equal(kit_peers(&reply, 1), 65);
    assert_true(reply.length < 1200);
}

static void test_numwant_of_minus_one_is_the_default(void **state)
{
    kit_reply reply;

    fill_both_families(1, 500);
    reply = kit_announce_with(&world, 1, v4, 92, UINT32_MAX, 4);
    assert_int_equal(kit_peers(&reply, 0), TRK_NUMWANT_DEFAULT);
    reply = kit_announce_with(&world, 1, v6, 92, UINT32_MAX, 4);
    assert_int_equal(kit_peers(&reply, 1), TRK_NUMWANT_DEFAULT);
    reply = kit_announce_with(&world, 1, v4, 92, 0x80000000, 4);
    assert_int_equal(kit_peers(&reply, 0), TRK_NUMWANT_DEFAULT);
    reply = kit_announce_with(&world, 1, v4, 92, 0, 4);
    assert_int_equal(kit_peers(&reply, 0), 0);
    reply = kit_announce_with(&world, 1, v4, 92, 1, 4);
    assert_int_equal(kit_peers(&reply, 0), 1);
}

static void test_the_ip_field_is_ignored(void **state)
{
    kit_reply reply;

    kit_announce_with(&world, 1, v4, 84, 0xcb007109, 4); /* names a victim */
    reply = kit_announced(&world, 1, kit_v4(0xc6336402, 1));
    assert_int_equal(kit_peers(&reply, 0), 1);
    assert_memory_equal(reply.bytes + 20, "\xc0\0\2\7\x1a\xe1", 6);
}

static void test_left_of_all_ones_is_a_leecher(void **state)
{
    static const uint64_t lefts[] = {UINT64_MAX, INT64_MAX, (uint64_t)1 << 63, (uint64_t)1 << 32, 1, 16384};

    for (uint32_t i = 0; i < sizeof lefts / sizeof *lefts; i++) {
        kit_reply reply = kit_announce_with(&world, i, v4, 64, lefts[i], 8);

        assert_int_equal(kit_leechers(&reply), 1);
        assert_int_equal(kit_seeds(&reply), 0);
    }
}

static void test_left_of_nothing_is_a_seed(void **state)
{
    kit_reply reply = kit_announce_with(&world, 1, v4, 64, 0, 8);

    assert_int_equal(kit_leechers(&reply), 0);
    assert_int_equal(kit_seeds(&reply), 1);
}

static void test_aria2_with_a_magnet_is_a_leecher(void **state)
{
    unsigned char packet[98];
    kit_reply reply;

    kit_write_announce(packet, kit_connect(&world, v4, kit_start), 1, 6881);
    memcpy(packet + 36, "A2-1-36-0-", 10);
    kit_put(packet + 64, 0, 8);
    reply = kit_ask(&world, packet, sizeof packet, v4, kit_start);
    assert_int_equal(kit_leechers(&reply), 1);
    kit_put(packet + 56, 5, 8); /* downloaded */
    reply = kit_ask(&world, packet, sizeof packet, v4, kit_start);
    assert_int_equal(kit_seeds(&reply), 1);
}

static void test_events(void **state)
{
    trk_scrape numbers;
    bt_infohash hash = kit_hash(1);
    kit_reply reply = kit_announce_with(&world, 1, v4, 80, 2, 4); /* started */

    assert_int_equal(kit_leechers(&reply), 1);
    reply = kit_announce_with(&world, 1, v4, 80, 4, 4); /* paused */
    assert_int_equal(kit_leechers(&reply), 1);
    reply = kit_announce_with(&world, 1, v4, 80, 77, 4); /* of the future */
    assert_int_equal(kit_leechers(&reply), 1);
    reply = kit_announce_with(&world, 1, v4, 64, 0, 8);
    assert_int_equal(kit_seeds(&reply), 1);
    trk_swarms_scrape(world.tracker.swarms, &hash, kit_start, &numbers);
    assert_int_equal(numbers.downloaded, 1);
    reply = kit_announce_with(&world, 1, v4, 80, 3, 4); /* stopped */
    assert_int_equal(kit_leechers(&reply) + kit_seeds(&reply), 0);
}

static void test_completed_counts_once(void **state)
{
    unsigned char packet[98];
    trk_scrape numbers;
    bt_infohash hash = kit_hash(1);

    kit_write_announce(packet, kit_connect(&world, v4, kit_start), 1, 6881);
    kit_put(packet + 64, 0, 8);
    kit_put(packet + 80, 1, 4);
    for (int i = 0; i < 3; i++)
        assert_int_equal(kit_ask(&world, packet, sizeof packet, v4, kit_start).result, TRK_UDP_ANNOUNCE);
    trk_swarms_scrape(world.tracker.swarms, &hash, kit_start, &numbers);
    assert_int_equal(numbers.complete, 1);
    assert_int_equal(numbers.downloaded, 1);
}

static void test_without_a_port_nothing_is_kept_but_peers_are_told(void **state)
{
    kit_reply reply;

    kit_announced(&world, 1, kit_v4(0xcb007109, 0xabcd));
    reply = kit_announce_with(&world, 1, v4, 96, 0, 2);
    assert_int_equal(kit_peers(&reply, 0), 1);
    assert_int_equal(kit_leechers(&reply), 1);
}

static void test_an_announce_of_fewer_than_98_bytes_is_silence(void **state)
{
    unsigned char packet[98];

    kit_write_announce(packet, kit_connect(&world, v4, kit_start), 1, 6881);
    for (size_t length = 0; length < sizeof packet; length++)
        assert_int_equal(kit_ask(&world, packet, length, v4, kit_start).result, TRK_UDP_SILENT);
    assert_int_equal(kit_ask(&world, packet, sizeof packet, v4, kit_start).result, TRK_UDP_ANNOUNCE);
}

static void test_longer_packets_and_unknown_options_are_passed_over(void **state)
{
    static const struct {
        unsigned char bytes[24];
        size_t length;
    } options[] = {{"\x02\x09/announce", 12},        /* ends with an end of options */
                   {"\x01\x01\x01\x02\x01/\x01", 7}, /* nothing, and a URL in the midst of it */
                   {"\x63\x04what", 7},              /* of the future */
                   {"\x02\xff/cut off", 10},
                   {"\0behind the end", 15},
                   {"\x02", 1}};
    unsigned char packet[KIT_PACKET];

    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        kit_write_announce(packet, kit_connect(&world, v4, kit_start), 1, 6881);
        memcpy(packet + 98, options[i].bytes, options[i].length);
        assert_int_equal(kit_ask(&world, packet, 98 + options[i].length, v4, kit_start).length, 20);
    }
    memset(packet + 98, 0xff, sizeof packet - 98);
    assert_int_equal(kit_ask(&world, packet, sizeof packet, v4, kit_start).length, 20);
}

static char told_url[1024];
static size_t told_length;

static const char *authorize_tokens(void *baton, const bt_infohash *hash, const char *url, apr_size_t length, apr_time_t now)
{
    bt_infohash asked = kit_hash(1);

    assert_ptr_equal(baton, &world);
    assert_true(bt_infohash_equal(hash, &asked));
    assert_int_equal(now, kit_start);
    assert_true(length <= sizeof told_url);
    memcpy(told_url, url, length);
    told_length = length;
    return length >= 5 && memcmp(url + length - 5, "token", 5) == 0 ? NULL : "no token";
}

static kit_reply ask_with_options(const void *options, size_t length)
{
    unsigned char packet[KIT_PACKET];

    kit_write_announce(packet, kit_connect(&world, v4, kit_start), 1, 6881);
    memcpy(packet + 98, options, length);
    return kit_ask(&world, packet, 98 + length, v4, kit_start);
}

/* BEP 41: the path and query of the tracker's URL, in as many parts as it takes. */
static void test_the_url_in_the_options_decides_who_is_authorized(void **state)
{
    static const struct {
        const char *bytes;
        size_t length, url;
        int authorized;
    } options[] = {{"", 0, 0, 0},
                   {"\x02\x0f/announce/token", 17, 15, 1},
                   {"\x01\x63\x02xy\x02\x0a/announce/\x01\x02\x05token\0\x02\x01x", 29, 15, 1},
                   {"\x02\x09/announce", 11, 9, 0},
                   {"\0\x02\x05token", 8, 0, 0},      /* behind the end */
                   {"\x02\x06token", 7, 0, 0},        /* cut off */
                   {"\x02\x05token\x02", 8, 5, 1}};

    world.tracker.authorize = authorize_tokens;
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        int found = world.found;
        kit_reply reply = ask_with_options(options[i].bytes, options[i].length);

        assert_int_equal(reply.result, options[i].authorized ? TRK_UDP_ANNOUNCE : TRK_UDP_REFUSED);
        assert_int_equal(world.found - found, options[i].authorized);
        assert_int_equal(told_length, options[i].url);
        if (!options[i].authorized)
            assert_memory_equal(reply.bytes, "\0\0\0\x03TRANno token", 16);
    }
}

static void test_a_url_longer_than_any_of_ours_is_cut_between_options(void **state)
{
    unsigned char options[5 * 257];

    for (int i = 0; i < 5; i++) {
        options[i * 257] = 2;
        options[i * 257 + 1] = 255;
        memset(options + i * 257 + 2, 'a' + i, 255);
    }
    world.tracker.authorize = authorize_tokens;
    assert_int_equal(ask_with_options(options, sizeof options).result, TRK_UDP_REFUSED);
    assert_int_equal(told_length, 4 * 255);
}

static void test_unknown_actions_are_silence(void **state)
{
    static const uint32_t actions[] = {3, 4, 5, 0x100, 0x01000000, UINT32_MAX};

    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
        assert_int_equal(kit_announce_with(&world, 1, v4, 8, actions[i], 4).result, TRK_UDP_SILENT);
}

static void test_what_is_not_published_is_an_error_byte_for_byte(void **state)
{
    kit_reply reply = kit_announced(&world, KIT_UNPUBLISHED, v4);
    trk_totals totals;

    assert_int_equal(reply.result, TRK_UDP_ERROR);
    assert_int_equal(reply.length, 8 + 15);
    assert_memory_equal(reply.bytes, "\0\0\0\3TRANno such torrent", 8 + 15);
    trk_swarms_totals(world.tracker.swarms, &totals);
    assert_int_equal(totals.swarms, 0);
}

static void test_a_long_reason_is_cut(void **state)
{
    char text[3000];
    kit_reply reply;

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    world.failure = text;
    reply = kit_announced(&world, KIT_UNPUBLISHED, v4);
    assert_int_equal(reply.result, TRK_UDP_ERROR);
    assert_int_equal(reply.length, TRK_UDP_ANSWER_MAX - 1);
    assert_int_equal(reply.bytes[reply.length - 1], 'x');
}

static void test_the_own_seed_is_told_in_its_family_and_counted_in_both(void **state)
{
    kit_reply reply;

    world.seeds[0] = kit_v6(80, 443);
    world.seed_count = 1;
    reply = kit_announced(&world, 1, v4);
    assert_int_equal(kit_peers(&reply, 0), 0);
    assert_int_equal(kit_seeds(&reply), 1);
    reply = kit_announced(&world, 1, v6);
    assert_int_equal(kit_peers(&reply, 1), 1);
    assert_memory_equal(reply.bytes + 20, world.seeds[0].ip, 16);
    assert_int_equal(kit_get(reply.bytes + 36, 2), 443);
    reply = kit_announce_with(&world, 1, v6, 64, 0, 8); /* not to a seed */
    assert_int_equal(kit_peers(&reply, 1), 0);
}

static void test_as_many_own_seeds_as_there_can_be(void **state)
{
    kit_reply reply;

    for (uint32_t i = 0; i < TRK_UDP_SEEDS_MAX; i++)
        world.seeds[i] = kit_v4(0xc6336400 + i, 80);
    world.seed_count = TRK_UDP_SEEDS_MAX;
    reply = kit_announced(&world, 1, v4);
    assert_int_equal(kit_peers(&reply, 0), TRK_UDP_SEEDS_MAX);
    assert_int_equal(kit_seeds(&reply), 1);
    reply = kit_announce_with(&world, 1, v4, 92, 3, 4);
    assert_int_equal(kit_peers(&reply, 0), 3);
}

static void test_find_is_told_who_asks_and_where(void **state)
{
    trk_address from = v4;

    from.port = 40000; /* the packet's; 6881 is in it */
    kit_announce_with(&world, 1, from, 96, 6881, 2);
    assert_int_equal(world.client.port, 6881);
    assert_memory_equal(world.client.ip, v4.ip, 4);
    assert_memory_equal(&world.local, &kit_local, sizeof kit_local);
}

static void test_private_addresses_are_kept_by_policy_only(void **state)
{
    kit_reply reply;

    world.policy.allow_private_peers = 0;
    reply = kit_announced(&world, 1, kit_v4(0x0a000001, 6881));
    assert_int_equal(reply.result, TRK_UDP_ANNOUNCE);
    assert_int_equal(kit_leechers(&reply), 0);
    world.policy.allow_private_peers = 1;
    reply = kit_announced(&world, 1, kit_v4(0x0a000001, 6881));
    assert_int_equal(kit_leechers(&reply), 1);
}

/* What is kept elsewhere is not found here, though it is the same socket and tracker. */
static void test_find_names_the_table(void **state)
{
    kit_reply reply;
    trk_totals totals;

    world.elsewhere = kit_new(TRK_MEMORY_MIN);
    reply = kit_announced(&world, KIT_ELSEWHERE, v4);
    assert_int_equal(kit_leechers(&reply), 1);
    reply = kit_announced(&world, KIT_ELSEWHERE, kit_v4(0xc0000207, 7));
    assert_int_equal(kit_leechers(&reply), 2);
    trk_swarms_totals(world.tracker.swarms, &totals);
    assert_int_equal(totals.swarms, 0);
    trk_swarms_totals(world.elsewhere, &totals);
    assert_int_equal(totals.swarms, 1);
    kit_free(world.elsewhere);
}

/* Admits nobody; notes what it was asked. */
static int asked_of_an_announce, asked_of_hashes;

static const char *admit_nobody(void *baton, const trk_address *client, int scraped, apr_time_t now)
{
    assert_ptr_equal(baton, &world);
    assert_memory_equal(client->ip, v4.ip, 4);
    assert_int_equal(now, kit_start);
    asked_of_an_announce += scraped == 0;
    asked_of_hashes += scraped;
    return "not so fast";
}

static void test_who_is_not_admitted_gets_an_error_and_costs_nothing_more(void **state)
{
    unsigned char packet[16 + 200 * 20] = {0};
    kit_reply reply;
    uint64_t id;

    asked_of_an_announce = asked_of_hashes = 0;
    world.tracker.admit = admit_nobody;
    id = kit_connect(&world, v4, kit_start); /* which are not limited: their senders may be forged */
    reply = kit_announce_by(&world, id, 1, v4, kit_start);
    assert_int_equal(reply.result, TRK_UDP_ERROR);
    assert_int_equal(reply.length, 8 + 11);
    assert_memory_equal(reply.bytes, "\0\0\0\3TRANnot so fast", 8 + 11);
    kit_put(packet, id, 8);
    kit_put(packet + 8, 2, 4);
    reply = kit_ask(&world, packet, sizeof packet, v4, kit_start);
    assert_int_equal(reply.result, TRK_UDP_SCRAPE); /* which is not counted among announces */
    assert_int_equal(kit_get(reply.bytes, 4), 3);
    assert_int_equal(asked_of_an_announce, 1);
    assert_int_equal(asked_of_hashes, TRK_UDP_SCRAPE_MAX);
    assert_int_equal(world.found, 0);
    kit_announce_by(&world, id + 1, 1, v4, kit_start); /* nor is anybody asked for who has no connection id */
    assert_int_equal(asked_of_an_announce, 1);
}

static apr_status_t was_decided;

static void note_decided(void *baton, apr_status_t status)
{
    assert_ptr_equal(baton, &world);
    was_decided = status;
}

static void test_what_was_decided_is_told(void **state)
{
    was_decided = APR_EGENERAL;
    world.tracker.decided = note_decided;
    kit_announced(&world, KIT_UNPUBLISHED, v4);
    assert_int_equal(was_decided, APR_EGENERAL);
    kit_announced(&world, 1, v4);
    assert_int_equal(was_decided, APR_SUCCESS);
    world.policy.allow_private_peers = 0;
    kit_announced(&world, 1, kit_v4(0x0a000001, 6881));
    assert_int_equal(was_decided, APR_EACCES);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_announce_byte_for_byte_v4),
        TEST(test_announce_byte_for_byte_v6),
        TEST(test_the_stride_follows_the_family_of_the_packet),
        TEST(test_peers_of_the_other_family_take_no_place),
        TEST(test_an_answer_is_under_1200_bytes),
        TEST(test_numwant_of_minus_one_is_the_default),
        TEST(test_the_ip_field_is_ignored),
        TEST(test_left_of_all_ones_is_a_leecher),
        TEST(test_left_of_nothing_is_a_seed),
        TEST(test_aria2_with_a_magnet_is_a_leecher),
        TEST(test_events),
        TEST(test_completed_counts_once),
        TEST(test_without_a_port_nothing_is_kept_but_peers_are_told),
        TEST(test_an_announce_of_fewer_than_98_bytes_is_silence),
        TEST(test_longer_packets_and_unknown_options_are_passed_over),
        TEST(test_the_url_in_the_options_decides_who_is_authorized),
        TEST(test_a_url_longer_than_any_of_ours_is_cut_between_options),
        TEST(test_unknown_actions_are_silence),
        TEST(test_what_is_not_published_is_an_error_byte_for_byte),
        TEST(test_a_long_reason_is_cut),
        TEST(test_the_own_seed_is_told_in_its_family_and_counted_in_both),
        TEST(test_as_many_own_seeds_as_there_can_be),
        TEST(test_find_is_told_who_asks_and_where),
        TEST(test_private_addresses_are_kept_by_policy_only),
        TEST(test_find_names_the_table),
        TEST(test_who_is_not_admitted_gets_an_error_and_costs_nothing_more),
        TEST(test_what_was_decided_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
