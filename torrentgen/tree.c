#include "torrentgen/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>
#include <apr_tables.h>

typedef struct {
    const char *name;
    unsigned char type; /* DT_... */
} name_of;

/* A directory that is open, and those above it. */
typedef struct level {
    const struct level *above;
    DIR *dir;
    dev_t device;
    ino_t inode;
    int depth;
    apr_pool_t *pool;          /* of the names; NULL if they come as they are read */
    apr_array_header_t *names; /* of name_of, sorted; NULL likewise */
    int next;
} level;

typedef struct {
    const tg_tree_options *options;
    tg_tree_enter_fn *enter;
    tg_tree_fn *visit;
    void *baton;
    apr_pool_t *pool;
    apr_size_t files_left, entries_left;
    apr_size_t length; /* of the path */
    char path[TG_TREE_PATH_MAX + 1];
} walk;

static void tell(walk *w, apr_status_t status)
{
    if (w->options->error)
        w->options->error(w->baton, w->path, status);
}

/* --- the names of a directory ---------------------------------------------- */

/* @return 1; 0 at the end; -1 when there are too many */
static int read_name(walk *w, level *at, name_of *name)
{
    struct dirent *entry;

    for (;;) {
        errno = 0;
        if (!(entry = readdir(at->dir))) {
            if (errno)
                tell(w, errno);
            return 0;
        }
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        if (w->entries_left-- == 0) {
            w->entries_left = 0;
            return -1;
        }
        if (*entry->d_name == '.' && !w->options->hidden)
            continue;
        *name = (name_of){entry->d_name, entry->d_type};
        return 1;
    }
}

static int in_raw_order(const void *a, const void *b)
{
    return strcmp(((const name_of *)a)->name, ((const name_of *)b)->name); /* compares as unsigned bytes */
}

static apr_status_t sort_names(walk *w, level *at)
{
    name_of name;
    int got;

    apr_pool_create(&at->pool, w->pool);
    at->names = apr_array_make(at->pool, 64, sizeof name);
    while ((got = read_name(w, at, &name)) > 0) {
        name.name = apr_pstrdup(at->pool, name.name);
        APR_ARRAY_PUSH(at->names, name_of) = name;
    }
    if (got < 0)
        return APR_ENOSPC;
    qsort(at->names->elts, (size_t)at->names->nelts, sizeof name, in_raw_order);
    return APR_SUCCESS;
}

static int next_name(walk *w, level *at, name_of *name)
{
    if (!at->names)
        return read_name(w, at, name);
    if (at->next == at->names->nelts)
        return 0;
    *name = APR_ARRAY_IDX(at->names, at->next++, name_of);
    return 1;
}

/* --- the path -------------------------------------------------------------- */

/* @return 0 if there is no room */
static int push_name(walk *w, const char *name)
{
    apr_size_t slash = w->length > 0, more = strlen(name);

    if (w->length + slash + more > TG_TREE_PATH_MAX)
        return 0;
    if (slash)
        w->path[w->length] = '/';
    memcpy(w->path + w->length + slash, name, more + 1);
    w->length += slash + more;
    return 1;
}

static void cut_path(walk *w, apr_size_t length)
{
    w->length = length;
    w->path[length] = '\0';
}

/* --- directories ----------------------------------------------------------- */

static int is_above(const level *at, const struct stat *info)
{
    for (; at; at = at->above)
        if (at->device == info->st_dev && at->inode == info->st_ino)
            return 1;
    return 0;
}

static apr_status_t open_level(walk *w, const level *above, int parent, const char *name, level *made)
{
    int links = above && !w->options->follow_links ? O_NOFOLLOW : 0, fd;
    struct stat info;
    apr_status_t status;

    *made = (level){.above = above, .depth = above ? above->depth + 1 : 0};
    fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC | links);
    if (fd < 0)
        return errno;
    if (fstat(fd, &info) < 0)
        status = errno;
    else if (is_above(above, &info))
        status = ELOOP;
    else if ((made->dir = fdopendir(fd)) == NULL)
        status = errno;
    else
        status = APR_SUCCESS;
    if (status != APR_SUCCESS) {
        close(fd);
        return status;
    }
    made->device = info.st_dev;
    made->inode = info.st_ino;
    return APR_SUCCESS;
}

