#include "module/sidecar.h"

#include <apr_file_io.h>
#include <apr_strings.h>

#include <string.h>

#include "module/stranger.h"
#include "torrentgen/sidecar.h"


const char *bth_sidecar_find(const char *origin, const char *path, apr_pool_t *pool, apr_thread_t *thread, bt_stamp *stamp)
{
    const char *sidecar = apr_pstrcat(pool, path, ".torrent", NULL);
    int has_name = origin[strlen(origin) - 1] != '/';

    /* A directory's index that was asked for as the directory has no URL of its own to look beside. */
    if (has_name && bt_stamp_path(sidecar, stamp) == APR_SUCCESS &&
        bth_stranger_may(apr_pstrcat(pool, origin, ".torrent", NULL), sidecar, pool, thread, NULL))
        return sidecar;
    memset(stamp, 0, sizeof *stamp);
    return NULL;
}

static int same_torrent(const tg_torrent *torrent, const cat_entry *entry)
{
    return torrent->version == entry->version && !memcmp(&torrent->v1, &entry->v1, sizeof entry->v1) &&
           !memcmp(&torrent->v2, &entry->v2, sizeof entry->v2);
}

int bth_sidecar_read(const char *path, const cat_entry *entry, apr_pool_t *pool, tg_metainfo *meta)
{
    apr_file_t *file;
    unsigned char *bytes;
    apr_size_t length = (apr_size_t)entry->sidecar.size;
    const char *why;
    int fine = 0;

    if (entry->sidecar.size <= 0 || entry->sidecar.size > TG_SIDECAR_MAX ||
        apr_file_open(&file, path, APR_READ | APR_BINARY, 0, pool) != APR_SUCCESS)
        return 0;
    bytes = apr_palloc(pool, length);
    if (apr_file_read_full(file, bytes, length, &length) == APR_SUCCESS)
        fine = tg_metainfo_read(bytes, length, pool, meta, &why) == APR_SUCCESS && same_torrent(&meta->torrent, entry);
    apr_file_close(file);
    return fine;
}
