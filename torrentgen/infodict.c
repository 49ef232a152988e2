#include "torrentgen/infodict.h"

#include <apr_strings.h>
#include <string.h>

#include "base/bencode.h"
#include "base/utf8.h"

int tg_name_is_good(const char *name)
{
    const unsigned char *at = (const unsigned char *)name;
    apr_size_t length = strlen(name);

    if (length == 0 || length > 255 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strchr(name, '/'))
        return 0;
    while (*at) {
        int sequence = bt_utf8_length(at);

        if (!sequence)
            return 0;
        at += sequence;
    }
    return 1;
}

int tg_piece_length_is_good(apr_uint32_t piece_length)
{
    return piece_length >= TG_PIECE_MIN && piece_length <= TG_PIECE_MAX && (piece_length & (piece_length - 1)) == 0;
}

static void add_file(bt_buf *buf, const char *name, apr_size_t name_length, apr_int64_t length, const unsigned char *root)
{
    bt_ben_add_string(buf, name, name_length);
    bt_ben_open(buf, 'd');
    bt_ben_add_text(buf, "");
    bt_ben_open(buf, 'd');
    bt_ben_add_text(buf, "length");
    bt_ben_add_integer(buf, length);
    if (length) {
        bt_ben_add_text(buf, "pieces root");
        bt_ben_add_string(buf, root, BT_HASH_V2_SIZE);
    }
    bt_ben_close(buf);
    bt_ben_close(buf);
}

/* --- directories ------------------------------------------------------------------------------------------------- */

/* Length of the longest directory that `path` and `other` are both in, with its "/"; 0: only the torrent's own. */
static apr_size_t shared_directory(const char *path, const char *other)
{
    apr_size_t shared = 0;

    for (apr_size_t i = 0; path[i] && path[i] == other[i]; i++)
        if (path[i] == '/')
            shared = i + 1;
    return shared;
}

/* Closes the directories that `path` is in below its first `kept` bytes. */
static void close_directories(bt_buf *buf, const char *path, apr_size_t kept)
{
    for (const char *at = path + kept; (at = strchr(at, '/')); at++)
        bt_ben_close(buf);
}

/* The files are in the order of the tree, so that each directory is opened once. */
static void add_directory_tree(bt_buf *buf, const tg_infodict *info)
{
    const char *before = "";

    for (apr_size_t i = 0; i < info->file_count; i++) {
        const tg_infodict_file *file = &info->files[i];
        apr_size_t shared = shared_directory(before, file->path);
        const char *at = file->path + shared, *slash;

        close_directories(buf, before, shared);
        for (; (slash = strchr(at, '/')); at = slash + 1) {
            bt_ben_add_string(buf, at, (apr_size_t)(slash - at));
            bt_ben_open(buf, 'd');
        }
        add_file(buf, at, strlen(at), file->length, file->root);
        before = file->path;
    }
    close_directories(buf, before, 0);
}

static void add_v1_file(bt_buf *buf, const tg_infodict_file *file)
{
    const char *at = file->path, *slash;

    bt_ben_open(buf, 'd');
    bt_ben_add_text(buf, "length");
    bt_ben_add_integer(buf, file->length);
    bt_ben_add_text(buf, "path");
    bt_ben_open(buf, 'l');
    for (; (slash = strchr(at, '/')); at = slash + 1)
        bt_ben_add_string(buf, at, (apr_size_t)(slash - at));
    bt_ben_add_text(buf, at);
    bt_ben_close(buf);
    bt_ben_close(buf);
}

/* Up to the end of the piece (BEP 47), named as everybody does. */
static void add_padding(bt_buf *buf, apr_int64_t length)
{
    char name[24];

    apr_snprintf(name, sizeof name, "%" APR_INT64_T_FMT, length);
    bt_ben_open(buf, 'd');
    bt_ben_add_text(buf, "attr");
    bt_ben_add_text(buf, "p");
    bt_ben_add_text(buf, "length");
    bt_ben_add_integer(buf, length);
    bt_ben_add_text(buf, "path");
    bt_ben_open(buf, 'l');
    bt_ben_add_text(buf, ".pad");
    bt_ben_add_text(buf, name);
    bt_ben_close(buf);
    bt_ben_close(buf);
}

static void add_v1_files(bt_buf *buf, const tg_infodict *info)
{
    apr_size_t last = info->file_count; /* that is not empty, and one: nothing is padded after it */

    while (last && !info->files[last - 1].length)
        last--;
    bt_ben_add_text(buf, "files");
    bt_ben_open(buf, 'l');
    for (apr_size_t i = 0; i < info->file_count; i++) {
        apr_int64_t over = info->files[i].length % info->piece_length;

        add_v1_file(buf, &info->files[i]);
        if (over && i + 1 < last)
            add_padding(buf, info->piece_length - over);
    }
    bt_ben_close(buf);
}

/* --- the whole ------------------------------------------------------------------------------------------------------ */

static void add_file_tree(bt_buf *buf, const tg_infodict *info)
{
    bt_ben_add_text(buf, "file tree");
    bt_ben_open(buf, 'd');
    if (info->files)
        add_directory_tree(buf, info);
    else
        add_file(buf, info->name, strlen(info->name), info->length, info->root);
    bt_ben_close(buf);
}

apr_status_t tg_infodict_write(bt_buf *buf, const tg_infodict *info)
{
    bt_ben_open(buf, 'd');
    if (info->version & TG_V2)
        add_file_tree(buf, info);
    if (info->version & TG_V1 && info->files)
        add_v1_files(buf, info);
    if (info->version & TG_V1 && !info->files) {
        bt_ben_add_text(buf, "length");
        bt_ben_add_integer(buf, info->length);
    }
    if (info->version & TG_V2) {
        bt_ben_add_text(buf, "meta version");
        bt_ben_add_integer(buf, 2);
    }
    bt_ben_add_text(buf, "name");
    bt_ben_add_text(buf, info->name);
    bt_ben_add_text(buf, "piece length");
    bt_ben_add_integer(buf, info->piece_length);
    if (info->version & TG_V1) {
        bt_ben_add_text(buf, "pieces");
        bt_ben_add_string(buf, info->pieces, info->pieces_length);
    }
    bt_ben_close(buf);
    return buf->status;
}
