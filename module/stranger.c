#include "module/stranger.h"

#include <http_connection.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <http_vhost.h>
#include <ap_mpm.h>
#include <apr_strings.h>
#include <util_filter.h>

#include "module/child.h"
#include "module/client_certs.h"
#include "module/collection.h"

enum { MAX_REDIRECTS = 10 };

typedef struct {
    char *local_ip, *port, *scheme, *host, *path;
} origin_parts;

static const char tls_note[] = "bthttp-stranger-tls";

/* What RFC 3986 knows no place for is escaped: it would end a URL in a Link header early. */
static const char *escape_strays(apr_pool_t *pool, const char *path)
{
    static const char digits[] = "0123456789ABCDEF";
    char *escaped = apr_palloc(pool, 3 * strlen(path) + 1), *to = escaped;

    for (; *path; path++) {
        unsigned char byte = (unsigned char)*path;

        if (byte > ' ' && byte < 0x7f && !strchr("\"<>\\^`{|}", byte)) {
            *to++ = *path;
            continue;
        }
        *to++ = '%';
        *to++ = digits[byte >> 4];
        *to++ = digits[byte & 15];
    }
    *to = '\0';
    return escaped;
}

/* Steps as httpd resolves them, so that nobody writes into the URLs that others get, as by "/anything/../FILE". */
static void normalize(const request_rec *r, char *path)
{
    const core_server_config *core = ap_get_core_module_config(r->server->module_config);
    unsigned merge = core->merge_slashes != AP_CORE_CONFIG_OFF ? AP_NORMALIZE_MERGE_SLASHES : 0;

    ap_normalize_path(path, AP_NORMALIZE_NOT_ABOVE_ROOT | AP_NORMALIZE_DECODE_UNRESERVED | merge);
}

const char *bth_asked_path(request_rec *r)
{
    const char *path;
    char *asked;

    while (r->prev)
        r = r->prev;
    path = r->unparsed_uri ? r->unparsed_uri : r->uri;
    if (*path != '/') /* absolute form: http://host/path */
        path = r->parsed_uri.path ? r->parsed_uri.path : "/";
    asked = apr_pstrmemdup(r->pool, path, strcspn(path, "?#"));
    normalize(r, asked);
    return escape_strays(r->pool, asked);
}

const char *bth_origin_of(request_rec *r, const char *path)
{
    const char *host = apr_table_get(r->headers_in, "Host");

    if (!host || !*host || strpbrk(host, " \t"))
        host = r->hostname ? r->hostname : "-";
    return apr_psprintf(r->pool, "%s %u %s %s %s", r->connection->local_ip, (unsigned)r->connection->local_addr->port,
                        ap_http_scheme(r), host, path);
}

static int split_origin(apr_pool_t *pool, const char *origin, origin_parts *parts)
{
    char *rest = apr_pstrdup(pool, origin), *last = NULL;

    parts->local_ip = apr_strtok(rest, " ", &last);
    if (!parts->local_ip) /* not published yet: apr_strtok does not go on from nothing */
        return 0;
    parts->port = apr_strtok(NULL, " ", &last);
    parts->scheme = apr_strtok(NULL, " ", &last);
    parts->host = apr_strtok(NULL, " ", &last);
    parts->path = apr_strtok(NULL, "", &last);
    return parts->path && *parts->path == '/';
}

/* Refusals are the test's ordinary outcome: they are not written to the error log in the name of an address that
 * nobody has. */
static const struct ap_logconf quiet = {NULL, APLOG_EMERG};

static conn_rec *stranger_connection(const origin_parts *parts, apr_pool_t *pool, apr_thread_t *thread)
{
    int is_v6 = strchr(parts->local_ip, ':') != NULL;
    apr_int32_t family = is_v6 ? APR_INET6 : APR_INET; /* said, because the resolver looks at all interfaces if it is not */
    const char *client = is_v6 ? "2001:db8::1" : "192.0.2.1";
    apr_port_t port = (apr_port_t)apr_strtoi64(parts->port, NULL, 10);
    conn_rec *c = apr_pcalloc(pool, sizeof *c);

    if (apr_sockaddr_info_get(&c->local_addr, parts->local_ip, family, port, 0, pool) != APR_SUCCESS ||
        apr_sockaddr_info_get(&c->client_addr, client, family, 49152, 0, pool) != APR_SUCCESS)
        return NULL;
    c->pool = pool;
    c->base_server = bth_this_child()->server;
    c->local_ip = parts->local_ip;
    c->client_ip = apr_pstrdup(pool, client);
    c->conn_config = ap_create_conn_config(pool);
    c->notes = apr_table_make(pool, 2);
    c->bucket_alloc = apr_bucket_alloc_create(pool);
    c->cs = apr_pcalloc(pool, sizeof *c->cs);
    c->keepalive = AP_CONN_CLOSE;
    c->log = &quiet;
    c->current_thread = thread;
    if (!strcmp(parts->scheme, "https"))
        apr_table_setn(c->notes, tls_note, "1");
    ap_update_vhost_given_ip(c);
    return c;
}

