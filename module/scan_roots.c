#include "module/scan_roots.h"

#include <ap_listen.h>
#include <http_core.h>
#include <http_protocol.h>
#include <apr_hash.h>
#include <apr_strings.h>

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "module/config.h"
#include "module/stranger.h"

enum { ROOTS_MAX = 1000 };

typedef struct {
    apr_pool_t *pool, *scratch;
    apr_array_header_t *roots;
    apr_hash_t *placed;   /* sections that became a root at some virtual host: the pointer is the key */
    apr_hash_t *unplaced; /* those that did not at another one: to what is wrong with them */
} search;

/* --- paths ----------------------------------------------------------------- */

static const char *without_slash(const char *path, apr_pool_t *pool)
{
    apr_size_t length = strlen(path);

    while (length > 0 && path[length - 1] == '/')
        length--;
    return apr_pstrmemdup(pool, path, length);
}

/* @return what follows the directory in the path: "" or "/..."; NULL if it is not below it */
static const char *rest_of(const char *path, const char *directory)
{
    apr_size_t length = strlen(directory);

    return !strncmp(path, directory, length) && (path[length] == '/' || !path[length]) ? path + length : NULL;
}

const char *bth_scan_origin(const bth_scan_root *root, int site, const char *below, apr_pool_t *pool)
{
    return apr_pstrcat(pool, APR_ARRAY_IDX(root->sites, site, const char *), " ", root->url,
                       ap_os_escape_path(pool, below, 1), NULL);
}

const char *bth_scan_path(const bth_scan_root *root, const char *below, apr_pool_t *pool)
{
    if (!*below)
        return *root->directory ? root->directory : "/";
    return apr_pstrcat(pool, root->directory, "/", below, NULL);
}

const char *bth_scan_below(const bth_scan_root *root, const char *path)
{
    const char *rest = rest_of(path, root->directory);

    return rest && *rest == '/' ? rest + 1 : rest;
}

/* --- how a stranger reaches a virtual host --------------------------------- */

enum { IP_SIZE = 64 };

/* Writes the address, unless it stands for all. */
static int named_ip(const apr_sockaddr_t *address, char ip[IP_SIZE])
{
    return address && apr_sockaddr_ip_getbuf(ip, IP_SIZE, (apr_sockaddr_t *)address) == APR_SUCCESS &&
           strcmp(ip, "0.0.0.0") && strcmp(ip, "::");
}

/* The address of this machine that the rest of the world most likely sees: that of its way out. No packet is sent. */
static void address_of_the_way_out(char ip[IP_SIZE])
{
    struct sockaddr_in far = {.sin_family = AF_INET, .sin_port = htons(9)}, near = {0};
    socklen_t size = sizeof near;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    apr_cpystrn(ip, "127.0.0.1", IP_SIZE);
    inet_pton(AF_INET, "192.0.2.1", &far.sin_addr);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&far, sizeof far) == 0 &&
        getsockname(fd, (struct sockaddr *)&near, &size) == 0)
        inet_ntop(AF_INET, &near.sin_addr, ip, IP_SIZE);
    if (fd >= 0)
        close(fd);
}

/* The socket by which requests for this virtual host come in. */
static const ap_listen_rec *listener_of(const server_rec *s, apr_port_t port)
{
    const ap_listen_rec *first = ap_listeners;

    for (const ap_listen_rec *each = ap_listeners; each; each = each->next)
        if (each->bind_addr && each->bind_addr->port == (port ? port : s->port))
            return each;
    return port ? NULL : first;
}

