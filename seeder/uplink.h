/* What the uplink carries, as far as it was seen: the best rate of late. No socket and no clock. */
#ifndef SEED_UPLINK_H
#define SEED_UPLINK_H

#include <apr_time.h>

typedef struct {
    apr_int64_t best;   /* bytes a second */
    apr_uint64_t bytes; /* when it was last looked */
    apr_time_t at;      /* 0: never */
} seed_uplink;

/** @param known  bytes a second that another seeder has just reached here, 0: nothing is known */
void seed_uplink_init(seed_uplink *uplink, apr_int64_t known);

/**
 * Looks again, about once a second.
 * @param bytes  sent so far: a counter that only rises
 * @return the best rate that was reached; one that was reached a minute ago counts half
 */
apr_int64_t seed_uplink_look(seed_uplink *uplink, apr_uint64_t bytes, apr_time_t now);

#endif
