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

typedef struct {
    cat_newest_key from; /* site, and where to start */
    const char *site;
    apr_pool_t *pool;
    cat_entry *entries;
    apr_size_t count, max;
    page_start last;
    int more;
} page_job;

/* What the key points to, if it is still so. */
static int read_listed(const cat_txn *txn, const page_job *job, const cat_newest_key *key, cat_record *record)
{
    cat_newest_key expected;
    char site[CAT_SITE_SIZE];
    int rc = cat_get_record(txn, &key->path, record);

    if (rc == 0 && (!cat_newest_key_of(&key->path, record, &expected) || memcmp(&expected, key, sizeof expected) != 0 ||
                    !cat_site_of(record->entry.url, site) || strcmp(site, job->site) != 0))
        return MDB_NOTFOUND;
    return rc;
}

static int fill_page(const cat_txn *txn, void *baton)
{
    page_job *job = baton;
    MDB_val key = {sizeof job->from, &job->from}, value;
    MDB_cursor_op step = MDB_SET_RANGE;
    cat_newest_key found;
    MDB_cursor *cursor;
    cat_record record;
    int rc = mdb_cursor_open(txn->txn, txn->db[CAT_DB_NEWEST], &cursor);

    job->count = 0;
    job->more = 0;
    if (rc != 0)
        return rc;
    for (; !job->more && (rc = mdb_cursor_get(cursor, &key, &value, step)) == 0; step = MDB_NEXT) {
        if (key.mv_size != sizeof found || memcmp(key.mv_data, job->from.site, sizeof found.site) != 0)
            break;
        memcpy(&found, key.mv_data, sizeof found);
        if (read_listed(txn, job, &found, &record) != 0)
            continue;
        if (job->count == job->max) {
            job->more = 1;
            break;
        }
        cat_copy_entry(&job->entries[job->count++], &record.entry, job->pool);
        memcpy(job->last.time, found.time, sizeof job->last.time);
        memcpy(job->last.path, found.path.b, sizeof job->last.path);
    }
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
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

apr_status_t cat_newest(cat_catalog *catalog, const char *site, const char *token, apr_size_t max, apr_pool_t *pool,
                        const cat_entry **entries, apr_size_t *count, char next[CAT_TOKEN_SIZE])
{
    page_job job = {.site = site, .pool = pool};
    apr_status_t status;
    page_start start;

    *count = 0;
    next[0] = '\0';
    put_site(&job.from, site);
    if (token && *token) {
        if (!read_token(token, &start))
            return APR_EINVAL;
        memcpy(job.from.time, start.time, sizeof start.time);
        memset(job.from.path.b, 0xFF, sizeof job.from.path.b); /* past all that begin like this */
        memcpy(job.from.path.b, start.path, sizeof start.path);
    }
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
