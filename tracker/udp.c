#include "tracker/udp.h"

#include <string.h>

#include <apr_siphash.h>
#include <openssl/crypto.h>

#include "tracker/address.h"

enum { CONNECT, ANNOUNCE, SCRAPE, ERROR }; /* actions */

/* Where things lie in requests and answers; all numbers are in network order. */
enum {
    ID = 0,
    ACTION = 8,
    TRANSACTION = 12,
    HASHES = 16, /* of a scrape; the length of a connect */
    PEER_ID = 36,
    DOWNLOADED = 56,
    LEFT = 64,
    EVENT = 80, /* after it: an address, which is not believed, and a key, which is not needed */
    NUMWANT = 92,
    PORT = 96,
    ANNOUNCE_LENGTH = 98, /* options of BEP 41 follow */

    ANSWER_HEADER = 8,
    ANNOUNCE_HEADER = 20,
    SCRAPE_ENTRY = 12
};

/* Options behind an announce (BEP 41), and bytes of a URL that are read. */
enum { END_OF_OPTIONS, NO_OPTION, URL_DATA, URL_MAX = 1024 };

enum { ID_SIZE = APR_SIPHASH_DSIZE, STEP = 64 /* seconds */, STEPS = 3 /* an id is good in its own and two more */, STEP_MASK = 3 };

static const apr_uint64_t connect_magic = 0x41727101980;

/* A request on its way. */
typedef struct {
    const trk_udp *tracker;
    const unsigned char *packet;
    apr_size_t length;
    trk_address from; /* normal */
    const trk_address *local;
    apr_time_t now;
    apr_uint64_t random;
    unsigned char *answer;
} request;

static apr_uint32_t get_u32(const unsigned char *from)
{
    return (apr_uint32_t)from[0] << 24 | (apr_uint32_t)from[1] << 16 | (apr_uint32_t)from[2] << 8 | from[3];
}

static apr_uint64_t get_u64(const unsigned char *from)
{
    return (apr_uint64_t)get_u32(from) << 32 | get_u32(from + 4);
}

static void put_u32(unsigned char *to, apr_uint32_t value)
{
    to[0] = (unsigned char)(value >> 24);
    to[1] = (unsigned char)(value >> 16);
    to[2] = (unsigned char)(value >> 8);
    to[3] = (unsigned char)value;
}

/* The lowest bits of an id say of which step it is, so that only one has to be worked out to see whether it is good. */
static void make_id(const request *q, apr_uint64_t step, unsigned char id[ID_SIZE])
{
    unsigned char message[1 + sizeof q->from.ip + 8] = {(unsigned char)q->from.is_v6};

    memcpy(message + 1, q->from.ip, sizeof q->from.ip); /* zeros behind a v4 address */
    put_u32(message + 1 + sizeof q->from.ip, (apr_uint32_t)(step >> 32));
    put_u32(message + 1 + sizeof q->from.ip + 4, (apr_uint32_t)step);
    apr_siphash24_auth(id, message, sizeof message, q->tracker->secret);
    id[ID_SIZE - 1] = (unsigned char)((id[ID_SIZE - 1] & ~(unsigned)STEP_MASK) | (unsigned)(step & STEP_MASK));
}

static apr_uint64_t step_of(apr_time_t now)
{
    return (apr_uint64_t)(apr_time_sec(now) / STEP);
}

/* Compared in whole, so that the time taken tells nothing of what would have been good. */
static int is_validated(const request *q)
{
    apr_uint64_t now = step_of(q->now), age = (now - q->packet[ID + ID_SIZE - 1]) & STEP_MASK;
    unsigned char id[ID_SIZE];

    make_id(q, now - age, id);
    return (CRYPTO_memcmp(id, q->packet + ID, ID_SIZE) == 0) & (age < STEPS);
}

static void begin(const request *q, apr_uint32_t action)
{
    put_u32(q->answer, action);
    memcpy(q->answer + 4, q->packet + TRANSACTION, 4);
}

static apr_size_t answer_connect(const request *q)
{
    begin(q, CONNECT);
    make_id(q, step_of(q->now), q->answer + ANSWER_HEADER);
    return ANSWER_HEADER + ID_SIZE;
}

