/* How fast files are hashed, and how long it will take yet. */
#ifndef SEED_PACE_H
#define SEED_PACE_H

#include <apr_time.h>

#include "seeder/counters.h"
#include "torrentgen/queue.h"

/* All zero at first. */
typedef struct {
    apr_time_t at;
    apr_uint64_t bytes_done;
    double rate; /* bytes a second, over some ten seconds */
} seed_pace;

/** Writes the figures of the queue to the page. @param now  monotonic, about a second after the last time */
void seed_pace_note(seed_pace *pace, const tg_queue_figures *figures, seed_hashing *page, apr_time_t now);

#endif
