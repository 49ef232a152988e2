/* The gate: may what the catalogue has be given out now? Everything that leaves by BitTorrent passes here: the file
 * must be the one that was hashed, and a stranger must have been let in under the configuration of this load. */
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

/** Should bth_gate_pass look again at what bth_gate_look calls open? Any thread; never blocks for long. */
int bth_gate_is_due(const cat_entry *entry);

/**
 * Looks, makes the stranger test if it is due, and writes the outcome into the catalogue: afterwards the answer is
 * never BTH_GATE_UNTESTED. May block as access checkers do. Any thread.
 * @param pool  for the test's request
 */
bth_gate bth_gate_pass(const cat_entry *entry, apr_pool_t *pool, apr_thread_t *thread);

/**
 * Finds a file of an info-hash that may be given out.
 * @return CAT_PUBLISHED with *entry filled, or why there is none. May block like bth_gate_pass
 */
cat_standing bth_gate_find(const bt_infohash *hash, apr_pool_t *pool, apr_thread_t *thread, cat_entry *entry);

/**
 * Makes the stranger test of a published entry if it is due, for who notes many at once. What fails is withdrawn at
 * once, and collections are noted at once. May block like bth_gate_pass.
 * @return 1 if it was passed and is to be noted with `listed`
 */
int bth_gate_test(const cat_entry *entry, apr_pool_t *pool, apr_thread_t *thread, int *listed);

/** Withdraws a file everywhere: catalogue, tracker, seeder. Any thread. */
void bth_withdraw(const cat_entry *entry, cat_standing why);

/** What the catalogue has forgotten is to be forgotten by tracker and seeder. Any thread. */
void bth_withdrawn(const cat_entry *entry);

#endif
