/* What the tests of swarms share: a table in shared memory, and announces in one line. */
#ifndef SWARMS_KIT_H
#define SWARMS_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "tracker/shard.h"

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#endif

#ifdef __SANITIZE_THREAD__
const char *__tsan_default_options(void);
/* trk_check holds all shards' locks, and the detector of deadlocks can count to 64 only; races are what is looked for. */
__attribute__((visibility("default"))) const char *__tsan_default_options(void)
{
    return "detect_deadlocks=0";
}
#endif

static const apr_time_t kit_start = APR_TIME_C(1700000000) * APR_USEC_PER_SEC;
static const trk_policy kit_policy = {.interval = APR_TIME_C(1800) * APR_USEC_PER_SEC,
                                     .allow_private_peers = 1,
                                     .nearness = TRK_NEARNESS_DEFAULT};
static const unsigned char kit_key[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

static inline trk_swarms *kit_new(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    trk_swarms *swarms;

    assert_ptr_not_equal(memory, MAP_FAILED);
    assert_int_equal(trk_swarms_format(memory, size, kit_key), APR_SUCCESS);
    assert_int_equal(trk_swarms_attach(&swarms, memory, size), APR_SUCCESS);
    return swarms;
}

static inline void kit_free(trk_swarms *swarms)
{
    munmap(swarms->header, swarms->header->size);
    trk_swarms_detach(swarms);
}

static inline void kit_sound(trk_swarms *swarms)
{
    const char *wrong = trk_check(swarms);

    if (wrong)
        fail_msg("%s", wrong);
}

static inline bt_infohash kit_hash(uint32_t number)
{
    bt_infohash hash = {{0}};

    memcpy(hash.b, &number, sizeof number);
    return hash;
}

static inline trk_address kit_v4(uint32_t number, uint16_t port)
{
    trk_address address = {{(unsigned char)(number >> 24), (unsigned char)(number >> 16), (unsigned char)(number >> 8),
                            (unsigned char)number},
                           port,
                           0};

    return address;
}

static inline trk_address kit_v6(uint32_t number, uint16_t port)
{
    trk_address address = {{0x20, 0x01, 0x0d, 0xb8}, port, 1};

    memcpy(address.ip + 4, &number, sizeof number);
    address.ip[15] = 1;
    return address;
}

/* A default announce of a leecher that wants all it can get. */
static inline trk_announce kit_announce(uint32_t swarm, int64_t left, trk_event event)
{
    trk_announce announce = {.hash = kit_hash(swarm), .left = left, .event = event, .numwant = TRK_NUMWANT_MAX, .compact = 1};

    return announce;
}

static inline apr_status_t kit_send(trk_swarms *swarms, uint32_t swarm, trk_address from, int64_t left, trk_event event,
                                    apr_time_t now, trk_answer *answer)
{
    static __thread uint64_t random = 42;
    trk_announce announce = kit_announce(swarm, left, event);

    announce.port = from.port;
    return trk_swarms_announce(swarms, &kit_policy, &announce, &from, NULL, 0, now, trk_random(&random), answer);
}

static inline int kit_names4(const trk_answer *answer, trk_address who)
{
    unsigned char wire[6] = {who.ip[0], who.ip[1], who.ip[2], who.ip[3], (unsigned char)(who.port >> 8),
                             (unsigned char)who.port};
    int times = 0;

    for (int i = 0; i < answer->count4; i++)
        times += memcmp(answer->peers4 + 6 * i, wire, 6) == 0;
    return times;
}

static inline int kit_names6(const trk_answer *answer, trk_address who)
{
    unsigned char wire[18];
    int times = 0;

    memcpy(wire, who.ip, 16);
    wire[16] = (unsigned char)(who.port >> 8);
    wire[17] = (unsigned char)who.port;
    for (int i = 0; i < answer->count6; i++)
        times += memcmp(answer->peers6 + 18 * i, wire, 18) == 0;
    return times;
}

static inline int kit_names(const trk_answer *answer, trk_address who)
{
    return who.is_v6 ? kit_names6(answer, who) : kit_names4(answer, who);
}

#endif
