/* What the tracker goes by in every wire form: the policy for those who reached an address, and why somebody is refused. */
#ifndef BTH_TRACKER_RULES_H
#define BTH_TRACKER_RULES_H

#include "catalog/catalog.h"
#include "tracker/counters.h"
#include "tracker/swarms.h"

/** How announces are decided that reached this local address. Any thread. */
trk_policy bth_tracker_policy(const trk_address *local);

/** What a client is told of an info-hash that is not published: a constant. */
const char *bth_tracker_refusal(cat_standing standing);

/** As what such an announce is counted. */
trk_result bth_tracker_result(cat_standing standing);

#endif
