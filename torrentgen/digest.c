#include "torrentgen/digest.h"

#include <stdlib.h>

#include <openssl/evp.h>

enum { CHUNK = 64 * 1024, AHEAD = 4 * 1024 * 1024 }; /* bytes; ahead: on their way from the disk */

apr_status_t tg_digest_begin(tg_digest *digest)
{
    digest->sha256 = EVP_MD_CTX_new();
    digest->buffer = malloc(CHUNK);
    if (!digest->sha256 || !digest->buffer)
        return APR_ENOMEM;
    return EVP_DigestInit_ex(digest->sha256, EVP_sha256(), NULL) ? APR_SUCCESS : APR_EGENERAL;
}

apr_status_t tg_digest_add(tg_digest *digest, tg_intake *intake, apr_int64_t offset, apr_int64_t length, const int *cancel)
{
    apr_status_t status = APR_SUCCESS;

    while (status == APR_SUCCESS && length > 0) {
        apr_size_t size = length < CHUNK ? (apr_size_t)length : CHUNK;

        if (__atomic_load_n(cancel, __ATOMIC_RELAXED))
            return APR_EINTR;
        tg_intake_ahead(intake, offset, AHEAD);
        status = tg_intake_read(intake, digest->buffer, size, offset);
        if (status == APR_SUCCESS && !EVP_DigestUpdate(digest->sha256, digest->buffer, size))
            return APR_EGENERAL;
        digest->length += (apr_int64_t)size;
        offset += (apr_int64_t)size;
        length -= (apr_int64_t)size;
    }
    return status;
}

apr_status_t tg_digest_add_alone(tg_digest *digest, const char *path, const bt_stamp *stamp, apr_int64_t offset,
                                 apr_int64_t length, const int *cancel)
{
    tg_intake intake;
    apr_status_t status = tg_intake_open(&intake, path, stamp, offset, offset + length);

    if (status == APR_SUCCESS) {
        status = tg_digest_add(digest, &intake, offset, length, cancel);
        tg_intake_close(&intake);
    }
    return status;
}

apr_status_t tg_digest_end(tg_digest *digest, unsigned char out[32])
{
    return EVP_DigestFinal_ex(digest->sha256, out, NULL) ? APR_SUCCESS : APR_EGENERAL;
}

void tg_digest_free(tg_digest *digest)
{
    EVP_MD_CTX_free(digest->sha256);
    free(digest->buffer);
    digest->sha256 = NULL;
    digest->buffer = NULL;
}
