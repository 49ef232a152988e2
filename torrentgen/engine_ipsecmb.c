#include "torrentgen/engine.h"

#include "config.h"

#ifdef HAVE_IPSEC_MB
#define NO_COMPAT_IMB_API_053 /* old names, which OpenSSL also has */
#include <intel-ipsec-mb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "torrentgen/sha1_lanes.h"

/* SHA-256 is the library's: leaves and tree nodes are whole messages of one size, which is what it takes. SHA-1 pieces are
 * longer than the 64 KiB that it accepts, and 16 of them are not to be held in memory; their lanes are ours.
 * What does not fill lanes is left to OpenSSL, which is two to four times as fast at a single message. */
enum { FEW = 3, LENGTH_MAX = 65534 };

struct tg_hasher {
    IMB_MGR *manager;  /* made when it is first needed: it takes milliseconds; may stay NULL */
    tg_hasher *single; /* of tg_engine_openssl */
    void (*init)(IMB_MGR *); /* of the manager */
    tg_sha1_compress *compress;
    int width;         /* lanes that there are */
    int lanes;         /* SHA-1 lanes in use; few: they are in `single` */
    tg_sha1_state state;
    apr_uint64_t length; /* of each message so far */
    unsigned char pending[TG_SHA1_LANES][2 * TG_SHA1_BLOCK]; /* length % 64 bytes of each that wait for more; room to pad */
    unsigned char digests[TG_LANES_MAX][TG_SHA256_SIZE];
};

/* What this processor has. The same on every thread, so that it does not matter who looks first. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static uint64_t features;

static void look_at_processor(void)
{
    IMB_MGR *manager = alloc_mb_mgr(0);

    if (!manager)
        return;
    features = manager->features;
    free_mb_mgr(manager);
}

static int has(uint64_t all)
{
    pthread_once(&once, look_at_processor);
    return (features & all) == all;
}

int tg_engine_avx2_is_best(void)
{
    return has(IMB_FEATURE_AVX2) && !has(IMB_FEATURE_SHANI);
}

static void destroy(tg_hasher *hasher)
{
    if (!hasher)
        return;
    if (hasher->manager)
        free_mb_mgr(hasher->manager);
    tg_engine_openssl.destroy(hasher->single);
    free(hasher);
}

static apr_status_t create(tg_hasher **result, int width, tg_sha1_compress *compress, void (*init)(IMB_MGR *))
{
    tg_hasher *hasher = calloc(1, sizeof *hasher);
    apr_status_t status;

    *result = NULL;
    if (!hasher)
        return APR_ENOMEM;
    hasher->width = width;
    hasher->compress = compress;
    hasher->init = init;
    status = tg_engine_openssl.create(&hasher->single);
    if (status != APR_SUCCESS)
        destroy(hasher);
    else
        *result = hasher;
    return status;
}

static apr_status_t create_avx512(tg_hasher **hasher)
{
    *hasher = NULL;
    return has(IMB_FEATURE_AVX512_SKX) ? create(hasher, 16, tg_sha1_compress_avx512, init_mb_mgr_avx512) : APR_ENOTIMPL;
}

static apr_status_t create_avx2(tg_hasher **hasher)
{
    *hasher = NULL;
    return has(IMB_FEATURE_AVX2) ? create(hasher, 8, tg_sha1_compress_avx2, init_mb_mgr_avx2) : APR_ENOTIMPL;
}

/* --- SHA-256 ------------------------------------------------------------------------------------------------------ */

static int have_manager(tg_hasher *hasher)
{
    if (!hasher->manager) {
        IMB_MGR *manager = alloc_mb_mgr(0);

        if (!manager)
            return 0;
        hasher->init(manager);
        if (imb_get_errno(manager) != 0) {
            free_mb_mgr(manager);
            return 0;
        }
        hasher->manager = manager;
    }
    return 1;
}

/* Counts finished jobs; a job that was refused comes back, too. */
static int count_done(IMB_MGR *manager, IMB_JOB *job)
{
    int done = 0;

    for (; job; job = IMB_GET_COMPLETED_JOB(manager))
        done += job->status == IMB_STATUS_COMPLETED;
    return done;
}

/* As many as there are lanes. Results are copied when all are done, because `out` may be the blocks' memory. */
static apr_status_t fill_lanes(tg_hasher *hasher, const unsigned char *blocks, apr_size_t size, int count, unsigned char *out)
{
    IMB_MGR *manager = hasher->manager;
    int done = 0;
    IMB_JOB *job;

    for (int i = 0; i < count; i++) {
        job = IMB_GET_NEXT_JOB(manager);
        job->cipher_mode = IMB_CIPHER_NULL;
        job->cipher_direction = IMB_DIR_ENCRYPT;
        job->chain_order = IMB_ORDER_HASH_CIPHER;
        job->hash_alg = IMB_AUTH_SHA_256;
        job->src = blocks + (apr_size_t)i * size;
        job->hash_start_src_offset_in_bytes = 0;
        job->msg_len_to_hash_in_bytes = size;
        job->auth_tag_output = hasher->digests[i];
        job->auth_tag_output_len_in_bytes = TG_SHA256_SIZE;
        done += count_done(manager, IMB_SUBMIT_JOB(manager));
    }
    while ((job = IMB_FLUSH_JOB(manager)))
        done += count_done(manager, job);
    if (done != count)
        return APR_EGENERAL;
    memcpy(out, hasher->digests, (apr_size_t)count * TG_SHA256_SIZE);
    return APR_SUCCESS;
}

