#include "seeder/drip.h"

static void begin(seed_drip *drip, apr_uint64_t taken, apr_time_t now)
{
    drip->since = now;
    drip->start = taken;
}

seed_drip_verdict seed_drip_look(seed_drip *drip, int waits, apr_uint64_t taken, apr_time_t now,
                                 apr_interval_time_t stretch, apr_uint64_t least)
{
    if (!waits) {
        drip->since = 0;
        return SEED_DRIP_FINE;
    }
    if (!drip->since || taken != drip->last) {
        drip->last = taken;
        drip->moved = now;
    }
    if (!drip->since)
        begin(drip, taken, now);
    if (now - drip->moved >= stretch)
        return SEED_DRIP_NOTHING;
    if (now - drip->since < stretch)
        return SEED_DRIP_FINE;
    if (taken - drip->start < least) /* it has stopped, or it takes drops: which, is seen at the next one */
        return now - drip->moved < stretch / 2 ? SEED_DRIP_TRICKLE : SEED_DRIP_FINE;
    begin(drip, taken, now);
    return SEED_DRIP_FINE;
}
