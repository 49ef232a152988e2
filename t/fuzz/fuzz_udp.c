/* Any datagrams to the tracker by UDP: each input is a row of them (one byte that says who sends it, two of length, and
 * the bytes), as they are and again with the right connection id, which no chance would hit. Whatever is sent: an
 * answer fits, has the form that its action says, goes on with the request's transaction; who is not validated gets no
 * more than was sent; and the swarms are sound afterwards. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tracker/shard.h"
#include "tracker/udp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const apr_time_t now = APR_TIME_C(1700000000) * APR_USEC_PER_SEC;
static const unsigned char secret[16] = {1, 2, 3};
static const trk_address local = {{192, 0, 2, 1}, 6969, 0};
static trk_udp tracker;

static void must(int holds)
{
    if (!holds)
        abort();
}

/* Publishes half of all info-hashes, with a number of own seeds that the hash says. */
static const char *find(void *baton, const bt_infohash *hash, const trk_address *client, const trk_address *at,
                        trk_swarms **swarms, trk_address *seeds, int *seed_count)
{
    must(baton == &tracker && client && at == &local && *swarms == tracker.swarms && *seed_count == 0);
    if (hash->b[0] & 1)
        return "not published";
    *seed_count = hash->b[1] % (TRK_UDP_SEEDS_MAX + 1);
    for (int i = 0; i < *seed_count; i++)
        seeds[i] = (trk_address){{hash->b[2], (unsigned char)i, 1}, 80, i % 3 == 0};
    return NULL;
}

/* Lets in whoever says no URL, or one that begins with a slash; reads every byte of it. */
static const char *authorize(void *baton, const bt_infohash *hash, const char *url, size_t length, apr_time_t at)
{
    unsigned sum = 0;

    must(baton == &tracker && hash && at == now && length <= 1024);
    for (size_t i = 0; i < length; i++)
        sum += (unsigned char)url[i];
    return sum > 0 && url[0] != '/' ? "not authorized" : NULL;
}

static uint32_t number_at(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void check_answer(const unsigned char *answer, size_t length, trk_udp_result result, int is_v6)
{
    static const uint32_t actions[] = {0, 1, 2, 3, 3};

    must(result >= TRK_UDP_CONNECT && result <= TRK_UDP_SILENT);
    must(length < TRK_UDP_ANSWER_MAX && (length == 0) == (result == TRK_UDP_SILENT));
    if (result == TRK_UDP_SILENT)
        return;
    must(length >= 8 && number_at(answer) == actions[result]);
    if (result == TRK_UDP_CONNECT)
        must(length == 16);
    if (result == TRK_UDP_ANNOUNCE)
        must(length >= 20 && (length - 20) % (is_v6 ? 18 : 6) == 0 && number_at(answer + 8) > 0);
    if (result == TRK_UDP_SCRAPE)
        must((length - 8) % 12 == 0 && length <= 8 + 12 * TRK_UDP_SCRAPE_MAX);
}

static trk_udp_result ask(const unsigned char *packet, size_t length, const trk_address *from, unsigned char *answer,
                          size_t *answered)
{
    trk_udp_result result;

    *answered = trk_udp_answer(&tracker, packet, length, from, &local, now, length, answer, &result);
    check_answer(answer, *answered, result, from->is_v6);
    if (*answered)
        must(memcmp(answer + 4, packet + 12, 4) == 0);
    return result;
}

static void run(const unsigned char *bytes, size_t length, unsigned who)
{
    static const unsigned char connect[16] = {0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80};
    trk_address from = {{(unsigned char)(198 + (who & 2)), 51, 100, (unsigned char)who}, 7000, (int)(who & 1)};
    unsigned char *packet = malloc(length ? length : 1), *answer = malloc(TRK_UDP_ANSWER_MAX);
    trk_udp_result result;
    size_t answered;

    must(packet && answer);
    memcpy(packet, bytes, length);
    result = ask(packet, length, &from, answer, &answered);
    if (result != TRK_UDP_ANNOUNCE && result != TRK_UDP_SCRAPE && result != TRK_UDP_ERROR &&
        result != TRK_UDP_REFUSED)
        must(answered <= length);
    if (length >= 8) {
        must(ask(connect, sizeof connect, &from, answer, &answered) == TRK_UDP_CONNECT);
        memcpy(packet, answer + 8, 8);
        ask(packet, length, &from, answer, &answered);
    }
    free(packet);
    free(answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const trk_policy policy = {.interval = APR_TIME_C(1800) * APR_USEC_PER_SEC, .allow_private_peers = 1};
    static unsigned char memory[TRK_MEMORY_MIN];
    trk_swarms *swarms;

    memset(memory, 0, sizeof memory);
    must(trk_swarms_format(memory, sizeof memory, secret) == APR_SUCCESS);
    must(trk_swarms_attach(&swarms, memory, sizeof memory) == APR_SUCCESS);
    tracker = (trk_udp){.swarms = swarms, .policy = &policy, .secret = secret, .find = find, .baton = &tracker, .authorize = authorize};
    while (size >= 3) {
        unsigned who = data[0];
        size_t length = (size_t)data[1] << 8 | data[2];

        data += 3;
        size -= 3;
        if (length > size)
            length = size;
        run(data, length, who);
        data += length;
        size -= length;
    }
    must(trk_check(swarms) == NULL);
    trk_swarms_detach(swarms);
    return 0;
}
