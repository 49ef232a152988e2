#include "module/gate.h"

#include <string.h>

#include "module/child.h"
#include "module/collection.h"
#include "module/grants.h"
#include "module/retest.h"
#include "module/stranger.h"

bth_gate bth_gate_look(const cat_entry *entry)
{
    bt_stamp now;

    if (!bth_is_collection(entry->path) &&
        (bt_stamp_path(entry->path, &now) != APR_SUCCESS || !bt_stamp_equal(&now, &entry->stamp)))
        return BTH_GATE_CHANGED;
    if (entry->grant != bth_this_child()->grant)
        return BTH_GATE_UNTESTED;
    return entry->published ? BTH_GATE_OPEN : BTH_GATE_SHUT;
}

static void drop_swarm(const bt_infohash *hash)
{
    const bth_child *child = bth_this_child();

    if (child->swarms && !bt_infohash_is_zero(hash) && cat_standing_of(child->catalog, hash) != CAT_PUBLISHED)
        trk_swarms_drop(child->swarms, hash);
}

void bth_withdrawn(const cat_entry *entry)
{
    bt_infohash v2 = bt_infohash_truncate(&entry->v2);

    drop_swarm(&entry->v1);
    drop_swarm(&entry->v1_keyless);
    drop_swarm(&entry->v1_alone);
    drop_swarm(&v2);
    seed_post_withdraw(bth_this_child()->shared->mailbox, entry->path);
}

void bth_withdraw(const cat_entry *entry, cat_standing why)
{
    const bth_child *child = bth_this_child();

    if (why == CAT_CHANGED)
        cat_withdraw_stale(child->catalog, entry->path, &entry->stamp);
    else
        cat_withdraw(child->catalog, entry->path, why);
    bth_withdrawn(entry);
}

int bth_gate_is_due(const cat_entry *entry)
{
    return bth_is_collection(entry->path) ? bth_collection_is_due(entry) : bth_retest_is_due(entry);
}

/* What is open is tested again now and then: an .htaccess file needs no reload. */
static bth_gate test_again(const cat_entry *entry, apr_pool_t *pool, apr_thread_t *thread)
{
    apr_time_t began = bth_retest_begin(entry);
    bth_gate gate = BTH_GATE_OPEN;

    if (!began)
        return gate;
    if (!bth_stranger_may(entry->url, entry->path, pool, thread, NULL)) {
        bth_withdraw(entry, CAT_PROTECTED);
        gate = BTH_GATE_SHUT;
    }
    bth_retest_end(began);
    return gate;
}

/* Withdraws what has changed or does not pass. @return BTH_GATE_UNTESTED if it passed just now */
static bth_gate judge(const cat_entry *entry, apr_pool_t *pool, apr_thread_t *thread, int *listed)
{
    bth_gate gate = bth_gate_look(entry);

    if (gate == BTH_GATE_CHANGED) {
        bth_withdraw(entry, CAT_CHANGED);
    } else if (gate == BTH_GATE_UNTESTED && !bth_stranger_may(entry->url, entry->path, pool, thread, listed)) {
        bth_withdraw(entry, CAT_PROTECTED);
        return BTH_GATE_SHUT;
    }
    return gate == BTH_GATE_OPEN ? test_again(entry, pool, thread) : gate;
}

bth_gate bth_gate_pass(const cat_entry *entry, apr_pool_t *pool, apr_thread_t *thread)
{
    const bth_child *child = bth_this_child();
    bth_gate gate;
    int listed;

    if (bth_is_collection(entry->path))
        return bth_collection_pass(entry, pool);
    gate = judge(entry, pool, thread, &listed);
    if (gate != BTH_GATE_UNTESTED)
        return gate;
    if (entry->published)
        bth_note_grant(entry, listed);
    else
        cat_grant(child->catalog, entry->path, entry->url, child->grant, listed);
    return BTH_GATE_OPEN;
}

int bth_gate_test(const cat_entry *entry, apr_pool_t *pool, apr_thread_t *thread, int *listed)
{
    if (bth_is_collection(entry->path)) {
        bth_collection_pass(entry, pool);
        return 0;
    }
    return judge(entry, pool, thread, listed) == BTH_GATE_UNTESTED;
}

cat_standing bth_gate_find(const bt_infohash *hash, apr_pool_t *pool, apr_thread_t *thread, cat_entry *entry)
{
    cat_catalog *catalog = bth_this_child()->catalog;
    const char *changed = NULL;

    for (int nth = 0; catalog && cat_find_hash(catalog, hash, nth, pool, entry) == APR_SUCCESS; nth++) {
        bth_gate gate = bth_gate_pass(entry, pool, thread);

        if (gate == BTH_GATE_OPEN)
            return CAT_PUBLISHED;
        if (gate == BTH_GATE_CHANGED && !(changed && !strcmp(changed, entry->path))) {
            changed = entry->path;
            nth--; /* it is gone from the list, and the next one has its place; unless the disk is full */
        }
    }
    return catalog ? cat_standing_of(catalog, hash) : CAT_UNKNOWN;
}
