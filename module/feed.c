#include "module/feed.h"

#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>
#include <apr_strings.h>

#include <string.h>

#include "module/bodies.h"
#include "module/collection.h"
#include "module/child.h"
#include "module/gate.h"
#include "module/links.h"
#include "module/listed.h"
#include "module/stranger.h"
#include "module/torrent_response.h"
#include "torrentgen/atom.h"

enum { PAGE_ENTRIES = 50, BODY_MAX = 16 * 1024 * 1024, MAGNET_MAX = 64 * 1024, NAMES_MAX = 32, ORIGIN_FIELDS = 4 };

/* One page while it is written. */
typedef struct {
    request_rec *r;
    const char *token; /* of this page; "" is the first */
    char next[CAT_TOKEN_SIZE];
    const cat_entry *entries;
    apr_size_t count;
    bth_listings *listings;
    apr_pool_t *scratch; /* for one entry */
} page;

/* "page=TOKEN" of the query, or "". */
static const char *token_of(const request_rec *r)
{
    static const char key[] = "page=";

    for (const char *at = r->args; at && *at;) {
        apr_size_t span = strcspn(at, "&;");

        if (!strncmp(at, key, sizeof key - 1))
            return apr_pstrmemdup(r->pool, at + sizeof key - 1, span - (sizeof key - 1));
        at += span + (at[span] != '\0');
    }
    return "";
}

static const char *page_url(const page *p, const char *token)
{
    const char *path = ap_escape_uri(p->r->pool, p->r->uri);

    return bth_own_url(p->r, *token ? apr_pstrcat(p->r->pool, path, "?page=", token, NULL) : path);
}

/* The path in an origin: see bth_origin_of. */
static const char *path_of(const char *origin)
{
    for (int i = 0; i < ORIGIN_FIELDS && origin; i++) {
        origin = strchr(origin, ' ');
        origin += origin != NULL;
    }
    return origin && *origin == '/' ? origin : NULL;
}

/* May a stranger have it, by the way by which this client came, and come upon it? Looked at for each page anew: what the
 * catalogue says is from when the configuration was loaded, and of one way to the host. */
static int is_for_all(const page *p, const cat_entry *entry, const char *url_path, bth_stranger_view *view)
{
    const char *origin = bth_origin_of(p->r, url_path);
    apr_thread_t *thread = p->r->connection->current_thread;

    if (bth_gate_pass(entry, p->scratch, thread) != BTH_GATE_OPEN)
        return 0;
    if (bth_is_collection(entry->path))
        return bth_stranger_look_collection(origin, p->scratch, thread, view) && view->listed &&
               !strcmp(view->path, entry->path);
    return bth_stranger_look(origin, p->scratch, thread, view) && !view->transformed && view->dir.enabled &&
           !strcmp(view->path, entry->path) &&
           bth_is_listed(p->listings, origin, entry->path, &view->dir, thread);
}

/* One for each version of each file: two files with the same bytes share their info-hash. */
static const char *id_of(apr_pool_t *pool, const cat_entry *entry, const char *url_path)
{
    char hex[2 * BT_HASH_V2_SIZE + 1];

    if (entry->version & TG_V1) {
        bt_hex(hex, entry->v1.b, sizeof entry->v1.b);
        return apr_pstrcat(pool, "urn:btih:", hex, "#", url_path, NULL);
    }
    bt_hex(hex, entry->v2.b, sizeof entry->v2.b);
    return apr_pstrcat(pool, "urn:btmh:1220", hex, "#", url_path, NULL);
}

static const char *title_of(apr_pool_t *pool, const cat_entry *entry)
{
    return bth_published_name(pool, entry->path, entry->url);
}

static const char *magnet_of(const page *p, const bth_subject *subject, const cat_entry *entry)
{
    const char *magnet = NULL;
    bt_buf body;

    bt_buf_init(&body, MAGNET_MAX);
    if (bth_write_body(p->r, subject, entry, BTH_FORM_MAGNET, &body) == APR_SUCCESS)
        magnet = apr_pstrmemdup(p->scratch, (const char *)body.data, body.length - 1); /* without the end of its line */
    bt_buf_free(&body);
    return magnet;
}

static void add_entry(const page *p, tg_atom *atom, const cat_entry *entry)
{
    const char *url_path = path_of(entry->url);
    bth_stranger_view view;

    if (!url_path || !is_for_all(p, entry, url_path, &view))
        return;

    const bth_subject subject = {.path = entry->path, .url_path = url_path, .dir = &view.dir};
    const tg_atom_entry written = {
        .id = id_of(p->scratch, entry, url_path),
        .title = title_of(p->scratch, entry),
        .updated = entry->created,
        .file = bth_own_url(p->r, url_path),
        .torrent = bth_own_url(p->r, bth_alias_path(p->r->pool, &subject, entry, BTH_FORM_TORRENT)),
        .torrent_length = (apr_int64_t)(entry->infodict_length + entry->layer_length),
        .magnet = magnet_of(p, &subject, entry),
        .summary = apr_psprintf(p->scratch, "%" APR_INT64_T_FMT " bytes", entry->stamp.size)};

    tg_atom_add(atom, &written);
}

