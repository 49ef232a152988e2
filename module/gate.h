/* The gate: may what the catalogue has be given out now? Everything that leaves by BitTorrent passes here: the file must
 * be the one that was hashed, and a stranger must have been let in under the configuration of this load. */
#ifndef BTH_GATE_H
#define BTH_GATE_H

#include <httpd.h>

#include "catalog/catalog.h"

typedef enum {
    BTH_GATE_OPEN,
    BTH_GATE_UNTESTED, /* the stranger test has not been made since the configuration was loaded */
    BTH_GATE_CHANGED,  /* the file is another one now, or gone */
    BTH_GATE_SHUT      /* withdrawn: not for strangers */
} bth_gate;

/** Looks, without blocking and without changing anything; not at the files of a collection. Any thread. */
bth_gate bth_gate_look(const cat_entry *entry);

/**
 * Looks, makes the stranger test if it is due, and writes the outcome into the catalogue: afterwards the answer is never
 * BTH_GATE_UNTESTED. May block as access checkers do. Any thread.
 * @param pool  for the test's request
 */
bth_gate bth_gate_pass(const cat_entry *entry, apr_pool_t *pool, apr_thread_t *thread);

/**
 * Finds a file of an info-hash that may be given out.
 * @return CAT_PUBLISHED with *entry filled, or why there is none. May block like bth_gate_pass
 */
cat_standing bth_gate_find(const bt_infohash *hash, apr_pool_t *pool, apr_thread_t *thread, cat_entry *entry);

/** Withdraws a file everywhere: catalogue, tracker, seeder. Any thread. */
void bth_withdraw(const cat_entry *entry, cat_standing why);

#endif
