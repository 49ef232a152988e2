/* BTHTTPTrackerStore redis://: a thread in the child that seeds shares the swarms with other hosts (tracker/redis_store.h). Announces never
 * wait for it. */
#ifndef BTH_STORE_H
#define BTH_STORE_H

#include <apr_pools.h>

/** Was this module built with hiredis? */
int bth_store_is_built(void);

/** Child, before the seeder: makes what the thread needs, but starts nothing. Without the directive all of this does nothing. */
apr_status_t bth_store_create(apr_pool_t *pool);

/** This child has become the seeder: starts the thread. Once, on the seeder's thread. */
void bth_store_start(void);

/** The child is told to end: so is the thread. May run in a signal handler. */
void bth_store_leave(void);

/** The same, and waits until it has ended, at most `limit`: a resolver of names may hang. */
void bth_store_stop(apr_interval_time_t limit);

#endif
