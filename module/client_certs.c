#include "module/client_certs.h"

#include <http_ssl.h>
#include <apr_tables.h>

#include <string.h>
#include <strings.h>

/* Of this load; read-only after post_config. */
static apr_array_header_t *wanting; /* of const server_rec * */
static int everybody;

static int is_about_certificates(const ap_directive_t *directive)
{
    if (!strcasecmp(directive->directive, "SSLVerifyClient"))
        return strncasecmp(directive->args, "none", 4) != 0;
    return !strcasecmp(directive->directive, "SSLRequire");
}

static const server_rec *host_of(const ap_directive_t *directive, const server_rec *first)
{
    while (directive && strcasecmp(directive->directive, "<VirtualHost"))
        directive = directive->parent;
    for (const server_rec *s = first; directive && s; s = s->next)
        if (s->defn_name && s->defn_line_number == (unsigned)directive->line_num &&
            !strcmp(s->defn_name, directive->filename))
            return s;
    return NULL;
}

static void read_tree(const ap_directive_t *directive, const server_rec *first)
{
    for (; directive; directive = directive->next) {
        if (is_about_certificates(directive)) {
            const server_rec *s = host_of(directive, first);

            if (s)
                APR_ARRAY_PUSH(wanting, const server_rec *) = s;
            else
                everybody = 1;
        }
        read_tree(directive->first_child, first);
    }
}

void bth_client_certs_read(const ap_directive_t *tree, server_rec *first, apr_pool_t *pconf)
{
    wanting = apr_array_make(pconf, 4, sizeof(const server_rec *));
    everybody = 0;
    read_tree(tree, first);
}

int bth_client_certs_wanted(const server_rec *s)
{
    for (int i = 0; wanting && i < wanting->nelts; i++)
        if (APR_ARRAY_IDX(wanting, i, const server_rec *) == s)
            return 1;
    return everybody;
}

int bth_client_cert_given(request_rec *r)
{
    const char *verified;

    if (!ap_ssl_conn_is_ssl(r->connection))
        return 0;
    verified = ap_ssl_var_lookup(r->pool, r->server, r->connection, r, "SSL_CLIENT_VERIFY");
    return verified && *verified && strcmp(verified, "NONE");
}
