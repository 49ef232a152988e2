/* Tokens in announce URLs: keyed, expiring, and good for the info-hashes of one torrent alone. Nothing is remembered of
 * those that were given out: whoever knows a secret can make one and check one. Pure; any thread.
 *
 * TOKEN = EXPIRES 1*4("." MAC): seconds since 1970 in decimal, and for each of the torrent's info-hashes the first 16
 * bytes of HMAC-SHA256(secret, "bthttp-announce" NUL EXPIRES (8 bytes, network order) info-hash (20 bytes)) in
 * base64url, 22 characters. */
#ifndef TRK_TOKEN_H
#define TRK_TOKEN_H

#include <apr_errno.h>
#include <apr_time.h>

#include "base/infohash.h"

enum {
    TRK_TOKEN_HASHES_MAX = 4,
    TRK_TOKEN_SECRETS_MAX = 4,
    TRK_TOKEN_SECRET_MIN = 16, /* bytes */
    TRK_TOKEN_SIZE = 128       /* bytes: the longest one and a NUL fit */
};

typedef struct {
    const char *bytes;
    apr_size_t length;
} trk_secret;

typedef enum {
    TRK_TOKEN_GOOD,
    TRK_TOKEN_MISSING, /* what there is has not the form of a token */
    TRK_TOKEN_FOREIGN, /* made with none of the secrets, or not for this info-hash */
    TRK_TOKEN_EXPIRED
} trk_token_verdict;

/**
 * Makes a token.
 * @param expires  whole seconds count
 * @param count    1 to TRK_TOKEN_HASHES_MAX
 * @return APR_SUCCESS; APR_EINVAL for another count or a time before 1970; APR_EGENERAL if the library fails
 */
apr_status_t trk_token_write(char token[TRK_TOKEN_SIZE], const trk_secret *secret, apr_time_t expires,
                             const bt_infohash *hashes, int count);

/**
 * Is a token good for an info-hash? Takes the same time whatever is wrong with it, but for its form and its age.
 * @param secrets  any of them may have made it
 */
trk_token_verdict trk_token_check(const trk_secret *secrets, int secret_count, const char *token, apr_size_t length,
                                  const bt_infohash *hash, apr_time_t now);

/** The last element of a path or URL, where a token stands; what follows a "?" is no part of it. Points into `url`. */
const char *trk_token_find(const char *url, apr_size_t length, apr_size_t *token_length);

#endif
