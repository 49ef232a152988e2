#include "seeder/leftover.h"

void seed_leftover_init(seed_leftover *leftover, apr_int64_t uplink, apr_int64_t most, apr_uint64_t sent,
                        apr_time_t now)
{
    leftover->uplink = uplink;
    leftover->most = most;
    leftover->http = 0;
    leftover->queued = 0;
    leftover->seen = sent;
    leftover->looked = now;
}

int seed_leftover_is_due(const seed_leftover *leftover, apr_time_t now)
{
    return leftover->uplink > 0 && now - leftover->looked >= SEED_LEFTOVER_EVERY;
}

/* What a socket has taken at once is carried by the uplink bit by bit: what it cannot carry yet is left for the next looks.
 * Bytes a second that it carries between two looks. */
static apr_int64_t carried(seed_leftover *leftover, apr_uint64_t sent, apr_time_t passed)
{
    enum { BUFFERS = 2 }; /* seconds' worth that may be on its way */
    double seconds = (double)passed / APR_USEC_PER_SEC, most = (double)leftover->uplink * seconds;

    leftover->queued += (double)(sent - leftover->seen);
    if (leftover->queued < most)
        most = leftover->queued;
    leftover->queued -= most;
    if (leftover->queued > (double)leftover->uplink * BUFFERS)
        leftover->queued = (double)leftover->uplink * BUFFERS;
    return (apr_int64_t)(most / seconds);
}

void seed_leftover_look(seed_leftover *leftover, apr_uint64_t sent, apr_time_t now)
{
    enum { PART = 4, LONG = 10 };
    apr_time_t passed = now - leftover->looked;
    apr_int64_t rate, change;

    if (passed <= 0)
        return;
    rate = carried(leftover, sent, passed);
    leftover->seen = sent;
    leftover->looked = now;
    change = rate - leftover->http;
    if (passed < LONG * SEED_LEFTOVER_EVERY)
        change = (change + (change > 0 ? PART - 1 : 1 - PART)) / PART;
    leftover->http += change;
}

apr_int64_t seed_leftover_rate(const seed_leftover *leftover)
{
    enum { LEAST_PART = 20 };
    apr_int64_t left = leftover->uplink - leftover->http, least = leftover->uplink / LEAST_PART;

    if (leftover->uplink <= 0)
        return leftover->most;
    if (left < least)
        left = least;
    if (leftover->most > 0 && left > leftover->most)
        left = leftover->most;
    return left > 0 ? left : 1;
}
