#include "module/collection.h"

#include <http_core.h>
#include <http_request.h>
#include <apr_hash.h>
#include <apr_strings.h>

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "module/child.h"
#include "module/stranger.h"
#include "torrentgen/name.h"

/* Listings that a child remembers, how long one counts, and how many times as long as judging all took until it is done
 * again. */
enum { MEMOS_MAX = 64, MEMO_TIME = APR_USEC_PER_SEC, REST = 20 };

/* How long those wait who cannot say "later". */
#define PATIENCE apr_time_from_sec(10)

/* What was last found of a directory under one URL. In `memos`, under `table`; its listing is replaced under both locks. */
typedef struct {
    apr_pool_t *pool; /* of its own: owns all of it but the listing */
    apr_pool_t *listing_pool;
    const char *key;
    bth_listing *listing; /* NULL if there is none */
    apr_status_t status;
    apr_uint64_t grant;
    apr_time_t began;          /* when that look was begun */
    apr_time_t judged;         /* when all files were */
    apr_interval_time_t cost;  /* of judging all */
} memo;

static pthread_mutex_t table = PTHREAD_MUTEX_INITIALIZER;   /* held for moments */
static pthread_mutex_t walking = PTHREAD_MUTEX_INITIALIZER; /* held for a walk; taken before `table` */
static apr_hash_t *memos;                                   /* of memo by key */

void bth_collection_init(apr_pool_t *pool)
{
    apr_pool_t *own; /* allocated from under `table` alone */

    (void)pool;
    apr_pool_create_unmanaged(&own);
    memos = apr_hash_make(own);
}

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

/* --- memos ----------------------------------------------------------------- */

static const char *key_of(apr_pool_t *pool, const char *origin, const char *directory)
{
    return apr_pstrcat(pool, origin, "\n", directory, NULL);
}

static void forget(memo *old)
{
    apr_hash_set(memos, old->key, APR_HASH_KEY_STRING, NULL);
    apr_pool_destroy(old->pool);
}

static void forget_oldest(void)
{
    memo *oldest = NULL;

    for (apr_hash_index_t *at = apr_hash_first(NULL, memos); at; at = apr_hash_next(at)) {
        memo *each = apr_hash_this_val(at);

        if (!oldest || each->began < oldest->began)
            oldest = each;
    }
    forget(oldest);
}

/* The caller holds both locks. */
static memo *memo_for(const char *key)
{
    memo *found = apr_hash_get(memos, key, APR_HASH_KEY_STRING);
    apr_pool_t *pool;

    if (found)
        return found;
    if (apr_hash_count(memos) >= MEMOS_MAX)
        forget_oldest();
    apr_pool_create_unmanaged(&pool);
    found = apr_pcalloc(pool, sizeof *found);
    found->pool = pool;
    found->key = apr_pstrdup(pool, key);
    apr_hash_set(memos, found->key, APR_HASH_KEY_STRING, found);
    return found;
}

static void tell(const memo *from, bth_collection_state *state)
{
    state->status = from->status;
    state->files = from->listing ? from->listing->eligible : 0;
    state->listed = from->listing && from->listing->listed;
    if (from->listing)
        memcpy(state->digest, from->listing->digest, sizeof state->digest);
}

/* @return 0 if nothing is known that was found after `since` */
static int recall(const char *key, apr_time_t since, bth_collection_state *state)
{
    memo *found;
    int fresh;

    pthread_mutex_lock(&table);
    found = apr_hash_get(memos, key, APR_HASH_KEY_STRING);
    fresh = found && found->grant == bth_this_child()->grant && found->began >= since && found->began <= apr_time_now();
    if (fresh)
        tell(found, state);
    pthread_mutex_unlock(&table);
    return fresh;
}

/* --- looking --------------------------------------------------------------- */

/* Said once, not at every look. */
static void complain(const char *directory, apr_status_t status)
{
    if (status == APR_ENOSPC)
        bt_log(BT_LOG_WARNING, 61, APR_SUCCESS, "%s has too many files for a collection (more than %d, or than %d names)",
               directory, BTH_LISTING_FILES, BTH_LISTING_NAMES);
    else if (APR_STATUS_IS_ENOENT(status))
        bt_log(BT_LOG_INFO, 62, APR_SUCCESS, "%s has no file that a stranger would be offered: it is no collection",
               directory);
    else if (status != APR_SUCCESS && status != APR_EACCES && status != APR_EINTR)
        bt_log(BT_LOG_WARNING, 63, status, "%s cannot be read: it is no collection", directory);
}

