/* The files of a torrent that is read: v1's list (BEP 3, padding: BEP 47), v2's tree (BEP 52), and for a hybrid that
 * both say the same. */
#include <apr_strings.h>
#include <string.h>

#include "torrentgen/metainfo_parse.h"

static const apr_int64_t LENGTH_MAX = (apr_int64_t)1 << 50; /* 2^21 pieces of 512 MiB */

/* May this be one element of a path? A client joins them to where it saves, so nothing may lead out of there. */
static int element_is_good(const bt_ben *element)
{
    const unsigned char *bytes = element->string;
    apr_size_t length = element->string_length;

    return length > 0 && !memchr(bytes, '/', length) && !memchr(bytes, '\0', length) &&
           !(bytes[0] == '.' && (length == 1 || (length == 2 && bytes[1] == '.')));
}

/* Adds an element to the path in `path`. @return its new length, or 0 */
static apr_size_t join(tg_reader *in, char *path, apr_size_t used, const bt_ben *element)
{
    if (!element_is_good(element))
        return (apr_size_t)tg_refuse(in, "a path that leads elsewhere");
    if (used + element->string_length + 2 > TG_PATH_MAX)
        return (apr_size_t)tg_refuse(in, "a path is too long");
    if (used)
        path[used++] = '/';
    memcpy(path + used, element->string, element->string_length);
    return used + element->string_length;
}

static tg_file *add_file(tg_reader *in, const char *path, apr_size_t path_length, apr_int64_t offset,
                         apr_int64_t length)
{
    tg_file *file;

    in->path_bytes += path_length + 1;
    if (in->path_bytes > TG_PATHS_TOTAL_MAX) {
        tg_refuse(in, "its paths are too long");
        return NULL;
    }
    file = apr_array_push(in->files);
    memset(file, 0, sizeof *file);
    file->path = apr_pstrmemdup(in->pool, path, path_length);
    file->offset = offset;
    file->length = length;
    in->content += length;
    return file;
}

static int read_length(tg_reader *in, const bt_ben *dict, apr_int64_t *length)
{
    bt_ben value;

    if (!bt_ben_get(dict, "length", BT_BEN_INTEGER, &value) || value.integer < 0 || value.integer > LENGTH_MAX)
        return tg_refuse(in, "a file without a sensible length");
    *length = value.integer;
    return 1;
}

/* --- v1 ---------------------------------------------------------------------------------------------------------- */

static int has_attribute(const bt_ben *dict, char attribute)
{
    bt_ben value;

    return bt_ben_get(dict, "attr", BT_BEN_STRING, &value) && value.string_length &&
           memchr(value.string, attribute, value.string_length);
}

static int read_v1_path(tg_reader *in, const bt_ben *dict, char *path, apr_size_t *used)
{
    bt_ben list, element;
    bt_ben_iter iter;

    if (!bt_ben_get(dict, "path.utf-8", BT_BEN_LIST, &list) && !bt_ben_get(dict, "path", BT_BEN_LIST, &list))
        return tg_refuse(in, "a file without a path");
    *used = 0;
    bt_ben_iterate(&list, &iter);
    while (bt_ben_next(&iter, NULL, &element)) {
        if (element.type != BT_BEN_STRING)
            return tg_refuse(in, "a path that is no list of strings");
        *used = join(in, path, *used, &element);
        if (!*used)
            return 0;
    }
    return *used ? 1 : tg_refuse(in, "an empty path");
}

static int read_v1_file(tg_reader *in, const bt_ben *dict, int hybrid)
{
    char path[TG_PATH_MAX];
    apr_size_t used = 0;
    apr_int64_t length = 0, offset = in->v1_length;

    if (dict->type != BT_BEN_DICT || !read_length(in, dict, &length))
        return in->why ? 0 : tg_refuse(in, "a file that is no dictionary");
    if (has_attribute(dict, 'l'))
        return tg_refuse(in, "symbolic links are not supported");
    if (length > LENGTH_MAX - in->v1_length)
        return tg_refuse(in, "too long");
    in->v1_length += length;
    if (has_attribute(dict, 'p'))
        return 1;
    if (hybrid && length && offset % in->meta->torrent.piece_length)
        return tg_refuse(in, "a file of a hybrid that does not start with a piece");
    return read_v1_path(in, dict, path, &used) && add_file(in, path, used, offset, length);
}

static int read_v1_list(tg_reader *in)
{
    int hybrid = in->meta->torrent.version == TG_HYBRID;
    bt_ben list, dict;
    bt_ben_iter iter;
    apr_int64_t length = 0;

    if (bt_ben_get(&in->info, "length", BT_BEN_INTEGER, &dict)) {
        in->v1_single = 1;
        return read_length(in, &in->info, &length) && (in->v1_length = length, 1) &&
               add_file(in, in->meta->name, strlen(in->meta->name), 0, length);
    }
    if (!bt_ben_get(&in->info, "files", BT_BEN_LIST, &list))
        return tg_refuse(in, "neither length nor files");
    bt_ben_iterate(&list, &iter);
    while (bt_ben_next(&iter, NULL, &dict))
        if (!read_v1_file(in, &dict, hybrid))
            return 0;
    return in->files->nelts ? 1 : tg_refuse(in, "no files");
}

/* --- v2 ---------------------------------------------------------------------------------------------------------- */

static int check_layer(tg_reader *in, const tg_file *file)
{
    apr_int64_t pieces = tg_piece_count(file->length, in->meta->torrent.piece_length);
    const bt_ben *layer;

    if (pieces < 2)
        return 1;
    layer = apr_hash_get(in->layers, file->root, sizeof file->root);
    if (!layer)
        return tg_refuse(in, "a piece layer is missing");
    if (layer->string_length != (apr_uint64_t)pieces * BT_HASH_V2_SIZE)
        return tg_refuse(in, "a piece layer of the wrong length");
    return 1;
}

