#include "torrentgen/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/evp.h>

enum { CHUNK = 64 * 1024 };

apr_status_t tg_digest_begin(tg_digest *digest)
{
    digest->sha256 = EVP_MD_CTX_new();
    digest->buffer = malloc(CHUNK);
    if (!digest->sha256 || !digest->buffer)
        return APR_ENOMEM;
    return EVP_DigestInit_ex(digest->sha256, EVP_sha256(), NULL) ? APR_SUCCESS : APR_EGENERAL;
}

static apr_status_t open_same(const char *path, const bt_stamp *stamp, int *fd)
{
    bt_stamp now;

    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (*fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? APR_EBUSY : errno;
    if (bt_stamp_fd(*fd, &now) == APR_SUCCESS && bt_stamp_equal(&now, stamp))
        return APR_SUCCESS;
    close(*fd);
    return APR_EBUSY;
}

static apr_status_t add_bytes(tg_digest *digest, int fd, apr_int64_t offset, apr_int64_t length, const int *cancel)
{
    while (length > 0) {
        ssize_t got;

        if (__atomic_load_n(cancel, __ATOMIC_RELAXED))
            return APR_EINTR;
        got = pread(fd, digest->buffer, length < CHUNK ? (apr_size_t)length : CHUNK, offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got ? errno : APR_EBUSY;
        if (!EVP_DigestUpdate(digest->sha256, digest->buffer, (apr_size_t)got))
            return APR_EGENERAL;
        digest->length += got;
        offset += got;
        length -= got;
    }
    return APR_SUCCESS;
}

apr_status_t tg_digest_add(tg_digest *digest, const char *path, const bt_stamp *stamp, apr_int64_t offset,
                           apr_int64_t length, const int *cancel)
{
    int fd;
    apr_status_t status = open_same(path, stamp, &fd);

    if (status == APR_SUCCESS) {
        status = add_bytes(digest, fd, offset, length, cancel);
        close(fd);
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
