#include "torrentgen/sidecar.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* @return why it cannot be used, or NULL */
static const char *read_file(int fd, apr_size_t length, unsigned char *bytes)
{
    apr_size_t used = 0;

    while (used < length) {
        ssize_t got = pread(fd, bytes + used, length - used, (off_t)used);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return "it cannot be read";
        used += (apr_size_t)got;
    }
    return NULL;
}

static const char *read_torrent(tg_sidecar *sidecar, int fd, apr_pool_t *pool)
{
    apr_size_t length = (apr_size_t)sidecar->stamp.size;
    unsigned char *bytes;
    const char *why;

    if (sidecar->stamp.size > TG_SIDECAR_MAX)
        return "it is too large";
    if (sidecar->stamp.size == 0)
        return "it is empty";
    bytes = apr_palloc(pool, length);
    why = read_file(fd, length, bytes);
    if (!why && tg_metainfo_read(bytes, length, pool, &sidecar->meta, &why) == APR_SUCCESS)
        why = NULL;
    return why;
}

static const char *compare(const tg_metainfo *meta, const char *of_path, const char *name, apr_int64_t length)
{
    const char *slash = strrchr(of_path, '/');

    if (meta->is_directory)
        return "it is of a directory";
    if (strcmp(meta->name, slash ? slash + 1 : of_path) != 0 && strcmp(meta->name, name) != 0)
        return "it is of a file of another name";
    if (meta->torrent.length != length)
        return "it is of a file of another length";
    if (meta->is_private)
        return "it is private";
    if (meta->torrent.version == TG_HYBRID && bt_infohash_is_zero(&meta->torrent.v1_keyless))
        return "its keys are not sorted";
    return NULL;
}

void tg_sidecar_look(tg_sidecar *sidecar, const char *path, const char *of_path, const char *name, apr_int64_t length,
                     apr_pool_t *pool)
{
    int fd;

    memset(sidecar, 0, sizeof *sidecar);
    if (bt_stamp_path(path, &sidecar->stamp) != APR_SUCCESS) {
        memset(&sidecar->stamp, 0, sizeof sidecar->stamp);
        return;
    }
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        sidecar->why = "it cannot be opened";
        return;
    }
    if (bt_stamp_fd(fd, &sidecar->stamp) != APR_SUCCESS)
        sidecar->why = "it is no file";
    else
        sidecar->why = read_torrent(sidecar, fd, pool);
    close(fd);
    if (!sidecar->why)
        sidecar->why = compare(&sidecar->meta, of_path, name, length);
    sidecar->fits = !sidecar->why;
}

int tg_sidecar_compare(tg_sidecar *sidecar, const unsigned char *sha1, const unsigned char *root)
{
    const tg_metainfo *meta = &sidecar->meta;

    if ((meta->torrent.version & TG_V1 && meta->pieces_length && memcmp(meta->pieces, sha1, meta->pieces_length) != 0) ||
        (meta->torrent.version & TG_V2 && memcmp(meta->torrent.root, root, BT_HASH_V2_SIZE) != 0)) {
        sidecar->fits = 0;
        sidecar->why = "its hashes are not those of the file";
    }
    return sidecar->fits;
}
