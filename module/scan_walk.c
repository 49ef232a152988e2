/* Finding files for a scan: by walking, and by being told. */
#include "module/scan_internal.h"

#include <http_core.h>
#include <apr_strings.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "module/child.h"
#include "module/gate.h"
#include "module/stranger.h"
#include "torrentgen/tree.h"

enum { ENTRIES_MAX = 50 * 1000 * 1000, BAD_LINES_MAX = 100 };

/* A walk of a root, or of a part of it. */
typedef struct {
    bth_scan *scan;
    const bth_scan_root *root;
    int number;        /* of the root */
    const char *start; /* where it begins, below the root: "", or a path with a slash at the end */
    int late;          /* what it finds goes before what the last walk found */
    int rules;         /* rules have changed: what is published is judged again */
    int quiet;         /* errors were told before */
} walk;

/* --- directories ----------------------------------------------------------- */

/* Whether links may be followed is httpd's to say, of each directory that is one. */
static int may_follow(const walk *w, const char *below, const char *path)
{
    struct stat info;
    const char *ignored;
    int may = 0;

    if (!*below || lstat(path, &info) < 0 || !S_ISLNK(info.st_mode))
        return 1;
    for (int site = 0; site < w->root->sites->nelts && !may; site++) {
        const char *origin = bth_scan_origin(w->root, site, apr_pstrcat(w->scan->scratch, below, "/", NULL), w->scan->scratch);

        may = bth_stranger_way(origin, w->scan->scratch, &ignored) == OK;
    }
    return may;
}

static void watch(bth_scan *scan, const char *path)
{
    apr_status_t status = scan->watch ? tg_watch_add(scan->watch, path) : scan->unwatched_why;

    if (status == APR_SUCCESS || APR_STATUS_IS_ENOENT(status) || status == ENOTDIR)
        return;
    scan->unwatched++;
    scan->unwatched_why = status;
}

static int enter(void *baton, const char *below_start)
{
    const walk *w = baton;
    const char *below = apr_pstrcat(w->scan->scratch, w->start, below_start, NULL), *path;
    int may;

    if (*w->start && !*below_start) /* without its slash */
        below = apr_pstrmemdup(w->scan->scratch, w->start, strlen(w->start) - 1);
    path = bth_scan_path(w->root, below, w->scan->scratch);
    may = !bth_scan_is_leaving(w->scan) && may_follow(w, below, path);
    if (may)
        watch(w->scan, path); /* before it is read, so that nothing falls in between */
    apr_pool_clear(w->scan->scratch);
    return may;
}

/* --- files ----------------------------------------------------------------- */

static void add_late(bth_scan *scan, int root, const char *below, const bt_stamp *stamp)
{
    apr_size_t length = strlen(below) + 1;
    bth_candidate *file = malloc(sizeof *file + length);

    if (!file) {
        scan->walk_is_due = 1;
        return;
    }
    *file = (bth_candidate){stamp->mtime_ns, stamp->size, root};
    memcpy(file->path, below, length);
    bth_scan_add_late(scan, file);
}

/* @return 1 if its torrent is there and published */
static int is_known(const walk *w, const char *path, const bt_stamp *stamp)
{
    cat_entry entry;

    if (cat_find_path(bth_this_child()->catalog, path, w->scan->scratch, &entry) != APR_SUCCESS)
        return 0;
    if (!bt_stamp_equal(&entry.stamp, stamp)) {
        bth_withdraw(&entry, CAT_CHANGED);
        return 0;
    }
    if (entry.published && w->rules)
        bth_scan_judge_again(w->scan, &entry);
    return entry.published;
}

static int visit(void *baton, const char *below_start, const bt_stamp *stamp)
{
    const walk *w = baton;
    bth_scan *scan = w->scan;
    const char *below = apr_pstrcat(scan->scratch, w->start, below_start, NULL);

    if (!w->late)
        bth_scan_figure(&scan->figures->found, 1);
    if (stamp->size > 0 && !is_known(w, bth_scan_path(w->root, below, scan->scratch), stamp)) {
        if (w->late) {
            add_late(scan, w->number, below, stamp);
        } else if (bth_newest_add(scan->newest, w->number, below, stamp->mtime_ns, stamp->size)) {
            scan->left++;
            scan->bytes_left += stamp->size;
        }
    }
    apr_pool_clear(scan->scratch);
    return bth_scan_is_leaving(scan);
}

