/* What clients that are still common make of a hybrid, and how they get the file all the same.
 *
 * BEP 52 puts an empty key into every file tree. aria2 up to 1.36 drops it while reading and hashes what is left, so it
 * announces and shakes hands with a v1 info-hash that nobody else has (aria2 issue 1903): a hybrid is seeded under that
 * "keyless" hash as well. Transmission before 4.0 refuses to read any torrent with an empty key: for such clients the v1
 * half stands alone, as a torrent of its own over the same pieces. Both hashes follow from the infodict alone. */
#ifndef TG_OLD_CLIENTS_H
#define TG_OLD_CLIENTS_H

#include <apr_errno.h>

#include "base/buf.h"
#include "torrentgen/torrent.h"

/**
 * SHA-1 of an infodict without the members that have an empty key. Any thread.
 * @return APR_SUCCESS; APR_EINVAL if it is no bencoding; APR_EGENERAL if OpenSSL fails
 */
apr_status_t tg_keyless_hash(const unsigned char *infodict, apr_size_t length, bt_infohash *hash);

/**
 * Writes an infodict without the members that have an empty key: what tg_keyless_hash hashes. Any thread.
 * @return buf->status; APR_EINVAL if it is no infodict
 */
apr_status_t tg_keyless_write(bt_buf *buf, const unsigned char *infodict, apr_size_t length);

/**
 * Writes the infodict of a hybrid's v1 half: all but its "file tree" and "meta version". Any thread.
 * @return buf->status; APR_EINVAL if it is no infodict
 */
apr_status_t tg_v1_alone_write(bt_buf *buf, const unsigned char *infodict, apr_size_t length);

/** Fills in both hashes of a hybrid: v1_keyless and v1_alone. @return as the functions above */
apr_status_t tg_hash_for_old_clients(tg_torrent *hybrid);

#endif
