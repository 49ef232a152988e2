/* Any bytes are refused with a reason, or give a torrent whose parts fit each other; one of a single file can be written
 * again with the same info-hashes. */
#include <apr_general.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "torrentgen/metainfo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
    if (!holds)
        abort();
}

static apr_int64_t check_files(const tg_metainfo *meta)
{
    apr_int64_t total = 0;

    must(meta->file_count > 0 && meta->name && *meta->name && !strchr(meta->name, '/'));
    for (int i = 0; i < meta->file_count; i++) {
        const char *path = meta->files[i].path;

        must(*path && *path != '/' && !strstr(path, "//") && strncmp(path, "../", 3) != 0 && !strstr(path, "/../"));
        must(strcmp(path, "..") != 0 && path[strlen(path) - 1] != '/');
        must(meta->files[i].length >= 0);
        total += meta->files[i].length;
    }
    return total;
}

static void write_again(const tg_metainfo *meta, apr_pool_t *pool)
{
    const tg_envelope envelope = {.trackers = meta->trackers,
                                  .tracker_count = meta->tracker_count,
                                  .web_seeds = meta->web_seeds,
                                  .web_seed_count = meta->web_seed_count};
    tg_metainfo again;
    const char *why;
    bt_buf buf;

    bt_buf_init(&buf, 1 << 26);
    must(tg_metainfo_write(&buf, &meta->torrent, &envelope) == APR_SUCCESS);
    must(tg_metainfo_read(buf.data, buf.length, pool, &again, &why) == APR_SUCCESS);
    must(bt_infohash_equal(&again.torrent.v1, &meta->torrent.v1));
    must(memcmp(again.torrent.v2.b, meta->torrent.v2.b, sizeof again.torrent.v2.b) == 0);
    must(again.tracker_count == meta->tracker_count && again.web_seed_count == meta->web_seed_count);
    must(again.torrent.layer_length == meta->torrent.layer_length);
    bt_buf_free(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool;
    tg_metainfo meta;
    const char *why = NULL;

    apr_initialize();
    must(apr_pool_create(&pool, NULL) == APR_SUCCESS);
    if (tg_metainfo_read(data, size, pool, &meta, &why) != APR_SUCCESS) {
        must(why && *why);
    } else {
        must(check_files(&meta) == meta.torrent.length);
        must(!(meta.torrent.version & TG_V1) == !meta.pieces);
        must(bt_infohash_is_zero(&meta.torrent.v1) == !(meta.torrent.version & TG_V1));
        if (meta.file_count == 1)
            write_again(&meta, pool);
    }
    apr_pool_destroy(pool);
    return 0;
}
