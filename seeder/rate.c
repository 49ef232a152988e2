#include "seeder/rate.h"

/* A twentieth of a second's worth may be saved up, but always a block with its header. Less than a hundredth's is not
 * handed out, or it would be sent in crumbs, each at the price of a turn of the loop: at least a packet, at most a batch. */
enum { BURST_PARTS = 20, BURST_MIN = 16384 + 13, USEFUL_PARTS = 100, USEFUL_MIN = 1400, USEFUL_MAX = 256 * 1024 };

static const apr_int64_t RATE_MAX = APR_INT64_C(1000000000000); /* bytes a second; keeps products within 64 bits */

static apr_int64_t useful(const seed_rate *bucket)
{
    apr_int64_t part = bucket->rate / USEFUL_PARTS;

    if (bucket->rate < USEFUL_MIN)
        return bucket->rate;
    return part < USEFUL_MIN ? USEFUL_MIN : part < USEFUL_MAX ? part : USEFUL_MAX;
}

static void set(seed_rate *bucket, apr_int64_t rate)
{
    bucket->rate = rate <= 0 ? 0 : rate < RATE_MAX ? rate : RATE_MAX;
    bucket->burst = bucket->rate / BURST_PARTS > BURST_MIN ? bucket->rate / BURST_PARTS : BURST_MIN;
}

void seed_rate_init(seed_rate *bucket, apr_int64_t rate, apr_time_t now)
{
    set(bucket, rate);
    bucket->tokens = bucket->burst;
    bucket->filled = now;
    bucket->part = 0;
}

static void fill(seed_rate *bucket, apr_time_t now)
{
    apr_time_t passed = now - bucket->filled;
    apr_int64_t earned;

    if (passed <= 0)
        return;
    if (passed > APR_USEC_PER_SEC) /* a second fills any bucket; and no product can overflow */
        passed = APR_USEC_PER_SEC;
    earned = bucket->rate * passed + bucket->part;
    bucket->tokens += earned / APR_USEC_PER_SEC;
    bucket->part = earned % APR_USEC_PER_SEC;
    bucket->filled = now;
    if (bucket->tokens > bucket->burst)
        bucket->tokens = bucket->burst;
}

void seed_rate_set(seed_rate *bucket, apr_int64_t rate, apr_time_t now)
{
    fill(bucket, now);
    set(bucket, rate);
    if (bucket->tokens > bucket->burst)
        bucket->tokens = bucket->burst;
}

apr_size_t seed_rate_allow(seed_rate *bucket, apr_size_t wanted, apr_time_t now)
{
    if (bucket->rate == 0)
        return wanted;
    fill(bucket, now);
    if (bucket->tokens < useful(bucket))
        return 0;
    return wanted < (apr_size_t)bucket->tokens ? wanted : (apr_size_t)bucket->tokens;
}

void seed_rate_spend(seed_rate *bucket, apr_size_t sent)
{
    if (bucket->rate)
        bucket->tokens -= (apr_int64_t)sent;
}

apr_interval_time_t seed_rate_wait(const seed_rate *bucket, apr_time_t now)
{
    apr_int64_t missing;
    apr_interval_time_t wait;

    if (bucket->rate == 0 || bucket->tokens >= useful(bucket))
        return 0;
    missing = useful(bucket) - bucket->tokens;
    wait = missing * APR_USEC_PER_SEC / bucket->rate + 1 - (now - bucket->filled);
    return wait > 0 ? wait : 0;
}