/* Under `walking`: nobody else changes a memo or makes one go. */
static void look(const char *key, const char *origin, const char *directory, apr_thread_t *thread,
                 bth_collection_state *state)
{
    apr_time_t began = apr_time_now();
    apr_pool_t *pool, *old;
    bth_listing *made;
    apr_status_t status;
    memo *into;
    int known;

    pthread_mutex_lock(&table);
    into = memo_for(key);
    pthread_mutex_unlock(&table);
    known = into->listing && into->status == APR_SUCCESS && into->grant == bth_this_child()->grant &&
            began - into->judged < (into->cost * REST > MEMO_TIME ? into->cost * REST : MEMO_TIME);
    apr_pool_create_unmanaged(&pool);
    status = bth_listing_make(&made, origin, directory, known ? into->listing : NULL, pool, thread);
    if (status == APR_SUCCESS && made->eligible == 0)
        status = APR_ENOENT;
    if (status != into->status || !into->listing)
        complain(directory, status);
    pthread_mutex_lock(&table);
    old = into->listing_pool;
    into->listing_pool = pool;
    into->listing = made;
    into->status = status;
    into->began = began;
    into->grant = bth_this_child()->grant;
    if (!known) {
        into->judged = began;
        into->cost = apr_time_now() - began;
    }
    tell(into, state);
    pthread_mutex_unlock(&table);
    if (old)
        apr_pool_destroy(old);
}

static int take_turn(apr_interval_time_t patience)
{
    apr_time_t until = apr_time_now() + patience;
    struct timespec deadline = {.tv_sec = apr_time_sec(until), .tv_nsec = apr_time_usec(until) * 1000};

    return pthread_mutex_timedlock(&walking, &deadline) == 0;
}

static void look_since(apr_time_t since, const char *origin, const char *directory, apr_interval_time_t patience,
                       apr_pool_t *pool, apr_thread_t *thread, bth_collection_state *state)
{
    const char *key = key_of(pool, origin, directory);

    *state = (bth_collection_state){.status = APR_TIMEUP};
    if (recall(key, since, state) || !take_turn(patience))
        return;
    if (!recall(key, since, state)) /* somebody else may just have looked */
        look(key, origin, directory, thread, state);
    pthread_mutex_unlock(&walking);
}

void bth_collection_look(const char *origin, const char *directory, apr_interval_time_t patience, apr_pool_t *pool,
                         apr_thread_t *thread, bth_collection_state *state)
{
    look_since(apr_time_now() - MEMO_TIME, origin, directory, patience, pool, thread, state);
}

/* The last entries that were compared: reading the members of a large one takes milliseconds. An entry's stamp has a
 * checksum of its members. */
static struct {
    bt_stamp stamp;
    unsigned char digest[BTH_LISTING_DIGEST];
} compared[MEMOS_MAX]; /* under `table` */

static int was_same(const cat_entry *entry, const bth_collection_state *state)
{
    apr_size_t at = entry->stamp.inode % MEMOS_MAX;
    int same;

    pthread_mutex_lock(&table);
    same = entry->stamp.size > 0 && bt_stamp_equal(&compared[at].stamp, &entry->stamp) &&
           !memcmp(compared[at].digest, state->digest, sizeof state->digest);
    pthread_mutex_unlock(&table);
    return same;
}

static void note_same(const cat_entry *entry, const bth_collection_state *state)
{
    apr_size_t at = entry->stamp.inode % MEMOS_MAX;

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
void bth_collection_compare(const cat_entry *entry, const char *origin, apr_interval_time_t patience, apr_pool_t *pool,
                            apr_thread_t *thread, bth_collection_state *state)
{
    bth_collection_look(origin, entry->path, patience, pool, thread, state);
    state->same = is_of(entry, state, pool);
    if (!state->same && !APR_STATUS_IS_TIMEUP(state->status)) {
        look_since(apr_time_now(), origin, entry->path, patience, pool, thread, state);
        state->same = is_of(entry, state, pool);
    }
    state->certain = is_certain(state->status);
}

/* --- what the catalogue has ------------------------------------------------ */

bth_gate bth_collection_pass(const cat_entry *entry, apr_pool_t *pool, apr_thread_t *thread)
{
    const bth_child *child = bth_this_child();
    bth_gate gate = bth_gate_look(entry);
    bth_collection_state state;

    if (gate == BTH_GATE_SHUT)
        return gate;
    bth_collection_compare(entry, entry->url, PATIENCE, pool, thread, &state);
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
    char key[8192];
    bth_collection_state state;

    if (apr_snprintf(key, sizeof key, "%s\n%s", entry->url, entry->path) >= (int)sizeof key - 1)
        return 1;
    return !recall(key, apr_time_now() - MEMO_TIME, &state);
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
