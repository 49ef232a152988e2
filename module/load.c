#include "module/load.h"

#include <httpd.h>
#include <ap_mpm.h>
#include <scoreboard.h>

static int is_busy(unsigned char status)
{
    return status != SERVER_DEAD && status != SERVER_STARTING && status != SERVER_READY && status != SERVER_IDLE_KILL;
}

static int query(int what)
{
    int value = 0;

    return ap_mpm_query(what, &value) == APR_SUCCESS && value > 0 ? value : 1;
}

/* Percent of the workers that there may be. */
static int busy_percent(void)
{
    int processes = query(AP_MPMQ_HARD_LIMIT_DAEMONS), threads = query(AP_MPMQ_HARD_LIMIT_THREADS), busy = 0;
    int most = query(AP_MPMQ_MAX_DAEMONS) * query(AP_MPMQ_MAX_THREADS);

    if (!ap_exists_scoreboard_image())
        return 0;
    for (int i = 0; i < processes; i++)
        for (int j = 0; j < threads; j++) {
            const worker_score *worker = ap_get_scoreboard_worker_from_indexes(i, j);

            busy += worker && is_busy(worker->status);
        }
    return busy >= most ? 100 : busy * 100 / most;
}

/* A quarter of what is new counts, so that a burst of a second does not; both ends are reached. */
void bth_load_sample(seed_counters *page)
{
    int before = (int)__atomic_load_n(&page->http_load, __ATOMIC_RELAXED), now = busy_percent();
    int step = (now - before) / 4;

    if (step == 0)
        step = now > before ? 1 : now < before ? -1 : 0;
    __atomic_store_n(&page->http_load, (apr_uint64_t)(before + step), __ATOMIC_RELAXED);
}
