#include "module/listed.h"

#include <apr_hash.h>
#include <apr_strings.h>

#include <string.h>

#include "module/stranger.h"

struct bth_listings {
    apr_pool_t *pool;
    apr_hash_t *answers; /* origin of a directory -> "yes" or "no" */
};

bth_listings *bth_listings_create(apr_pool_t *pool)
{
    bth_listings *known = apr_pcalloc(pool, sizeof *known);

    known->pool = pool;
    known->answers = apr_hash_make(pool);
    return known;
}

/* Up to and with the last slash. */
static const char *parent_of(apr_pool_t *pool, const char *text)
{
    const char *slash = strrchr(text, '/');

    return apr_pstrmemdup(pool, text, slash ? (apr_size_t)(slash - text) + 1 : 0);
}

/* Listings leave such names out by default, and many people count on it. */
static int is_hidden(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash && slash[1] == '.';
}

static int parent_is_listed(bth_listings *known, const char *origin, const char *path, apr_thread_t *thread)
{
    const char *directory = parent_of(known->pool, origin);
    const char *answer = apr_hash_get(known->answers, directory, APR_HASH_KEY_STRING);

    if (!answer) {
        bth_stranger_view view;
        int there = bth_stranger_look_directory(directory, parent_of(known->pool, path), known->pool, thread, &view);

        answer = there && view.listed ? "yes" : "no";
        apr_hash_set(known->answers, directory, APR_HASH_KEY_STRING, answer);
    }
    return *answer == 'y';
}

int bth_is_listed(bth_listings *known, const char *origin, const char *path, const bth_dir_config *dir, apr_thread_t *thread)
{
    return dir->scan || (!is_hidden(path) && parent_is_listed(known, origin, path, thread));
}
