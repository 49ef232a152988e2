#include "module/udp_known.h"

#include <string.h>
#include <sys/mman.h>

#include "module/collection.h"

enum {
    WAYS = 4,           /* places that an info-hash may have */
    ROWS = 32 * 1024,   /* so there is room for 131,072 of them, in 32 MiB */
    PLACE_SIZE = 256    /* bytes */
};

/* What is noted of one info-hash. All zero: nothing. */
typedef struct {
    bt_infohash hash;
    apr_uint32_t has_path; /* else it is good for a moment only: a collection, or a path too long */
    apr_time_t looked;     /* at the file */
    apr_uint64_t version;  /* of the catalogue */
    bt_stamp stamp;
    char path[PLACE_SIZE - 80];
} place;
_Static_assert(sizeof(place) == PLACE_SIZE, "a place is so large");

struct bth_known {
    place (*rows)[WAYS];
    apr_time_t now;
    apr_uint64_t version;
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
}

/* Info-hashes that are published are what they are: whoever makes files to fill one row slows down his own torrents. */
static place *row_of(const bth_known *known, const bt_infohash *hash)
{
    apr_uint32_t number;

    memcpy(&number, hash->b, sizeof number);
    return known->rows[number % ROWS];
}

static int is_fresh(const bth_known *known, const place *at)
{
    apr_time_t age = known->now - at->looked;

    return age >= 0 && age < BTH_KNOWN_MOMENT; /* the clock may have been put back */
}

/* @return 1 if the file is the one that was hashed */
static int look(const bth_known *known, place *at)
{
    bt_stamp now;

    if (!at->has_path || bt_stamp_path(at->path, &now) != APR_SUCCESS || !bt_stamp_equal(&now, &at->stamp))
        return 0;
    at->looked = known->now;
    return 1;
}

int bth_known_is_open(bth_known *known, const bt_infohash *hash)
{
    place *row = row_of(known, hash);

    for (int i = 0; i < WAYS; i++) {
        place *at = &row[(hash->b[4] + i) % WAYS];

        if (at->looked == 0 || !bt_infohash_equal(&at->hash, hash))
            continue;
        if (at->version == known->version && (is_fresh(known, at) || look(known, at)))
            return 1;
        at->looked = 0;
        return 0;
    }
    return 0;
}

/* Of a full row, whose file was looked at longest ago goes. An empty one is filled from where its hash begins to look. */
static place *place_for(const bth_known *known, const bt_infohash *hash)
{
    place *row = row_of(known, hash), *oldest = NULL;

    for (int i = 0; i < WAYS; i++) {
        place *at = &row[(hash->b[4] + i) % WAYS];

        if (at->looked != 0 && bt_infohash_equal(&at->hash, hash))
            return at;
        if (!oldest || at->looked < oldest->looked)
            oldest = at;
    }
    return oldest;
}

void bth_known_note(bth_known *known, const bt_infohash *hash, const cat_entry *entry)
{
    place *at = place_for(known, hash);
    apr_size_t length = strlen(entry->path);

    at->hash = *hash;
    at->looked = known->now;
    at->version = known->version;
    at->stamp = entry->stamp;
    at->has_path = length < sizeof at->path && !bth_is_collection(entry->path);
    if (at->has_path)
        memcpy(at->path, entry->path, length + 1);
}
