/* How busy httpd is. */
#ifndef BTH_LOAD_H
#define BTH_LOAD_H

#include "seeder/counters.h"

/** Looks at the scoreboard and writes the smoothed figure to the page. Once a second, on the steward's thread. */
void bth_load_sample(seed_counters *page);

#endif
