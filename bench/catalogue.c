/* Catalogues as large as one likes, and how fast they are asked: for bench/restart.
 *
 *   catalogue fill DIRECTORY COUNT SITE ORIGIN   publishes SITE/dNNN/MMM.bin, files that exist, under torrents that do
 * not catalogue look DIRECTORY COUNT SITE          opens it, asks for paths and info-hashes at random, and closes it
 *
 * `look` prints: seconds to open, µs a path, µs an info-hash, seconds to close, kB of anonymous memory, kB of all,
 * entries */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "base/log.h"
#include "catalog/catalog.h"

enum { BATCH = 256, PER_DIRECTORY = 1000, INFODICT = 260, LOOKS = 200000 };

static void give_up(const char *what, apr_status_t status)
{
    char text[200];

    fprintf(stderr, "%s: %s\n", what, apr_strerror(status, text, sizeof text));
    exit(1);
}

static void log_to_stderr(void *baton, bt_log_level level, int number, apr_status_t status, const char *message)
{
    (void)baton;
    (void)status;
    if (level <= BT_LOG_WARNING)
        fprintf(stderr, "BTH%04d %s\n", number, message);
}

static double seconds(void)
{
    return (double)apr_time_now() / 1e6;
}

/* Splitmix64: bytes that follow from the entry's number and look like hashes. */
static apr_uint64_t scramble(apr_uint64_t x)
{
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

static void fill_bytes(unsigned char *to, apr_size_t length, apr_uint64_t seed)
{
    for (apr_size_t i = 0; i < length; i++)
        to[i] = (unsigned char)(scramble(seed * 64 + i / 8) >> (i % 8 * 8));
}

static const char *path_of(apr_pool_t *pool, const char *site, long n)
{
    return apr_psprintf(pool, "%s/d%03ld/%03ld.bin", site, n / PER_DIRECTORY, n % PER_DIRECTORY);
}

/* A hybrid of one piece, as most files of a mirror have. */
static tg_torrent *torrent_of(apr_pool_t *pool, long n)
{
    tg_torrent *torrent = apr_pcalloc(pool, sizeof *torrent);
    unsigned char *infodict = apr_palloc(pool, INFODICT);
    apr_uint64_t seed = (apr_uint64_t)n * 16;

    fill_bytes(infodict, INFODICT, seed);
    fill_bytes(torrent->v1.b, sizeof torrent->v1.b, seed + 8);
    fill_bytes(torrent->v1_keyless.b, sizeof torrent->v1_keyless.b, seed + 9);
    fill_bytes(torrent->v1_alone.b, sizeof torrent->v1_alone.b, seed + 10);
    fill_bytes(torrent->v2.b, sizeof torrent->v2.b, seed + 11);
    fill_bytes(torrent->root, sizeof torrent->root, seed + 12);
    torrent->version = TG_HYBRID;
    torrent->piece_length = TG_PIECE_MIN;
    torrent->infodict = infodict;
    torrent->infodict_length = INFODICT;
    return torrent;
}

static cat_publication publication_of(apr_pool_t *pool, const char *site, const char *origin, long n,
                                      const bt_stamp stamps[])
{
    tg_torrent *torrent = torrent_of(pool, n);
    const char *path = path_of(pool, site, n);
    cat_publication made = {.path = path,
                            .url = apr_pstrcat(pool, origin, " ", path + strlen(site), NULL),
                            .grant = 1,
                            .published = 1,
                            .listed = 1,
                            .stamp = stamps[n % PER_DIRECTORY],
                            .has_digest = 1,
                            .torrent = torrent};

    torrent->length = made.stamp.size;
    fill_bytes(made.digest, sizeof made.digest, (apr_uint64_t)n * 16 + 13);
    return made;
}

static void fill(cat_catalog *catalog, apr_pool_t *pool, long count, const char *site, const char *origin)
{
    cat_publication *list = apr_palloc(pool, BATCH * sizeof *list);
    bt_stamp *stamps = apr_pcalloc(pool, PER_DIRECTORY * sizeof *stamps);
    apr_status_t status = APR_SUCCESS;
    apr_pool_t *batch;

    apr_pool_create(&batch, pool);
    for (long n = 0; n < PER_DIRECTORY && n < count; n++)
        if ((status = bt_stamp_path(path_of(batch, site, n), &stamps[n])) != APR_SUCCESS)
            give_up(path_of(batch, site, n), status);
    for (long n = 0; n < count;) {
        apr_size_t filled = 0;

        apr_pool_clear(batch);
        while (filled < BATCH && n < count)
            list[filled++] = publication_of(batch, site, origin, n++, stamps);
        if ((status = cat_publish(catalog, list, filled)) != APR_SUCCESS)
            give_up("publish", status);
    }
}

/* @return µs a look-up */
static double look(cat_catalog *catalog, apr_pool_t *pool, long count, const char *site, int by_hash)
{
    double start = seconds();
    apr_pool_t *scratch;
    cat_entry entry;

    apr_pool_create(&scratch, pool);
    for (long i = 0; i < LOOKS && count > 0; i++) {
        long n = (long)(scramble((apr_uint64_t)i) % (apr_uint64_t)count);
        bt_infohash hash;
        apr_status_t status;

        fill_bytes(hash.b, sizeof hash.b, (apr_uint64_t)n * 16 + 8);
        status = by_hash ? cat_find_hash(catalog, &hash, 0, scratch, &entry)
                         : cat_find_path(catalog, path_of(scratch, site, n), scratch, &entry);
        if (status != APR_SUCCESS)
            give_up(path_of(scratch, site, n), status);
        apr_pool_clear(scratch);
    }
    return (seconds() - start) * 1e6 / LOOKS;
}

/* A line of /proc/self/status, kB. */
static long memory(const char *name)
{
    char line[200];
    long value = 0;
    FILE *file = fopen("/proc/self/status", "r");

    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, name, strlen(name)))
            value = strtol(line + strlen(name) + 1, NULL, 10);
    if (file)
        fclose(file);
    return value;
}