/* A link to nowhere or in a circle is nothing that an admin would want to hear of at each walk. */
static void trouble(void *baton, const char *below_start, apr_status_t status)
{
    const walk *w = baton;

    if (APR_STATUS_IS_ENOENT(status) || status == ELOOP || w->quiet)
        return;
    if (++w->scan->errors <= BAD_LINES_MAX)
        bt_log(BT_LOG_INFO, 88, status, "scan: cannot look at %s/%s%s", w->root->directory, w->start, below_start);
}

static void walk_from(walk *w)
{
    const tg_tree_options options = {.follow_links = 1, .any_order = 1, .entries_max = ENTRIES_MAX, .error = trouble};
    apr_size_t length = strlen(w->start);
    apr_pool_t *pool;
    apr_status_t status;
    const char *path;

    apr_pool_create(&pool, w->scan->pool);
    path = bth_scan_path(w->root, apr_pstrmemdup(pool, w->start, length ? length - 1 : 0), pool);
    status = tg_tree_walk(path, &options, enter, visit, w, pool);
    if (status == APR_ENOSPC) {
        if (!w->quiet)
            bt_log(BT_LOG_WARNING, 87, APR_SUCCESS, "scan: %s has more than %d names: the rest is left out", path, ENTRIES_MAX);
    } else if (status != APR_SUCCESS && status != APR_EINTR) {
        trouble(w, "", status);
        w->scan->unwatched++; /* it may come back */
    }
    apr_pool_destroy(pool);
}

void bth_scan_walk(bth_scan *scan)
{
    int first = !scan->goes_on;

    if (first) {
        bth_newest_restart(scan->newest);
        scan->errors = 0;
    } else {
        bth_newest_go_on(scan->newest);
    }
    bth_scan_show(&scan->figures->found, 0);
    scan->unwatched = 0;
    scan->left = 0;
    scan->bytes_left = 0;
    for (int i = 0; i < scan->roots->nelts && !bth_scan_is_leaving(scan); i++) {
        walk w = {.scan = scan, .root = &APR_ARRAY_IDX(scan->roots, i, bth_scan_root), .number = i, .start = "", .quiet = !first};

        walk_from(&w);
    }
}

/* --- being told ------------------------------------------------------------ */

/* Is any element of the path hidden? */
static int is_hidden(const char *below)
{
    return *below == '.' || strstr(below, "/.") != NULL;
}

static void walk_late(bth_scan *scan, int root, const char *below, int rules)
{
    apr_pool_t *pool;
    walk w = {.scan = scan, .root = &APR_ARRAY_IDX(scan->roots, root, bth_scan_root), .number = root, .late = 1, .rules = rules};

    apr_pool_create(&pool, scan->pool);
    w.start = *below ? apr_pstrcat(pool, below, "/", NULL) : "";
    walk_from(&w);
    apr_pool_destroy(pool);
}

/* Is it a file of rules (.htaccess)? AccessFileName is of the virtual host; names that any of them has will do. */
static int holds_rules(const char *name)
{
    for (const server_rec *s = bth_this_child()->server; s; s = s->next) {
        const core_server_config *core = ap_get_core_module_config(s->module_config);
        const char *names = core->access_name ? core->access_name : DEFAULT_ACCESS_FNAME;
        apr_size_t length = strlen(name);

        for (const char *at = names; (at = strstr(at, name)); at += length)
            if ((at == names || at[-1] == ' ') && (at[length] == ' ' || !at[length]))
                return 1;
    }
    return 0;
}

static void on_file(bth_scan *scan, int root, const char *below, const char *path)
{
    struct stat info;
    bt_stamp stamp;

    if (is_hidden(below) || stat(path, &info) < 0)
        return;
    if (S_ISDIR(info.st_mode)) /* a link to one */
        walk_late(scan, root, below, 0);
    else if (bt_stamp_stat(&info, &stamp) == APR_SUCCESS && stamp.size > 0)
        add_late(scan, root, below, &stamp);
}

