#include "module/mod_status.h"

#include <httpd.h>
#include <http_protocol.h>
#include <mod_status.h>
#include <apr_lib.h>
#include <apr_optional_hooks.h>

#include <string.h>

#include "module/child.h"
#include "module/figures.h"

/* "bytes_sent" and "slow-reader" become "BytesSent" and "SlowReader", as the names of `?auto` are. */
static const char *camel(apr_pool_t *pool, const char *name)
{
    char *text = apr_pcalloc(pool, strlen(name) + 1), *at = text;
    int upper = 1;

    for (; *name; name++) {
        if (apr_isalnum(*name))
            *at++ = (char)(upper ? apr_toupper(*name) : *name);
        upper = !apr_isalnum(*name);
    }
    return text;
}

static void add_row(request_rec *r, int plain, const char *name, const char *label, const char *value)
{
    if (plain)
        ap_rprintf(r, "BTHTTP%s: %s\n", camel(r->pool, name), value);
    else
        ap_rprintf(r, "<dt>%s: %s</dt>\n", label, value);
}

/* People see what there was, programs everything. */
static int status_section(request_rec *r, int flags)
{
    int plain = (flags & AP_STATUS_SHORT) != 0;
    const bth_child *child = bth_this_child();
    char name[BTH_ROW_TEXT], label[BTH_ROW_TEXT], text[BTH_ROW_TEXT];
    bth_snapshot snapshot;
    bth_row row = {0};

    if (!child->shared)
        return DECLINED;
    if (!plain)
        ap_rputs("<hr />\n<h2>BitTorrent (mod_bthttp)</h2>\n<dl>\n", r);
    bth_snapshot_take(&snapshot, child->shared->counters, child->shared->announces, child->swarms, child->unpublished, child->catalog);
    while (bth_row_next(&snapshot, &row))
        if (plain || !bth_row_is_idle(&row))
            add_row(r, plain, bth_row_name(&row, name), bth_row_label(&row, label), bth_row_text(&row, text));
    if (!plain)
        ap_rputs("</dl>\n", r);
    return OK;
}

void bth_mod_status_register(void)
{
    /* By name, at run time: it does not matter whether or when mod_status is loaded. */
    APR_OPTIONAL_HOOK(ap, status_hook, status_section, NULL, NULL, APR_HOOK_MIDDLE);
}
