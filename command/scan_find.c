/* What a scan has to do: files of the tree that the catalogue does not know as they are now. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "command/command.h"
#include "command/scan.h"
#include "command/state.h"
#include "command/text.h"
#include "torrentgen/tree.h"

typedef struct {
    cmd_scan *scan;
    apr_pool_t *scratch;
} walking;

static int is_known(walking *w, const char *path, const bt_stamp *stamp)
{
    static const bt_stamp none;
    cat_entry entry;
    bt_stamp sidecar;

    if (cat_find_path(w->scan->catalog, path, w->scratch, &entry) != APR_SUCCESS || !bt_stamp_equal(&entry.stamp, stamp))
        return 0;
    if (bt_stamp_path(apr_pstrcat(w->scratch, path, ".torrent", NULL), &sidecar) != APR_SUCCESS)
        sidecar = none;
    return bt_stamp_equal(&entry.sidecar, &sidecar);
}

static const char *join(const walking *w, const char *below, apr_pool_t *pool)
{
    const char *root = w->scan->root;
    apr_size_t length = strlen(root);

    return apr_pstrcat(pool, root, length && root[length - 1] == '/' ? "" : "/", below, NULL);
}

static int visit(void *baton, const char *below, const bt_stamp *stamp)
{
    walking *w = baton;
    cmd_scan *scan = w->scan;
    const char *path;
    cmd_found *file;

    if (stamp->size == 0 || stamp->size < scan->size_min || stamp->size > scan->size_max) {
        scan->other_size++;
        return cmd_signal();
    }
    apr_pool_clear(w->scratch);
    path = join(w, below, w->scratch);
    if (is_known(w, path, stamp)) {
        scan->known++;
        return cmd_signal();
    }
    file = apr_array_push(scan->found);
    *file = (cmd_found){.path = apr_pstrdup(scan->pool, path), .size = stamp->size, .mtime_ns = stamp->mtime_ns};
    scan->bytes_found += stamp->size;
    return cmd_signal();
}

static void cannot_look(void *baton, const char *below, apr_status_t status)
{
    walking *w = baton;
    char reason[160];

    if (status == ELOOP) {
        if (!w->scan->quiet)
            cmd_complain("%s: left out: %s", join(w, below, w->scratch), cmd_reason(status, reason));
        return;
    }
    cmd_scan_fail(w->scan, join(w, below, w->scratch), cmd_reason(status, reason));
}

/* --- the order ------------------------------------------------------------------------------------------------------ */

static int compare(apr_int64_t a, apr_int64_t b)
{
    return (a > b) - (a < b);
}

static int by_newest(const void *a, const void *b)
{
    const cmd_found *one = a, *other = b;
    int order = compare(other->mtime_ns, one->mtime_ns);

    return order ? order : strcmp(one->path, other->path);
}

static int by_oldest(const void *a, const void *b)
{
    return by_newest(b, a);
}

static int by_smallest(const void *a, const void *b)
{
    const cmd_found *one = a, *other = b;
    int order = compare(one->size, other->size);

    return order ? order : strcmp(one->path, other->path);
}

static int by_largest(const void *a, const void *b)
{
    return by_smallest(b, a);
}

static void sort(cmd_scan *scan)
{
    static int (*const ways[])(const void *, const void *) = {by_newest, by_oldest, by_smallest, by_largest};

    if (scan->order != CMD_PATH) /* as the walk found them */
        qsort(scan->found->elts, (size_t)scan->found->nelts, sizeof(cmd_found), ways[scan->order]);
}

int cmd_scan_find(cmd_scan *scan)
{
    walking w = {.scan = scan};
    const tg_tree_options options = {
        .follow_links = scan->follow_links, .hidden = scan->hidden, .any_order = scan->order != CMD_PATH, .error = cannot_look};
    apr_int64_t failed_before = scan->failed;
    apr_status_t status;
    char reason[160], size[32];

    apr_pool_create(&w.scratch, scan->pool);
    scan->found = apr_array_make(scan->pool, 1024, sizeof(cmd_found));
    status = tg_tree_walk(scan->root, &options, NULL, visit, &w, scan->pool);
    apr_pool_destroy(w.scratch);
    if (status != APR_SUCCESS && !(status == APR_EINTR && cmd_signal())) {
        cmd_complain("%s: %s", scan->root, cmd_reason(status, reason));
        return CMD_FAILED;
    }
    sort(scan);
    if (!scan->quiet && !scan->json && scan->found->nelts)
        cmd_line(stdout, "%d files without a torrent, %s; %" APR_INT64_T_FMT " known, %" APR_INT64_T_FMT " of other sizes%s",
                 scan->found->nelts, cmd_size_text(size, scan->bytes_found), scan->known, scan->other_size,
                 scan->failed > failed_before ? "; some could not be looked at" : "");
    fflush(stdout);
    return CMD_OK;
}
