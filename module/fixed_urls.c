#include "module/fixed_urls.h"

#include <http_config.h>
#include <http_protocol.h>
#include <http_request.h>
#include <apr_strings.h>

#include "module/child.h"

static const struct {
    const char *name, *handler;
    int takes_token;
} fixed[] = {{"announce", "bthttp-announce", 1},  {"scrape", "bthttp-scrape", 1},   {"status", "bthttp-status", 0},
             {"status.json", "bthttp-status", 0}, {"metrics", "bthttp-metrics", 0}, {"feed.atom", "bthttp-feed", 0}};

/* "announce/TOKEN": also where tokens are not asked for (any more), since torrents with them live on. */
static int is_with_token(const char *name, const char *alone)
{
    apr_size_t length = strlen(alone);

    return !strncmp(name, alone, length) && name[length] == '/' && !strchr(name + length + 1, '/');
}

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
        if (!strcmp(name, fixed[i].name) || (fixed[i].takes_token && is_with_token(name, fixed[i].name))) {
            r->handler = fixed[i].handler;
            r->filename = apr_pstrcat(r->pool, "bthttp:", fixed[i].name, NULL); /* the error log has no tokens */
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

int bth_fixed_check(request_rec *r, const char *handler)
{
    if (!r->handler || strcmp(r->handler, handler))
        return DECLINED;
    ap_allow_standard_methods(r, REPLACE_ALLOW, M_GET, -1);
    return r->method_number == M_GET ? OK : HTTP_METHOD_NOT_ALLOWED;
}
