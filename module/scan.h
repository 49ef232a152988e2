/* BTHTTPScan: the torrents of whole directories are made ahead of the first request, newest file first, in the child that
 * seeds. A walk finds what there is; watching finds what comes later, or a walk now and then where that is not to be had.
 *
 * Nothing is decided by the walk itself: each file is asked for as the stranger would, under its URL, and only what he
 * gets, unchanged, is made. All of it happens on one thread of low priority, which hashes nothing: files go to the seeder's
 * mailbox like those of requests, a few at a time, so that a request never waits behind more than those. */
#ifndef BTH_SCAN_H
#define BTH_SCAN_H

#include <apr_pools.h>
#include <apr_time.h>

typedef struct bth_scan bth_scan;

/** Child, before the seeder: makes it, but starts nothing. */
apr_status_t bth_scan_create(bth_scan **scan, apr_pool_t *pool);

/** This child has become the seeder: starts the thread. Once, on the seeder's thread. */
void bth_scan_start(bth_scan *scan);

/** What came of a file (seed_config.made). Any thread; does not block. */
void bth_scan_made(bth_scan *scan, const char *path, apr_status_t status);

/** Asks it to end. Only sets a flag and writes to a descriptor: may be called in a signal handler. */
void bth_scan_leave(bth_scan *scan);

/** Asks it to end and waits until it has, at most `limit`. @return 0 if it did not end in time */
int bth_scan_stop(bth_scan *scan, apr_interval_time_t limit);

#endif
