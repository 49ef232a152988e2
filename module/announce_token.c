#include "module/announce_token.h"

#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <ap_expr.h>
#include <apr_strings.h>
#include <mod_auth.h>

#include "module/child.h"
#include "tracker/counters.h"
#include "tracker/http.h"
#include "tracker/query.h"
#include "tracker/token.h"

APLOG_USE_MODULE(bthttp);

#define FILTER "BTHTTP_TOKEN_REFUSAL"

/* For an eighth of their time, torrents have the same token: caches and conditional requests live on it. */
enum { STEPS = 8 };

static const char refusal_note[] = "bthttp-token-refusal";

static int is_on(void)
{
    return bth_server()->token_secrets->nelts > 0;
}

static const trk_secret *secrets(void)
{
    return (const trk_secret *)(const void *)bth_server()->token_secrets->elts;
}

/* --- in torrents ----------------------------------------------------------- */

static apr_interval_time_t step(void)
{
    return apr_time_from_sec(apr_time_sec(bth_server()->token_time) / STEPS);
}

apr_time_t bth_token_since(apr_time_t now)
{
    return is_on() ? now - now % step() : 0;
}

/* All under which clients may announce it. */
static int hashes_of(const cat_entry *entry, int v1_alone, bt_infohash hashes[TRK_TOKEN_HASHES_MAX])
{
    bt_infohash v2 = bt_infohash_truncate(&entry->v2);
    const bt_infohash *all[] = {&entry->v1, &v2, &entry->v1_keyless};
    int count = 0;

    if (v1_alone && entry->version == TG_HYBRID) {
        hashes[0] = entry->v1_alone;
        return 1;
    }
    for (apr_size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!bt_infohash_is_zero(all[i]))
            hashes[count++] = *all[i];
    return count;
}

const char *bth_token_path(apr_pool_t *pool, const cat_entry *entry, int v1_alone, apr_time_t now)
{
    bt_infohash hashes[TRK_TOKEN_HASHES_MAX];
    char token[TRK_TOKEN_SIZE];

    if (!is_on() || trk_token_write(token, secrets(), bth_token_since(now) + step() + bth_server()->token_time, hashes,
                                    hashes_of(entry, v1_alone, hashes)) != APR_SUCCESS)
        return "";
    return apr_pstrcat(pool, "/", token, NULL);
}

/* --- checked --------------------------------------------------------------- */

static const char *refusal_of(trk_token_verdict verdict)
{
    switch (verdict) {
    case TRK_TOKEN_GOOD:
        return NULL;
    case TRK_TOKEN_EXPIRED:
        return "the announce URL has expired: get the torrent again from the same URL";
    case TRK_TOKEN_FOREIGN:
        return "the token in the announce URL is not for this torrent";
    case TRK_TOKEN_MISSING:
        break;
    }
    return "the announce URL has no token: get the torrent from this server";
}

const char *bth_token_refusal(const bt_infohash *hash, const char *url, apr_size_t length, apr_time_t now)
{
    const char *token;

    if (!is_on())
        return NULL;
    token = trk_token_find(url, length, &length);
    return refusal_of(trk_token_check(secrets(), bth_server()->token_secrets->nelts, token, length, hash, now));
}

/* Each info-hash of the query counts, so that none goes in by the token of another. No token is
 * for one that cannot be read, nor for a query without any. */
static const char *refusal_of_request(const request_rec *r)
{
    trk_query query = {r->args, r->args ? r->args + strlen(r->args) : NULL};
    const char *refusal = refusal_of(TRK_TOKEN_MISSING);
    trk_param param;
    bt_infohash hash;

    while (trk_query_next(&query, &param)) {
        if (!trk_param_is(&param, "info_hash"))
            continue;
        if (!trk_param_hash(&param, &hash))
            return refusal_of(TRK_TOKEN_FOREIGN);
        if ((refusal = bth_token_refusal(&hash, r->uri, strlen(r->uri), r->request_time)) != NULL)
            return refusal;
    }
    return refusal;
}

