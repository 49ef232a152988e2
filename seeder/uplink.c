#include "seeder/uplink.h"

static const apr_interval_time_t HALF = 60 * APR_USEC_PER_SEC;

/* A shorter time says little: sockets take megabytes at once. */
static const apr_interval_time_t SHORTEST = APR_USEC_PER_SEC / 2;

void seed_uplink_init(seed_uplink *uplink, apr_int64_t known)
{
    *uplink = (seed_uplink){known > 0 ? known : 0, 0, 0};
}

apr_int64_t seed_uplink_look(seed_uplink *uplink, apr_uint64_t bytes, apr_time_t now)
{
    apr_interval_time_t passed = now - uplink->at;
    double seconds = (double)passed / APR_USEC_PER_SEC, last;

    if (uplink->at && passed < SHORTEST)
        return uplink->best;
    if (uplink->at) {
        last = (double)(bytes - uplink->bytes) / seconds;
        uplink->best = (apr_int64_t)((double)uplink->best * (double)HALF / (double)(HALF + passed));
        if (last > (double)uplink->best)
            uplink->best = (apr_int64_t)last;
    }
    uplink->bytes = bytes;
    uplink->at = now;
    return uplink->best;
}