/* httpd sets a request's log from its virtual host and sections, after translating its name and again before access is
 * checked. */
int bth_stranger_is_quiet(request_rec *r)
{
    if (r->connection->log == &quiet)
        r->log = &quiet;
    return DECLINED;
}

int bth_stranger_is_tls(conn_rec *c)
{
    return apr_table_get(c->notes, tls_note) ? OK : DECLINED;
}

static request_rec *stranger_request(conn_rec *c, const origin_parts *parts, const char *uri)
{
    request_rec *r = ap_create_request(c);

    r->log = &quiet;
    r->request_time = apr_time_now();
    r->method = "GET";
    r->method_number = M_GET;
    r->protocol = "HTTP/1.1";
    r->proto_num = HTTP_VERSION(1, 1);
    r->the_request = apr_pstrcat(r->pool, "GET ", uri, " HTTP/1.1", NULL);
    if (strcmp(parts->host, "-"))
        apr_table_setn(r->headers_in, "Host", parts->host);
    apr_table_setn(r->headers_in, "User-Agent", "Mozilla/5.0");
    apr_table_setn(r->headers_in, "Accept", "*/*");
    ap_parse_uri(r, uri);
    ap_update_vhost_from_headers(r);
    r->log = &quiet; /* not that of the virtual host */
    r->per_dir_config = r->server->lookup_defaults;
    return r;
}

/* A rewrite rule in a directory ends in "redirect:URI", which its handler would follow. */
static const char *internal_redirect_of(const request_rec *r)
{
    static const char mark[] = "redirect:";

    if (r->handler && !strcmp(r->handler, "redirect-handler") && r->filename &&
        !strncmp(r->filename, mark, sizeof mark - 1))
        return r->filename + sizeof mark - 1;
    return NULL;
}

static request_rec *follow_redirects(request_rec *r, const origin_parts *parts)
{
    for (int i = 0; i < MAX_REDIRECTS; i++) {
        const char *uri = internal_redirect_of(r);
        request_rec *next;

        if (!uri)
            return r;
        next = stranger_request(r->connection, parts, uri);
        next->prev = r;
        apr_table_setn(next->subprocess_env, "REDIRECT_STATUS", "200");
        apr_table_setn(next->subprocess_env, "REDIRECT_URL", r->uri);
        if (ap_process_request_internal(next) != OK)
            return NULL;
        r = next;
    }
    return NULL;
}

/* Some modules take a file by its type instead of by a handler's name. */
static int type_has_handler(const char *type)
{
    static const char *const prefixes[] = {"application/x-httpd", "httpd/", "application/x-type-map", "x-mapp-",
                                           "text/x-server-parsed", "magnus-internal/"};

    for (apr_size_t i = 0; type && i < sizeof prefixes / sizeof *prefixes; i++)
        if (!strncmp(type, prefixes[i], strlen(prefixes[i])))
            return 1;
    return 0;
}

static int is_plain_file(const request_rec *r)
{
    return r->status == HTTP_OK && r->filename && r->finfo.filetype == APR_REG && (!r->path_info || !*r->path_info) &&
           (!r->handler || !strcmp(r->handler, AP_DEFAULT_HANDLER_NAME)) && !type_has_handler(r->content_type);
}

/* Filters that leave the resource what it is: they code it for transport, or only touch headers. Everything else may
 * change bytes. */
