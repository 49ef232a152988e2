#include "module/torrent_response.h"

#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>
#include <apr_strings.h>
#include <util_filter.h>

#include <openssl/evp.h>

#include "module/child.h"
#include "torrentgen/metainfo.h"
#include "torrentgen/name.h"
#include "torrentgen/old_clients.h"

enum { BODY_MAX = 64 * 1024 * 1024, RETRY_SECONDS = 5, LINKS_MAX = 64 };

const char *bth_torrent_name(apr_pool_t *pool, const char *path)
{
    return tg_name_of(pool, path);
}

/* A value that is in its canonical place with what this request can say of its own server. */
static const char *own_url(request_rec *r, const char *path)
{
    return ap_construct_url(r->pool, path, r);
}

static tg_envelope make_envelope(request_rec *r, const bth_subject *subject, const cat_entry *entry)
{
    const bth_dir_config *dir = subject->dir;
    const char **trackers = apr_pcalloc(r->pool, LINKS_MAX * sizeof *trackers);
    const char **seeds = apr_pcalloc(r->pool, LINKS_MAX * sizeof *seeds);
    int tracker_count = 0, seed_count = 0;

    if (bth_server()->tracker && dir->own_announce)
        trackers[tracker_count++] = own_url(r, apr_pstrcat(r->pool, bth_server()->path, "/announce", NULL));
    for (int i = 0; dir->announces && i < dir->announces->nelts && tracker_count < LINKS_MAX; i++)
        trackers[tracker_count++] = APR_ARRAY_IDX(dir->announces, i, const char *);
    if (dir->web_seed) {
        const char *slash = strrchr(subject->path, '/');
        const char *name = ap_escape_path_segment(r->pool, slash ? slash + 1 : subject->path);

        seeds[seed_count++] = own_url(r, apr_pstrcat(r->pool, subject->url_path, "?bthttp=file", NULL));
        for (int i = 0; dir->mirrors && i < dir->mirrors->nelts && seed_count < LINKS_MAX; i++) {
            const char *prefix = APR_ARRAY_IDX(dir->mirrors, i, const char *);
            int has_slash = prefix[strlen(prefix) - 1] == '/';

            seeds[seed_count++] = apr_pstrcat(r->pool, prefix, has_slash ? "" : "/", name, NULL);
        }
    }
    return (tg_envelope){.trackers = trackers, .tracker_count = tracker_count, .web_seeds = seeds,
                         .web_seed_count = seed_count, .created_by = "mod_bthttp/" BTH_VERSION,
                         .created = entry->created};
}

static const char *etag_of(apr_pool_t *pool, const bt_buf *body)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    char hex[33];

    if (!EVP_Digest(body->data, body->length, digest, NULL, EVP_sha256(), NULL))
        return NULL;
    bt_hex(hex, digest, 16);
    return apr_pstrcat(pool, "\"bt-", hex, "\"", NULL);
}

/* RFC 6266: a plain name for everybody, and the exact one where it differs. */
static const char *disposition_of(apr_pool_t *pool, const char *name)
{
    char *plain = apr_pstrdup(pool, name);
    int differs = 0;

    for (char *at = plain; *at; at++) {
        if (*at < 0x20 || *at == 0x7f || *at == '"' || *at == '\\') {
            *at = '_';
            differs = 1;
        }
    }
    if (!differs)
        return apr_psprintf(pool, "attachment; filename=\"%s.torrent\"", plain);
    return apr_psprintf(pool, "attachment; filename=\"%s.torrent\"; filename*=UTF-8''%s.torrent", plain,
                        ap_escape_urlencoded(pool, name));
}

/* Nothing that the file's own handling said of the file may stand on the torrent. */
static void forget_file_headers(request_rec *r)
{
    static const char *const names[] = {"Content-MD5",  "Content-Encoding", "Content-Language", "Accept-Ranges",
                                        "Content-Type", "Digest",           "Repr-Digest",      "ETag",
                                        "Last-Modified"};

    for (apr_size_t i = 0; i < sizeof names / sizeof *names; i++)
        apr_table_unset(r->headers_out, names[i]);
    r->content_languages = NULL;
    r->content_encoding = NULL;
    apr_table_setn(r->subprocess_env, "no-gzip", "1");
    apr_table_setn(r->subprocess_env, "no-brotli", "1");
}

