/* Does the catalogue agree with itself? For tests and for whoever looks into a fault. */
#ifndef CAT_CHECK_H
#define CAT_CHECK_H

#include "catalog/catalog.h"

/** Called for each thing that is wrong; `what` is valid during the call, which is within a read transaction. */
typedef void cat_fault_fn(void *baton, const char *what);

/**
 * Checks every value of one state: each record parses, lies under its path's key, and has its torrent, layer and
 * info-hashes; nothing belongs to no record; what is gone is listed by hash and by age alike and is not published.
 * Reads all of it: not for a request. Any thread.
 * @return APR_SUCCESS (see *faults), or why it could not be read
 */
apr_status_t cat_check(cat_catalog *catalog, cat_fault_fn *tell, void *baton, apr_int64_t *faults);

#endif
