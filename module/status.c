#include "module/status.h"

#include <http_request.h>
#include <apr_strings.h>

#include <string.h>

#include "module/child.h"
#include "module/fixed_urls.h"
#include "module/figures.h"
#include "module/metrics.h"
#include "module/status_html.h"
#include "module/status_json.h"
#include "module/top.h"
#include "module/torrent_response.h"

enum { BODY_MAX = 256 * 1024 };

typedef void writer(bt_buf *body, const bth_snapshot *snapshot);

/* As "Require local" has it. */
static int is_local(const request_rec *r)
{
    return apr_sockaddr_equal(r->connection->local_addr, r->useragent_addr) ||
           !strncmp(r->useragent_ip, "127.", 4) || !strcmp(r->useragent_ip, "::1");
}

/* @return OK if this handler is to answer, else what it returns */
static int check_request(request_rec *r, const char *handler)
{
    int answer = bth_fixed_check(r, handler);

    if (answer != OK)
        return answer;
    if (!bth_this_child()->shared)
        return HTTP_NOT_FOUND;
    return r->filename && !strncmp(r->filename, "bthttp:", 7) && !is_local(r) ? HTTP_FORBIDDEN : OK;
}

static int send_page(request_rec *r, const char *type, writer *write, int has_top)
{
    const bth_child *child = bth_this_child();
    bth_snapshot snapshot;
    bt_buf body;
    apr_size_t length;
    void *copy;

    bth_snapshot_take(&snapshot, child->shared->counters, child->shared->announces, child->swarms, child->unpublished, child->catalog);
    if (has_top)
        bth_top_find(&snapshot, r->pool, child->swarms, child->catalog);
    bt_buf_init(&body, BODY_MAX);
    write(&body, &snapshot);
    if (body.status != APR_SUCCESS) {
        bt_buf_free(&body);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    length = body.length;
    copy = apr_pmemdup(r->pool, body.data, length);
    bt_buf_free(&body);
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    return bth_send_body(r, type, copy, length);
}

/* "status.json", or in a place of the admin's own any name that ends so. */
static int wants_json(const request_rec *r)
{
    apr_size_t length = r->uri ? strlen(r->uri) : 0;

    return length >= 5 && !strcmp(r->uri + length - 5, ".json");
}

int bth_status_handler(request_rec *r)
{
    int answer = check_request(r, "bthttp-status");

    if (answer != OK)
        return answer;
    if (wants_json(r))
        return send_page(r, "application/json", bth_write_json, 1);
    apr_table_setn(r->headers_out, "Content-Security-Policy", BTH_STATUS_POLICY);
    return send_page(r, "text/html; charset=utf-8", bth_write_html, 1);
}

int bth_metrics_handler(request_rec *r)
{
    int answer = check_request(r, "bthttp-metrics");

    return answer != OK ? answer : send_page(r, BTH_METRICS_TYPE, bth_write_metrics, 0);
}