static void look_around(apr_pool_t *pool, const char *directory, long count, const char *site)
{
    double start = seconds(), opened, paths, hashes, closing;
    cat_catalog *catalog;
    apr_pool_t *of_catalog;
    apr_status_t status;
    apr_int64_t entries = 0;
    long anonymous, all;

    apr_pool_create(&of_catalog, pool);
    if ((status = cat_open(&catalog, directory, of_catalog)) != APR_SUCCESS)
        give_up(directory, status);
    opened = seconds() - start;
    cat_count(catalog, &entries);
    paths = look(catalog, pool, count, site, 0);
    hashes = look(catalog, pool, count, site, 1);
    anonymous = memory("RssAnon:");
    all = memory("VmRSS:");
    closing = seconds();
    apr_pool_destroy(of_catalog);
    printf("%.6f %.3f %.3f %.6f %ld %ld %lld\n", opened, paths, hashes, seconds() - closing, anonymous, all,
           (long long)entries);
}

int main(int argc, char **argv)
{
    cat_catalog *catalog;
    apr_pool_t *pool;
    apr_status_t status;
    char *end = NULL;
    long count = argc >= 5 ? strtol(argv[3], &end, 10) : -1;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    bt_log_install(log_to_stderr, NULL);
    if (count < 0 || *end || count > 1000 * PER_DIRECTORY) {
        fprintf(stderr, "usage: catalogue fill|look DIRECTORY COUNT SITE [ORIGIN]\n");
        return 2;
    }
    if (!strcmp(argv[1], "look")) {
        look_around(pool, argv[2], count, argv[4]);
    } else if (!strcmp(argv[1], "fill") && argc == 6) {
        if ((status = cat_open(&catalog, argv[2], pool)) != APR_SUCCESS)
            give_up(argv[2], status);
        fill(catalog, pool, count, argv[4], argv[5]);
    }
    apr_pool_destroy(pool);
    return 0;
}
