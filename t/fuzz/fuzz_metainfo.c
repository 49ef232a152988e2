/* Any bytes are refused with a reason, or give a torrent whose parts fit each other, and that can be written again: what is
 * read then is the same. */
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

static void check_members(const tg_metainfo *meta)
{
    const tg_torrent *torrent = &meta->torrent;
    apr_size_t layers = 0;

    must(meta->is_directory || (!torrent->members && meta->file_count == 1));
    must(!torrent->members == !torrent->member_count);
    for (apr_size_t i = 0; i < torrent->member_count; i++) {
        const tg_member *member = &torrent->members[i];
        apr_int64_t pieces = tg_piece_count(member->stamp.size, torrent->piece_length);

        must(member->stamp.size > 0 && member->offset >= 0 && member->offset + member->stamp.size <= torrent->length);
        must(!i || member->offset >= member[-1].offset + member[-1].stamp.size);
        must(!(torrent->version & TG_V2) || member->offset % torrent->piece_length == 0);
        layers += pieces > 1 && torrent->version & TG_V2 ? (apr_size_t)pieces * BT_HASH_V2_SIZE : 0;
    }
    must(!torrent->members || layers == torrent->layer_length);
    must(!torrent->layer == !torrent->layer_length);
}

static void same_members(const tg_torrent *a, const tg_torrent *b)
{
    must(a->member_count == b->member_count && a->length == b->length && a->layer_length == b->layer_length);
    must(!a->layer_length || memcmp(a->layer, b->layer, a->layer_length) == 0);
    for (apr_size_t i = 0; i < a->member_count; i++) {
        must(strcmp(a->members[i].path, b->members[i].path) == 0 && a->members[i].offset == b->members[i].offset);
        must(memcmp(a->members[i].root, b->members[i].root, BT_HASH_V2_SIZE) == 0);
    }
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
    same_members(&again.torrent, &meta->torrent);
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
        must(check_files(&meta) == tg_content_length(&meta.torrent));
        check_members(&meta);
        must(!(meta.torrent.version & TG_V1) == !meta.pieces);
        must(bt_infohash_is_zero(&meta.torrent.v1) == !(meta.torrent.version & TG_V1));
        write_again(&meta, pool);
    }
    apr_pool_destroy(pool);
    return 0;
}
