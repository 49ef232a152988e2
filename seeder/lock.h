/* Who seeds: an open-file-description lock, which the kernel frees when its holder dies. Held by one thread of one
 * child; the descriptor is close-on-exec, so that no script keeps it. Whoever waits for it holds a shared lock beside it
 * that names the generation of its configuration: its holder sees by that whether there is an heir. */
#ifndef SEED_LOCK_H
#define SEED_LOCK_H

#include <apr_errno.h>

/** Opens DIRECTORY/seeder.lock, making it if need be. */
apr_status_t seed_lock_open(int *fd, const char *directory);

/** @return APR_SUCCESS: it is ours; APR_EAGAIN: another one's; else an error */
apr_status_t seed_lock_try(int fd);

/** Waits, or no longer. @param generation  below 2^62 */
apr_status_t seed_lock_stand(int fd, apr_uint64_t generation);
void seed_lock_step_back(int fd, apr_uint64_t generation);

/** Does another one wait, of this generation or a later one? */
int seed_lock_has_heir(int fd, apr_uint64_t least);

/** Frees the lock and closes the file. */
void seed_lock_close(int fd);

#endif
