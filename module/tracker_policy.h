/* How announces are decided here: the tracker's policy as the configuration has it, for every wire form. */
#ifndef BTH_TRACKER_POLICY_H
#define BTH_TRACKER_POLICY_H

#include "tracker/swarms.h"

/** @param local  this server's address that the announce reached. Any thread of a child */
trk_policy bth_tracker_policy(const trk_address *local);

#endif
