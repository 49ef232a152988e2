#include "module/retest.h"

enum {
    SLOTS = 4096, /* files that are asked for at once; of more, some are tested more often */
    REST = 49     /* times as long as a test took */
};

#define AGAIN APR_USEC_PER_SEC

/* The last files that were tested in this child, by a hash of the path. Both members are accessed with __atomic
 * builtins, relaxed: a race costs one test too many. */
static struct {
    apr_uint64_t file;
    apr_time_t tested;
} slots[SLOTS];

static apr_time_t rest_until; /* likewise */

/* FNV-1a. */
static apr_uint64_t file_of(const cat_entry *entry)
{
    apr_uint64_t hash = 0xcbf29ce484222325;

    for (const char *at = entry->path; *at; at++)
        hash = (hash ^ (unsigned char)*at) * 0x100000001b3;
    return hash;
}

/* A clock that was put back makes everything due. */
static int is_past(apr_time_t time, apr_interval_time_t span, apr_time_t now)
{
    return now >= time + span || now < time;
}

static int is_due(apr_uint64_t file, apr_time_t now)
{
    apr_size_t slot = file % SLOTS;

    if (now < __atomic_load_n(&rest_until, __ATOMIC_RELAXED))
        return 0;
    return __atomic_load_n(&slots[slot].file, __ATOMIC_RELAXED) != file ||
           is_past(__atomic_load_n(&slots[slot].tested, __ATOMIC_RELAXED), AGAIN, now);
}

int bth_retest_is_due(const cat_entry *entry)
{
    return is_due(file_of(entry), apr_time_now());
}

apr_time_t bth_retest_begin(const cat_entry *entry)
{
    apr_uint64_t file = file_of(entry);
    apr_time_t now = apr_time_now();

    if (!is_due(file, now))
        return 0;
    __atomic_store_n(&slots[file % SLOTS].tested, now, __ATOMIC_RELAXED);
    __atomic_store_n(&slots[file % SLOTS].file, file, __ATOMIC_RELAXED);
    return now;
}

void bth_retest_end(apr_time_t began)
{
    apr_time_t now = apr_time_now();
    apr_interval_time_t took = now > began ? now - began : 0;

    if (took > AGAIN / REST) /* a slow test holds the others up for a second at most */
        took = AGAIN / REST;
    __atomic_store_n(&rest_until, now + REST * took, __ATOMIC_RELAXED);
}
