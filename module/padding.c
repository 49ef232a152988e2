#include "module/padding.h"

#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>
#include <apr_strings.h>
#include <util_filter.h>

#include <string.h>

#include "base/ring.h"
#include "module/child.h"
#include "module/client_certs.h"
#include "module/stranger.h"
#include "torrentgen/torrent.h"

static const char mark[] = "/.pad/";

/* The size that "DIR/.pad/N" says, and where that directory is. @return 0 if it is no such name */
static apr_size_t size_of(request_rec *r, const char **directory)
{
    const char *asked = bth_asked_path(r), *name = strrchr(asked, '/'), *at;
    apr_size_t before = name ? (apr_size_t)(name + 1 - asked) : 0, size = 0;

    if (before < sizeof mark - 1 || strncmp(asked + before - (sizeof mark - 1), mark, sizeof mark - 1) || name[1] == '0')
        return 0;
    for (at = name + 1; *at >= '0' && *at <= '9' && size <= TG_PIECE_MAX; at++)
        size = size * 10 + (apr_size_t)(*at - '0');
    *directory = apr_pstrmemdup(r->pool, asked, before - (sizeof mark - 2));
    return *at == '\0' && size <= TG_PIECE_MAX ? size : 0;
}

static int send_zeros(request_rec *r, apr_size_t size)
{
    static const char zeros[64 * 1024];
    apr_bucket_alloc_t *alloc = r->connection->bucket_alloc;
    apr_bucket_brigade *bb = apr_brigade_create(r->pool, alloc);

    apr_table_unset(r->headers_out, "X-BT-Status");
    ap_set_content_type(r, "application/octet-stream");
    ap_set_content_length(r, (apr_off_t)size);
    ap_set_accept_ranges(r);
    for (apr_size_t part; size > 0; size -= part) {
        part = size < sizeof zeros ? size : sizeof zeros;
        APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_immortal_create(zeros, part, alloc));
    }
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(alloc));
    return ap_pass_brigade(r->output_filters, bb) == APR_SUCCESS || r->connection->aborted ? OK : AP_FILTER_ERROR;
}

int bth_padding_handler(request_rec *r)
{
    bth_stranger_view view;
    const char *directory;
    apr_size_t size;

    if (r->main || r->method_number != M_GET || r->finfo.filetype != APR_NOFILE || !bth_this_child()->shared ||
        (size = size_of(r, &directory)) == 0 || bth_client_cert_given(r) ||
        !bth_stranger_look_collection(bth_origin_of(r, directory), r->pool, r->connection->current_thread, &view) ||
        !view.dir.web_seed)
        return DECLINED;
    return send_zeros(r, size);
}
