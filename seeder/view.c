#include "seeder/view.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* Two sets of units, one bit for each: what was read in this half of SEED_VIEW_KNOWN, and in the one before. */
struct seed_view {
    unsigned char *bytes;
    apr_int64_t length;
    apr_size_t set_size; /* bytes */
    apr_time_t began;    /* this half */
    int current;         /* set */
    unsigned char sets[];
};

void seed_views_init(seed_views *views)
{
    views->mapped = 0;
    views->most = sizeof(void *) > 4 ? (apr_int64_t)8 << 30 : (apr_int64_t)256 << 20;
}

static void *map(int file, apr_int64_t length)
{
    void *bytes = mmap(NULL, (size_t)length, PROT_READ, MAP_SHARED, file, 0);

    if (bytes == MAP_FAILED)
        return NULL;
    madvise(bytes, (size_t)length, MADV_DONTDUMP);
    return bytes;
}

seed_view *seed_view_make(seed_views *views, int file)
{
    struct stat info;
    apr_size_t set_size;
    seed_view *made;

    if (fstat(file, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size < SEED_VIEW_UNIT ||
        info.st_size > views->most - views->mapped)
        return NULL;
    set_size = (apr_size_t)(info.st_size / SEED_VIEW_UNIT / 8 + 1);
    made = calloc(1, sizeof *made + 2 * set_size);
    if (!made)
        return NULL;
    made->bytes = map(file, info.st_size);
    if (!made->bytes) {
        free(made);
        return NULL;
    }
    made->length = info.st_size;
    made->set_size = set_size;
    views->mapped += made->length;
    return made;
}

void seed_view_free(seed_views *views, seed_view *view)
{
    if (!view)
        return;
    munmap(view->bytes, (size_t)view->length);
    views->mapped -= view->length;
    free(view);
}

int seed_view_is_whole(const seed_view *view, int file)
{
    struct stat info;

    return fstat(file, &info) == 0 && info.st_size == view->length;
}

static unsigned char *set_of(seed_view *view, int nth)
{
    return view->sets + (apr_size_t)nth * view->set_size;
}

/* What is older than SEED_VIEW_KNOWN is forgotten. */
static void age(seed_view *view, apr_time_t now)
{
    apr_time_t half = SEED_VIEW_KNOWN / 2, passed = now - view->began;

    if (passed < half)
        return;
    view->began = now;
    view->current ^= 1;
    memset(set_of(view, view->current), 0, view->set_size);
    if (passed >= 2 * half)
        memset(set_of(view, view->current ^ 1), 0, view->set_size);
}

static int has(const unsigned char *set, apr_int64_t unit)
{
    return set[unit / 8] >> unit % 8 & 1;
}

static void add(unsigned char *set, apr_int64_t unit)
{
    set[unit / 8] |= (unsigned char)(1 << unit % 8);
}

/* Units that lie within a run; the last one of the file may be a part of one. */
void seed_view_note(seed_view *view, apr_int64_t offset, apr_size_t length, apr_time_t now)
{
    apr_int64_t end = offset + (apr_int64_t)length, unit = (offset + SEED_VIEW_UNIT - 1) / SEED_VIEW_UNIT;

    age(view, now);
    for (; (unit + 1) * SEED_VIEW_UNIT <= end || (end == view->length && unit * SEED_VIEW_UNIT < end); unit++)
        add(set_of(view, view->current), unit);
}

void *seed_view_of(seed_view *view, apr_int64_t offset, apr_size_t length, apr_time_t now)
{
    apr_int64_t end = offset + (apr_int64_t)length, first = offset / SEED_VIEW_UNIT, unit;

    if (!view || end > view->length)
        return NULL;
    age(view, now);
    for (unit = first; unit * SEED_VIEW_UNIT < end; unit++)
        if (!has(set_of(view, 0), unit) && !has(set_of(view, 1), unit))
            return NULL;
    for (unit = first; unit * SEED_VIEW_UNIT < end; unit++)
        add(set_of(view, view->current), unit); /* sending is reading, too */
    return view->bytes + offset;
}