static const char *site_of(server_rec *s, apr_pool_t *pool)
{
    const server_addr_rec *own = s->addrs;
    const ap_listen_rec *listener = listener_of(s, own ? own->host_port : 0);
    apr_port_t port = own && own->host_port ? own->host_port
                      : listener && listener->bind_addr ? listener->bind_addr->port : 80;
    const char *scheme, *host = s->server_hostname ? s->server_hostname : "-";
    char ip[IP_SIZE];

    if (!(own && named_ip(own->host_addr, ip)) && !(listener && named_ip(listener->bind_addr, ip)))
        address_of_the_way_out(ip);
    scheme = bth_stranger_scheme(apr_psprintf(pool, "%s %u http %s /", ip, (unsigned)port, host), pool);
    if (port != (!strcmp(scheme, "https") ? 443 : 80) && strcmp(host, "-"))
        host = apr_psprintf(pool, strchr(host, ':') && *host != '[' ? "[%s]:%u" : "%s:%u", host, (unsigned)port);
    return apr_psprintf(pool, "%s %u %s %s", ip, (unsigned)port, scheme, host);
}

/* --- roots ----------------------------------------------------------------- */

static int has_site(const bth_scan_root *root, const char *site)
{
    for (int i = 0; i < root->sites->nelts; i++)
        if (!strcmp(APR_ARRAY_IDX(root->sites, i, const char *), site))
            return 1;
    return 0;
}

static void add_root(search *in, const char *directory, const char *url, const char *site)
{
    bth_scan_root *root;

    for (int i = 0; i < in->roots->nelts; i++) {
        root = &APR_ARRAY_IDX(in->roots, i, bth_scan_root);
        if (!strcmp(root->directory, directory) && !strcmp(root->url, url)) {
            if (!has_site(root, site))
                APR_ARRAY_PUSH(root->sites, const char *) = site;
            return;
        }
    }
    if (in->roots->nelts == ROOTS_MAX)
        return;
    root = &APR_ARRAY_PUSH(in->roots, bth_scan_root);
    *root = (bth_scan_root){directory, url, apr_array_make(in->pool, 2, sizeof(const char *))};
    APR_ARRAY_PUSH(root->sites, const char *) = site;
}

/* Does `outer` find all that `inner` finds, under the same URLs? */
static int covers(const bth_scan_root *outer, const bth_scan_root *inner, apr_pool_t *scratch)
{
    const char *below = bth_scan_below(outer, inner->directory);

    if (outer == inner || !below || !*below ||
        strcmp(apr_pstrcat(scratch, outer->url, ap_os_escape_path(scratch, below, 1), "/", NULL), inner->url))
        return 0;
    for (int i = 0; i < inner->sites->nelts; i++)
        if (!has_site(outer, APR_ARRAY_IDX(inner->sites, i, const char *)))
            return 0;
    return 1;
}

static void drop_covered(search *in)
{
    int kept = 0;

    for (int i = 0; i < in->roots->nelts; i++) {
        bth_scan_root *each = &APR_ARRAY_IDX(in->roots, i, bth_scan_root);
        int covered = 0;

        for (int j = 0; j < in->roots->nelts && !covered; j++)
            covered = (j < kept || j > i) && covers(&APR_ARRAY_IDX(in->roots, j, bth_scan_root), each, in->scratch);
        if (!covered)
            APR_ARRAY_IDX(in->roots, kept++, bth_scan_root) = *each;
    }
    in->roots->nelts = kept;
}

/* --- sections -------------------------------------------------------------- */

static int wants_scan(const ap_conf_vector_t *section)
{
    const bth_dir_config *conf = ap_get_module_config(section, &bthttp_module);

    return conf && conf->scan == 1;
}

static void note_section(search *in, ap_conf_vector_t **section, const char *wrong)
{
    apr_hash_set(wrong ? in->unplaced : in->placed, section, sizeof *section, wrong ? wrong : "");
}

