/* Any bytes as a bulletin of another host, and as members of a swarm's sorted set: what can be read goes into a table that is sound
 * afterwards. The first byte says how much of the rest is the bulletin; what follows is members of 6 or 18 bytes, each after 8 of a score. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tracker/shard.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const apr_time_t now = APR_TIME_C(1700000000) * APR_USEC_PER_SEC;
static const apr_time_t interval = APR_TIME_C(1800) * APR_USEC_PER_SEC;

static void must(int holds)
{
    if (!holds)
        abort();
}

static void take_bulletin(trk_swarms *swarms, const uint8_t *data, size_t size)
{
    static const unsigned char self[TRK_HOST_ID_SIZE] = {0};
    trk_bulletin bulletin;
    trk_change change;

    if (!trk_bulletin_open(&bulletin, data, size, self))
        return;
    while (trk_bulletin_next(&bulletin, &change)) {
        must(change.peer.port != 0);
        trk_swarms_learn(swarms, &change, 0, now, interval, 1);
    }
}

static void take_members(trk_swarms *swarms, const uint8_t *data, size_t size)
{
    enum { SCORE = 8 };
    trk_change change = {.hash = {{1}}};

    while (size > SCORE) {
        size_t length = data[0] & 1 ? 18 : 6;
        char score[SCORE + 1] = {0};
        apr_int64_t second;

        memcpy(score, data, SCORE);
        data += SCORE;
        size -= SCORE;
        if (length > size)
            length = size;
        if (trk_member_read(data, length, score, &change, &second))
            trk_swarms_learn(swarms, &change, (apr_uint32_t)(second % 4000), now, interval, 0);
        data += length;
        size -= length;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned char key[16] = {1};
    static unsigned char memory[TRK_MEMORY_MIN];
    trk_swarms *swarms;
    size_t part;

    if (size == 0)
        return 0;
    memset(memory, 0, sizeof memory);
    must(trk_swarms_format(memory, sizeof memory, key) == APR_SUCCESS);
    must(trk_swarms_attach(&swarms, memory, sizeof memory) == APR_SUCCESS);
    part = data[0] < size - 1 ? data[0] : size - 1;
    take_bulletin(swarms, data + 1, part);
    take_members(swarms, data + 1 + part, size - 1 - part);
    must(trk_check(swarms) == NULL);
    trk_swarms_detach(swarms);
    return 0;
}