static apr_status_t write_page(page *p, bt_buf *body)
{
    const char *host = ap_get_server_name_for_url(p->r);
    const tg_atom_feed feed = {.id = page_url(p, ""),
                               .title = apr_pstrcat(p->r->pool, "Torrents of ", host, NULL),
                               .author = host,
                               .self = page_url(p, p->token),
                               .first = page_url(p, ""),
                               .next = *p->next ? page_url(p, p->next) : NULL,
                               .updated = p->count ? p->entries[0].created : 0,
                               .generator = "mod_bthttp",
                               .version = BTH_VERSION};
    tg_atom atom;
    apr_status_t status = tg_atom_begin(&atom, body, &feed);

    if (status != APR_SUCCESS)
        return status;
    for (apr_size_t i = 0; i < p->count; i++) {
        add_entry(p, &atom, &p->entries[i]);
        apr_pool_clear(p->scratch);
    }
    return tg_atom_end(&atom);
}

static void add_name(apr_array_header_t *sites, apr_pool_t *pool, const char *name)
{
    char site[CAT_SITE_SIZE];

    if (name && sites->nelts < NAMES_MAX && cat_site_of(apr_pstrcat(pool, "- - - ", name, NULL), site))
        APR_ARRAY_PUSH(sites, const char *) = apr_pstrdup(pool, site);
}

/* The names by which this virtual host is known, that of the client first: files were published under any of them. */
static apr_status_t find_entries(page *p)
{
    const server_rec *server = p->r->server;
    apr_array_header_t *sites = apr_array_make(p->r->pool, 4, sizeof(const char *));
    char site[CAT_SITE_SIZE];

    if (cat_site_of(bth_origin_of(p->r, "/"), site))
        APR_ARRAY_PUSH(sites, const char *) = apr_pstrdup(p->r->pool, site);
    add_name(sites, p->r->pool, server->server_hostname);
    for (int i = 0; server->names && i < server->names->nelts; i++)
        add_name(sites, p->r->pool, APR_ARRAY_IDX(server->names, i, const char *));
    return cat_newest(bth_this_child()->catalog, (const char *const *)sites->elts, sites->nelts, p->token, PAGE_ENTRIES,
                      p->r->pool, &p->entries, &p->count, p->next);
}

static apr_status_t free_body(void *body)
{
    bt_buf_free(body);
    return APR_SUCCESS;
}

/* There is no Last-Modified: a withdrawal changes the page without leaving an entry that is newer, and a client that asks
 * by date would keep what is no longer for it. */
static int send_page(request_rec *r, const bt_buf *body)
{
    const char *etag = bth_etag_of(r->pool, body);
    int status;

    if (etag)
        apr_table_setn(r->headers_out, "ETag", etag);
    apr_table_setn(r->headers_out, "Cache-Control", "no-cache"); /* may be kept, but is asked about each time */
    if ((status = ap_meets_conditions(r)) != OK)
        return status;
    return bth_send_body(r, "application/atom+xml", body->data, body->length);
}

int bth_feed_handler(request_rec *r)
{
    page p = {.r = r};
    bt_buf *body;
    apr_status_t status;

    if (!r->handler || strcmp(r->handler, "bthttp-feed"))
        return DECLINED;
    ap_allow_standard_methods(r, REPLACE_ALLOW, M_GET, -1);
    if (r->method_number != M_GET)
        return HTTP_METHOD_NOT_ALLOWED;
    if (!bth_this_child()->shared || !bth_this_child()->catalog || !tg_xml_is_there())
        return HTTP_NOT_FOUND;
    p.token = token_of(r);
    if ((status = find_entries(&p)) != APR_SUCCESS)
        return status == APR_EINVAL ? HTTP_NOT_FOUND : HTTP_INTERNAL_SERVER_ERROR;
    apr_pool_create(&p.scratch, r->pool);
    p.listings = bth_listings_create(r->pool);
    body = apr_palloc(r->pool, sizeof *body);
    bt_buf_init(body, BODY_MAX);
    apr_pool_cleanup_register(r->pool, body, free_body, apr_pool_cleanup_null);
    if (write_page(&p, body) != APR_SUCCESS)
        return HTTP_INTERNAL_SERVER_ERROR;
    return send_page(r, body);
}
