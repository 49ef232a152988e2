/* What the tests of the tracker's UDP form share: a tracker that publishes all but one info-hash, and requests in one
 * line. */
#ifndef UDP_KIT_H
#define UDP_KIT_H

#include "swarms_kit.h"
#include "tracker/udp.h"

enum { KIT_UNPUBLISHED = 999, KIT_ELSEWHERE = 998, KIT_PACKET = 2048 };

static const trk_address kit_local = {{198, 51, 100, 1}, 6969, 0};

/* What the next answers are made with, and what `find` was asked. */
typedef struct {
    trk_udp tracker;
    trk_policy policy;
    unsigned char secret[16];
    const char *failure; /* for the unpublished one */
    trk_swarms *elsewhere; /* the table of another one, if there is one */
    trk_address seeds[TRK_UDP_SEEDS_MAX];
    int seed_count;
    trk_address client, local;
    int found;
} kit_world;

typedef struct {
    unsigned char bytes[TRK_UDP_ANSWER_MAX];
    apr_size_t length;
    trk_udp_result result;
} kit_reply;

static inline const char *kit_find(void *baton, const bt_infohash *hash, const trk_address *client,
                                   const trk_address *local, trk_swarms **swarms, trk_address *seeds, int *seed_count)
{
    kit_world *world = baton;
    bt_infohash unpublished = kit_hash(KIT_UNPUBLISHED), elsewhere = kit_hash(KIT_ELSEWHERE);

    world->found++;
    world->client = *client;
    world->local = *local;
    assert_ptr_equal(*swarms, world->tracker.swarms);
    if (bt_infohash_equal(hash, &unpublished))
        return world->failure;
    if (world->elsewhere && bt_infohash_equal(hash, &elsewhere))
        *swarms = world->elsewhere;
    memcpy(seeds, world->seeds, (size_t)world->seed_count * sizeof *seeds);
    *seed_count = world->seed_count;
    return NULL;
}

static inline void kit_world_new(kit_world *world)
{
    memset(world, 0, sizeof *world);
    for (unsigned char i = 0; i < sizeof world->secret; i++)
        world->secret[i] = i;
    world->policy = kit_policy;
    world->failure = "no such torrent";
    world->tracker = (trk_udp){.swarms = kit_new(4 * 1024 * 1024), .policy = &world->policy, .secret = world->secret, .find = kit_find, .baton = world};
}

static inline void kit_put(unsigned char *to, uint64_t value, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--, value >>= 8)
        to[i] = (unsigned char)value;
}

static inline uint64_t kit_get(const unsigned char *from, int bytes)
{
    uint64_t value = 0;

    for (int i = 0; i < bytes; i++)
        value = value << 8 | from[i];
    return value;
}

/* Sends a copy that is just as large, so that a byte read too far is noticed; and looks for one written too far. */
static inline kit_reply kit_ask(const kit_world *world, const void *packet, size_t length, trk_address from,
                                apr_time_t now)
{
    kit_reply reply = {.result = TRK_UDP_SILENT};
    unsigned char *answer = malloc(TRK_UDP_ANSWER_MAX), *copy = malloc(length ? length : 1);

    memcpy(copy, packet, length);
    reply.length = trk_udp_answer(&world->tracker, copy, length, &from, &kit_local, now, 42, answer, &reply.result);
    assert_true(reply.length <= TRK_UDP_ANSWER_MAX);
    assert_int_equal(reply.length == 0, reply.result == TRK_UDP_SILENT);
    memcpy(reply.bytes, answer, reply.length);
    free(copy);
    free(answer);
    return reply;
}

static inline uint64_t kit_connect(const kit_world *world, trk_address from, apr_time_t now)
{
    static const unsigned char packet[] = "\0\0\x04\x17\x27\x10\x19\x80\0\0\0\0TRAN";
    kit_reply reply = kit_ask(world, packet, 16, from, now);

    assert_int_equal(reply.result, TRK_UDP_CONNECT);
    assert_int_equal(reply.length, 16);
    return kit_get(reply.bytes + 8, 8);
}

/* The request of a leecher that wants the default number of peers; 98 bytes. */
static inline void kit_write_announce(unsigned char *packet, uint64_t id, uint32_t swarm, uint16_t port)
{
    bt_infohash hash = kit_hash(swarm);

    memset(packet, 0, 98);
    kit_put(packet, id, 8);
    kit_put(packet + 8, 1, 4);
    memcpy(packet + 12, "TRAN", 4);
    memcpy(packet + 16, hash.b, 20);
    memcpy(packet + 36, "-XX0001-abcdefghijkl", 20);
    kit_put(packet + 64, 1000, 8);
    kit_put(packet + 92, UINT32_MAX, 4);
    kit_put(packet + 96, port, 2);
}

static inline kit_reply kit_announce_by(const kit_world *world, uint64_t id, uint32_t swarm, trk_address from,
                                        apr_time_t now)
{
    unsigned char packet[98];

    kit_write_announce(packet, id, swarm, from.port);
    return kit_ask(world, packet, sizeof packet, from, now);
}

/* A connect and an announce with one number (`bytes` of it, at `offset`) changed. */
static inline kit_reply kit_announce_with(const kit_world *world, uint32_t swarm, trk_address from, int offset,
                                          uint64_t number, int bytes)
{
    unsigned char packet[98];
    kit_reply reply;

    kit_write_announce(packet, kit_connect(world, from, kit_start), swarm, from.port);
    if (bytes)
        kit_put(packet + offset, number, bytes);
    reply = kit_ask(world, packet, sizeof packet, from, kit_start);
    if (reply.result == TRK_UDP_ANNOUNCE) {
        assert_int_equal(kit_get(reply.bytes, 4), 1);
        assert_memory_equal(reply.bytes + 4, "TRAN", 4);
        assert_int_equal((reply.length - 20) % (from.is_v6 ? 18 : 6), 0);
    }
    return reply;
}

static inline kit_reply kit_announced(const kit_world *world, uint32_t swarm, trk_address from)
{
    return kit_announce_with(world, swarm, from, 0, 0, 0);
}

static inline int kit_peers(const kit_reply *reply, int is_v6)
{
    assert_int_equal(reply->result, TRK_UDP_ANNOUNCE);
    return (int)(reply->length - 20) / (is_v6 ? 18 : 6);
}

static inline uint64_t kit_leechers(const kit_reply *reply)
{
    return kit_get(reply->bytes + 12, 4);
}

static inline uint64_t kit_seeds(const kit_reply *reply)
{
    return kit_get(reply->bytes + 16, 4);
}

/* --- what every test of it has --- */

static const trk_address v4 = {{192, 0, 2, 7}, 6881, 0};
static const trk_address v6 = {{0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7}, 6881, 1};
static const trk_address mapped = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 7}, 6881, 1};

static kit_world world;

static inline int setup(void **state)
{
    kit_world_new(&world);
    return 0;
}

static inline int teardown(void **state)
{
    kit_sound(world.tracker.swarms);
    kit_free(world.tracker.swarms);
    return 0;
}

#endif
