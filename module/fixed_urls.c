#include "module/fixed_urls.h"

#include <http_config.h>
#include <http_request.h>
#include <apr_strings.h>

#include "module/child.h"

static const struct {
    const char *name, *handler;
} fixed[] = {{"announce", "bthttp-announce"},  {"scrape", "bthttp-scrape"},   {"status", "bthttp-status"},
             {"status.json", "bthttp-status"}, {"metrics", "bthttp-metrics"}, {"feed.atom", "bthttp-feed"}};

/* What is behind BTHTTPPath and a slash, or NULL. */
static const char *fixed_name(const request_rec *r)
{
    const char *path = bth_server()->path;
    apr_size_t length = strlen(path);

    return r->uri && !strncmp(r->uri, path, length) && r->uri[length] == '/' ? r->uri + length + 1 : NULL;
}

int bth_fixed_translate(request_rec *r)
{
    const char *name = fixed_name(r);

    if (!name || !bth_this_child()->shared)
        return DECLINED;
    for (apr_size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
        if (!strcmp(name, fixed[i].name)) {
            r->handler = fixed[i].handler;
            r->filename = apr_pstrcat(r->pool, "bthttp:", name, NULL);
            return OK;
        }
    }
    return DECLINED;
}

int bth_is_fixed(const request_rec *r)
{
    return r->filename && !strncmp(r->filename, "bthttp:", 7);
}

int bth_fixed_map(request_rec *r)
{
    return bth_is_fixed(r) ? OK : DECLINED;
}