static apr_size_t answer_error(const request *q, const char *text)
{
    apr_size_t length = strnlen(text, TRK_UDP_ANSWER_MAX - 1 - ANSWER_HEADER);

    begin(q, ERROR);
    memcpy(q->answer + ANSWER_HEADER, text, length);
    return ANSWER_HEADER + length;
}

static trk_event read_event(apr_uint32_t number)
{
    static const trk_event events[] = {TRK_EVENT_NONE, TRK_EVENT_COMPLETED, TRK_EVENT_STARTED, TRK_EVENT_STOPPED,
                                       TRK_EVENT_PAUSED /* libtorrent's (BEP 21) */};

    return number < sizeof events / sizeof *events ? events[number] : TRK_EVENT_NONE;
}

/* As many as fit into the answer; -1, and less, mean the default. */
static int read_numwant(const unsigned char *from, int peer_size)
{
    const int fit = (TRK_UDP_ANSWER_MAX - ANNOUNCE_HEADER) / peer_size;
    apr_uint32_t number = get_u32(from);
    int want = number > APR_INT32_MAX ? TRK_NUMWANT_DEFAULT : number > TRK_NUMWANT_MAX ? TRK_NUMWANT_MAX : (int)number;

    return want < fit ? want : fit;
}

/* More than 63 bits of it, as all ones for "unknown", are as many as we can count to. */
static apr_int64_t read_bytes(const unsigned char *from)
{
    apr_uint64_t bytes = get_u64(from);

    return bytes > APR_INT64_MAX ? APR_INT64_MAX : (apr_int64_t)bytes;
}

static void read_announce(const request *q, int peer_size, trk_announce *announce)
{
    const unsigned char *packet = q->packet;

    memset(announce, 0, sizeof *announce);
    memcpy(announce->hash.b, packet + HASHES, sizeof announce->hash.b);
    memcpy(announce->peer_id, packet + PEER_ID, sizeof announce->peer_id);
    announce->event = read_event(get_u32(packet + EVENT));
    announce->left = read_bytes(packet + LEFT);
    announce->left = trk_left_meant(announce, read_bytes(packet + DOWNLOADED));
    announce->numwant = read_numwant(packet + NUMWANT, peer_size);
    announce->port = (apr_uint16_t)(packet[PORT] << 8 | packet[PORT + 1]);
    announce->compact = 1;
    announce->one_family = 1;
}

/* Joins what the options say of the URL (BEP 41). Unknown options are passed over; one that is cut off is the last.
 * @return bytes */
static apr_size_t read_url(const request *q, char url[URL_MAX])
{
    const unsigned char *at = q->packet + ANNOUNCE_LENGTH, *end = q->packet + q->length;
    apr_size_t length = 0, size;

    for (; at < end && *at != END_OF_OPTIONS; at += size) {
        size = 1;
        if (*at == NO_OPTION)
            continue;
        if (end - at < 2 || end - at < 2 + at[1])
            break;
        size = 2 + (apr_size_t)at[1];
        if (*at != URL_DATA)
            continue;
        if (length + size - 2 > URL_MAX)
            break;
        memcpy(url + length, at + 2, size - 2);
        length += size - 2;
    }
    return length;
}

static const char *unauthorized(const request *q, const bt_infohash *hash)
{
    char url[URL_MAX];

    return q->tracker->authorize ? q->tracker->authorize(q->tracker->baton, hash, url, read_url(q, url), q->now) : NULL;
}

static const char *refusal(const request *q, int scraped)
{
    return q->tracker->admit ? q->tracker->admit(q->tracker->baton, &q->from, scraped, q->now) : NULL;
}

