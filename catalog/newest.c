/* What was published last, by site: the feed's order. */
#include <string.h>

#include <apr_encode.h>

#include "catalog/handle.h"
#include "catalog/tables.h"

enum { PAGE_MAX = 1000, HOST_FIELD = 3 };

/* Where a page starts: after the key with this time and this start of its path key. */
typedef struct {
    unsigned char time[8];
    unsigned char path[8];
} page_start;

int cat_site_of(const char *url, char site[CAT_SITE_SIZE])
{
    const char *host = url;
    apr_size_t length, port;

    for (int i = 0; i < HOST_FIELD; i++, host++)
        if ((host = strchr(host, ' ')) == NULL)
            return 0;
    length = strcspn(host, " ");
    port = strcspn(host, *host == '[' ? "] " : ": "); /* where the name ends, or an IPv6 address but for its bracket */
    if (host[port] == ']')
        port++;
    if (port < length && host[port] == ':')
        length = port;
    if (length > 1 && host[length - 1] == '.')
        length--;
    if (length == 0 || length >= CAT_SITE_SIZE)
        return 0;
    for (apr_size_t i = 0; i < length; i++)
        site[i] = (char)(host[i] >= 'A' && host[i] <= 'Z' ? host[i] - 'A' + 'a' : host[i]);
    site[length] = '\0';
    return 1;
}

static void put_site(cat_newest_key *newest, const char *site)
{
    cat_path_key digest = cat_key_of(site, strlen(site));

    memcpy(newest->site, digest.b, sizeof newest->site);
}

int cat_newest_key_of(const cat_path_key *key, const cat_record *record, cat_newest_key *newest)
{
    const cat_entry *entry = &record->entry;
    char site[CAT_SITE_SIZE];

    if (!entry->published || !entry->listed || !cat_site_of(entry->url, site))
        return 0;
    put_site(newest, site);
    cat_put_time(newest->time, APR_INT64_MAX - entry->created);
    newest->path = *key;
    return 1;
}

int cat_list_newest(const cat_txn *txn, const cat_path_key *key, const cat_record *old, const cat_record *record)
{
    cat_newest_key before, now;
    int was_there = old && cat_newest_key_of(key, old, &before);
    int will_be = record && cat_newest_key_of(key, record, &now);
    MDB_val from = {sizeof before, &before}, to = {sizeof now, &now}, nothing = {0, NULL};
    int rc = 0;

    if (was_there && will_be && memcmp(&before, &now, sizeof now) == 0)
        return 0;
    if (was_there && (rc = mdb_del(txn->txn, txn->db[CAT_DB_NEWEST], &from, NULL)) == MDB_NOTFOUND)
        rc = 0;
    return rc == 0 && will_be ? mdb_put(txn->txn, txn->db[CAT_DB_NEWEST], &to, &nothing, 0) : rc;
}

/* --- pages -------------------------------------------------------------------------------------------------------- */

/* The list of one site, at its next entry. */
typedef struct {
    const char *site;
    MDB_cursor *cursor;
    cat_newest_key key;
    cat_record record; /* in the database's memory */
    int ended;
} listing;

typedef struct {
    page_start start; /* where the page starts, if has_start */
    int has_start;
    listing *listings;
    int listing_count;
    apr_pool_t *pool;
    cat_entry *entries;
    apr_size_t count, max;
    page_start last;
    int more;
} page_job;

/* What the key points to, if it is still so. */
static int read_listed(const cat_txn *txn, listing *list)
{
    cat_newest_key expected;
    char site[CAT_SITE_SIZE];

    return cat_get_record(txn, &list->key.path, &list->record) == 0 &&
           cat_newest_key_of(&list->key.path, &list->record, &expected) &&
           memcmp(&expected, &list->key, sizeof expected) == 0 && cat_site_of(list->record.entry.url, site) &&
           strcmp(site, list->site) == 0;
}

