#include "module/mod_status.h"

#include <httpd.h>
#include <http_protocol.h>
#include <mod_status.h>
#include <apr_lib.h>
#include <apr_optional_hooks.h>
#include <apr_strings.h>

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

static const char *number(request_rec *r, apr_uint64_t value)
{
    return apr_psprintf(r->pool, "%" APR_UINT64_T_FMT, value);
}

static void add_seeder(request_rec *r, int plain, const seed_counters *page)
{
    const bth_figure *figure;
    char text[BTH_FIGURE_TEXT];

    for (figure = bth_figures; figure->name; figure++)
        add_row(r, plain, figure->name, figure->label, bth_figure_text(page, figure, text));
    add_row(r, plain, "banned", "addresses banned now", number(r, (apr_uint64_t)seed_bans_count(&page->banned, seed_now())));
}

/* People see the reasons that there were; programs all of them. */
static void add_closed(request_rec *r, int plain, const seed_counters *page)
{
    for (int i = 0; i < SEED_CLOSE_REASONS; i++) {
        const char *reason = seed_close_name((seed_close_reason)i);
        apr_uint64_t count = __atomic_load_n(&page->closed[i], __ATOMIC_RELAXED);

        if (plain || count)
            add_row(r, plain, apr_pstrcat(r->pool, "closed ", reason, NULL),
                    apr_pstrcat(r->pool, "peers closed, ", reason, NULL), number(r, count));
    }
}

static void add_tracker(request_rec *r, int plain)
{
    trk_totals totals = {0};

    if (bth_this_child()->swarms)
        trk_swarms_totals(bth_this_child()->swarms, &totals);
    add_row(r, plain, "tracker_swarms", "torrents in the tracker", number(r, totals.swarms));
    add_row(r, plain, "tracker_seeds", "seeds in the tracker", number(r, totals.seeds));
    add_row(r, plain, "tracker_leechers", "leechers in the tracker", number(r, totals.leechers));
    add_row(r, plain, "tracker_announces", "announces", number(r, totals.announces));
}

static int status_section(request_rec *r, int flags)
{
    int plain = (flags & AP_STATUS_SHORT) != 0;
    apr_int64_t torrents = 0;

    if (!bth_this_child()->shared)
        return DECLINED;
    if (!plain)
        ap_rputs("<hr />\n<h2>BitTorrent (mod_bthttp)</h2>\n<dl>\n", r);
    if (bth_this_child()->catalog)
        cat_count(bth_this_child()->catalog, &torrents);
    add_row(r, plain, "torrents", "torrents published", number(r, (apr_uint64_t)torrents));
    add_seeder(r, plain, bth_this_child()->shared->counters);
    add_closed(r, plain, bth_this_child()->shared->counters);
    add_tracker(r, plain);
    if (!plain)
        ap_rputs("</dl>\n", r);
    return OK;
}

void bth_mod_status_register(void)
{
    /* By name, at run time: it does not matter whether or when mod_status is loaded. */
    APR_OPTIONAL_HOOK(ap, status_hook, status_section, NULL, NULL, APR_HOOK_MIDDLE);
}
