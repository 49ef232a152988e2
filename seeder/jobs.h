/* Files being hashed: "make" mail goes to the hashing queue, and what comes out to the catalogue. */
#ifndef SEED_JOBS_H
#define SEED_JOBS_H

#include "seeder/seeder.h"

typedef struct seed_jobs seed_jobs;

/** Starts the workers. @param pool  outlives the jobs, and is used by this thread alone */
apr_status_t seed_jobs_start(seed_jobs **jobs, const seed_config *config, apr_pool_t *pool);

/** Takes a request; one for a file that is being hashed, or that finds no room, is dropped. Seeder's thread. */
void seed_jobs_add(seed_jobs *jobs, const seed_make *make);

/** A file that is being hashed is not to be published. Seeder's thread. */
void seed_jobs_withdraw(seed_jobs *jobs, const char *path);

/** Stops between two chunks. @param repost  put what is not done back into the mailbox, for the next seeder */
void seed_jobs_stop(seed_jobs *jobs, int repost);

#endif
