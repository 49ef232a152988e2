#include "torrentgen/metainfo.h"

#include <stdlib.h>
#include <string.h>

#include "base/bencode.h"

static void add_trackers(bt_buf *buf, const tg_envelope *envelope)
{
    if (envelope->tracker_count < 1)
        return;
    bt_ben_add_text(buf, "announce");
    bt_ben_add_text(buf, envelope->trackers[0]);
    if (envelope->tracker_count < 2)
        return;
    bt_ben_add_text(buf, "announce-list"); /* a tier each: they are in order of preference (BEP 12) */
    bt_ben_open(buf, 'l');
    for (int i = 0; i < envelope->tracker_count; i++) {
        bt_ben_open(buf, 'l');
        bt_ben_add_text(buf, envelope->trackers[i]);
        bt_ben_close(buf);
    }
    bt_ben_close(buf);
}

/* The layer of a member. */
typedef struct {
    const unsigned char *root, *layer;
    apr_size_t length; /* bytes */
} member_layer;

static int compare_roots(const void *a, const void *b)
{
    return memcmp(((const member_layer *)a)->root, ((const member_layer *)b)->root, BT_HASH_V2_SIZE);
}

/* @return how many members have one */
static apr_size_t list_layers(const tg_torrent *torrent, member_layer *list)
{
    const unsigned char *at = torrent->layer;
    apr_size_t count = 0;

    for (apr_size_t i = 0; i < torrent->member_count; i++) {
        const tg_member *member = &torrent->members[i];
        apr_int64_t pieces = tg_piece_count(member->stamp.size, torrent->piece_length);

        if (pieces < 2)
            continue;
        list[count++] = (member_layer){member->root, at, (apr_size_t)pieces * BT_HASH_V2_SIZE};
        at += pieces * BT_HASH_V2_SIZE;
    }
    return count;
}

/* Sorted by root, and once where several files are the same. */
static void add_layers_of_members(bt_buf *buf, const tg_torrent *torrent)
{
    member_layer *list = malloc(torrent->member_count * sizeof *list);
    apr_size_t count;

    if (!list) {
        buf->status = APR_ENOMEM;
        return;
    }
    count = list_layers(torrent, list);
    qsort(list, count, sizeof *list, compare_roots);
    for (apr_size_t i = 0; i < count; i++) {
        if (i && compare_roots(&list[i - 1], &list[i]) == 0)
            continue;
        bt_ben_add_string(buf, list[i].root, BT_HASH_V2_SIZE);
        bt_ben_add_string(buf, list[i].layer, list[i].length);
    }
    free(list);
}

static void add_piece_layers(bt_buf *buf, const tg_torrent *torrent)
{
    bt_ben_add_text(buf, "piece layers");
    bt_ben_open(buf, 'd');
    if (torrent->members) {
        add_layers_of_members(buf, torrent);
    } else if (torrent->layer_length) {
        bt_ben_add_string(buf, torrent->root, sizeof torrent->root);
        bt_ben_add_string(buf, torrent->layer, torrent->layer_length);
    }
    bt_ben_close(buf);
}

static void add_web_seeds(bt_buf *buf, const tg_envelope *envelope)
{
    if (envelope->web_seed_count < 1)
        return;
    bt_ben_add_text(buf, "url-list"); /* BEP 19 */
    bt_ben_open(buf, 'l');
    for (int i = 0; i < envelope->web_seed_count; i++)
        bt_ben_add_text(buf, envelope->web_seeds[i]);
    bt_ben_close(buf);
}

static void add_collections(bt_buf *buf, const tg_envelope *envelope)
{
    if (envelope->collection_count < 1)
        return;
    bt_ben_add_text(buf, "collections"); /* BEP 38 */
    bt_ben_open(buf, 'l');
    for (int i = 0; i < envelope->collection_count; i++)
        bt_ben_add_text(buf, envelope->collections[i]);
    bt_ben_close(buf);
}

static void add_similar(bt_buf *buf, const tg_envelope *envelope)
{
    if (envelope->similar_count < 1)
        return;
    bt_ben_add_text(buf, "similar"); /* BEP 38 */
    bt_ben_open(buf, 'l');
    for (int i = 0; i < envelope->similar_count; i++)
        bt_ben_add_string(buf, envelope->similar[i].b, (apr_size_t)envelope->similar[i].size);
    bt_ben_close(buf);
}

/* BEP 39 has it in the infodict, where the info-hash would depend on the host; see docs/internals/torrentgen.md. */
static void add_update_url(bt_buf *buf, const tg_envelope *envelope)
{
    if (!envelope->update_url)
        return;
    bt_ben_add_text(buf, "update-url");
    bt_ben_add_text(buf, envelope->update_url);
}

apr_status_t tg_metainfo_write(bt_buf *buf, const tg_torrent *torrent, const tg_envelope *envelope)
{
    bt_ben_open(buf, 'd');
    add_trackers(buf, envelope);
    add_collections(buf, envelope);
    if (envelope->comment) {
        bt_ben_add_text(buf, "comment");
        bt_ben_add_text(buf, envelope->comment);
    }
    if (envelope->created_by) {
        bt_ben_add_text(buf, "created by");
        bt_ben_add_text(buf, envelope->created_by);
    }
    if (envelope->created) {
        bt_ben_add_text(buf, "creation date");
        bt_ben_add_integer(buf, apr_time_sec(envelope->created));
    }
    bt_ben_add_text(buf, "info");
    bt_buf_add(buf, torrent->infodict, torrent->infodict_length);
    if (torrent->version & TG_V2)
        add_piece_layers(buf, torrent);
    add_similar(buf, envelope);
    add_update_url(buf, envelope);
    add_web_seeds(buf, envelope);
    bt_ben_close(buf);
    return buf->status;
}
