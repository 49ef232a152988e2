#include "module/collection.h"

#include <http_core.h>
#include <http_request.h>
#include <apr_strings.h>

#include <pthread.h>
#include <string.h>

#include "module/child.h"
#include "module/stranger.h"
#include "torrentgen/name.h"

enum { COMPARED_MAX = 64 };

/* How long those wait who cannot say "later". */
#define PATIENCE apr_time_from_sec(10)

/* --- requests -------------------------------------------------------------- */

int bth_is_collection(const char *path)
{
    apr_size_t length = strlen(path);

    return length > 0 && path[length - 1] == '/';
}

int bth_collection_fixup(request_rec *r)
{
    bth_directory *noted;
    bth_dir_config dir;

    if (r->main || r->method_number != M_GET || r->finfo.filetype != APR_DIR || !r->filename || !*r->uri ||
        !bth_is_collection(r->uri) || (r->path_info && *r->path_info))
        return DECLINED;
    dir = bth_dir_of(r);
    if (!dir.enabled || !dir.collection)
        return DECLINED;
    noted = apr_palloc(r->pool, sizeof *noted);
    noted->directory = bth_is_collection(r->filename) ? r->filename : apr_pstrcat(r->pool, r->filename, "/", NULL);
    noted->dir = dir;
    ap_set_module_config(r->request_config, &bthttp_module, noted);
    return DECLINED;
}

const bth_directory *bth_collection_of(const request_rec *r)
{
    return ap_get_module_config(r->request_config, &bthttp_module);
}

/* The nth word of an origin ("LOCAL-IP PORT SCHEME HOST PATH"), and all behind it; "" if there are fewer. */
static const char *word_of(const char *origin, int nth)
{
    for (; nth > 0 && *origin; nth--) {
        origin += strcspn(origin, " ");
        origin += *origin == ' ';
    }
    return origin;
}

static const char *host_name(apr_pool_t *pool, const char *origin)
{
    const char *word = word_of(origin, 3);
    char *host = apr_pstrmemdup(pool, word, strcspn(word, " ")), *port = strrchr(host, ':');

    if (port && !strchr(port, ']'))
        *port = '\0';
    return *host ? tg_name_of(pool, host) : "-";
}

const char *bth_collection_name(apr_pool_t *pool, const char *origin)
{
    char *path = apr_pstrdup(pool, word_of(origin, 4));
    apr_size_t length = strlen(path);
    const char *name;

    if (length > 1) {
        path[length - 1] = '\0';
        if (ap_unescape_url(path) == OK && *(name = tg_name_of(pool, path)))
            return name;
    }
    return host_name(pool, origin);
}

/* --- comparing ------------------------------------------------------------- */

/* The last entries that were compared: reading the members of a large one takes milliseconds. An entry's stamp has a
 * checksum of its members. */
static struct {
    bt_stamp stamp;
    unsigned char digest[BTH_LISTING_DIGEST];
} compared[COMPARED_MAX]; /* under `table` */
static pthread_mutex_t table = PTHREAD_MUTEX_INITIALIZER; /* held for moments */

static int was_same(const cat_entry *entry, const bth_collection_state *state)
{
    apr_size_t at = entry->stamp.inode % COMPARED_MAX;
    int same;

    pthread_mutex_lock(&table);
    same = entry->stamp.size > 0 && bt_stamp_equal(&compared[at].stamp, &entry->stamp) &&
           !memcmp(compared[at].digest, state->digest, sizeof state->digest);
    pthread_mutex_unlock(&table);
    return same;
}

static void note_same(const cat_entry *entry, const bth_collection_state *state)
{
    apr_size_t at = entry->stamp.inode % COMPARED_MAX;

    pthread_mutex_lock(&table);
    compared[at].stamp = entry->stamp;
    memcpy(compared[at].digest, state->digest, sizeof state->digest);
    pthread_mutex_unlock(&table);
}

static int is_of(const cat_entry *entry, const bth_collection_state *state, apr_pool_t *pool)
{
    unsigned char digest[BTH_LISTING_DIGEST];
    const tg_member *members;
    apr_size_t count;

    if (state->status != APR_SUCCESS)
        return 0;
    if (was_same(entry, state))
        return 1;
    if (cat_read_members(bth_this_child()->catalog, entry, pool, &members, &count) != APR_SUCCESS || count != state->files)
        return 0;
    bth_listing_digest_of(members, count, digest);
    if (memcmp(digest, state->digest, sizeof digest))
        return 0;
    note_same(entry, state);
    return 1;
}

/* Does it say anything about the files, or only that they could not be looked at? */
static int is_certain(apr_status_t status)
{
    return status == APR_SUCCESS || status == APR_EACCES || status == APR_ENOSPC || APR_STATUS_IS_ENOENT(status) ||
           APR_STATUS_IS_ENOTDIR(status);
}

/* What was found before the torrent was published says nothing against it: then it is looked at again. */
void bth_collection_compare(const cat_entry *entry, const char *origin, bth_lister_age age, apr_interval_time_t patience,
                            apr_pool_t *pool, bth_collection_state *state)
{
    bth_lister_look(origin, entry->path, age, patience, state);
    state->same = is_of(entry, state, pool);
    if (!state->same && !APR_STATUS_IS_TIMEUP(state->status)) {
        bth_lister_look(origin, entry->path, BTH_LISTER_NOW, patience, state);
        state->same = is_of(entry, state, pool);
    }
    state->certain = is_certain(state->status);
}

/* --- what the catalogue has ------------------------------------------------ */

bth_gate bth_collection_pass(const cat_entry *entry, apr_pool_t *pool)
{
    const bth_child *child = bth_this_child();
    bth_gate gate = bth_gate_look(entry);
    bth_collection_state state;

    if (gate == BTH_GATE_SHUT)
        return gate;
    bth_collection_compare(entry, entry->url, BTH_LISTER_SECOND, PATIENCE, pool, &state);
    if (!state.certain)
        return gate == BTH_GATE_OPEN ? gate : BTH_GATE_SHUT;
    if (state.status == APR_EACCES) {
        bth_withdraw(entry, CAT_PROTECTED);
        return BTH_GATE_SHUT;
    }
    if (!state.same) {
        bth_withdraw(entry, CAT_CHANGED);
        return BTH_GATE_CHANGED;
    }
    if (gate == BTH_GATE_UNTESTED)
        cat_grant(child->catalog, entry->path, entry->url, child->grant, state.listed);
    return BTH_GATE_OPEN;
}

int bth_collection_is_due(const cat_entry *entry)
{
    return !bth_lister_is_recent(entry->url, entry->path);
}

/* --- making its torrent ---------------------------------------------------- */

apr_status_t bth_collection_list(void *baton, const seed_make *make, apr_pool_t *pool, const tg_source_file **files,
                                 apr_size_t *count)
{
    bth_listing *listing;
    tg_source_file *list;
    apr_status_t status;

    (void)baton;
    *count = 0;
    status = bth_listing_make(&listing, make->url, make->path, NULL, pool, NULL);
    if (status != APR_SUCCESS)
        return status;
    *files = list = apr_palloc(pool, (listing->eligible + 1) * sizeof *list);
    for (int i = 0; i < listing->files->nelts; i++) {
        const bth_listed *file = &APR_ARRAY_IDX(listing->files, i, bth_listed);

        if (file->eligible)
            list[(*count)++] = (tg_source_file){apr_pstrcat(pool, make->path, file->path, NULL), file->path};
    }
    return APR_SUCCESS;
}
