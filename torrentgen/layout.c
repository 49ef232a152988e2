#include "torrentgen/layout.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "torrentgen/infodict.h"

enum { NAMES_MAX = 8 * 1024 * 1024 }; /* bytes of all names: an infodict is no larger */

/* --- the list ----------------------------------------------------------------------------------------------------- */

/* An end goes before "/", and that before any other byte: what is in a directory stays together. */
static unsigned rank(char c)
{
    return c == 0 ? 0 : c == '/' ? 1 : (unsigned char)c + 1u;
}

int tg_path_compare(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return rank(*a) < rank(*b) ? -1 : rank(*a) > rank(*b);
}

static int compare_places(const void *a, const void *b)
{
    return tg_path_compare(((const tg_place *)a)->name, ((const tg_place *)b)->name);
}

static int path_is_good(const char *name)
{
    char element[256];
    int elements = 0;

    for (const char *at = name;; at += strlen(element) + 1) {
        apr_size_t length = strcspn(at, "/");

        if (length >= sizeof element || ++elements > TG_ELEMENTS_MAX)
            return 0;
        memcpy(element, at, length);
        element[length] = 0;
        if (!tg_name_is_good(element))
            return 0;
        if (!at[length])
            return at + length - name <= TG_MEMBER_PATH_MAX;
    }
}

/* Is the second one the same, or below the first as if that were a directory? They are neighbours in order. */
static int collide(const char *before, const char *name)
{
    apr_size_t length = strlen(before);

    return strncmp(before, name, length) == 0 && (name[length] == 0 || name[length] == '/');
}

apr_status_t tg_layout_list(tg_layout *layout, const tg_source_file *files, apr_size_t count, apr_pool_t *pool,
                            const char **culprit)
{
    apr_size_t bytes = 0;

    memset(layout, 0, sizeof *layout);
    if (count == 0)
        return APR_NOTFOUND;
    if (count > TG_FILES_MAX)
        return EFBIG;
    layout->places = apr_pcalloc(pool, count * sizeof *layout->places);
    layout->count = count;
    for (apr_size_t i = 0; i < count; i++) {
        *culprit = files[i].path;
        if (!path_is_good(files[i].name))
            return APR_EINVAL;
        bytes += strlen(files[i].name);
        if (bytes > NAMES_MAX)
            return EFBIG;
        layout->places[i].path = files[i].path;
        layout->places[i].name = files[i].name;
    }
    qsort(layout->places, count, sizeof *layout->places, compare_places);
    for (apr_size_t i = 1; i < count; i++) {
        *culprit = layout->places[i].path;
        if (collide(layout->places[i - 1].name, layout->places[i].name))
            return APR_EINVAL;
    }
    *culprit = NULL;
    return APR_SUCCESS;
}

/* --- places ------------------------------------------------------------------------------------------------------- */

void tg_layout_place(tg_layout *layout, apr_uint32_t piece_length)
{
    layout->content = layout->pieces = layout->length = 0;
    layout->last = layout->count;
    for (apr_size_t i = 0; i < layout->count; i++)
        layout->content += layout->places[i].stamp.size;
    layout->piece_length = piece_length ? piece_length : tg_piece_length_for(layout->content);
    for (apr_size_t i = 0; i < layout->count; i++) {
        tg_place *place = &layout->places[i];

        place->first = layout->pieces;
        place->pieces = tg_piece_count(place->stamp.size, layout->piece_length);
        layout->pieces += place->pieces;
        if (place->pieces) {
            layout->length = place->first * layout->piece_length + place->stamp.size;
            layout->last = i;
        }
    }
}

const tg_place *tg_layout_find(const tg_layout *layout, apr_int64_t piece)
{
    apr_size_t low = 0, high = layout->count;

    while (high - low > 1) { /* the last one that begins at or before the piece: those before it there are empty */
        apr_size_t middle = low + (high - low) / 2;

        if (layout->places[middle].first <= piece)
            low = middle;
        else
            high = middle;
    }
    return &layout->places[low];
}

apr_int64_t tg_layout_bytes(const tg_layout *layout, apr_int64_t first, apr_int64_t count)
{
    apr_int64_t bytes = 0;

    while (count > 0) {
        const tg_place *place = tg_layout_find(layout, first);
        apr_int64_t within = first - place->first, here = place->pieces - within;
        apr_int64_t left = place->stamp.size - within * layout->piece_length;

        here = here < count ? here : count;
        bytes += left < here * layout->piece_length ? left : here * layout->piece_length;
        first += here;
        count -= here;
    }
    return bytes;
}