/* FILE.torrent may take the place of the torrent that FILE has. */
static void on_sidecar(bth_scan *scan, int root, const char *below)
{
    static const char suffix[] = ".torrent";
    apr_size_t length = strlen(below), end = sizeof suffix - 1;
    apr_pool_t *pool;
    bt_stamp stamp;

    if (length <= end || strcmp(below + length - end, suffix) || is_hidden(below))
        return;
    apr_pool_create(&pool, scan->pool);
    below = apr_pstrmemdup(pool, below, length - end);
    if (bt_stamp_path(bth_scan_path(&APR_ARRAY_IDX(scan->roots, root, bth_scan_root), below, pool), &stamp) == APR_SUCCESS)
        add_late(scan, root, below, &stamp);
    apr_pool_destroy(pool);
}

static void on_gone(bth_scan *scan, const char *path)
{
    cat_entry entry;
    bt_stamp stamp;

    if (bt_stamp_path(path, &stamp) != APR_SUCCESS &&
        cat_find_path(bth_this_child()->catalog, path, scan->scratch, &entry) == APR_SUCCESS)
        bth_withdraw(&entry, CAT_CHANGED);
    apr_pool_clear(scan->scratch);
}

static void on_event(bth_scan *scan, tg_watch_event event, int root, const char *below, const char *path)
{
    const char *slash = strrchr(below, '/'), *name = slash ? slash + 1 : below;
    apr_pool_t *pool;

    if ((event == TG_WATCH_FILE || event == TG_WATCH_GONE) && holds_rules(name)) {
        apr_pool_create(&pool, scan->pool);
        walk_late(scan, root, slash ? apr_pstrmemdup(pool, below, (apr_size_t)(slash - below)) : "", 1);
        apr_pool_destroy(pool);
    } else if (event == TG_WATCH_FILE) {
        on_file(scan, root, below, path);
        on_sidecar(scan, root, below);
    } else if (event == TG_WATCH_GONE) {
        on_sidecar(scan, root, below);
    } else if (event == TG_WATCH_DIRECTORY && !is_hidden(below)) {
        walk_late(scan, root, below, 0);
    }
}

static void tell(void *baton, tg_watch_event event, const char *path)
{
    bth_scan *scan = baton;

    if (event == TG_WATCH_LOST || event == TG_WATCH_ROOT_GONE)
        scan->walk_is_due = scan->sweep_is_due = 1;
    if (event == TG_WATCH_MOVED_AWAY || event == TG_WATCH_ROOT_GONE)
        scan->sweep_at_once = 1;
    if (event == TG_WATCH_GONE)
        on_gone(scan, path);
    for (int i = 0; i < scan->roots->nelts; i++) {
        const char *below = bth_scan_below(&APR_ARRAY_IDX(scan->roots, i, bth_scan_root), path);

        if (below && event != TG_WATCH_LOST)
            on_event(scan, event, i, below, path);
    }
}

void bth_scan_listen(bth_scan *scan)
{
    if (scan->watch)
        tg_watch_read(scan->watch, apr_time_now(), tell, scan);
}

/* --- what is gone ---------------------------------------------------------- */

static int sweep_entry(void *baton, const cat_entry *entry)
{
    bth_scan *scan = baton;
    apr_size_t length = strlen(entry->path);

    for (int i = 0; i < scan->roots->nelts && length && entry->path[length - 1] != '/'; i++) {
        if (bth_scan_below(&APR_ARRAY_IDX(scan->roots, i, bth_scan_root), entry->path)) {
            if (bth_gate_look(entry) == BTH_GATE_CHANGED)
                bth_withdraw(entry, CAT_CHANGED);
            break;
        }
    }
    return bth_scan_is_leaving(scan);
}

void bth_scan_sweep(bth_scan *scan)
{
    cat_walk(bth_this_child()->catalog, sweep_entry, scan);
}
