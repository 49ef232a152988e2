#include "module/audit.h"

#include <httpd.h>
#include <apr_strings.h>

#include "module/child.h"
#include "module/gate.h"

enum {
    GRANTS = 256,        /* tests that are noted together */
    STEP_ENTRIES = 1024, /* seen in a step at most */
    STEP_USEC = 10000,   /* of work, then a rest of REST times as long: a quarter of a core */
    REST = 3,
    ROUND_SECONDS = 3600, /* between two rounds of the look for what is gone */
    SECONDS_A_DAY = 24 * 3600,
    GC_ENTRIES = 8 /* looked at in a second, and more if a round would take longer than a day */
};

struct bth_audit {
    apr_pool_t *scratch;
    apr_pool_t *grant_pool; /* of `grants` */
    cat_grant_item grants[GRANTS];
    apr_size_t grant_count;
    apr_time_t granted; /* when the first of them was tested */
    apr_time_t started; /* of this step */
    cat_place place;
    int tested;       /* the stranger tests are done: the place is that of the look for what is gone */
    apr_time_t round; /* when the last such round began */
};

apr_status_t bth_audit_create(bth_audit **audit, apr_pool_t *pool)
{
    bth_audit *made = apr_pcalloc(pool, sizeof *made);
    apr_status_t status = apr_pool_create(&made->scratch, pool);

    *audit = made;
    return status == APR_SUCCESS ? apr_pool_create(&made->grant_pool, pool) : status;
}

/* --- the stranger test ----------------------------------------------------- */

void bth_audit_flush(bth_audit *a)
{
    const bth_child *child = bth_this_child();

    if (a->grant_count == 0)
        return;
    cat_grant_many(child->catalog, a->grants, a->grant_count, child->grant); /* if not, the next request does it */
    a->grant_count = 0;
    apr_pool_clear(a->grant_pool);
}

static void note(bth_audit *a, const cat_entry *entry, int listed)
{
    if (a->grant_count == 0)
        a->granted = apr_time_now();
    /* Who withdrew it between the test and the note knew better. */
    a->grants[a->grant_count++] = (cat_grant_item){.path = apr_pstrdup(a->grant_pool, entry->path),
                                                   .url = apr_pstrdup(a->grant_pool, entry->url),
                                                   .listed = listed,
                                                   .renew = 1};
    if (a->grant_count == GRANTS)
        bth_audit_flush(a);
}

static int test_entry(void *baton, const cat_entry *entry)
{
    bth_audit *a = baton;
    int listed;

    if (entry->published && entry->grant != bth_this_child()->grant) {
        if (bth_gate_test(entry, a->scratch, NULL, &listed))
            note(a, entry, listed);
        apr_pool_clear(a->scratch);
    }
    return apr_time_now() - a->started >= STEP_USEC;
}

static apr_interval_time_t test_some(bth_audit *a)
{
    apr_status_t status = cat_walk_some(bth_this_child()->catalog, &a->place, STEP_ENTRIES, test_entry, a);

    if (status != APR_SUCCESS)
        return APR_USEC_PER_SEC;
    if (a->place.ended) {
        memset(&a->place, 0, sizeof a->place);
        a->tested = 1;
    }
    if (a->tested || apr_time_now() - a->granted >= APR_USEC_PER_SEC)
        bth_audit_flush(a);
    return REST * (apr_time_now() - a->started) + 1;
}

/* --- what is gone ---------------------------------------------------------- */

static int drop(void *baton, const cat_entry *entry)
{
    (void)baton;
    bth_withdrawn(entry);
    return 0;
}

static apr_interval_time_t look_at_some(bth_audit *a)
{
    cat_catalog *catalog = bth_this_child()->catalog;
    cat_gc_counts counts = {0, 0, 0, 0};
    apr_int64_t entries = 0;

    if (!a->place.started && a->started - a->round < apr_time_from_sec(ROUND_SECONDS))
        return APR_USEC_PER_SEC;
    if (!a->place.started)
        a->round = a->started;
    if (cat_count(catalog, &entries) != APR_SUCCESS ||
        cat_gc(catalog, &a->place, (apr_size_t)(GC_ENTRIES + entries / SECONDS_A_DAY), drop, NULL, &counts) !=
            APR_SUCCESS ||
        a->place.ended)
        memset(&a->place, 0, sizeof a->place);
    return APR_USEC_PER_SEC;
}

apr_interval_time_t bth_audit_step(bth_audit *a)
{
    a->started = apr_time_now();
    return a->tested ? look_at_some(a) : test_some(a);
}