static int read_v2_file(tg_reader *in, const bt_ben *dict, const char *path, apr_size_t used)
{
    apr_int64_t length = 0;
    bt_ben root;
    tg_file *file;

    if (!read_length(in, dict, &length))
        return 0;
    if (has_attribute(dict, 'l') || has_attribute(dict, 'p'))
        return tg_refuse(in, "symbolic links and padding are not supported in a file tree");
    if (length > LENGTH_MAX - in->content)
        return tg_refuse(in, "too long");
    file = add_file(in, path, used, in->v2_pieces * in->meta->torrent.piece_length, length);
    if (!file)
        return 0;
    in->v2_pieces += tg_piece_count(length, in->meta->torrent.piece_length);
    if (length == 0)
        return 1;
    if (!bt_ben_get(dict, "pieces root", BT_BEN_STRING, &root) || root.string_length != BT_HASH_V2_SIZE)
        return tg_refuse(in, "a file without a pieces root");
    memcpy(file->root, root.string, BT_HASH_V2_SIZE);
    return check_layer(in, file);
}

/* One directory. Recursion is as deep as bencoding may be. */
static int read_v2_tree(tg_reader *in, const bt_ben *tree, char *path, apr_size_t used)
{
    bt_ben_iter iter;
    bt_ben name, member;

    bt_ben_iterate(tree, &iter);
    while (bt_ben_next(&iter, &name, &member)) {
        apr_size_t longer;

        if (member.type != BT_BEN_DICT)
            return tg_refuse(in, "a file tree with something else in it");
        if (name.string_length == 0) { /* the properties of the file that this "directory" is */
            if (!used || member.raw + member.raw_length != tree->string + tree->string_length ||
                tree->string[0] != '0')
                return tg_refuse(in, "a file that is a directory too");
            return read_v2_file(in, &member, path, used);
        }
        longer = join(in, path, used, &name);
        if (!longer || !read_v2_tree(in, &member, path, longer))
            return 0;
    }
    return 1;
}

static int read_v2_list(tg_reader *in)
{
    char path[TG_PATH_MAX];
    bt_ben tree;

    if (!bt_ben_get(&in->info, "file tree", BT_BEN_DICT, &tree))
        return tg_refuse(in, "no file tree");
    return read_v2_tree(in, &tree, path, 0) && (in->files->nelts ? 1 : tg_refuse(in, "no files"));
}

/* --- both -------------------------------------------------------------------------------------------------------- */

static int same_files(tg_reader *in, const apr_array_header_t *v1)
{
    const tg_file *a = (const tg_file *)v1->elts, *b = (const tg_file *)in->files->elts;

    int v2_single = in->files->nelts == 1 && strcmp(b[0].path, in->meta->name) == 0;

    if (v1->nelts != in->files->nelts || in->v1_single != v2_single)
        return tg_refuse(in, "a hybrid whose halves differ");
    for (int i = 0; i < v1->nelts; i++)
        if (a[i].length != b[i].length || strcmp(a[i].path, b[i].path) != 0)
            return tg_refuse(in, "a hybrid whose halves differ");
    return 1;
}

static int paths_differ(tg_reader *in)
{
    const tg_file *files = (const tg_file *)in->files->elts;
    apr_hash_t *seen = apr_hash_make(in->pool);

    for (int i = 0; i < in->files->nelts; i++) {
        if (apr_hash_get(seen, files[i].path, APR_HASH_KEY_STRING))
            return tg_refuse(in, "two files of one name");
        apr_hash_set(seen, files[i].path, APR_HASH_KEY_STRING, files + i);
    }
    return 1;
}

/* As the maker of a torrent leaves it: members are what is not empty, and the length ends with the last of them. */
static void set_members(tg_reader *in)
{
    tg_torrent *torrent = &in->meta->torrent;
    tg_member *members = apr_pcalloc(in->pool, (apr_size_t)in->files->nelts * sizeof *members);

    for (int i = 0; i < in->files->nelts; i++) {
        const tg_file *file = &in->meta->files[i];
        tg_member *member = &members[torrent->member_count];

        if (!file->length)
            continue;
        member->path = file->path;
        member->stamp.size = file->length;
        member->offset = file->offset;
        memcpy(member->root, file->root, sizeof member->root);
        torrent->length = file->offset + file->length;
        torrent->member_count++;
    }
    torrent->members = torrent->member_count ? members : NULL;
}

static void set_files(tg_reader *in)
{
    tg_metainfo *meta = in->meta;

    meta->files = (const tg_file *)in->files->elts;
    meta->file_count = in->files->nelts;
    meta->covered = in->v1_length;
    meta->is_directory = meta->torrent.version & TG_V1 ? !in->v1_single
                                                       : meta->file_count != 1 || strcmp(meta->files[0].path, meta->name) != 0;
    if (meta->is_directory)
        set_members(in);
    else
        meta->torrent.length = meta->files[0].length;
}

int tg_read_files(tg_reader *in)
{
    apr_array_header_t *v1 = NULL;

    in->files = apr_array_make(in->pool, 1, sizeof(tg_file));
    if (in->meta->torrent.version & TG_V1) {
        if (!read_v1_list(in))
            return 0;
        v1 = in->files;
    }
    if (in->meta->torrent.version & TG_V2) {
        in->files = apr_array_make(in->pool, 1, sizeof(tg_file));
        in->content = 0;
        if (!read_v2_list(in) || (v1 && !same_files(in, v1)))
            return 0;
    }
    set_files(in);
    return paths_differ(in);
}
