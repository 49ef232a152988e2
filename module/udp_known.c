#include "module/udp_known.h"

#include <string.h>
#include <sys/mman.h>

enum {
    WAYS = 4,         /* places that an info-hash may have: with half a million of them, next to none is pushed out */
    ROWS = 256 * 1024 /* in 40 MiB */
};

/* What is noted of one info-hash. All zero: nothing. */
typedef struct {
    apr_time_t passed;
    apr_uint64_t version; /* of the catalogue */
    bt_infohash hash;
} place;

struct bth_known {
    place (*rows)[WAYS];
    apr_time_t now;
    apr_uint64_t version;
    apr_time_t second; /* that began then, */
    int looks;         /* and what may still be looked up in it */
};

static apr_status_t unmap(void *baton)
{
    bth_known *known = baton;

    munmap(known->rows, ROWS * sizeof *known->rows);
    return APR_SUCCESS;
}

bth_known *bth_known_create(apr_pool_t *pool)
{
    bth_known *known = apr_pcalloc(pool, sizeof *known);

    known->rows = mmap(NULL, ROWS * sizeof *known->rows, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (known->rows == MAP_FAILED)
        return NULL;
    apr_pool_cleanup_register(pool, known, unmap, apr_pool_cleanup_null);
    return known;
}

void bth_known_at(bth_known *known, apr_time_t now, apr_uint64_t version)
{
    known->now = now;
    known->version = version;
    if (now - known->second >= APR_USEC_PER_SEC || now < known->second) {
        known->second = now;
        known->looks = BTH_KNOWN_LOOKS;
    }
}

/* Info-hashes that are published are what they are: whoever makes files to fill one row slows down his own torrents. */
static place *row_of(const bth_known *known, const bt_infohash *hash)
{
    apr_uint32_t number;

    memcpy(&number, hash->b, sizeof number);
    return known->rows[number % ROWS];
}

void bth_known_fetch(const bth_known *known, const bt_infohash *hash)
{
    const char *row = (const char *)row_of(known, hash);

    for (apr_size_t at = 0; at < WAYS * sizeof(place); at += 64)
        __builtin_prefetch(row + at);
}

static int is_fresh(const bth_known *known, const place *at)
{
    apr_time_t age = known->now - at->passed; /* the clock may have been put back */

    return age >= 0 && age < (known->looks > 0 ? BTH_KNOWN_MOMENT : BTH_KNOWN_LONGEST);
}

int bth_known_is_open(bth_known *known, const bt_infohash *hash)
{
    place *row = row_of(known, hash);

    for (int i = 0; i < WAYS; i++) {
        if (row[i].passed == 0 || row[i].version != known->version || !bt_infohash_equal(&row[i].hash, hash))
            continue;
        if (is_fresh(known, &row[i]))
            return 1;
        known->looks--;
        return 0;
    }
    return 0;
}

/* Of a full row, that which passed longest ago goes. */
static place *place_for(const bth_known *known, const bt_infohash *hash)
{
    place *row = row_of(known, hash), *oldest = row;

    for (int i = 0; i < WAYS; i++) {
        if (row[i].passed != 0 && bt_infohash_equal(&row[i].hash, hash))
            return &row[i];
        if (row[i].passed < oldest->passed)
            oldest = &row[i];
    }
    return oldest;
}

void bth_known_note(bth_known *known, const bt_infohash *hash)
{
    *place_for(known, hash) = (place){.passed = known->now, .version = known->version, .hash = *hash};
}
