/* What the tracker goes by in every wire form: the policy for those who reached an address, and why somebody is refused. */
#ifndef BTH_TRACKER_RULES_H
#define BTH_TRACKER_RULES_H

#include "catalog/catalog.h"
#include "tracker/counters.h"
#include "tracker/swarms.h"

/** How announces are decided that reached this local address. Any thread. */
trk_policy bth_tracker_policy(const trk_address *local);

/**
 * May this address ask now? The one place that limits the rate of requests, of all wire forms; counts refused scrapes. Any thread.
 * @param scraped  hashes of a scrape; 0: it is an announce
 * @return TRK_RESULT_OK, or as what a refused announce is to be counted
 */
trk_result bth_tracker_admit(const trk_address *from, int scraped, apr_time_t now);

/** What a client that is not admitted is told, and when it may come again. */
const char *bth_tracker_too_many(trk_result result);
enum { BTH_TOO_MANY_MINUTES = 5 };

/**
 * The table that keeps the peers of an info-hash of this standing. What is not published (BTHTTPTracker open) has memory of its own, so that
 * it can never push out a peer of what is. @return NULL: announces of it are refused
 */
trk_swarms *bth_tracker_table(cat_standing standing);

/** What a client is told of an info-hash that has no table: a constant. */
const char *bth_tracker_refusal(cat_standing standing);

/** As what such an announce is counted. */
trk_result bth_tracker_result(cat_standing standing);

#endif
