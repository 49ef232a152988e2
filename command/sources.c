/* Which files a torrent is to be of: from the command line, or a walk through a directory. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "command/command.h"
#include "command/making.h"
#include "command/text.h"
#include "torrentgen/infodict.h"
#include "torrentgen/name.h"
#include "torrentgen/tree.h"

typedef struct {
    apr_pool_t *pool;
    const char *root;          /* "" or a directory with a "/" at the end */
    apr_array_header_t *files; /* of tg_source_file */
    apr_hash_t *names;
    apr_int64_t size;
    int empty, failed;
    bt_stamp output; /* all zero: there is none */
} finding;

/* Each element as tg_name_of has it. */
static const char *member_name(apr_pool_t *pool, const char *path)
{
    const char *name = "";

    for (const char *at = path; *at;) {
        apr_size_t length = strcspn(at, "/");

        name = apr_pstrcat(pool, name, *name ? "/" : "", tg_name_of(pool, apr_pstrmemdup(pool, at, length)), NULL);
        at += length + (at[length] == '/');
    }
    return name;
}

static int is_output(const finding *f, const bt_stamp *stamp)
{
    return f->output.inode && f->output.inode == stamp->inode && f->output.device == stamp->device;
}

/* @return CMD_OK, or CMD_BAD if there is a file of this name already */
static int add_file(finding *f, const char *path, const char *name, const bt_stamp *stamp)
{
    tg_source_file *file;

    if (stamp->size == 0) {
        f->empty++;
        return CMD_OK;
    }
    if (apr_hash_get(f->names, name, APR_HASH_KEY_STRING)) {
        cmd_complain("%s: another file has the same name in the torrent", path);
        return CMD_BAD;
    }
    file = apr_array_push(f->files);
    file->path = path;
    file->name = name;
    apr_hash_set(f->names, name, APR_HASH_KEY_STRING, name);
    f->size += stamp->size;
    return CMD_OK;
}

/* --- a directory --------------------------------------------------------------------------------------------------- */

static int visit(void *baton, const char *path, const bt_stamp *stamp)
{
    finding *f = baton;

    if (!is_output(f, stamp) &&
        add_file(f, apr_pstrcat(f->pool, f->root, path, NULL), member_name(f->pool, path), stamp) != CMD_OK)
        f->failed++;
    return 0;
}

static void cannot_look(void *baton, const char *path, apr_status_t status)
{
    finding *f = baton;
    char reason[160];

    f->failed += status != ELOOP; /* what it leads to is in the torrent already */
    cmd_complain("%s%s: %s", f->root, path, cmd_reason(status, reason));
}

static int walk(finding *f, const cmd_making *making, const char *directory)
{
    const tg_tree_options options = {
        .follow_links = making->follow_links, .hidden = making->hidden, .error = cannot_look};
    apr_status_t status = tg_tree_walk(directory, &options, NULL, visit, f, f->pool);
    char reason[160];

    if (status == APR_SUCCESS)
        return f->failed ? CMD_FAILED : CMD_OK; /* a torrent with a file less is not what was asked for */
    cmd_complain("%s: %s", directory, cmd_reason(status, reason));
    return CMD_FAILED;
}

/* --- names --------------------------------------------------------------------------------------------------------- */

/* Of the last element, links and "." resolved where there is no name in the path itself. */
static const char *name_of(apr_pool_t *pool, const char *path)
{
    apr_size_t length = strlen(path);
    const char *name;
    char *real;

    while (length > 1 && path[length - 1] == '/')
        length--;
    name = tg_name_of(pool, apr_pstrmemdup(pool, path, length));
    if (tg_name_is_good(name) || !(real = realpath(path, NULL)))
        return name;
    name = tg_name_of(pool, real);
    free(real);
    return name;
}

static int choose_name(cmd_sources *sources, const cmd_making *making, apr_pool_t *pool)
{
    sources->name = making->name ? making->name : sources->path ? name_of(pool, sources->path) : NULL;
    if (sources->name && tg_name_is_good(sources->name))
        return CMD_OK;
    cmd_complain(sources->path ? "%s: has no name of its own; use --name" : "several files need a --name for their directory",
                 sources->path);
    return CMD_USAGE;
}

/* --- all ------------------------------------------------------------------------------------------------------------ */

static int cannot_take(const char *path, apr_status_t status)
{
    char reason[160];

    cmd_complain("%s: %s", path, cmd_reason(status, reason));
    return CMD_FAILED;
}

static int find_several(finding *f, char *const *paths, int count)
{
    int code = CMD_OK;

    for (int i = 0; i < count; i++) {
        bt_stamp stamp;
        apr_status_t status = bt_stamp_path(paths[i], &stamp);

        if (status != APR_SUCCESS)
            code = cannot_take(paths[i], status);
        else if (add_file(f, paths[i], tg_name_of(f->pool, paths[i]), &stamp) != CMD_OK)
            code = CMD_USAGE;
    }
    return code;
}

static int find_one(finding *f, cmd_sources *sources, const cmd_making *making)
{
    struct stat info;
    bt_stamp stamp;
    apr_status_t status;
    apr_size_t length = strlen(sources->path);

    if (stat(sources->path, &info) == 0 && S_ISDIR(info.st_mode)) {
        f->root = apr_pstrcat(f->pool, sources->path, length && sources->path[length - 1] == '/' ? "" : "/", NULL);
        return walk(f, making, sources->path);
    }
    status = bt_stamp_path(sources->path, &stamp);
    if (status != APR_SUCCESS)
        return cannot_take(sources->path, status);
    sources->size = stamp.size;
    f->files = NULL;
    return CMD_OK;
}

int cmd_sources_find(cmd_sources *sources, const cmd_making *making, char *const *paths, int count, const char *output,
                     apr_pool_t *pool)
{
    finding f = {.pool = pool, .root = "", .files = apr_array_make(pool, 16, sizeof(tg_source_file)), .names = apr_hash_make(pool)};
    int code;

    memset(sources, 0, sizeof *sources);
    sources->path = count == 1 ? paths[0] : NULL;
    if (output && bt_stamp_path(output, &f.output) != APR_SUCCESS)
        memset(&f.output, 0, sizeof f.output);
    code = count == 1 ? find_one(&f, sources, making) : find_several(&f, paths, count);
    if (code == CMD_OK)
        code = choose_name(sources, making, pool);
    if (code != CMD_OK || !f.files)
        return code;
    sources->files = (const tg_source_file *)f.files->elts;
    sources->count = (apr_size_t)f.files->nelts;
    sources->size = f.size;
    if (f.empty && !making->quiet)
        cmd_complain("%d empty file%s left out: a torrent has no bytes of %s", f.empty, f.empty == 1 ? " is" : "s are",
                     f.empty == 1 ? "it" : "them");
    if (sources->count)
        return CMD_OK;
    cmd_complain("%s: no files to make a torrent of", sources->path ? sources->path : sources->name);
    return CMD_FAILED;
}
