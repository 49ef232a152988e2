#include <apr_strings.h>
#include <string.h>

#include "torrentgen/job.h"
#include "torrentgen/merkle.h"
#include "torrentgen/metainfo_parse.h"
#include "torrentgen/old_clients.h"

int tg_refuse(tg_reader *in, const char *why)
{
    if (!in->why)
        in->why = why;
    return 0;
}

/* --- the infodict -------------------------------------------------------------------------------------------------- */

static int read_name(tg_reader *in)
{
    bt_ben name;

    if (!bt_ben_get(&in->info, "name.utf-8", BT_BEN_STRING, &name) &&
        !bt_ben_get(&in->info, "name", BT_BEN_STRING, &name))
        return tg_refuse(in, "no name");
    if (name.string_length == 0 || name.string_length >= TG_PATH_MAX || memchr(name.string, 0, name.string_length) ||
        memchr(name.string, '/', name.string_length))
        return tg_refuse(in, "a name that is no file's");
    in->meta->name = apr_pstrmemdup(in->pool, (const char *)name.string, name.string_length);
    if (strcmp(in->meta->name, ".") == 0 || strcmp(in->meta->name, "..") == 0)
        return tg_refuse(in, "a name that is no file's");
    return 1;
}

/* Which versions it is, and what both have in common. */
static int read_kind(tg_reader *in)
{
    tg_torrent *torrent = &in->meta->torrent;
    int version = 0;
    bt_ben value;

    if (bt_ben_get(&in->info, "meta version", BT_BEN_INTEGER, &value)) {
        if (value.integer != 1 && value.integer != 2)
            return tg_refuse(in, "an unknown meta version");
        version |= value.integer == 2 ? TG_V2 : 0;
    }
    if (bt_ben_get(&in->info, "pieces", BT_BEN_STRING, &value)) {
        version |= TG_V1;
        in->meta->pieces = value.string;
        in->meta->pieces_length = value.string_length;
    }
    if (!version)
        return tg_refuse(in, "neither pieces nor meta version");
    torrent->version = (tg_version)version;
    if (!bt_ben_get(&in->info, "piece length", BT_BEN_INTEGER, &value) || value.integer < 1 ||
        value.integer > TG_READ_PIECE_MAX)
        return tg_refuse(in, "no sensible piece length");
    torrent->piece_length = (apr_uint32_t)value.integer;
    if (version & TG_V2 && (torrent->piece_length < TG_BLOCK || torrent->piece_length & (torrent->piece_length - 1)))
        return tg_refuse(in, "a piece length that is no power of two");
    in->meta->is_private = bt_ben_get(&in->info, "private", BT_BEN_INTEGER, &value) && value.integer == 1;
    return 1;
}

/* A hybrid may pad its end to a whole piece, or not: the count is the same. */
static int check_counts(tg_reader *in)
{
    const tg_torrent *torrent = &in->meta->torrent;
    apr_int64_t v1_pieces = tg_piece_count(in->v1_length, torrent->piece_length);

    if (v1_pieces > TG_PIECES_MAX || in->v2_pieces > TG_PIECES_MAX)
        return tg_refuse(in, "too many pieces");
    if (torrent->version & TG_V1 && in->meta->pieces_length != (apr_uint64_t)v1_pieces * BT_HASH_SIZE)
        return tg_refuse(in, "pieces that do not fit the length");
    if (torrent->version == TG_HYBRID && v1_pieces != in->v2_pieces)
        return tg_refuse(in, "a hybrid whose halves differ");
    return 1;
}

static int hash_infodict(tg_reader *in, const tg_engine *engine, tg_hasher *hasher)
{
    tg_torrent *torrent = &in->meta->torrent;
    int fine = 1;

    torrent->infodict = in->info.raw;
    torrent->infodict_length = in->info.raw_length;
    if (torrent->version & TG_V1)
        fine = engine->sha1_begin(hasher, 1) == APR_SUCCESS &&
               engine->sha1_update(hasher, 1, &in->info.raw, in->info.raw_length) == APR_SUCCESS &&
               engine->sha1_end(hasher, 1, torrent->v1.b) == APR_SUCCESS;
    if (fine && torrent->version & TG_V2)
        fine = engine->sha256_blocks(hasher, in->info.raw, in->info.raw_length, 1, torrent->v2.b) == APR_SUCCESS;
    if (fine && torrent->version == TG_HYBRID) /* EINVAL: unsorted keys; what old clients make of those is not known */
        fine = tg_hash_for_old_clients(torrent) != APR_EGENERAL;
    return fine ? 1 : tg_refuse(in, "hashing failed");
}

/* --- piece layers -------------------------------------------------------------------------------------------------- */