static int filter_is_harmless(const char *name)
{
    static const char *const harmless[] = {"deflate", "brotli_compress", "cache_save", "cache_save_subreq", "cache_out",
                                           "cache_invalidate", "cache_remove_url", "mod_expires", "fixup_headers_out",
                                           "fixup_headers_err", "old_write", "rate_limit", "buffer", "logio_out", "bthttp_digest"};

    if (!strncasecmp(name, "bytype:", 7)) /* how mod_filter names what AddOutputFilterByType adds */
        name += 7;
    for (apr_size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
        if (!strcasecmp(name, harmless[i]))
            return 1;
    return 0;
}

int bth_is_transformed(const request_rec *r)
{
    if (r->content_encoding)
        return 1;
    for (const ap_filter_t *f = r->output_filters; f; f = f->next)
        if (f->frec->ftype < AP_FTYPE_PROTOCOL && !filter_is_harmless(f->frec->name))
            return 1;
    return 0;
}

/* Modules that look at the connection's socket or log each request in post_read_request: the stranger has no socket and
 * is no client. The MPM is one of them. */
static int is_about_the_socket(const char *module)
{
    const char *mpm = ap_show_mpm();
    apr_size_t length = strlen(mpm);

    return !strcmp(module, "mod_reqtimeout.c") || !strcmp(module, "mod_log_forensic.c") ||
           (!strncasecmp(module, mpm, length) && !strcmp(module + length, ".c"));
}

/* As ap_run_post_read_request, but for those: the environment (SetEnvIf) and early headers are made here. */
static int run_post_read_request(request_rec *r)
{
    const apr_array_header_t *hooks = ap_hook_get_post_read_request();
    int answer = OK;

    for (int i = 0; hooks && i < hooks->nelts && (answer == OK || answer == DECLINED); i++) {
        const ap_LINK_post_read_request_t *hook = &APR_ARRAY_IDX(hooks, i, ap_LINK_post_read_request_t);

        if (!is_about_the_socket(hook->szName ? hook->szName : ""))
            answer = hook->pFunc(r);
    }
    return answer;
}

/* Would httpd list the directory that it is in? */
static int is_browsable(request_rec *r)
{
    return (ap_allow_options(r) & OPT_INDEXES) && ap_find_linked_module("mod_autoindex.c");
}

/* @return the request as it stands before its handler would run, redirects followed, or NULL if it was refused */
static request_rec *visit(const char *origin, apr_pool_t *pool, apr_thread_t *thread)
{
    origin_parts parts;
    request_rec *r;
    conn_rec *c;
    int answer;

    if (!split_origin(pool, origin, &parts) || !(c = stranger_connection(&parts, pool, thread)))
        return NULL;
    r = stranger_request(c, &parts, parts.path);
    if (bth_client_certs_wanted(r->server))
        return NULL;
    answer = r->status == HTTP_OK ? run_post_read_request(r) : r->status;
    if ((answer != OK && answer != DECLINED) || ap_process_request_internal(r) != OK)
        return NULL;
    return follow_redirects(r, &parts);
}

int bth_stranger_look(const char *origin, apr_pool_t *pool, apr_thread_t *thread, bth_stranger_view *view)
{
    request_rec *r = visit(origin, pool, thread);

    if (!r || !is_plain_file(r))
        return 0;
    ap_run_insert_filter(r);
    view->path = r->filename;
    view->size = r->finfo.size;
    view->dir = bth_dir_of(r);
    view->transformed = bth_is_transformed(r);
    view->listed = view->dir.scan || is_browsable(r);
    return 1;
}

int bth_stranger_may(const char *origin, const char *path, apr_pool_t *pool, apr_thread_t *thread, int *listed)
{
    bth_stranger_view view;

    if (!bth_stranger_look(origin, pool, thread, &view) || view.transformed || !view.dir.enabled || strcmp(view.path, path))
        return 0;
    if (listed)
        *listed = view.listed;
    return 1;
}

/* mod_dir puts an index file in the place of its directory while the request is looked up. */
static int is_directory(const request_rec *r, const char *path)
{
    apr_size_t length = strlen(path);

    while (length > 1 && path[length - 1] == '/')
        length--;
    return r->status == HTTP_OK && r->finfo.filetype == APR_DIR && (!r->path_info || !*r->path_info) &&
           (!r->handler || !strcmp(r->handler, DIR_MAGIC_TYPE)) && !strncmp(r->filename, path, length) &&
           (!r->filename[length] || !strcmp(r->filename + length, "/"));
}

int bth_stranger_look_directory(const char *origin, const char *path, apr_pool_t *pool, apr_thread_t *thread,
                                bth_stranger_view *view)
{
    request_rec *r = visit(origin, pool, thread);

    if (!r || !is_directory(r, path))
        return 0;
    *view = (bth_stranger_view){.path = r->filename, .dir = bth_dir_of(r), .listed = is_browsable(r)};
    return 1;
}

/* The first steps of ap_process_request_internal. */
int bth_stranger_way(const char *origin, apr_pool_t *pool, const char **filename)
{
    origin_parts parts;
    request_rec *r;
    conn_rec *c;
    int answer;

    *filename = NULL;
    if (!split_origin(pool, origin, &parts) || !(c = stranger_connection(&parts, pool, NULL)))
        return HTTP_BAD_REQUEST;
    r = stranger_request(c, &parts, parts.path);
    answer = r->status == HTTP_OK ? run_post_read_request(r) : r->status;
    if (answer == DECLINED || answer == OK)
        answer = ap_unescape_url(r->uri);
    if (answer == OK)
        answer = ap_location_walk(r);
    if (answer == OK)
        answer = ap_run_translate_name(r);
    if (answer != OK)
        return answer;
    r->per_dir_config = r->server->lookup_defaults;
    answer = ap_run_map_to_storage(r);
    *filename = r->filename;
    return answer;
}

const char *bth_stranger_scheme(const char *origin, apr_pool_t *pool)
{
    origin_parts parts;
    conn_rec *c;

    if (!split_origin(pool, origin, &parts) || !(c = stranger_connection(&parts, pool, NULL)))
        return "http";
    return ap_http_scheme(stranger_request(c, &parts, parts.path));
}

int bth_stranger_look_collection(const char *origin, apr_pool_t *pool, apr_thread_t *thread, bth_stranger_view *view)
{
    request_rec *r = visit(origin, pool, thread);
    const bth_directory *noted = r ? bth_collection_of(r) : NULL;

    if (!noted || r->status != HTTP_OK)
        return 0;
    *view = (bth_stranger_view){.path = noted->directory, .dir = noted->dir};
    view->listed = view->dir.scan || (is_directory(r, view->path) && is_browsable(r));
    return 1;
}