/* To the first entry at or after list->key, or to the one after it. */
static int step(const cat_txn *txn, listing *list, MDB_cursor_op op)
{
    cat_newest_key from = list->key;
    MDB_val key = {sizeof from, &from}, value;
    int rc;

    for (; (rc = mdb_cursor_get(list->cursor, &key, &value, op)) == 0; op = MDB_NEXT) {
        if (key.mv_size != sizeof list->key || memcmp(key.mv_data, from.site, sizeof from.site) != 0)
            break;
        memcpy(&list->key, key.mv_data, sizeof list->key);
        if (read_listed(txn, list))
            return 0;
    }
    list->ended = 1;
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int begin_listing(const cat_txn *txn, const page_job *job, listing *list)
{
    int rc = mdb_cursor_open(txn->txn, txn->db[CAT_DB_NEWEST], &list->cursor);

    memset(&list->key, 0, sizeof list->key);
    list->ended = 0;
    put_site(&list->key, list->site);
    if (job->has_start) {
        memcpy(list->key.time, job->start.time, sizeof list->key.time);
        memset(list->key.path.b, 0xFF, sizeof list->key.path.b); /* past all that begin like this */
        memcpy(list->key.path.b, job->start.path, sizeof job->start.path);
    }
    if (rc != 0)
        list->cursor = NULL;
    return rc == 0 ? step(txn, list, MDB_SET_RANGE) : rc;
}

/* Keys of two sites, by what comes after the site. */
static int is_newer(const cat_newest_key *a, const cat_newest_key *b)
{
    int order = memcmp(a->time, b->time, sizeof a->time);

    return order < 0 || (order == 0 && memcmp(&a->path, &b->path, sizeof a->path) < 0);
}

static listing *newest_listing(const page_job *job)
{
    listing *newest = NULL;

    for (int i = 0; i < job->listing_count; i++) {
        listing *list = &job->listings[i];

        if (!list->ended && (!newest || is_newer(&list->key, &newest->key)))
            newest = list;
    }
    return newest;
}

static int merge(const cat_txn *txn, page_job *job)
{
    listing *next;
    int rc = 0;

    while (rc == 0 && (next = newest_listing(job)) != NULL) {
        if (job->count == job->max) {
            job->more = 1;
            break;
        }
        cat_copy_entry(&job->entries[job->count++], &next->record.entry, job->pool);
        memcpy(job->last.time, next->key.time, sizeof job->last.time);
        memcpy(job->last.path, next->key.path.b, sizeof job->last.path);
        rc = step(txn, next, MDB_NEXT);
    }
    return rc;
}

static int fill_page(const cat_txn *txn, void *baton)
{
    page_job *job = baton;
    int rc = 0;

    job->count = 0;
    job->more = 0;
    for (int i = 0; i < job->listing_count; i++)
        job->listings[i].cursor = NULL;
    for (int i = 0; i < job->listing_count && rc == 0; i++)
        rc = begin_listing(txn, job, &job->listings[i]);
    if (rc == 0)
        rc = merge(txn, job);
    for (int i = 0; i < job->listing_count; i++)
        if (job->listings[i].cursor)
            mdb_cursor_close(job->listings[i].cursor);
    return rc;
}

static int read_token(const char *token, page_start *start)
{
    apr_size_t length;
    unsigned char bytes[CAT_TOKEN_SIZE];

    if (strlen(token) != CAT_TOKEN_SIZE - 1 ||
        apr_decode_base64_binary(bytes, token, CAT_TOKEN_SIZE - 1, APR_ENCODE_BASE64URL, &length) != APR_SUCCESS ||
        length != sizeof *start)
        return 0;
    memcpy(start, bytes, sizeof *start);
    return 1;
}

static void add_listing(page_job *job, const char *site)
{
    for (int i = 0; i < job->listing_count; i++)
        if (strcmp(job->listings[i].site, site) == 0)
            return;
    job->listings[job->listing_count++].site = site;
}

apr_status_t cat_newest(cat_catalog *catalog, const char *const *sites, int site_count, const char *token, apr_size_t max,
                        apr_pool_t *pool, const cat_entry **entries, apr_size_t *count, char next[CAT_TOKEN_SIZE])
{
    page_job job = {.pool = pool};
    apr_status_t status;

    *count = 0;
    next[0] = '\0';
    job.has_start = token && *token;
    if (job.has_start && !read_token(token, &job.start))
        return APR_EINVAL;
    job.listings = apr_pcalloc(pool, (apr_size_t)(site_count > 0 ? site_count : 1) * sizeof *job.listings);
    for (int i = 0; i < site_count; i++)
        add_listing(&job, sites[i]);
    job.max = max < 1 ? 1 : max > PAGE_MAX ? PAGE_MAX : max;
    job.entries = apr_pcalloc(pool, job.max * sizeof *job.entries);
    if ((status = cat_env_read(catalog->env, fill_page, &job)) != APR_SUCCESS)
        return status;
    *entries = job.entries;
    *count = job.count;
    if (job.more)
        apr_encode_base64_binary(next, (const unsigned char *)&job.last, sizeof job.last,
                                 APR_ENCODE_BASE64URL | APR_ENCODE_NOPADDING, NULL);
    return APR_SUCCESS;
}
