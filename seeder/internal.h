/* For tests: a seeder with other time-outs than the usual ones. */
#ifndef SEED_INTERNAL_H
#define SEED_INTERNAL_H

#include "seeder/limits.h"
#include "seeder/seeder.h"

/** As seed_start. @param limits  outlives the seeder */
apr_status_t seed_start_limited(seed_seeder **seeder, const seed_config *config, const seed_limits *limits,
                                apr_pool_t *pool);

#endif