static apr_size_t answer_announce(request *q, trk_udp_result *result)
{
    const int peer_size = q->from.is_v6 ? 18 : 6;
    const trk_udp *tracker = q->tracker;
    trk_address seeds[TRK_UDP_SEEDS_MAX];
    trk_announce announce;
    trk_answer told;
    trk_swarms *swarms = tracker->swarms;
    const char *failure = refusal(q, 0);
    apr_status_t status;
    apr_size_t peers;
    int seed_count = 0, count;

    read_announce(q, peer_size, &announce);
    q->from.port = announce.port;
    if (!failure && (failure = unauthorized(q, &announce.hash)) != NULL) {
        *result = TRK_UDP_REFUSED;
        return answer_error(q, failure);
    }
    if (!failure)
        failure = tracker->find(tracker->baton, &announce.hash, &q->from, q->local, &swarms, seeds, &seed_count);
    if (failure) {
        *result = TRK_UDP_ERROR;
        return answer_error(q, failure);
    }
    status = trk_swarms_announce(swarms, tracker->policy, &announce, &q->from, seeds, seed_count, q->now, q->random, &told);
    if (tracker->decided)
        tracker->decided(tracker->baton, status);
    begin(q, ANNOUNCE);
    put_u32(q->answer + 8, (apr_uint32_t)told.interval);
    put_u32(q->answer + 12, told.incomplete);
    put_u32(q->answer + 16, told.complete);
    count = q->from.is_v6 ? told.count6 : told.count4;
    peers = (apr_size_t)((count < announce.numwant ? count : announce.numwant) * peer_size);
    memcpy(q->answer + ANNOUNCE_HEADER, q->from.is_v6 ? told.peers6 : told.peers4, peers);
    *result = TRK_UDP_ANNOUNCE;
    return ANNOUNCE_HEADER + peers;
}

/* What is not published, or needs a URL to be authorized, has zeros, for the answers have no names. */
static apr_size_t answer_scrape(const request *q)
{
    const trk_udp *tracker = q->tracker;
    apr_size_t count = (q->length - HASHES) / BT_HASH_SIZE;
    unsigned char *to = q->answer + ANSWER_HEADER;
    const char *failure;

    if (count > TRK_UDP_SCRAPE_MAX)
        count = TRK_UDP_SCRAPE_MAX;
    if ((failure = refusal(q, count > 0 ? (int)count : 1)) != NULL)
        return answer_error(q, failure);
    begin(q, SCRAPE);
    for (apr_size_t i = 0; i < count; i++, to += SCRAPE_ENTRY) {
        trk_address seeds[TRK_UDP_SEEDS_MAX];
        trk_scrape numbers = {0};
        trk_swarms *swarms = tracker->swarms;
        bt_infohash hash;
        int seed_count = 0;

        memcpy(hash.b, q->packet + HASHES + i * BT_HASH_SIZE, sizeof hash.b);
        if (!(tracker->authorize && tracker->authorize(tracker->baton, &hash, "", 0, q->now)) &&
            !tracker->find(tracker->baton, &hash, &q->from, q->local, &swarms, seeds, &seed_count)) {
            trk_swarms_scrape(swarms, &hash, q->now, &numbers);
            numbers.complete += seed_count > 0; /* this server itself */
        }
        put_u32(to, numbers.complete);
        put_u32(to + 4, numbers.downloaded);
        put_u32(to + 8, numbers.incomplete);
    }
    return ANSWER_HEADER + count * SCRAPE_ENTRY;
}

int trk_udp_hash(const void *packet, apr_size_t length, bt_infohash *hash)
{
    const unsigned char *bytes = packet;

    if (length < ANNOUNCE_LENGTH || get_u32(bytes + ACTION) != ANNOUNCE)
        return 0;
    memcpy(hash->b, bytes + HASHES, sizeof hash->b);
    return 1;
}

apr_size_t trk_udp_answer(const trk_udp *tracker, const void *packet, apr_size_t length, const trk_address *from,
                          const trk_address *local, apr_time_t now, apr_uint64_t random,
                          unsigned char answer[TRK_UDP_ANSWER_MAX], trk_udp_result *result)
{
    request q = {tracker, packet, length, trk_address_normal(from), local, now, random, answer};
    apr_uint32_t action;

    *result = TRK_UDP_SILENT;
    if (length < HASHES)
        return 0;
    action = get_u32(q.packet + ACTION);
    if (action == CONNECT && get_u64(q.packet + ID) == connect_magic) {
        *result = TRK_UDP_CONNECT;
        return answer_connect(&q);
    }
    if (!is_validated(&q))
        return 0;
    q.from.port = 0;
    if (action == ANNOUNCE && length >= ANNOUNCE_LENGTH)
        return answer_announce(&q, result);
    if (action == SCRAPE) {
        *result = TRK_UDP_SCRAPE;
        return answer_scrape(&q);
    }
    return 0;
}
