/* Writes magnets, Metalinks, feeds and torrents with hints for t/torrentgen/test_formats.py. Standard input has lines
 * "KEY HEX [PRIORITY]", whose HEX is the value's bytes, and "write WHAT", which writes what was said since the one before:
 * a line with the status and the number of bytes, and the bytes. */
#include <apr_general.h>
#include <apr_strings.h>
#include <apr_tables.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "torrentgen/atom.h"
#include "torrentgen/magnet.h"
#include "torrentgen/metainfo.h"
#include "torrentgen/metalink.h"

enum { LINE_MAX_BYTES = 8 * 1024 * 1024, OUT_MAX = 64 * 1024 * 1024 };

typedef struct {
    const char *key, *value;
    apr_size_t length;
    int priority;
} said;

static apr_pool_t *pool;
static apr_array_header_t *all; /* of said */

static const said *find(const char *key)
{
    for (int i = 0; i < all->nelts; i++)
        if (strcmp(APR_ARRAY_IDX(all, i, said).key, key) == 0)
            return &APR_ARRAY_IDX(all, i, said);
    return NULL;
}

static const char *text(const char *key)
{
    const said *one = find(key);

    return one ? one->value : NULL;
}

static apr_int64_t number(const char *key, apr_int64_t otherwise)
{
    return text(key) ? apr_strtoi64(text(key), NULL, 10) : otherwise;
}

static const char *const *texts(const char *key, int *count)
{
    apr_array_header_t *values = apr_array_make(pool, 4, sizeof(const char *));

    for (int i = 0; i < all->nelts; i++)
        if (strcmp(APR_ARRAY_IDX(all, i, said).key, key) == 0)
            APR_ARRAY_PUSH(values, const char *) = APR_ARRAY_IDX(all, i, said).value;
    *count = values->nelts;
    return (const char *const *)values->elts;
}

static void copy(const char *key, unsigned char *to, apr_size_t size)
{
    const said *one = find(key);

    if (one && one->length == size)
        memcpy(to, one->value, size);
}

static apr_status_t write_magnet(bt_buf *out)
{
    tg_magnet magnet = {.version = (tg_version)number("version", 0), .name = text("name"), .length = number("length", -1)};

    copy("v1", magnet.v1.b, sizeof magnet.v1.b);
    copy("v2", magnet.v2.b, sizeof magnet.v2.b);
    magnet.trackers = texts("tracker", &magnet.tracker_count);
    magnet.web_seeds = texts("web_seed", &magnet.web_seed_count);
    magnet.peers = texts("peer", &magnet.peer_count);
    return tg_magnet_write(out, &magnet);
}

static apr_status_t read_torrent(tg_metainfo *meta)
{
    const said *bytes = find("torrent");
    const char *why = NULL;

    return bytes ? tg_metainfo_read((const unsigned char *)bytes->value, bytes->length, pool, meta, &why) : APR_ENOENT;
}

static apr_status_t write_metalink(bt_buf *out)
{
    apr_array_header_t *urls = apr_array_make(pool, 4, sizeof(tg_metalink_url));
    apr_array_header_t *torrents = apr_array_make(pool, 4, sizeof(tg_metalink_torrent));
    tg_metalink metalink = {0};
    tg_metainfo meta;

    if (read_torrent(&meta) == APR_SUCCESS && tg_metalink_of(&meta.torrent, pool, &metalink) != APR_SUCCESS)
        return APR_EINVAL;
    for (int i = 0; i < all->nelts; i++) {
        const said *one = &APR_ARRAY_IDX(all, i, said);

        if (strcmp(one->key, "url") == 0)
            APR_ARRAY_PUSH(urls, tg_metalink_url) = (tg_metalink_url){one->value, one->priority, NULL};
        if (strcmp(one->key, "metaurl") == 0)
            APR_ARRAY_PUSH(torrents, tg_metalink_torrent) = (tg_metalink_torrent){one->value, one->priority, NULL};
    }
    metalink.urls = (const tg_metalink_url *)urls->elts;
    metalink.url_count = urls->nelts;
    metalink.torrents = (const tg_metalink_torrent *)torrents->elts;
    metalink.torrent_count = torrents->nelts;
    if (text("name"))
        metalink.name = text("name");
    metalink.length = number("length", metalink.length);
    metalink.digest = (const unsigned char *)text("digest");
    metalink.published = apr_time_from_sec(number("published", 0));
    metalink.origin = text("origin");
    metalink.generator = text("generator");
    return tg_metalink_write(out, &metalink);
}

