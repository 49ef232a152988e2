/* The steward's walks over the whole catalogue, a little at a time: the stranger test again after each load of the
 * configuration, then, round after round, whether the files are still there. */
#ifndef BTH_AUDIT_H
#define BTH_AUDIT_H

#include <apr_pools.h>
#include <apr_time.h>

typedef struct bth_audit bth_audit;

apr_status_t bth_audit_create(bth_audit **audit, apr_pool_t *pool);

/**
 * Goes on for some milliseconds, or for one test if that takes longer. One thread.
 * @return how long to rest before the next step
 */
apr_interval_time_t bth_audit_step(bth_audit *audit);

/** Writes what was tested and not yet noted. */
void bth_audit_flush(bth_audit *audit);

#endif