static apr_status_t walk_level(walk *w, level *at);

static apr_status_t walk_below(walk *w, const level *above, const char *name)
{
    int deepest = w->options->depth_max > 0 ? w->options->depth_max : TG_TREE_DEPTH;
    apr_status_t status;
    level below;

    if (w->enter && !w->enter(w->baton, w->path))
        return APR_SUCCESS;
    status = above->depth >= deepest ? APR_ENOSPC : open_level(w, above, dirfd(above->dir), name, &below);
    if (status != APR_SUCCESS) {
        tell(w, status);
        return APR_SUCCESS;
    }
    status = walk_level(w, &below);
    closedir(below.dir);
    return status;
}

/* --- one name -------------------------------------------------------------- */

static apr_status_t look_at(walk *w, const level *at, const name_of *name)
{
    int links = w->options->follow_links ? 0 : AT_SYMLINK_NOFOLLOW;
    struct stat info;
    bt_stamp stamp;

    if (name->type == DT_DIR)
        return walk_below(w, at, name->name);
    if (name->type != DT_REG && name->type != DT_UNKNOWN && (name->type != DT_LNK || links))
        return APR_SUCCESS; /* a FIFO, a device, a socket */
    if (fstatat(dirfd(at->dir), name->name, &info, links) < 0) {
        tell(w, errno);
        return APR_SUCCESS;
    }
    if (S_ISDIR(info.st_mode))
        return walk_below(w, at, name->name);
    if (bt_stamp_stat(&info, &stamp) != APR_SUCCESS)
        return APR_SUCCESS;
    if (w->files_left-- == 0)
        return APR_ENOSPC;
    return w->visit(w->baton, w->path, &stamp) ? APR_EINTR : APR_SUCCESS;
}

static apr_status_t walk_level(walk *w, level *at)
{
    apr_status_t status = w->options->any_order ? APR_SUCCESS : sort_names(w, at);
    apr_size_t length = w->length;
    name_of name;
    int got = 1;

    while (status == APR_SUCCESS && (got = next_name(w, at, &name)) > 0) {
        if (push_name(w, name.name))
            status = look_at(w, at, &name);
        else
            tell(w, ENAMETOOLONG);
        cut_path(w, length);
    }
    if (at->pool)
        apr_pool_destroy(at->pool);
    return got < 0 ? APR_ENOSPC : status;
}

static apr_size_t entries_bound(const tg_tree_options *options)
{
    if (options->entries_max > 0)
        return options->entries_max;
    /* Room for what is no file among the files: directories, hidden names. */
    return options->files_max > 0 && options->files_max < APR_SIZE_MAX / 32 ? options->files_max * 16 + 65536 : APR_SIZE_MAX;
}

apr_status_t tg_tree_walk(const char *root, const tg_tree_options *options, tg_tree_enter_fn *enter, tg_tree_fn *visit,
                          void *baton, apr_pool_t *pool)
{
    walk w = {.options = options, .enter = enter, .visit = visit, .baton = baton};
    apr_status_t status;
    level top;

    w.files_left = options->files_max > 0 ? options->files_max : APR_SIZE_MAX;
    w.entries_left = entries_bound(options);
    if (enter && !enter(baton, ""))
        return APR_SUCCESS;
    status = open_level(&w, NULL, AT_FDCWD, root, &top);
    if (status != APR_SUCCESS)
        return status;
    apr_pool_create(&w.pool, pool);
    status = walk_level(&w, &top);
    closedir(top.dir);
    apr_pool_destroy(w.pool);
    return status;
}
