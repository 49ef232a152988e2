#include "module/torrent_response.h"

#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>
#include <apr_strings.h>
#include <util_filter.h>

#include <openssl/evp.h>
#include <stdlib.h>

#include "base/ring.h"
#include "module/announce_token.h"
#include "module/bodies.h"
#include "module/collection.h"
#include "torrentgen/name.h"

enum { BODY_MAX = 64 * 1024 * 1024, RETRY_SECONDS = 5 };

const char *bth_torrent_name(apr_pool_t *pool, const char *path)
{
    return tg_name_of(pool, path);
}

const char *bth_published_name(apr_pool_t *pool, const char *path, const char *origin)
{
    return bth_is_collection(path) ? bth_collection_name(pool, origin) : tg_name_of(pool, path);
}

const char *bth_etag_of(apr_pool_t *pool, const bt_buf *body)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    char hex[33];

    if (!EVP_Digest(body->data, body->length, digest, NULL, EVP_sha256(), NULL))
        return NULL;
    bt_hex(hex, digest, 16);
    return apr_pstrcat(pool, "\"bt-", hex, "\"", NULL);
}

/* RFC 6266: a plain name for everybody, and the exact one where it differs. */
static const char *disposition_of(apr_pool_t *pool, const char *name, const char *suffix)
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
        return apr_psprintf(pool, "attachment; filename=\"%s%s\"", plain, suffix);
    return apr_psprintf(pool, "attachment; filename=\"%s%s\"; filename*=UTF-8''%s%s", plain, suffix,
                        ap_escape_urlencoded(pool, name), suffix);
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

static void set_headers(request_rec *r, const bth_subject *subject, const cat_entry *entry, bth_form form,
                        const bt_buf *body)
{
    const char *name = bth_published_name(r->pool, subject->path, entry->url);
    const char *etag = bth_etag_of(r->pool, body);
    int has_token = form != BTH_FORM_METALINK && subject->dir->own_announce && bth_token_since(r->request_time) > 0;

    forget_file_headers(r);
    ap_set_content_type(r, bth_form_type(form));
    apr_table_setn(r->headers_out, "Content-Disposition", disposition_of(r->pool, name, bth_form_suffix(form)));
    if (etag)
        apr_table_setn(r->headers_out, "ETag", etag);
    apr_table_setn(r->headers_out, "Link", apr_psprintf(r->pool, "<%s>; rel=\"alternate\"", subject->url_path));
    apr_table_setn(r->headers_out, "X-BT-Status", bth_form_word(form));
    apr_table_mergen(r->headers_out, "Vary", "X-BT-Accept");
    if (subject->negotiated) {
        if (form == BTH_FORM_METALINK)
            apr_table_mergen(r->headers_out, "Vary", "Accept");
        apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    } else { /* caches may keep it: old clients get another one */
        apr_table_mergen(r->headers_out, "Vary", "User-Agent");
        ap_set_accept_ranges(r);
        if (has_token)
            apr_table_setn(r->headers_out, "Cache-Control", "no-cache"); /* it would outlive its token */
    }
    r->mtime = has_token && bth_token_since(r->request_time) > entry->created ? bth_token_since(r->request_time) : entry->created;
    ap_set_last_modified(r);
    r->no_local_copy = 0;
}

static int send_bucket(request_rec *r, const char *type, apr_bucket *body, apr_size_t length)
{
    apr_bucket_brigade *bb = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    apr_status_t status;

    ap_set_content_type(r, type);
    ap_set_content_length(r, (apr_off_t)length);
    if (body)
        APR_BRIGADE_INSERT_TAIL(bb, body);
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(r->connection->bucket_alloc));
    status = ap_pass_brigade(r->output_filters, bb);
    apr_brigade_cleanup(bb);
    return status == APR_SUCCESS || r->connection->aborted ? OK : AP_FILTER_ERROR;
}

int bth_send_body(request_rec *r, const char *type, const void *body, apr_size_t length)
{
    apr_bucket_alloc_t *list = r->connection->bucket_alloc;

    return send_bucket(r, type, length ? apr_bucket_pool_create(body, length, r->pool, list) : NULL, length);
}

int bth_send_buf(request_rec *r, const char *type, bt_buf *body)
{
    apr_bucket *bucket = NULL;
    apr_size_t length = body->length;

    if (length) {
        bucket = apr_bucket_heap_create((char *)body->data, length, free, r->connection->bucket_alloc);
        body->data = NULL; /* the bucket's */
    }
    bt_buf_free(body);
    return send_bucket(r, type, bucket, length);
}

/* 304 or 412 go through the filters, as httpd's own handler sends them: mod_cache revalidates what it has by a 304 that
 * it sees. */
static int send_status(request_rec *r, int status, const char *type, apr_size_t length)
{
    apr_bucket_brigade *bb = apr_brigade_create(r->pool, r->connection->bucket_alloc);

    r->status = status;
    ap_set_content_type(r, type);
    ap_set_content_length(r, (apr_off_t)length);
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(r->connection->bucket_alloc));
    ap_pass_brigade(r->output_filters, bb);
    apr_brigade_cleanup(bb);
    return OK;
}

static apr_status_t free_body(void *body)
{
    bt_buf_free(body);
    return APR_SUCCESS;
}

int bth_send_form(request_rec *r, const bth_subject *subject, const cat_entry *entry, bth_form form)
{
    bt_buf *body = apr_palloc(r->pool, sizeof *body);
    int status;

    bt_buf_init(body, BODY_MAX);
    apr_pool_cleanup_register(r->pool, body, free_body, apr_pool_cleanup_null);
    if (bth_write_body(r, subject, entry, form, body) != APR_SUCCESS)
        return DECLINED;
    set_headers(r, subject, entry, form, body);
    if ((status = ap_meets_conditions(r)) != OK)
        return send_status(r, status, bth_form_type(form), body->length);
    return bth_send_body(r, bth_form_type(form), body->data, body->length);
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