static void place_directory(search *in, ap_conf_vector_t **section, const char *document_root, const char *site)
{
    const core_dir_config *core = ap_get_core_module_config(*section);
    const char *directory, *below;

    if (core->r || core->d_is_fnmatch) {
        note_section(in, section, apr_psprintf(in->pool, "<Directory \"%s\">: a pattern names no directory where a scan could "
                                               "begin: say it for the directory above, and Off where it is not wanted", core->d));
        return;
    }
    directory = without_slash(core->d, in->pool);
    if (document_root && (below = rest_of(directory, document_root))) {
        below += *below == '/';
        add_root(in, directory, *below ? apr_pstrcat(in->pool, "/", ap_os_escape_path(in->pool, below, 1), "/", NULL) : "/",
                 site);
    } else if (document_root && rest_of(document_root, directory)) {
        add_root(in, document_root, "/", site);
    } else {
        note_section(in, section, apr_psprintf(in->pool, "<Directory \"%s\"> is below no DocumentRoot, so that its URL is not "
                                               "known: say it in a <Location> instead", core->d));
        return;
    }
    note_section(in, section, NULL);
}

static void place_location(search *in, ap_conf_vector_t **section, const char *site)
{
    const core_dir_config *core = ap_get_core_module_config(*section);
    const char *url, *filename;
    apr_finfo_t info;

    if (core->r || core->d_is_fnmatch || *core->d != '/') {
        note_section(in, section, apr_psprintf(in->pool, "<Location \"%s\">: a pattern names no directory where a scan could "
                                               "begin: say it for a <Location> above, and Off where it is not wanted", core->d));
        return;
    }
    url = apr_pstrcat(in->pool, "/", ap_os_escape_path(in->pool, without_slash(core->d + 1, in->pool), 1), "/", NULL);
    url += url[1] == '/';
    if (bth_stranger_way(apr_pstrcat(in->pool, site, " ", url, NULL), in->scratch, &filename) == OK && filename &&
        *filename == '/' && apr_stat(&info, filename, APR_FINFO_TYPE, in->scratch) == APR_SUCCESS &&
        info.filetype == APR_DIR) {
        add_root(in, without_slash(filename, in->pool), url, site);
        note_section(in, section, NULL);
    } else {
        note_section(in, section, apr_psprintf(in->pool, "<Location \"%s\">: a stranger finds no directory there", core->d));
    }
    apr_pool_clear(in->scratch);
}

static void search_server(search *in, server_rec *s)
{
    core_server_config *core = ap_get_core_module_config(s->module_config);
    const char *site = site_of(s, in->pool);
    const char *root = core->ap_document_root ? without_slash(core->ap_document_root, in->pool) : NULL;

    if (root && wants_scan(s->lookup_defaults))
        add_root(in, root, "/", site);
    for (int i = 0; core->sec_dir && i < core->sec_dir->nelts; i++) {
        ap_conf_vector_t **section = &APR_ARRAY_IDX(core->sec_dir, i, ap_conf_vector_t *);

        if (wants_scan(*section))
            place_directory(in, section, root, site);
    }
    for (int i = 0; core->sec_url && i < core->sec_url->nelts; i++) {
        ap_conf_vector_t **section = &APR_ARRAY_IDX(core->sec_url, i, ap_conf_vector_t *);

        if (wants_scan(*section))
            place_location(in, section, site);
    }
}

static void complain(search *in)
{
    for (apr_hash_index_t *i = apr_hash_first(in->pool, in->unplaced); i; i = apr_hash_next(i)) {
        const void *key;
        void *wrong;

        apr_hash_this(i, &key, NULL, &wrong);
        if (!apr_hash_get(in->placed, key, sizeof(ap_conf_vector_t *)))
            bt_log(BT_LOG_WARNING, 80, APR_SUCCESS, "BTHTTPScan: %s", (const char *)wrong);
    }
}

apr_array_header_t *bth_scan_roots(server_rec *first, apr_pool_t *pool)
{
    search in = {.pool = pool};

    apr_pool_create(&in.scratch, pool);
    in.roots = apr_array_make(pool, 8, sizeof(bth_scan_root));
    in.placed = apr_hash_make(pool);
    in.unplaced = apr_hash_make(pool);
    for (server_rec *s = first; s; s = s->next)
        search_server(&in, s);
    drop_covered(&in);
    complain(&in);
    apr_pool_destroy(in.scratch);
    return in.roots;
}
