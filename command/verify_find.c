/* Where the files of a torrent are on disk, and which pieces are theirs. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "base/bencode.h"
#include "command/verify.h"

static int is_directory(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static int exists(const char *path)
{
    struct stat info;

    return lstat(path, &info) == 0;
}

static int hex_value(char digit)
{
    return digit >= '0' && digit <= '9' ? digit - '0' : digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

/* A name of bytes that are not UTF-8 was escaped when the torrent was made (tg_name_of): undoes that. */
static const char *unescaped(const char *path, apr_pool_t *pool)
{
    char *copy = apr_pstrdup(pool, path), *out = copy;

    for (const char *at = path; *at; out++) {
        int high = *at == '%' ? hex_value(at[1]) : -1, low = high >= 8 ? hex_value(at[2]) : -1;

        if (low >= 0) {
            *out = (char)(high << 4 | low);
            at += 3;
        } else {
            *out = *at++;
        }
    }
    *out = '\0';
    return copy;
}

static const char *below(const char *directory, const char *name, apr_pool_t *pool)
{
    apr_size_t length = strlen(directory);
    const char *slash = length && directory[length - 1] == '/' ? "" : "/";
    const char *path = apr_pstrcat(pool, directory, slash, name, NULL);
    const char *other = strchr(name, '%') ? apr_pstrcat(pool, directory, slash, unescaped(name, pool), NULL) : path;

    return !exists(path) && exists(other) ? other : path;
}

/* The directory of the files: `data`, or the one with the torrent's name in it. */
static const char *find_root(const tg_metainfo *meta, const char *data, apr_pool_t *pool)
{
    const char *inner = below(data, meta->name, pool);

    for (int i = 0; i < meta->file_count; i++)
        if (exists(below(data, meta->files[i].path, pool)))
            return data;
    return is_directory(inner) ? inner : data;
}

static apr_hash_t *index_layers(const bt_buf *bytes, apr_pool_t *pool)
{
    apr_hash_t *found = apr_hash_make(pool);
    bt_ben top, layers, root, layer;
    bt_ben_iter iter;

    if (bt_ben_read_lenient(bytes->data, bytes->length, &top) != APR_SUCCESS ||
        !bt_ben_get(&top, "piece layers", BT_BEN_DICT, &layers))
        return found;
    bt_ben_iterate(&layers, &iter);
    while (bt_ben_next(&iter, &root, &layer))
        apr_hash_set(found, root.string, (apr_ssize_t)root.string_length, layer.string);
    return found;
}

static void look_at(cmd_checked_file *file)
{
    file->status = bt_stamp_path(file->path, &file->stamp);
    if (APR_STATUS_IS_ENOENT(file->status) || file->status == ENOTDIR)
        file->state = CMD_FILE_MISSING;
    else if (file->status != APR_SUCCESS)
        file->state = CMD_FILE_UNREADABLE;
    else if (file->stamp.size != file->file->length)
        file->state = CMD_FILE_SIZE;
    else
        file->state = CMD_FILE_FINE;
}

void cmd_verify_prepare(cmd_verification *v, const cmd_torrent *torrent, const bt_buf *bytes, const char *data, apr_pool_t *pool)
{
    const tg_metainfo *meta = &torrent->meta;
    apr_uint32_t piece = meta->torrent.piece_length;
    apr_hash_t *layers = index_layers(bytes, pool);
    int single = !meta->is_directory;
    const char *root = single || !is_directory(data) ? data : find_root(meta, data, pool);

    memset(v, 0, sizeof *v);
    v->torrent = torrent;
    v->pieces = torrent->pieces;
    v->bad = apr_pcalloc(pool, (apr_size_t)v->pieces + 1);
    v->files = apr_pcalloc(pool, (apr_size_t)meta->file_count * sizeof *v->files);
    for (int i = 0; i < meta->file_count; i++) {
        cmd_checked_file *file = &v->files[i];

        file->file = &meta->files[i];
        file->path = single && !is_directory(data) ? data : below(root, file->file->path, pool);
        file->first = file->file->offset / piece;
        if (file->file->length)
            file->pieces = (file->file->offset + file->file->length - 1) / piece - file->first + 1;
        file->layer = file->pieces > 1 ? apr_hash_get(layers, file->file->root, BT_HASH_V2_SIZE) : file->file->root;
        look_at(file);
    }
}
