/* The SHA-256 of a whole file, run by run in order: what is read was read by the hashing of pieces just before, and is in
 * the page cache still. */
#ifndef TG_DIGEST_H
#define TG_DIGEST_H

#include <apr_errno.h>

#include "torrentgen/intake.h"

typedef struct {
    struct evp_md_ctx_st *sha256; /* NULL: not begun */
    unsigned char *buffer;
    apr_int64_t length; /* bytes so far */
} tg_digest;

/** @return APR_ENOMEM, or APR_EGENERAL if OpenSSL fails. Ends with tg_digest_free in either case */
apr_status_t tg_digest_begin(tg_digest *digest);

/**
 * Adds the next `length` bytes of the file, at `offset`, which the intake was opened for.
 * @param cancel  looked at (atomically) before each chunk
 * @return APR_EINTR if cancelled, or as tg_intake_read
 */
apr_status_t tg_digest_add(tg_digest *digest, tg_intake *intake, apr_int64_t offset, apr_int64_t length, const int *cancel);

/** The same where nothing but the digest is wanted. @return as tg_digest_add and tg_intake_open */
apr_status_t tg_digest_add_alone(tg_digest *digest, const char *path, const bt_stamp *stamp, apr_int64_t offset,
                                 apr_int64_t length, const int *cancel);

apr_status_t tg_digest_end(tg_digest *digest, unsigned char out[32]);
void tg_digest_free(tg_digest *digest);

#endif
