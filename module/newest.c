#include "module/newest.h"

#include <stdlib.h>
#include <string.h>

/* A heap whose first is the oldest, to be dropped for a newer one; sorted when taking begins. */
struct bth_newest {
    apr_size_t files_max, bytes_max, count, bytes, next;
    int sorted, more;
    bth_candidate **files; /* files_max */
    bth_candidate *last;   /* the oldest that was kept by the walk before: all below is still to come. NULL: none */
};

/* Newest first; whatever is equally new by name, so that there is one order. */
static int compare(apr_int64_t mtime_a, int root_a, const char *path_a, const bth_candidate *b)
{
    if (mtime_a != b->mtime_ns)
        return mtime_a > b->mtime_ns ? -1 : 1;
    if (root_a != b->root)
        return root_a < b->root ? -1 : 1;
    return strcmp(path_a, b->path);
}

static int comes_after(const bth_candidate *a, const bth_candidate *b)
{
    return compare(a->mtime_ns, a->root, a->path, b) > 0;
}

static int in_order(const void *a, const void *b)
{
    const bth_candidate *first = *(bth_candidate *const *)a;

    return compare(first->mtime_ns, first->root, first->path, *(bth_candidate *const *)b);
}

static apr_size_t bytes_of(const bth_candidate *file)
{
    return sizeof *file + strlen(file->path) + 1;
}

bth_newest *bth_newest_create(apr_size_t files_max, apr_size_t bytes_max)
{
    bth_newest *made = calloc(1, sizeof *made);

    if (made && !(made->files = calloc(files_max, sizeof *made->files))) {
        free(made);
        return NULL;
    }
    if (made) {
        made->files_max = files_max;
        made->bytes_max = bytes_max;
    }
    return made;
}

static void empty(bth_newest *newest)
{
    for (apr_size_t i = newest->next; i < newest->count; i++)
        free(newest->files[i]);
    newest->count = newest->bytes = newest->next = 0;
    newest->sorted = newest->more = 0;
}

void bth_newest_restart(bth_newest *newest)
{
    empty(newest);
    free(newest->last);
    newest->last = NULL;
}

void bth_newest_free(bth_newest *newest)
{
    if (!newest)
        return;
    bth_newest_restart(newest);
    free(newest->files);
    free(newest);
}

void bth_newest_go_on(bth_newest *newest)
{
    empty(newest);
}

/* --- the heap -------------------------------------------------------------- */

static void swap(bth_newest *newest, apr_size_t a, apr_size_t b)
{
    bth_candidate *kept = newest->files[a];

    newest->files[a] = newest->files[b];
    newest->files[b] = kept;
}

static void push(bth_newest *newest, bth_candidate *file)
{
    apr_size_t at = newest->count++;

    newest->files[at] = file;
    newest->bytes += bytes_of(file);
    for (; at > 0 && comes_after(newest->files[at], newest->files[(at - 1) / 2]); at = (at - 1) / 2)
        swap(newest, at, (at - 1) / 2);
}

static void drop_oldest(bth_newest *newest)
{
    newest->bytes -= bytes_of(newest->files[0]);
    free(newest->files[0]);
    newest->files[0] = newest->files[--newest->count];
    for (apr_size_t at = 0, below = 1; below < newest->count; at = below, below = 2 * at + 1) {
        if (below + 1 < newest->count && comes_after(newest->files[below + 1], newest->files[below]))
            below++;
        if (!comes_after(newest->files[below], newest->files[at]))
            break;
        swap(newest, at, below);
    }
    newest->more = 1;
}

static int is_full(const bth_newest *newest, apr_size_t more)
{
    return newest->count > 0 && (newest->count == newest->files_max || newest->bytes + more > newest->bytes_max);
}

int bth_newest_add(bth_newest *newest, int root, const char *path, apr_int64_t mtime_ns, apr_int64_t size)
{
    apr_size_t length = strlen(path) + 1;
    bth_candidate *file;

    if (newest->last && compare(mtime_ns, root, path, newest->last) <= 0)
        return 0;
    while (is_full(newest, sizeof *file + length)) {
        if (compare(mtime_ns, root, path, newest->files[0]) > 0) {
            newest->more = 1;
            return 1;
        }
        drop_oldest(newest);
    }
    if (!(file = malloc(sizeof *file + length))) {
        newest->more = 1;
        return 1;
    }
    *file = (bth_candidate){mtime_ns, size, root};
    memcpy(file->path, path, length);
    push(newest, file);
    return 1;
}

/* --- taking ---------------------------------------------------------------- */

/* The walk is over: where the next one goes on is the oldest that was kept. */
static void begin_taking(bth_newest *newest)
{
    bth_candidate *oldest;
    apr_size_t size;

    newest->sorted = 1;
    if (newest->count == 0)
        return;
    qsort(newest->files, newest->count, sizeof *newest->files, in_order);
    oldest = newest->files[newest->count - 1];
    size = bytes_of(oldest);
    free(newest->last);
    if ((newest->last = malloc(size)))
        memcpy(newest->last, oldest, size);
    else
        newest->more = 0; /* nowhere to go on from: the next scan begins anew */
}

bth_candidate *bth_newest_take(bth_newest *newest)
{
    if (!newest->sorted)
        begin_taking(newest);
    return newest->next < newest->count ? newest->files[newest->next++] : NULL;
}

int bth_newest_has_more(const bth_newest *newest)
{
    return newest->more;
}

apr_size_t bth_newest_count(const bth_newest *newest)
{
    return newest->count - newest->next;
}