static void set_headers(request_rec *r, const bth_subject *subject, const cat_entry *entry, const bt_buf *body)
{
    const char *name = bth_torrent_name(r->pool, subject->path);
    const char *etag = etag_of(r->pool, body);

    forget_file_headers(r);
    ap_set_content_type(r, "application/x-bittorrent");
    apr_table_setn(r->headers_out, "Content-Disposition", disposition_of(r->pool, name));
    if (etag)
        apr_table_setn(r->headers_out, "ETag", etag);
    apr_table_setn(r->headers_out, "Link", apr_psprintf(r->pool, "<%s>; rel=\"alternate\"", subject->url_path));
    apr_table_setn(r->headers_out, "X-BT-Status", "torrent");
    apr_table_mergen(r->headers_out, "Vary", "X-BT-Accept");
    if (subject->negotiated) {
        apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    } else { /* caches may keep it: old clients get another one */
        apr_table_mergen(r->headers_out, "Vary", "User-Agent");
        ap_set_accept_ranges(r);
    }
    r->mtime = entry->created;
    ap_set_last_modified(r);
    r->no_local_copy = 0;
}

int bth_send_body(request_rec *r, const char *type, const void *body, apr_size_t length)
{
    apr_bucket_brigade *bb = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    apr_status_t status;

    ap_set_content_type(r, type);
    ap_set_content_length(r, (apr_off_t)length);
    if (length)
        APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_pool_create(body, length, r->pool, r->connection->bucket_alloc));
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(r->connection->bucket_alloc));
    status = ap_pass_brigade(r->output_filters, bb);
    apr_brigade_cleanup(bb);
    return status == APR_SUCCESS || r->connection->aborted ? OK : AP_FILTER_ERROR;
}

/* 304 or 412 go through the filters, as httpd's own handler sends them: mod_cache revalidates what it has by a 304 that
 * it sees. */
static int send_status(request_rec *r, int status, apr_size_t length)
{
    apr_bucket_brigade *bb = apr_brigade_create(r->pool, r->connection->bucket_alloc);

    r->status = status;
    ap_set_content_type(r, "application/x-bittorrent");
    ap_set_content_length(r, (apr_off_t)length);
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(r->connection->bucket_alloc));
    ap_pass_brigade(r->output_filters, bb);
    apr_brigade_cleanup(bb);
    return OK;
}

/* A hybrid becomes the torrent of its v1 half. */
static apr_status_t reduce_to_v1(apr_pool_t *pool, tg_torrent *torrent)
{
    bt_buf infodict;
    apr_status_t status;

    bt_buf_init(&infodict, torrent->infodict_length);
    status = tg_v1_alone_write(&infodict, torrent->infodict, torrent->infodict_length);
    if (status == APR_SUCCESS) {
        torrent->infodict = apr_pmemdup(pool, infodict.data, infodict.length);
        torrent->infodict_length = infodict.length;
        torrent->version = TG_V1;
        torrent->layer = NULL;
        torrent->layer_length = 0;
    }
    bt_buf_free(&infodict);
    return status;
}

static apr_status_t free_body(void *body)
{
    bt_buf_free(body);
    return APR_SUCCESS;
}

int bth_send_torrent(request_rec *r, const bth_subject *subject, const cat_entry *entry)
{
    tg_envelope envelope = make_envelope(r, subject, entry);
    bt_buf *body = apr_palloc(r->pool, sizeof *body);
    tg_torrent torrent;
    int status;

    if (cat_read_torrent(bth_this_child()->catalog, entry, r->pool, &torrent) != APR_SUCCESS)
        return DECLINED;
    if (subject->v1_alone && entry->version == TG_HYBRID && reduce_to_v1(r->pool, &torrent) != APR_SUCCESS)
        return DECLINED;
    bt_buf_init(body, BODY_MAX);
    apr_pool_cleanup_register(r->pool, body, free_body, apr_pool_cleanup_null);
    if (tg_metainfo_write(body, &torrent, &envelope) != APR_SUCCESS)
        return DECLINED;
    set_headers(r, subject, entry, body);
    if ((status = ap_meets_conditions(r)) != OK)
        return send_status(r, status, body->length);
    return bth_send_body(r, "application/x-bittorrent", body->data, body->length);
}

int bth_send_wait(request_rec *r, int percent)
{
    const char *text = apr_psprintf(r->pool, "The torrent is being made: %d %% done.\n", percent);

    r->status = HTTP_SERVICE_UNAVAILABLE;
    apr_table_setn(r->headers_out, "Retry-After", apr_itoa(r->pool, RETRY_SECONDS));
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    apr_table_setn(r->headers_out, "X-BT-Status", apr_psprintf(r->pool, "pending; progress=%d", percent));
    return bth_send_body(r, "text/plain", text, strlen(text));
}
