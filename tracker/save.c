/* Swarms on disk, from stop to start: a header, a roll, and the SHA-256 of both. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "tracker/shard.h"

enum { HEADER_SIZE = 16, DIGEST_SIZE = 32 };

static const char magic[8] = {'B', 'T', 'H', 'R', 'O', 'L', 'L', '1'};

/* A file on its way out. The first failure stays. */
typedef struct {
    int fd;
    EVP_MD_CTX *digest;
    apr_status_t status;
} writer;

static void write_all(writer *out, const unsigned char *bytes, apr_size_t length)
{
    while (out->status == APR_SUCCESS && length > 0) {
        ssize_t done = write(out->fd, bytes, length);

        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0) {
            out->status = done < 0 ? errno : ENOSPC;
            return;
        }
        bytes += done;
        length -= (apr_size_t)done;
    }
}

static void put(writer *out, const unsigned char *bytes, apr_size_t length)
{
    if (length > 0 && !EVP_DigestUpdate(out->digest, bytes, length) && out->status == APR_SUCCESS)
        out->status = APR_EGENERAL;
    write_all(out, bytes, length);
}

static void put_header(writer *out, apr_time_t now)
{
    unsigned char header[HEADER_SIZE];
    apr_uint64_t seconds = (apr_uint64_t)apr_time_sec(now);

    memcpy(header, magic, sizeof magic);
    for (int i = 0; i < 8; i++)
        header[8 + i] = (unsigned char)(seconds >> (56 - 8 * i) & 0xff);
    put(out, header, sizeof header);
}

/* A shard's lock is held while its roll is made in memory, not while the disk is waited for. */
static void put_shard(writer *out, trk_swarms *view, unsigned shard)
{
    bt_buf roll;

    bt_buf_init(&roll, 2 * (apr_size_t)view->header->size);
    if (out->status == APR_SUCCESS)
        out->status = trk_shard_lock(view, shard);
    if (out->status != APR_SUCCESS)
        return;
    trk_roll_add(view, shard, &roll);
    trk_shard_unlock(view, shard);
    out->status = roll.status;
    if (roll.status == APR_SUCCESS)
        put(out, roll.data, roll.length);
    bt_buf_free(&roll);
}

static apr_status_t write_file(trk_swarms *view, const char *path, apr_time_t now)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    writer out = {-1, EVP_MD_CTX_new(), APR_SUCCESS};

    if (!out.digest || !EVP_DigestInit_ex(out.digest, EVP_sha256(), NULL)) {
        EVP_MD_CTX_free(out.digest);
        return APR_ENOMEM;
    }
    unlink(path);
    out.fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (out.fd < 0)
        out.status = errno;
    put_header(&out, now);
    for (unsigned shard = 0; shard < TRK_SHARDS && out.status == APR_SUCCESS; shard++)
        put_shard(&out, view, shard);
    if (out.status == APR_SUCCESS && !EVP_DigestFinal_ex(out.digest, digest, NULL))
        out.status = APR_EGENERAL;
    write_all(&out, digest, DIGEST_SIZE);
    if (out.fd >= 0) {
        if (out.status == APR_SUCCESS && fsync(out.fd) != 0)
            out.status = errno;
        if (close(out.fd) != 0 && out.status == APR_SUCCESS)
            out.status = errno;
    }
    EVP_MD_CTX_free(out.digest);
    return out.status;
}

/* Written beside the old file and put in its place when it is whole. */
apr_status_t trk_swarms_save(trk_swarms *swarms, const char *path, apr_time_t now)
{
    size_t length = strlen(path) + sizeof ".new";
    char *beside = malloc(length);
    apr_status_t status;

    if (!beside)
        return APR_ENOMEM;
    snprintf(beside, length, "%s.new", path);
    status = write_file(swarms, beside, now);
    if (status == APR_SUCCESS && rename(beside, path) != 0)
        status = errno;
    if (status != APR_SUCCESS)
        unlink(beside);
    free(beside);
    return status;
}

static apr_status_t refuse(const char *reason)
{
    bt_log(BT_LOG_NOTICE, 302, APR_SUCCESS, "saved swarms are not taken up: %s", reason);
    return APR_EINVAL;
}

apr_status_t trk_swarms_load_bytes(trk_swarms *view, const unsigned char *bytes, apr_size_t length, apr_time_t now,
                                   apr_time_t interval)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    apr_uint64_t saved = 0, seconds = (apr_uint64_t)apr_time_sec(now);

    if (length < HEADER_SIZE + DIGEST_SIZE || memcmp(bytes, magic, sizeof magic) != 0)
        return refuse("the file is of another kind or version");
    length -= DIGEST_SIZE;
    if (!EVP_Digest(bytes, length, digest, NULL, EVP_sha256(), NULL))
        return APR_EGENERAL;
    if (memcmp(digest, bytes + length, DIGEST_SIZE) != 0)
        return refuse("the file is damaged");
    for (int i = 0; i < 8; i++)
        saved = saved << 8 | bytes[8 + i];
    if (saved > seconds || seconds - saved > (apr_uint64_t)apr_time_sec(interval))
        return refuse("they are older than the announce interval, or from the future");
    if (!trk_roll_check(bytes + HEADER_SIZE, length - HEADER_SIZE))
        return refuse("the file is damaged");
    trk_roll_keep(view, bytes + HEADER_SIZE, length - HEADER_SIZE, -1, (uint32_t)seconds, trk_limit_of(interval));
    return APR_SUCCESS;
}

static apr_status_t read_all(int fd, unsigned char *bytes, apr_size_t length)
{
    while (length > 0) {
        ssize_t got = read(fd, bytes, length);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? errno : APR_EINVAL; /* it shrank meanwhile */
        bytes += got;
        length -= (apr_size_t)got;
    }
    return APR_SUCCESS;
}

apr_status_t trk_swarms_load(trk_swarms *swarms, const char *path, apr_time_t now, apr_time_t interval)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    unsigned char *bytes;
    struct stat file;
    apr_status_t status;

    if (fd < 0)
        return errno;
    /* A roll is at most twice as long as what it was made from, which may have been twice as large as this table. */
    if (fstat(fd, &file) != 0 || !S_ISREG(file.st_mode) || file.st_size <= 0 ||
        (apr_uint64_t)file.st_size / 4 > swarms->header->size) {
        close(fd);
        return refuse("it is no file, or too large");
    }
    bytes = malloc((size_t)file.st_size);
    status = bytes ? read_all(fd, bytes, (apr_size_t)file.st_size) : APR_ENOMEM;
    if (status == APR_SUCCESS)
        status = trk_swarms_load_bytes(swarms, bytes, (apr_size_t)file.st_size, now, interval);
    free(bytes);
    close(fd);
    return status;
}

void trk_swarms_copy(trk_swarms *to, trk_swarms *from, apr_time_t now)
{
    bt_buf roll;

    bt_buf_init(&roll, 2 * (apr_size_t)from->header->size);
    for (unsigned shard = 0; shard < TRK_SHARDS; shard++) {
        bt_buf_reset(&roll);
        if (trk_shard_lock(from, shard) != APR_SUCCESS)
            continue;
        trk_roll_add(from, shard, &roll);
        trk_shard_unlock(from, shard);
        trk_roll_keep(to, roll.data, roll.length, -1, (uint32_t)apr_time_sec(now), 0);
    }
    bt_buf_free(&roll);
}
