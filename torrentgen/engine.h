/* What computes hashes. The unit of work is a batch of equal blocks, because that is what the fast engines (several
 * messages side by side in one vector register) need; an engine that knows no better does them one after another. */
#ifndef TG_ENGINE_H
#define TG_ENGINE_H

#include "torrentgen/torrent.h"

#include <apr_errno.h>

enum { TG_SHA1_SIZE = BT_HASH_SIZE, TG_SHA256_SIZE = BT_HASH_V2_SIZE, TG_LANES_MAX = 16 };

/* An engine's own state. Used by one thread at a time. */
typedef struct tg_hasher tg_hasher;

/* Constant, shared by all threads. Functions return APR_SUCCESS, or APR_EGENERAL if the library failed. */
typedef struct {
    const char *name;
    int lanes; /* SHA-1 messages that it likes to hash side by side, 1 to TG_LANES_MAX */

    /* @return APR_ENOMEM, or APR_ENOTIMPL if the library refuses SHA-1 or SHA-256 */
    apr_status_t (*create)(tg_hasher **hasher);
    void (*destroy)(tg_hasher *hasher);

    /* The SHA-256 of each of `count` blocks of `size` bytes that lie one after the other; 32 bytes each to `out`, which
     * may be the blocks' own memory (each result is written after its block was read). */
    apr_status_t (*sha256_blocks)(tg_hasher *hasher, const unsigned char *blocks, apr_size_t size, apr_size_t count,
                                  unsigned char *out);

    /* SHA-1 of `lanes` (1 to the engine's) long messages that grow in step: begin, then `length` bytes more of each (data[lane]), then end,
     * which writes 20 bytes a lane. */
    apr_status_t (*sha1_begin)(tg_hasher *hasher, int lanes);
    apr_status_t (*sha1_update)(tg_hasher *hasher, int lanes, const unsigned char *const *data, apr_size_t length);
    apr_status_t (*sha1_end)(tg_hasher *hasher, int lanes, unsigned char *out);
} tg_engine;

/** OpenSSL's EVP: one message at a time, though it keeps as many as it is asked to. Everywhere, and quickly made. */
extern const tg_engine tg_engine_openssl;

/** Lanes of AVX-512, or of AVX2, with libipsec-mb. Only where it is built in (HAVE_IPSEC_MB); create() says whether the
 * processor has what it takes. */
extern const tg_engine tg_engine_avx512, tg_engine_avx2;

/** Lanes of AVX2 beat one message at a time, but not where there are instructions for SHA. */
int tg_engine_avx2_is_best(void);

/** The fastest engine of this machine for hashing files. The first call may take some milliseconds. */
const tg_engine *tg_engine_default(void);

#endif
