#include "cat_fixture.h"

#include <dirent.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_file_io.h>
#include <apr_strings.h>

#include "base/log.h"
#include "catalog/check.h"

static atomic_int logged[600];

static void record_message(void *baton, bt_log_level level, int number, apr_status_t status, const char *message)
{
    if (getenv("CAT_TEST_VERBOSE"))
        fprintf(stderr, "BTH%04d %d %d %s\n", number, level, status, message);
    atomic_fetch_add(&logged[number], 1);
}

int fix_logged(int number)
{
    return atomic_load(&logged[number]);
}

int fix_setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);

    apr_initialize();
    apr_pool_create(&f->pool, NULL);
    snprintf(f->directory, sizeof f->directory, "/tmp/test-cat-XXXXXX");
    if (!mkdtemp(f->directory))
        return -1;
    for (unsigned i = 0; i < sizeof logged / sizeof *logged; i++)
        atomic_store(&logged[i], 0);
    bt_log_install(record_message, NULL);
    *state = f;
    return 0;
}

int fix_teardown(void **state)
{
    fixture *f = *state;
    struct dirent *item;
    DIR *dir;

    fix_close(f);
    if ((dir = opendir(f->directory)) != NULL) {
        while ((item = readdir(dir)) != NULL)
            if (item->d_name[0] != '.')
                remove(fix_name(f, item->d_name));
        closedir(dir);
    }
    rmdir(f->directory);
    apr_pool_destroy(f->pool);
    free(f);
    return 0;
}

void fix_open(fixture *f)
{
    apr_pool_create(&f->catalog_pool, f->pool);
    assert_int_equal(cat_open(&f->catalog, f->directory, f->catalog_pool), APR_SUCCESS);
}

void fix_close(fixture *f)
{
    if (f->catalog_pool)
        apr_pool_destroy(f->catalog_pool);
    f->catalog_pool = NULL;
    f->catalog = NULL;
}

const char *fix_name(fixture *f, const char *name)
{
    return apr_pstrcat(f->pool, f->directory, "/", name, NULL);
}

int fix_count_files(fixture *f, const char *prefix)
{
    DIR *dir = opendir(f->directory);
    struct dirent *item;
    int count = 0;

    assert_non_null(dir);
    while ((item = readdir(dir)) != NULL)
        count += strncmp(item->d_name, prefix, strlen(prefix)) == 0;
    closedir(dir);
    return count;
}

static unsigned char *fill(unsigned seed, apr_size_t size)
{
    unsigned char *bytes = malloc(size + 1);
    uint64_t x = seed * 0x9E3779B97F4A7C15u + 12345;

    for (apr_size_t i = 0; i < size; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        bytes[i] = (unsigned char)(x >> 56);
    }
    return bytes;
}

tg_torrent fix_torrent(tg_version version, unsigned seed, apr_size_t size, apr_size_t layer_size)
{
    tg_torrent torrent = {.version = version, .length = 1000000 + seed, .piece_length = 16384};
    unsigned char *hashes = fill(seed + 1000000000, BT_HASH_SIZE + 2 * BT_HASH_V2_SIZE);

    if (version & TG_V1)
        memcpy(torrent.v1.b, hashes, BT_HASH_SIZE);
    if (version & TG_V2) {
        memcpy(torrent.v2.b, hashes + BT_HASH_SIZE, BT_HASH_V2_SIZE);
        memcpy(torrent.root, hashes + BT_HASH_SIZE + BT_HASH_V2_SIZE, BT_HASH_V2_SIZE);
    }
    free(hashes);
    torrent.infodict = fill(seed, size);
    torrent.infodict_length = size;
    if (layer_size > 0) {
        torrent.layer = fill(seed + 7, layer_size);
        torrent.layer_length = layer_size;
    }
    return torrent;
}

void fix_free_torrent(tg_torrent *torrent)
{
    free((void *)(uintptr_t)torrent->infodict);
    free((void *)(uintptr_t)torrent->layer);
}

bt_stamp fix_stamp(unsigned seed)
{
    bt_stamp stamp = {1000000 + seed, 1700000000000000000 + seed, 1700000000000000001 + seed, 5, 100 + seed};

    return stamp;
}

apr_status_t fix_put(cat_catalog *catalog, const char *path, const char *url, apr_uint64_t grant, const bt_stamp *stamp,
                     const tg_torrent *torrent)
{
    const cat_publication publication = {
        .path = path, .url = url, .grant = grant, .published = 1, .listed = 1, .stamp = *stamp, .torrent = torrent};

    return cat_publish(catalog, &publication, 1);
}

apr_status_t fix_publish(cat_catalog *catalog, const char *path, unsigned seed, apr_size_t size, apr_size_t layer_size)
{
    tg_torrent torrent = fix_torrent(TG_HYBRID, seed, size, layer_size);
    bt_stamp stamp = fix_stamp(seed);
    apr_status_t status = fix_put(catalog, path, "1.2.3.4 80 http host /file", 1, &stamp, &torrent);

    fix_free_torrent(&torrent);
    return status;
}

static void tell(void *baton, const char *what)
{
    fprintf(stderr, "fault: %s\n", what);
}

void fix_check(cat_catalog *catalog)
{
    apr_int64_t faults = -1;

    assert_int_equal(cat_check(catalog, tell, NULL, &faults), APR_SUCCESS);
    assert_int_equal(faults, 0);
}
