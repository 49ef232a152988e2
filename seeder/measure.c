#include "seeder/measure.h"

#include <time.h>

static const apr_interval_time_t MEMORY = 5 * APR_USEC_PER_SEC;

/* Longer than this without a look: there were no peers. What was then is not averaged. */
static const apr_interval_time_t GAP = 10 * APR_USEC_PER_SEC;

static apr_uint64_t cpu_now(void)
{
    struct timespec used;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (apr_uint64_t)used.tv_sec * APR_USEC_PER_SEC + (apr_uint64_t)used.tv_nsec / 1000;
}

apr_uint64_t seed_measure_rate(seed_measure *measure, apr_uint64_t bytes, apr_time_t now)
{
    apr_interval_time_t passed = now - measure->at;
    double last, weight;

    if (!measure->at || passed > GAP) {
        measure->rate = 0;
    } else if (passed > 0) {
        last = (double)(bytes - measure->bytes) * APR_USEC_PER_SEC / (double)passed;
        weight = (double)passed / (double)(passed + MEMORY);
        measure->rate = (apr_uint64_t)((double)measure->rate * (1 - weight) + last * weight);
    } else {
        return measure->rate;
    }
    measure->at = now;
    measure->bytes = bytes;
    return measure->rate;
}

void seed_measure_tick(seed_measure *measure, seed_counters *page, apr_time_t now)
{
    apr_uint64_t cpu = cpu_now(), sent = __atomic_load_n(&page->bytes_sent, __ATOMIC_RELAXED);

    seed_count(&page->cpu_time, (apr_int64_t)(cpu - measure->cpu));
    measure->cpu = cpu;
    __atomic_store_n(&page->upload_rate, seed_measure_rate(measure, sent, now), __ATOMIC_RELAXED);
    __atomic_store_n(&page->measured, (apr_uint64_t)now, __ATOMIC_RELAXED);
}