static apr_status_t sha256_blocks(tg_hasher *hasher, const unsigned char *blocks, apr_size_t size, apr_size_t count,
                                  unsigned char *out)
{
    apr_status_t status = APR_SUCCESS;

    while (status == APR_SUCCESS && count > FEW && size > 0 && size <= LENGTH_MAX && have_manager(hasher)) {
        int now = count > (apr_size_t)hasher->width ? hasher->width : (int)count;

        status = fill_lanes(hasher, blocks, size, now, out);
        blocks += (apr_size_t)now * size;
        out += now * TG_SHA256_SIZE;
        count -= (apr_size_t)now;
    }
    return status == APR_SUCCESS ? tg_engine_openssl.sha256_blocks(hasher->single, blocks, size, count, out) : status;
}

/* --- SHA-1 -------------------------------------------------------------------------------------------------------- */

static apr_status_t sha1_begin(tg_hasher *hasher, int lanes)
{
    static const uint32_t start[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};

    if (lanes < 1 || lanes > hasher->width)
        return APR_EGENERAL;
    hasher->lanes = lanes;
    hasher->length = 0;
    if (lanes <= FEW)
        return tg_engine_openssl.sha1_begin(hasher->single, lanes);
    for (int i = 0; i < 5; i++)
        for (int lane = 0; lane < TG_SHA1_LANES; lane++)
            hasher->state[i][lane] = start[i];
    return APR_SUCCESS;
}

/* Lanes that nobody uses do the first one's work again. */
static void compress_at(tg_hasher *hasher, const unsigned char *const *data, apr_size_t at, apr_size_t blocks)
{
    const unsigned char *from[TG_SHA1_LANES];

    for (int lane = 0; lane < TG_SHA1_LANES; lane++)
        from[lane] = data[lane < hasher->lanes ? lane : 0] + at;
    hasher->compress(hasher->state, from, blocks);
}

static void compress_pending(tg_hasher *hasher, apr_size_t blocks)
{
    const unsigned char *from[TG_SHA1_LANES];

    for (int lane = 0; lane < TG_SHA1_LANES; lane++)
        from[lane] = hasher->pending[lane];
    compress_at(hasher, from, 0, blocks);
}

static apr_status_t sha1_update(tg_hasher *hasher, int lanes, const unsigned char *const *data, apr_size_t length)
{
    apr_size_t waiting = (apr_size_t)(hasher->length % TG_SHA1_BLOCK), at = 0;

    if (lanes != hasher->lanes)
        return APR_EGENERAL;
    if (lanes <= FEW)
        return tg_engine_openssl.sha1_update(hasher->single, lanes, data, length);
    hasher->length += length;
    if (waiting) {
        at = TG_SHA1_BLOCK - waiting < length ? TG_SHA1_BLOCK - waiting : length;
        for (int lane = 0; lane < lanes; lane++)
            memcpy(hasher->pending[lane] + waiting, data[lane], at);
        if (waiting + at < TG_SHA1_BLOCK)
            return APR_SUCCESS;
        compress_pending(hasher, 1);
    }
    compress_at(hasher, data, at, (length - at) / TG_SHA1_BLOCK);
    at = length - (length - at) % TG_SHA1_BLOCK;
    for (int lane = 0; at < length && lane < lanes; lane++)
        memcpy(hasher->pending[lane], data[lane] + at, length - at);
    return APR_SUCCESS;
}

static void put_big_endian(unsigned char *to, apr_uint64_t value, int bytes)
{
    while (bytes--) {
        to[bytes] = (unsigned char)value;
        value >>= 8;
    }
}

static apr_status_t sha1_end(tg_hasher *hasher, int lanes, unsigned char *out)
{
    apr_size_t waiting = (apr_size_t)(hasher->length % TG_SHA1_BLOCK);
    apr_size_t padded = waiting < TG_SHA1_BLOCK - 8 ? TG_SHA1_BLOCK : 2 * TG_SHA1_BLOCK;

    if (lanes != hasher->lanes)
        return APR_EGENERAL;
    if (lanes <= FEW)
        return tg_engine_openssl.sha1_end(hasher->single, lanes, out);
    for (int lane = 0; lane < lanes; lane++) {
        unsigned char *end = hasher->pending[lane];

        memset(end + waiting, 0, padded - waiting);
        end[waiting] = 0x80;
        put_big_endian(end + padded - 8, hasher->length * 8, 8);
    }
    compress_pending(hasher, padded / TG_SHA1_BLOCK);
    for (int lane = 0; lane < lanes; lane++)
        for (int i = 0; i < 5; i++)
            put_big_endian(out + lane * TG_SHA1_SIZE + 4 * i, hasher->state[i][lane], 4);
    return APR_SUCCESS;
}

const tg_engine tg_engine_avx512 = {
    "AVX-512", 16, create_avx512, destroy, sha256_blocks, sha1_begin, sha1_update, sha1_end,
};

const tg_engine tg_engine_avx2 = {
    "AVX2", 8, create_avx2, destroy, sha256_blocks, sha1_begin, sha1_update, sha1_end,
};
#endif
