/* The tracker over UDP: a thread in the child that seeds answers what comes to BTHTTPTrackerUDP's ports (tracker/udp.h).
 *
 * The parent opens the sockets and every child inherits them. A child that is told to end lets go of them at once; what comes
 * until the next seeder's thread is there waits in the kernel, and is answered then. */
#ifndef BTH_UDP_TRACKER_H
#define BTH_UDP_TRACKER_H

#include <apr_pools.h>

#include "catalog/catalog.h"

/**
 * Child, before the seeder: makes what the thread needs, but starts nothing. Without BTHTTPTrackerUDP all of this does nothing.
 * @param urge  has a published entry tested soon, without blocking; called on the thread
 */
apr_status_t bth_udp_create(apr_pool_t *pool, void (*urge)(const cat_entry *entry));

/** This child has become the seeder: starts the thread, unless the child is ending. Once, on the seeder's thread. */
void bth_udp_start(void);

/** The child is told to end: the thread ends soon, and the sockets are closed in this child. May run in a signal handler. */
void bth_udp_leave(void);

/** The same, and waits for the thread, which never blocks. After the seeder's thread has ended. */
void bth_udp_stop(void);

#endif