static int read_layer(tg_reader *in, const tg_engine *engine, tg_hasher *hasher, const bt_ben *root, const bt_ben *layer)
{
    unsigned char computed[BT_HASH_V2_SIZE];
    apr_size_t pieces = layer->string_length / BT_HASH_V2_SIZE;

    if (root->string_length != BT_HASH_V2_SIZE || layer->type != BT_BEN_STRING || pieces == 0 ||
        layer->string_length % BT_HASH_V2_SIZE)
        return tg_refuse(in, "a piece layer of the wrong length");
    if (tg_merkle_file_root(engine, hasher, layer->string, pieces, in->meta->torrent.piece_length, computed) !=
        APR_SUCCESS)
        return tg_refuse(in, "hashing failed");
    if (memcmp(computed, root->string, sizeof computed) != 0)
        return tg_refuse(in, "a piece layer that does not give its root");
    apr_hash_set(in->layers, root->string, BT_HASH_V2_SIZE, apr_pmemdup(in->pool, layer, sizeof *layer));
    return 1;
}

static int read_layers(tg_reader *in, const bt_ben *top, const tg_engine *engine, tg_hasher *hasher)
{
    bt_ben layers, root, layer;
    bt_ben_iter iter;

    in->layers = apr_hash_make(in->pool);
    if (!(in->meta->torrent.version & TG_V2) || !bt_ben_get(top, "piece layers", BT_BEN_DICT, &layers))
        return 1;
    bt_ben_iterate(&layers, &iter);
    while (bt_ben_next(&iter, &root, &layer))
        if (!read_layer(in, engine, hasher, &root, &layer))
            return 0;
    return 1;
}

/* tg_read_files has seen that it is there, and as long as it must be. NULL: the file is no larger than a piece. */
static const bt_ben *layer_of(const tg_reader *in, const tg_file *file)
{
    return file->length > in->meta->torrent.piece_length ? apr_hash_get(in->layers, file->root, sizeof file->root) : NULL;
}

/* Layers of several files one after the other. Equal files share one in the .torrent, so that few bytes could ask for very
 * many: as many as there may be pieces. */
static void take_layers_of_members(tg_reader *in)
{
    tg_torrent *torrent = &in->meta->torrent;
    apr_size_t length = 0;
    unsigned char *to;
    const bt_ben *layer;

    for (int i = 0; i < in->meta->file_count; i++)
        length += (layer = layer_of(in, &in->meta->files[i])) ? layer->string_length : 0;
    if (!length)
        return;
    torrent->layer = to = apr_palloc(in->pool, length);
    torrent->layer_length = length;
    for (int i = 0; i < in->meta->file_count; i++)
        if ((layer = layer_of(in, &in->meta->files[i]))) {
            memcpy(to, layer->string, layer->string_length);
            to += layer->string_length;
        }
}

static void take_layer(tg_reader *in, const tg_file *file)
{
    tg_torrent *torrent = &in->meta->torrent;
    const bt_ben *layer = layer_of(in, file);

    memcpy(torrent->root, file->root, sizeof torrent->root);
    if (layer) {
        torrent->layer = layer->string;
        torrent->layer_length = layer->string_length;
    }
}

static void take_layers(tg_reader *in)
{
    tg_torrent *torrent = &in->meta->torrent;

    if (!(torrent->version & TG_V2))
        return;
    if (in->meta->is_directory)
        take_layers_of_members(in);
    else
        take_layer(in, &in->meta->files[0]);
}

/* --- around the infodict ------------------------------------------------------------------------------------------- */

/* Adds a URL unless it is there already or cannot be one. */
static void add_url(tg_reader *in, apr_array_header_t *urls, const bt_ben *url)
{
    if (url->type != BT_BEN_STRING || urls->nelts >= TG_URLS_MAX || !url->string_length ||
        url->string_length > TG_PATH_MAX)
        return;
    for (apr_size_t i = 0; i < url->string_length; i++)
        if (url->string[i] <= ' ' || url->string[i] == 0x7f)
            return;
    for (int i = 0; i < urls->nelts; i++) {
        const char *known = APR_ARRAY_IDX(urls, i, const char *);

        if (strlen(known) == url->string_length && memcmp(known, url->string, url->string_length) == 0)
            return;
    }
    APR_ARRAY_PUSH(urls, const char *) = apr_pstrmemdup(in->pool, (const char *)url->string, url->string_length);
}

static void read_trackers(tg_reader *in, const bt_ben *top)
{
    apr_array_header_t *urls = apr_array_make(in->pool, 1, sizeof(const char *));
    bt_ben value, tier;
    bt_ben_iter tiers, members;

    if (bt_ben_get(top, "announce", BT_BEN_STRING, &value))
        add_url(in, urls, &value);
    if (bt_ben_get(top, "announce-list", BT_BEN_LIST, &value)) {
        bt_ben_iterate(&value, &tiers);
        while (urls->nelts < TG_URLS_MAX && bt_ben_next(&tiers, NULL, &tier)) {
            if (tier.type != BT_BEN_LIST)
                continue;
            bt_ben_iterate(&tier, &members);
            while (urls->nelts < TG_URLS_MAX && bt_ben_next(&members, NULL, &value))
                add_url(in, urls, &value);
        }
    }
    in->meta->trackers = (const char *const *)urls->elts;
    in->meta->tracker_count = urls->nelts;
}

