#include "seeder/pace.h"

#define STORE(where, value) __atomic_store_n(&(where), (apr_uint64_t)(value), __ATOMIC_RELAXED)

static const double WEIGHT = 0.2; /* of the last second */

void seed_pace_note(seed_pace *pace, const tg_queue_figures *figures, seed_hashing *page, apr_time_t now)
{
    apr_uint64_t bytes = figures->bytes_done - pace->bytes_done;
    int is_idle = !figures->hashing && !figures->urgent && !figures->waiting;

    if (pace->at && now > pace->at) {
        double lately = (double)bytes * APR_USEC_PER_SEC / (double)(now - pace->at);

        pace->rate = pace->rate > 0 ? pace->rate + WEIGHT * (lately - pace->rate) : lately;
    }
    if (is_idle && !bytes)
        pace->rate = 0;
    pace->at = is_idle ? 0 : now; /* nobody looks while nothing is hashed */
    pace->bytes_done = figures->bytes_done;
    STORE(page->urgent, figures->urgent);
    STORE(page->waiting, figures->waiting);
    STORE(page->files, figures->hashing);
    STORE(page->bytes_left, figures->bytes_left);
    STORE(page->rate, pace->rate);
}
