/* What the seeder does, in figures that move: bytes a second, CPU time. Written to the page of counters once a second.
 * Seeder's thread. */
#ifndef SEED_MEASURE_H
#define SEED_MEASURE_H

#include <apr_time.h>

#include "seeder/counters.h"

/* What was counted when it was last looked. All zero at first. */
typedef struct {
    apr_time_t at;
    apr_uint64_t bytes;
    apr_uint64_t cpu; /* microseconds of this thread that are on the page */
    apr_uint64_t rate;
} seed_measure;

/**
 * The rate that follows from another look: an average in which what is longer ago than five seconds hardly counts.
 * @param bytes  a counter that only rises
 */
apr_uint64_t seed_measure_rate(seed_measure *measure, apr_uint64_t bytes, apr_time_t now);

/** Brings rate and CPU time on the page up to date. */
void seed_measure_tick(seed_measure *measure, seed_counters *page, apr_time_t now);

#endif
