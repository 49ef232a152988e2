/* tg_make_cli FILE|DIR v1|v2|hybrid PIECE_LENGTH OUT [SIDECAR]: makes the torrent of a file or of all files of a directory,
 * for tests in other languages, and prints its hashes, one a line: v1, v2, keyless and alone in hex. */
#include <apr_general.h>
#include <apr_strings.h>
#include <apr_tables.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "torrentgen/metainfo.h"
#include "torrentgen/queue.h"
#include "torrentgen/tree.h"

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static apr_status_t write_torrent(const tg_torrent *torrent, const char *path)
{
    static const tg_envelope envelope = {.created_by = "mod_bthttp"};
    FILE *file = fopen(path, "wb");
    bt_buf buf;
    apr_status_t status;

    bt_buf_init(&buf, 256u << 20);
    status = tg_metainfo_write(&buf, torrent, &envelope);
    if (!file || (status == APR_SUCCESS && fwrite(buf.data, 1, buf.length, file) != buf.length))
        status = APR_EGENERAL;
    if (file && fclose(file) != 0)
        status = APR_EGENERAL;
    bt_buf_free(&buf);
    return status;
}

static void print_hash(const char *name, const unsigned char *bytes, apr_size_t size)
{
    char hex[2 * BT_HASH_V2_SIZE + 1];

    bt_hex(hex, bytes, size);
    printf("%s %s\n", name, hex);
}

static void print_hashes(const tg_torrent *torrent)
{
    if (torrent->version & TG_V1)
        print_hash("v1", torrent->v1.b, sizeof torrent->v1.b);
    if (torrent->version & TG_V2)
        print_hash("v2", torrent->v2.b, sizeof torrent->v2.b);
    if (!bt_infohash_is_zero(&torrent->v1_keyless))
        print_hash("keyless", torrent->v1_keyless.b, sizeof torrent->v1_keyless.b);
    if (!bt_infohash_is_zero(&torrent->v1_alone))
        print_hash("alone", torrent->v1_alone.b, sizeof torrent->v1_alone.b);
}

typedef struct {
    apr_pool_t *pool;
    const char *root;
    apr_array_header_t *files;
} listing;

static int add_file(void *baton, const char *path, const bt_stamp *stamp)
{
    listing *to = baton;
    tg_source_file *file = apr_array_push(to->files);

    file->path = apr_pstrcat(to->pool, to->root, "/", path, NULL);
    file->name = apr_pstrdup(to->pool, path);
    return 0;
}

static apr_status_t list(void *baton, const char *path, apr_pool_t *pool, const tg_source_file **files, apr_size_t *count)
{
    const tg_tree_options options = {.hidden = 1};
    listing to = {pool, path, apr_array_make(pool, 16, sizeof(tg_source_file))};
    apr_status_t status = tg_tree_walk(path, &options, NULL, add_file, &to, pool);

    *files = (const tg_source_file *)to.files->elts;
    *count = (apr_size_t)to.files->nelts;
    return status;
}

int main(int argc, char **argv)
{
    apr_pool_t *pool;
    tg_torrent torrent;
    tg_request request = {0};
    bt_stamp stamp;
    apr_status_t status;

    if (argc < 5 || argc > 6 || apr_initialize() != APR_SUCCESS || apr_pool_create(&pool, NULL) != APR_SUCCESS)
        return 2;
    request.path = argv[1];
    request.name = base_name(argv[1]);
    request.version = strcmp(argv[2], "v1") == 0 ? TG_V1 : strcmp(argv[2], "v2") == 0 ? TG_V2 : TG_HYBRID;
    request.piece_length = (apr_uint32_t)strtoul(argv[3], NULL, 10);
    request.list = bt_stamp_path(argv[1], &stamp) == APR_SUCCESS ? NULL : list;
    request.sidecar = argv[5]; /* or NULL */
    status = tg_make(&request, pool, &torrent, NULL);
    if (status == APR_SUCCESS)
        status = write_torrent(&torrent, argv[4]);
    if (status != APR_SUCCESS)
        fprintf(stderr, "%s: status %d\n", argv[1], status);
    else
        print_hashes(&torrent);
    apr_pool_destroy(pool);
    return status == APR_SUCCESS ? 0 : 1;
}
