#include "module/uplink.h"

#include <apr_optional.h>
#include <http_core.h>
#include <http_config.h>

#include "module/child.h"
#include "module/config.h"
#include "module/shared.h"

/* httpd's core tells whoever has this name how many bytes a socket took (mod_logio, usually). A filter would not do: a
 * whole file passes it at once, and is sent over minutes. Set before the children are made. */
static void (*next)(conn_rec *c, apr_off_t bytes);

static void count(conn_rec *c, apr_off_t bytes)
{
    const bth_shared *shared = bth_own_child()->shared;

    if (next)
        next(c, bytes);
    if (shared && shared->counters)
        seed_count(&shared->counters->http_sent, bytes);
}

int bth_uplink_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    static const char name[] = "ap_logio_add_bytes_out";
    apr_opt_fn_t *before = apr_dynamic_fn_retrieve(name);

    (void)pconf, (void)plog, (void)ptemp, (void)s;
    if (!bth_server()->uplink || before == (apr_opt_fn_t *)count)
        return OK;
    next = (void (*)(conn_rec *, apr_off_t))before;
    apr_dynamic_fn_register(name, (apr_opt_fn_t *)count);
    return OK;
}
