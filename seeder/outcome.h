/* What is said and counted of a torrent that was made, or could not be. Any thread. */
#ifndef SEED_OUTCOME_H
#define SEED_OUTCOME_H

#include "seeder/counters.h"
#include "seeder/mailbox.h"

/** @param status  of putting it into the catalogue; APR_EACCES: it was withdrawn meanwhile */
void seed_outcome_published(seed_counters *counters, const seed_make *make, apr_status_t status);

/** @param culprit  the file that is to blame, or NULL */
void seed_outcome_failed(seed_counters *counters, const seed_make *make, apr_status_t status, const char *culprit);

/** There is a .torrent beside the file, and it was left alone. */
void seed_outcome_sidecar(const seed_make *make, const char *why);

#endif
