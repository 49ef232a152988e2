#include "seeder/leftover.h"

void seed_leftover_init(seed_leftover *leftover, apr_int64_t uplink, apr_int64_t most, apr_uint64_t sent,
                        apr_time_t now)
{
    leftover->uplink = uplink;
    leftover->most = most;
    leftover->http = 0;
    leftover->seen = sent;
    leftover->looked = now;
}

int seed_leftover_is_due(const seed_leftover *leftover, apr_time_t now)
{
    return leftover->uplink > 0 && now - leftover->looked >= SEED_LEFTOVER_EVERY;
}

/* Up by half of the way, so that one full socket buffer is no storm; down by a tenth of it each time. */
void seed_leftover_look(seed_leftover *leftover, apr_uint64_t sent, apr_time_t now)
{
    enum { UP = 2, DOWN = 10 };
    apr_int64_t passed = now - leftover->looked, steps = passed / SEED_LEFTOVER_EVERY, rate;

    if (passed <= 0)
        return;
    rate = (apr_int64_t)((double)(sent - leftover->seen) * APR_USEC_PER_SEC / (double)passed);
    if (rate > leftover->uplink)
        rate = leftover->uplink;
    leftover->seen = sent;
    leftover->looked = now;
    if (rate > leftover->http)
        leftover->http += (rate - leftover->http + UP - 1) / UP;
    else
        leftover->http = steps >= DOWN ? rate : leftover->http - (leftover->http - rate) * (steps ? steps : 1) / DOWN;
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
