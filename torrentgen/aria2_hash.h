/* The info-hash that aria2 up to 1.36 (Debian 12, Ubuntu 22.04 and later) takes for the v1 hash of a hybrid.
 *
 * Its reader drops dictionary members whose key is empty, and it hashes what it wrote again from memory; but BEP 52 puts
 * the empty key into every file tree. Such an aria2 announces and shakes hands with a hash that nobody else has, so a
 * hybrid is seeded under that hash as well. Reported as aria2 issue 1903. */
#ifndef TG_ARIA2_HASH_H
#define TG_ARIA2_HASH_H

#include <apr_errno.h>

#include "base/infohash.h"

/**
 * SHA-1 of an infodict without the members that have an empty key. Any thread.
 * @return APR_SUCCESS; APR_EINVAL if it is no bencoding; APR_EGENERAL if OpenSSL fails
 */
apr_status_t tg_aria2_hash(const unsigned char *infodict, apr_size_t length, bt_infohash *hash);

#endif