/* A feed with one entry. */
static apr_status_t write_atom(bt_buf *out)
{
    const tg_atom_feed feed = {.id = text("id"), .title = text("title"), .author = text("author"), .self = text("self"),
                               .first = text("first"), .next = text("next"), .updated = apr_time_from_sec(number("updated", 0)),
                               .generator = text("generator"), .version = text("version")};
    const tg_atom_entry entry = {.id = text("entry_id"), .title = text("entry_title"),
                                 .updated = apr_time_from_sec(number("entry_updated", 0)), .file = text("file"),
                                 .torrent = text("enclosure"), .torrent_length = number("enclosure_length", 0),
                                 .magnet = text("magnet"), .summary = text("summary")};
    tg_atom atom;
    apr_status_t status = tg_atom_begin(&atom, out, &feed);

    if (status != APR_SUCCESS)
        return status;
    tg_atom_add(&atom, &entry);
    return tg_atom_end(&atom);
}

static apr_status_t write_torrent(bt_buf *out)
{
    apr_array_header_t *similar = apr_array_make(pool, 4, sizeof(tg_similar));
    tg_envelope envelope = {.update_url = text("update_url")};
    tg_metainfo meta;
    apr_status_t status = read_torrent(&meta);

    if (status != APR_SUCCESS)
        return status;
    for (int i = 0; i < all->nelts; i++) {
        const said *one = &APR_ARRAY_IDX(all, i, said);

        if (strcmp(one->key, "similar") == 0 && one->length <= BT_HASH_V2_SIZE) {
            tg_similar *hash = apr_array_push(similar);

            hash->size = (int)one->length;
            memcpy(hash->b, one->value, one->length);
        }
    }
    envelope.similar = (const tg_similar *)similar->elts;
    envelope.similar_count = similar->nelts;
    envelope.collections = texts("collection", &envelope.collection_count);
    envelope.trackers = texts("tracker", &envelope.tracker_count);
    envelope.web_seeds = texts("web_seed", &envelope.web_seed_count);
    return tg_metainfo_write(out, &meta.torrent, &envelope);
}

static void write_what(const char *what)
{
    apr_status_t status;
    bt_buf out;

    bt_buf_init(&out, OUT_MAX);
    if (strcmp(what, "magnet") == 0)
        status = write_magnet(&out);
    else if (strcmp(what, "metalink") == 0)
        status = write_metalink(&out);
    else if (strcmp(what, "atom") == 0)
        status = write_atom(&out);
    else
        status = write_torrent(&out);
    printf("%d %lu\n", status, (unsigned long)out.length);
    fwrite(out.data ? out.data : (const unsigned char *)"", 1, out.length, stdout);
    fflush(stdout);
    bt_buf_free(&out);
}

static void take(char *key, const char *hex, const char *priority)
{
    apr_size_t length = strlen(hex) / 2;
    char *value = apr_pcalloc(pool, length + 1);

    for (apr_size_t i = 0; i < length; i++) {
        const char pair[] = {hex[2 * i], hex[2 * i + 1], '\0'};

        value[i] = (char)strtol(pair, NULL, 16);
    }
    APR_ARRAY_PUSH(all, said) = (said){apr_pstrdup(pool, key), value, length, priority ? atoi(priority) : 0};
}

int main(void)
{
    char *line = malloc(LINE_MAX_BYTES);

    if (!line || apr_initialize() != APR_SUCCESS || apr_pool_create(&pool, NULL) != APR_SUCCESS)
        return 2;
    all = apr_array_make(pool, 16, sizeof(said));
    while (fgets(line, LINE_MAX_BYTES, stdin)) {
        char *last = NULL, *key = apr_strtok(line, " \n", &last), *value = apr_strtok(NULL, " \n", &last);

        if (key && strcmp(key, "write") == 0 && value) {
            write_what(value);
            apr_pool_clear(pool);
            all = apr_array_make(pool, 16, sizeof(said));
        } else if (key) {
            take(key, value ? value : "", value ? apr_strtok(NULL, " \n", &last) : NULL);
        }
    }
    free(line);
    apr_terminate();
    return 0;
}
