#include "tracker/limits.h"

#include <stdint.h>
#include <string.h>

#include <apr_siphash.h>

#include "tracker/address.h"

enum { MAGIC = 0x4254484c /* "BTHL" */, LAYOUT = 1, LINES = 8192, SLOTS = 8 /* 64 bytes */, TIME_BITS = 40 };

#define TIME_MASK (((apr_uint64_t)1 << TIME_BITS) - 1)
#define BURST ((apr_uint64_t)TRK_RATE_BURST * APR_USEC_PER_SEC)

/* A bucket is one word: a tag of its address in the upper bits, and the time (microseconds, come round after 12 days)
 * at which it will be full. That lies ahead by as long as what was taken takes to come back, so by BURST at most: a
 * bucket that is full, and one that was left alone for days, can be told by it. */
typedef struct {
    apr_uint64_t slots[SLOTS];
} line;

struct trk_limits {
    apr_uint32_t magic, layout;
    apr_uint64_t size;
    unsigned char key[APR_SIPHASH_KSIZE];
    unsigned char lines[sizeof(line) * (LINES + 1)]; /* from the first boundary on: APR's memory may begin anywhere */
};

apr_size_t trk_limits_size(void)
{
    return sizeof(trk_limits);
}

void trk_limits_init(void *memory, const unsigned char key[16])
{
    trk_limits *limits = memory;

    memset(limits, 0, sizeof *limits);
    limits->magic = MAGIC;
    limits->layout = LAYOUT;
    limits->size = sizeof *limits;
    memcpy(limits->key, key, sizeof limits->key);
}

int trk_limits_usable(const void *memory, apr_size_t size)
{
    const trk_limits *limits = memory;

    return size >= sizeof *limits && limits->magic == MAGIC && limits->layout == LAYOUT &&
           limits->size == sizeof *limits;
}

static line *line_of(trk_limits *limits, apr_uint64_t hash)
{
    unsigned char *first = limits->lines + (sizeof(line) - (uintptr_t)limits->lines % sizeof(line)) % sizeof(line);

    return (line *)(void *)first + hash % LINES;
}

/* Microseconds until a bucket is full. Another thread's clock may have been read a little later, and what it took then
 * lies further ahead. */
static apr_uint64_t missing(apr_uint64_t slot, apr_uint64_t now)
{
    apr_uint64_t ahead = (slot - now) & TIME_MASK;

    return ahead <= 2 * BURST ? ahead : 0;
}

/* The bucket of a tag, else one that is full, else any. */
static apr_uint64_t *find_slot(line *in, apr_uint64_t tag, apr_uint64_t now, apr_uint64_t any)
{
    apr_uint64_t *room = NULL;

    for (int i = 0; i < SLOTS; i++) {
        apr_uint64_t slot = __atomic_load_n(&in->slots[i], __ATOMIC_RELAXED);

        if (slot >> TIME_BITS == tag)
            return &in->slots[i];
        if (!room && missing(slot, now) == 0)
            room = &in->slots[i];
    }
    return room ? room : &in->slots[any % SLOTS];
}

/* @param need  microseconds until what is asked for has come back. @return 0 if the bucket has not so much */
static int take(trk_limits *limits, apr_uint64_t hash, apr_uint64_t need, apr_uint64_t now)
{
    const apr_uint64_t tag = hash >> TIME_BITS;
    line *in = line_of(limits, hash);

    for (;;) {
        apr_uint64_t *slot = find_slot(in, tag, now, hash >> 20 ^ now), was = __atomic_load_n(slot, __ATOMIC_RELAXED);
        apr_uint64_t full = (was >> TIME_BITS == tag ? missing(was, now) : 0) + need;

        if (full > BURST)
            return 0;
        if (__atomic_compare_exchange_n(slot, &was, tag << TIME_BITS | ((now + full) & TIME_MASK), 0, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
            return 1;
    }
}

static apr_uint64_t hash_of(const trk_limits *limits, const trk_address *from, apr_size_t bytes)
{
    unsigned char named[2 + sizeof from->ip] = {(unsigned char)from->is_v6, (unsigned char)bytes};

    memcpy(named + 2, from->ip, bytes);
    return apr_siphash24(named, sizeof named, limits->key);
}

trk_result trk_limits_take(trk_limits *limits, int rate, const trk_address *from, int cost, apr_time_t now)
{
    const trk_address normal = trk_address_normal(from);
    apr_uint64_t need, time = (apr_uint64_t)now & TIME_MASK;

    if (rate <= 0)
        return TRK_RESULT_OK;
    need = (apr_uint64_t)cost * APR_USEC_PER_SEC / (apr_uint64_t)rate;
    if (!take(limits, hash_of(limits, &normal, normal.is_v6 ? 8 : 4), need, time))
        return TRK_RESULT_RATE_ADDRESS;
    return take(limits, hash_of(limits, &normal, normal.is_v6 ? 6 : 3), need / TRK_RATE_NETWORK, time)
               ? TRK_RESULT_OK
               : TRK_RESULT_RATE_NETWORK;
}

int trk_scrape_cost(int hashes)
{
    return hashes <= 1 ? 1 : 1 + (hashes - 1) / TRK_RATE_SCRAPED;
}
