/* Files being hashed: "make" mail goes to the hashing queue, and what comes out to the catalogue. */
#ifndef SEED_JOBS_H
#define SEED_JOBS_H

#include "seeder/seeder.h"

enum {
    SEED_WAITING_MAX = 4096, /* makes at once that nobody waits for; whoever asks for many goes by seed_config.made */
    SEED_RETRIES = 3         /* of a file that changes while it is hashed */
};

typedef struct seed_jobs seed_jobs;

/** Starts the workers. @param pool  outlives the jobs, and is used by this thread alone */
apr_status_t seed_jobs_start(seed_jobs **jobs, const seed_config *config, apr_pool_t *pool);

/**
 * Takes a request; one that finds no room is dropped. One for a file that waits already makes that urgent, if it is
 * urgent itself. Of a file whose torrent is there and right only what is missing is made. Seeder's thread.
 */
void seed_jobs_add(seed_jobs *jobs, const seed_make *make);

/** A file that is being hashed is not to be published. Seeder's thread. */
void seed_jobs_withdraw(seed_jobs *jobs, const char *path);

/** About once a second: tries again what changed while it was hashed, and writes figures to the page. Seeder's thread. */
void seed_jobs_tick(seed_jobs *jobs);

/** Is there anything that seed_jobs_tick would do? Else nobody need wake up for it. Seeder's thread. */
int seed_jobs_are_busy(seed_jobs *jobs);

/** Stops between two chunks. @param repost  put what is not done back into the mailbox, for the next seeder */
void seed_jobs_stop(seed_jobs *jobs, int repost);

#endif
