#include "torrentgen/engine.h"

#include <openssl/evp.h>
#include <stdlib.h>

/* Algorithms are fetched once for each hasher: in OpenSSL 3, EVP_sha1() would look the provider up for every message. */
struct tg_hasher {
    EVP_MD_CTX *sha1[TG_LANES_MAX], *sha256; /* those of SHA-1 are made when they are first needed */
    EVP_MD *md_sha1, *md_sha256;
};

#if OPENSSL_VERSION_NUMBER >= 0x30000000L
static EVP_MD *fetch(const char *name)
{
    return EVP_MD_fetch(NULL, name, NULL);
}

static void release(EVP_MD *md)
{
    EVP_MD_free(md);
}
#else
static EVP_MD *fetch(const char *name)
{
    return (EVP_MD *)EVP_get_digestbyname(name);
}

static void release(EVP_MD *md)
{
}
#endif

static void destroy(tg_hasher *hasher)
{
    if (!hasher)
        return;
    for (int i = 0; i < TG_LANES_MAX; i++)
        EVP_MD_CTX_free(hasher->sha1[i]);
    EVP_MD_CTX_free(hasher->sha256);
    release(hasher->md_sha1);
    release(hasher->md_sha256);
    free(hasher);
}

static apr_status_t create(tg_hasher **result)
{
    tg_hasher *hasher = calloc(1, sizeof *hasher);
    apr_status_t status = APR_SUCCESS;

    *result = NULL;
    if (!hasher)
        return APR_ENOMEM;
    hasher->sha256 = EVP_MD_CTX_new();
    if (!hasher->sha256) {
        status = APR_ENOMEM;
    } else {
        hasher->md_sha1 = fetch("SHA1");
        hasher->md_sha256 = fetch("SHA256");
        if (!hasher->md_sha1 || !hasher->md_sha256)
            status = APR_ENOTIMPL;
    }
    if (status != APR_SUCCESS)
        destroy(hasher);
    else
        *result = hasher;
    return status;
}

static apr_status_t sha256_blocks(tg_hasher *hasher, const unsigned char *blocks, apr_size_t size, apr_size_t count,
                                  unsigned char *out)
{
    for (; count; count--, blocks += size, out += TG_SHA256_SIZE)
        if (!EVP_DigestInit_ex(hasher->sha256, hasher->md_sha256, NULL) ||
            !EVP_DigestUpdate(hasher->sha256, blocks, size) || !EVP_DigestFinal_ex(hasher->sha256, out, NULL))
            return APR_EGENERAL;
    return APR_SUCCESS;
}

static apr_status_t sha1_begin(tg_hasher *hasher, int lanes)
{
    if (lanes < 1 || lanes > TG_LANES_MAX)
        return APR_EGENERAL;
    for (int i = 0; i < lanes; i++) {
        if (!hasher->sha1[i] && !(hasher->sha1[i] = EVP_MD_CTX_new()))
            return APR_ENOMEM;
        if (!EVP_DigestInit_ex(hasher->sha1[i], hasher->md_sha1, NULL))
            return APR_EGENERAL;
    }
    return APR_SUCCESS;
}

static apr_status_t sha1_update(tg_hasher *hasher, int lanes, const unsigned char *const *data, apr_size_t length)
{
    for (int i = 0; i < lanes; i++)
        if (!EVP_DigestUpdate(hasher->sha1[i], data[i], length))
            return APR_EGENERAL;
    return APR_SUCCESS;
}

static apr_status_t sha1_end(tg_hasher *hasher, int lanes, unsigned char *out)
{
    for (int i = 0; i < lanes; i++)
        if (!EVP_DigestFinal_ex(hasher->sha1[i], out + i * TG_SHA1_SIZE, NULL))
            return APR_EGENERAL;
    return APR_SUCCESS;
}

const tg_engine tg_engine_openssl = {
    "openssl", 1, create, destroy, sha256_blocks, sha1_begin, sha1_update, sha1_end,
};
