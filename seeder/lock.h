/* Who seeds: an open-file-description lock, which the kernel frees when its holder dies. Held by one thread of one
 * child; the descriptor is close-on-exec, so that no script keeps it. */
#ifndef SEED_LOCK_H
#define SEED_LOCK_H

#include <apr_errno.h>

/** Opens DIRECTORY/seeder.lock, making it if need be. */
apr_status_t seed_lock_open(int *fd, const char *directory);

/** @return APR_SUCCESS: it is ours; APR_EAGAIN: another one's; else an error */
apr_status_t seed_lock_try(int fd);

/** Frees the lock and closes the file. */
void seed_lock_close(int fd);

#endif
