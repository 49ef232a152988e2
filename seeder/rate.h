/* A token bucket for BTHTTPUploadRate: all peers together. No clock: time comes in. */
#ifndef SEED_RATE_H
#define SEED_RATE_H

#include <apr_time.h>

typedef struct {
    apr_int64_t rate;   /* bytes a second, 0: unlimited */
    apr_int64_t burst;  /* bytes that may be saved up */
    apr_int64_t tokens; /* bytes that may be sent now */
    apr_time_t filled;  /* when tokens were last added */
    apr_int64_t part;   /* of a byte, in millionths: what was earned beyond whole tokens */
} seed_rate;

void seed_rate_init(seed_rate *bucket, apr_int64_t rate, apr_time_t now);

/** Another rate from now on. */
void seed_rate_set(seed_rate *bucket, apr_int64_t rate, apr_time_t now);

/** How many of `wanted` bytes may be sent now: 0 until a useful amount has gathered. */
apr_size_t seed_rate_allow(seed_rate *bucket, apr_size_t wanted, apr_time_t now);

/** Notes what was sent. */
void seed_rate_spend(seed_rate *bucket, apr_size_t sent);

/** How long until seed_rate_allow gives something, microseconds; 0: now. */
apr_interval_time_t seed_rate_wait(const seed_rate *bucket, apr_time_t now);

#endif
