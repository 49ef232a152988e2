/* The steward: housekeeping of the whole server, done in the child that seeds.
 *
 * After each load of the configuration it repeats the stranger test for everything in the catalogue, so that what was
 * protected in the meantime is withdrawn without waiting for anybody to ask, and later, at leisure, whether the files
 * are still there (audit.h); it lets old peers of the tracker expire; and it keeps the addresses of the virtual hosts'
 * names. */
#ifndef BTH_STEWARD_H
#define BTH_STEWARD_H

#include <apr_pools.h>

#include "catalog/catalog.h"

typedef struct bth_steward bth_steward;

/** Child, before the seeder: makes it, but starts nothing. */
apr_status_t bth_steward_create(bth_steward **steward, apr_pool_t *pool);

/** This child has become the seeder: starts the threads. Once, on the seeder's thread. */
void bth_steward_start(bth_steward *steward);

/** The seeder needs the test of this entry soon. Any thread; never blocks for long. */
void bth_steward_urge(bth_steward *steward, const cat_entry *entry);

/** Asks it to end and waits until it has, at most `limit`. @return 0 if it did not end in time */
int bth_steward_stop(bth_steward *steward, apr_interval_time_t limit);

#endif