static void read_web_seeds(tg_reader *in, const bt_ben *top)
{
    apr_array_header_t *urls = apr_array_make(in->pool, 1, sizeof(const char *));
    bt_ben value, url;
    bt_ben_iter iter;

    if (bt_ben_get(top, "url-list", BT_BEN_STRING, &value))
        add_url(in, urls, &value);
    if (bt_ben_get(top, "url-list", BT_BEN_LIST, &value)) {
        bt_ben_iterate(&value, &iter);
        while (urls->nelts < TG_URLS_MAX && bt_ben_next(&iter, NULL, &url))
            add_url(in, urls, &url);
    }
    in->meta->web_seeds = (const char *const *)urls->elts;
    in->meta->web_seed_count = urls->nelts;
}

static void add_similar(apr_array_header_t *similar, const bt_ben *dict)
{
    bt_ben value, hash;
    bt_ben_iter iter;

    if (!bt_ben_get(dict, "similar", BT_BEN_LIST, &value))
        return;
    bt_ben_iterate(&value, &iter);
    while (similar->nelts < TG_URLS_MAX && bt_ben_next(&iter, NULL, &hash)) {
        tg_similar *one;

        if (hash.type != BT_BEN_STRING || (hash.string_length != BT_HASH_SIZE && hash.string_length != BT_HASH_V2_SIZE))
            continue;
        one = apr_array_push(similar);
        one->size = (int)hash.string_length;
        memcpy(one->b, hash.string, hash.string_length);
    }
}

static void add_collections(tg_reader *in, apr_array_header_t *names, const bt_ben *dict)
{
    bt_ben value, name;
    bt_ben_iter iter;

    if (!bt_ben_get(dict, "collections", BT_BEN_LIST, &value))
        return;
    bt_ben_iterate(&value, &iter);
    while (names->nelts < TG_URLS_MAX && bt_ben_next(&iter, NULL, &name))
        if (name.type == BT_BEN_STRING && name.string_length && name.string_length <= TG_PATH_MAX &&
            !memchr(name.string, 0, name.string_length))
            APR_ARRAY_PUSH(names, const char *) = apr_pstrmemdup(in->pool, (const char *)name.string, name.string_length);
}

/* BEP 38: both places count. BEP 39: the infodict's word is the one that was hashed. */
static void read_hints(tg_reader *in, const bt_ben *top)
{
    apr_array_header_t *similar = apr_array_make(in->pool, 1, sizeof(tg_similar));
    apr_array_header_t *names = apr_array_make(in->pool, 1, sizeof(const char *));
    apr_array_header_t *update = apr_array_make(in->pool, 1, sizeof(const char *));
    bt_ben value;

    add_similar(similar, &in->info);
    add_similar(similar, top);
    add_collections(in, names, &in->info);
    add_collections(in, names, top);
    if (bt_ben_get(&in->info, "update-url", BT_BEN_STRING, &value))
        add_url(in, update, &value);
    if (bt_ben_get(top, "update-url", BT_BEN_STRING, &value))
        add_url(in, update, &value);
    in->meta->similar = (const tg_similar *)similar->elts;
    in->meta->similar_count = similar->nelts;
    in->meta->collections = (const char *const *)names->elts;
    in->meta->collection_count = names->nelts;
    in->meta->update_url = update->nelts ? APR_ARRAY_IDX(update, 0, const char *) : NULL;
}

static int read_all(tg_reader *in, const bt_ben *top, const tg_engine *engine, tg_hasher *hasher)
{
    if (!bt_ben_get(top, "info", BT_BEN_DICT, &in->info))
        return tg_refuse(in, "no infodict");
    if (!read_name(in) || !read_kind(in) || !read_layers(in, top, engine, hasher) || !tg_read_files(in) ||
        !check_counts(in) || !hash_infodict(in, engine, hasher))
        return 0;
    take_layers(in);
    read_trackers(in, top);
    read_web_seeds(in, top);
    read_hints(in, top);
    return 1;
}

apr_status_t tg_metainfo_read(const unsigned char *bytes, apr_size_t length, apr_pool_t *pool, tg_metainfo *meta,
                              const char **why)
{
    const tg_engine *engine = &tg_engine_openssl; /* the one that is made quickly */
    tg_reader in = {.pool = pool, .meta = meta};
    tg_hasher *hasher;
    bt_ben top;
    int fine = 0;

    memset(meta, 0, sizeof *meta);
    if (length > TG_METAINFO_MAX) {
        *why = "too large";
        return APR_EINVAL;
    }
    if (engine->create(&hasher) != APR_SUCCESS) {
        *why = "hashing failed";
        return APR_EINVAL;
    }
    if (bt_ben_read_lenient(bytes, length, &top) != APR_SUCCESS || top.type != BT_BEN_DICT)
        tg_refuse(&in, "not bencoded");
    else if (bt_ben_read_lenient(apr_pmemdup(pool, bytes, length), length, &top) == APR_SUCCESS)
        fine = read_all(&in, &top, engine, hasher);
    engine->destroy(hasher);
    *why = fine ? NULL : in.why;
    return fine ? APR_SUCCESS : APR_EINVAL;
}
