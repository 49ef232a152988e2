#include "command/describe.h"

#include <errno.h>
#include <string.h>

#include <apr_strings.h>

#include "base/bencode.h"
#include "command/command.h"
#include "command/output.h"
#include "command/values.h"

enum { TORRENT_FILE_MAX = 160 * 1024 * 1024 };

static const char *text_of(const bt_ben *top, const char *key, apr_pool_t *pool)
{
    bt_ben value;

    return bt_ben_get(top, key, BT_BEN_STRING, &value)
               ? apr_pstrmemdup(pool, (const char *)value.string, value.string_length)
               : NULL;
}

apr_status_t cmd_torrent_read(const bt_buf *bytes, apr_pool_t *pool, cmd_torrent *torrent, const char **why)
{
    apr_status_t status;
    bt_ben top, value;

    memset(torrent, 0, sizeof *torrent);
    status = tg_metainfo_read(bytes->data, bytes->length, pool, &torrent->meta, why);
    if (status != APR_SUCCESS)
        return status;
    for (int i = 0; i < torrent->meta.file_count; i++) {
        torrent->size += torrent->meta.files[i].length;
        if (torrent->meta.torrent.version == TG_V2)
            torrent->pieces += tg_piece_count(torrent->meta.files[i].length, torrent->meta.torrent.piece_length);
    }
    if (torrent->meta.torrent.version & TG_V1)
        torrent->pieces = (apr_int64_t)(torrent->meta.pieces_length / BT_HASH_SIZE);
    if (bt_ben_read_lenient(bytes->data, bytes->length, &top) == APR_SUCCESS) {
        torrent->comment = text_of(&top, "comment", pool);
        torrent->created_by = text_of(&top, "created by", pool);
        if (bt_ben_get(&top, "creation date", BT_BEN_INTEGER, &value) && value.integer > 0 &&
            value.integer < APR_INT64_MAX / APR_USEC_PER_SEC)
            torrent->created = value.integer;
    }
    return APR_SUCCESS;
}

int cmd_torrent_load(const char *path, apr_pool_t *pool, cmd_torrent *torrent, bt_buf *bytes)
{
    const char *why = NULL;
    char reason[160];
    apr_status_t status;

    bt_buf_init(bytes, TORRENT_FILE_MAX);
    status = cmd_input_read(path, bytes);
    if (status != APR_SUCCESS) {
        cmd_complain("%s: %s", path, status == EFBIG ? "too large to be a torrent" : cmd_reason(status, reason));
        return CMD_FAILED;
    }
    if (cmd_torrent_read(bytes, pool, torrent, &why) == APR_SUCCESS)
        return CMD_OK;
    cmd_complain("%s: no torrent: %s", path, why);
    return CMD_BAD;
}

/* --- JSON ----------------------------------------------------------------------------------------------------------- */

static void add_urls(cmd_json *json, const char *key, const char *const *urls, int count)
{
    cmd_json_open(json, key, '[');
    for (int i = 0; i < count; i++)
        cmd_json_text(json, NULL, urls[i]);
    cmd_json_close(json, ']');
}

static void add_files(cmd_json *json, const tg_metainfo *meta)
{
    cmd_json_open(json, "files", '[');
    for (int i = 0; i < meta->file_count; i++) {
        const tg_file *file = &meta->files[i];

        cmd_json_open(json, NULL, '{');
        cmd_json_path(json, "path", file->path);
        cmd_json_number(json, "length", file->length);
        cmd_json_hash(json, "pieces_root", file->root, BT_HASH_V2_SIZE);
        cmd_json_close(json, '}');
    }
    cmd_json_close(json, ']');
}

void cmd_torrent_json(cmd_json *json, const cmd_torrent *torrent)
{
    const tg_metainfo *meta = &torrent->meta;
    char when[40];

    cmd_json_path(json, "name", meta->name);
    cmd_json_text(json, "version", cmd_version_text(meta->torrent.version));
    cmd_json_hash(json, "infohash_v1", meta->torrent.v1.b, BT_HASH_SIZE);
    cmd_json_hash(json, "infohash_v2", meta->torrent.v2.b, BT_HASH_V2_SIZE);
    cmd_json_number(json, "size", torrent->size);
    cmd_json_number(json, "piece_length", meta->torrent.piece_length);
    cmd_json_number(json, "pieces", torrent->pieces);
    cmd_json_bool(json, "private", meta->is_private);
    if (torrent->created)
        cmd_json_text(json, "created", cmd_time_text(when, apr_time_from_sec(torrent->created)));
    if (torrent->created_by)
        cmd_json_text(json, "created_by", torrent->created_by);
    if (torrent->comment)
        cmd_json_text(json, "comment", torrent->comment);
    add_files(json, meta);
    add_urls(json, "trackers", meta->trackers, meta->tracker_count);
    add_urls(json, "web_seeds", meta->web_seeds, meta->web_seed_count);
}

/* --- words ---------------------------------------------------------------------------------------------------------- */

void cmd_hashes_print(FILE *to, const tg_torrent *torrent)
{
    char hex[2 * BT_HASH_V2_SIZE + 1];

    if (torrent->version & TG_V1) {
        bt_hex(hex, torrent->v1.b, BT_HASH_SIZE);
        cmd_line(to, "info-hash v1  %s", hex);
    }
    if (torrent->version & TG_V2) {
        bt_hex(hex, torrent->v2.b, BT_HASH_V2_SIZE);
        cmd_line(to, "info-hash v2  %s", hex);
    }
}

static void print_urls(FILE *to, const char *label, const char *const *urls, int count)
{
    for (int i = 0; i < count; i++)
        cmd_line(to, "%-12s  %s", i ? "" : label, urls[i]);
}

void cmd_torrent_print(FILE *to, const cmd_torrent *torrent)
{
    const tg_metainfo *meta = &torrent->meta;
    char size[32], when[40];

    cmd_line(to, "name          %s", meta->name);
    cmd_line(to, "version       %s", cmd_version_text(meta->torrent.version));
    cmd_hashes_print(to, &meta->torrent);
    cmd_line(to, "size          %s (%" APR_INT64_T_FMT " bytes)", cmd_size_text(size, torrent->size), torrent->size);
    cmd_line(to, "pieces        %" APR_INT64_T_FMT " of %s", torrent->pieces,
             cmd_size_text(size, meta->torrent.piece_length));
    if (meta->is_private)
        cmd_line(to, "private       yes");
    if (torrent->created)
        cmd_line(to, "created       %s", cmd_time_text(when, apr_time_from_sec(torrent->created)));
    if (torrent->created_by)
        cmd_line(to, "created by    %s", torrent->created_by);
    if (torrent->comment)
        cmd_line(to, "comment       %s", torrent->comment);
    print_urls(to, "trackers", meta->trackers, meta->tracker_count);
    print_urls(to, "web seeds", meta->web_seeds, meta->web_seed_count);
    cmd_line(to, "files         %d", meta->file_count);
    for (int i = 0; i < meta->file_count; i++)
        cmd_line(to, "  %10s  %s", cmd_size_text(size, meta->files[i].length), meta->files[i].path);
}