/* SetHandler is heeded after access was checked. */
static const char *coming_handler(request_rec *r)
{
    const core_dir_config *core = ap_get_core_module_config(r->per_dir_config);
    const char *error = NULL;

    return core->expr_handler ? ap_expr_str_exec(r, core->expr_handler, &error) : core->handler;
}

static int is_for(request_rec *r, const char *handler)
{
    const char *is = r->handler ? r->handler : coming_handler(r);

    return is && !strcmp(is, handler);
}

static authz_status check_authorization(request_rec *r, const char *line, const void *parsed)
{
    const char *refusal;

    (void)line, (void)parsed;
    if (!is_on() || !r->uri || (!is_for(r, "bthttp-announce") && !is_for(r, "bthttp-scrape")))
        return AUTHZ_DENIED;
    if (!(refusal = refusal_of_request(r)))
        return AUTHZ_GRANTED;
    apr_table_setn(r->notes, refusal_note, refusal);
    apr_table_setn(r->notes, "bthttp-status", "token");
    ap_custom_response(r, HTTP_FORBIDDEN, "\"refused"); /* not ErrorDocument, but what our filter makes of this */
    return AUTHZ_DENIED;
}

static const char *parse_require_line(cmd_parms *cmd, const char *line, const void **parsed)
{
    bth_server_config *conf = bth_server();
    const char *wrong = ap_check_cmd_context(cmd, NOT_IN_HTACCESS);

    (void)parsed;
    if (wrong)
        return wrong;
    if (*line)
        return "Require bthttp-token takes no arguments";
    if (!conf->token_required_where)
        conf->token_required_where =
            apr_psprintf(cmd->pool, "line %d of %s", cmd->directive->line_num, cmd->directive->filename);
    return NULL;
}

int bth_token_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    (void)pconf, (void)plog, (void)ptemp;
    if (!bth_server()->token_required_where || is_on())
        return OK;
    ap_log_error(APLOG_MARK, APLOG_ERR, 0, s, "BTH0070: Require bthttp-token (%s), but there is no BTHTTPAnnounceToken",
                 bth_server()->token_required_where);
    return HTTP_INTERNAL_SERVER_ERROR;
}

/* --- refused --------------------------------------------------------------- */

/* Once, whatever comes for a body. */
static apr_status_t send_refusal(ap_filter_t *filter, apr_bucket_brigade *bb)
{
    request_rec *r = filter->r;
    apr_bucket_alloc_t *alloc = r->connection->bucket_alloc;
    bt_buf body;

    apr_brigade_cleanup(bb);
    if (filter->ctx)
        return APR_SUCCESS;
    filter->ctx = r;
    bt_buf_init(&body, 1024);
    trk_http_failure(&body, apr_table_get(r->notes, refusal_note), (int)apr_time_sec(bth_server()->tracker_interval),
                     0);
    r->status = HTTP_OK;
    r->status_line = NULL;
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    ap_set_content_type(r, "text/plain");
    ap_set_content_length(r, (apr_off_t)body.length);
    APR_BRIGADE_INSERT_TAIL(
        bb, apr_bucket_pool_create(apr_pmemdup(r->pool, body.data, body.length), body.length, r->pool, alloc));
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(alloc));
    bt_buf_free(&body);
    return ap_pass_brigade(filter->next, bb);
}

void bth_token_insert_error_filter(request_rec *r)
{
    const bth_shared *shared = bth_this_child()->shared;

    if (r->status != HTTP_FORBIDDEN || !apr_table_get(r->notes, refusal_note))
        return;
    if (shared && is_for(r, "bthttp-announce"))
        trk_count_announce(shared->announces, TRK_FORM_HTTP, TRK_RESULT_TOKEN, r->request_time);
    ap_add_output_filter(FILTER, NULL, r, r->connection);
}

void bth_token_register(apr_pool_t *pool)
{
    static const authz_provider provider = {check_authorization, parse_require_line};

    ap_register_auth_provider(pool, AUTHZ_PROVIDER_GROUP, "bthttp-token", AUTHZ_PROVIDER_VERSION, &provider,
                              AP_AUTH_INTERNAL_PER_CONF);
    ap_register_output_filter(FILTER, send_refusal, NULL, AP_FTYPE_CONTENT_SET);
}
