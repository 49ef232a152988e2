#include "seeder/source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A file, as far as it changes while it is seeded. */
typedef struct {
    apr_time_t checked; /* when its stamp was last compared */
    seed_file *file;    /* NULL while it is not open */
} member_state;

/* Made for its torrent; a single file is a member whose name is empty. */
struct seed_source {
    const char *directory; /* or the path of a single file */
    const tg_member *members;
    apr_size_t count;
    apr_int64_t length;
    apr_interval_time_t interval;
    int single, stale;
    apr_status_t shortage;
    seed_files *files;
    apr_size_t last;  /* the member that was used last */
    apr_size_t swept; /* the member that is looked at next */
    tg_member whole;  /* of a single file */
    member_state states[];
};

static const char *path_of(seed_source *source, apr_size_t nth)
{
    char *path = source->files->path;
    int length;

    if (source->single)
        return source->directory;
    length = snprintf(path, sizeof source->files->path, "%s%s", source->directory, source->members[nth].path);
    return length >= 0 && (apr_size_t)length < sizeof source->files->path ? path : NULL;
}

/* --- open files --- */

static int is_shortage(apr_status_t status)
{
    return status == EMFILE || status == ENFILE || status == ENOMEM;
}

static apr_status_t open_member(seed_source *source, apr_size_t nth, apr_time_t now)
{
    const char *path = path_of(source, nth);

    return path ? seed_files_open(source->files, path, &source->states[nth].file, now) : ENAMETOOLONG;
}

/* --- freshness --- */

static int has_stamp(apr_status_t status, const bt_stamp *is, const bt_stamp *was)
{
    return status == APR_SUCCESS && bt_stamp_equal(is, was);
}

static int path_matches(seed_source *source, apr_size_t nth)
{
    const char *path = path_of(source, nth);
    bt_stamp is;

    return path && has_stamp(bt_stamp_path(path, &is), &is, &source->members[nth].stamp);
}

static int open_matches(const seed_source *source, apr_size_t nth)
{
    bt_stamp is;

    return has_stamp(bt_stamp_fd(source->states[nth].file->fd, &is), &is,
                     &source->members[nth].stamp);
}

/* Looks at a member, both by its path and as opened. @return 0 if it has changed, for good */
static int look_at(seed_source *source, apr_size_t nth, apr_time_t now)
{
    source->states[nth].checked = now;
    if (!path_matches(source, nth) || (source->states[nth].file && !open_matches(source, nth)))
        source->stale = 1;
    return !source->stale;
}

static int look_again(seed_source *source, apr_size_t nth, apr_time_t now)
{
    return now - source->states[nth].checked < source->interval || look_at(source, nth, now);
}

/* Makes a member ready to be read. */
static apr_status_t use_member(seed_source *source, apr_size_t nth, apr_time_t now)
{
    member_state *state = &source->states[nth];

    source->last = nth;
    source->shortage = APR_SUCCESS;
    if (!state->file) {
        apr_status_t status = open_member(source, nth, now);
        if (is_shortage(status))
            return source->shortage = status;
        if (status != APR_SUCCESS) {
            source->stale |= !look_at(source, nth, now);
            return source->stale ? APR_EBUSY : status;
        }
        source->stale |= !open_matches(source, nth);
    }
    seed_files_use(source->files, state->file, now);
    return !source->stale && look_again(source, nth, now) ? APR_SUCCESS : APR_EBUSY;
}

int seed_source_fresh(seed_source *source, apr_time_t now)
{
    return !source->stale && (!source->single || look_again(source, 0, now));
}

int seed_source_fresh_now(seed_source *source, apr_time_t now)
{
    apr_size_t nth;

    for (nth = 0; !source->stale && nth < source->count; nth++) {
        if (!source->states[nth].file && !source->single)
            continue;
        source->last = nth;
        look_at(source, nth, now);
    }
    return !source->stale;
}

int seed_source_sweep(seed_source *source, apr_time_t now)
{
    apr_size_t left = source->count < SEED_SOURCE_SWEEP ? source->count : SEED_SOURCE_SWEEP;

    if (source->single)
        return seed_source_fresh(source, now);
    for (; !source->stale && left > 0; left--) {
        source->last = source->swept;
        look_again(source, source->swept, now);
        source->swept = (source->swept + 1) % source->count;
    }
    return !source->stale;
}

apr_status_t seed_source_shortage(const seed_source *source)
{
    return source->shortage;
}

const char *seed_source_culprit(seed_source *source)
{
    const char *path = path_of(source, source->last);

    return path ? path : source->directory;
}

/* --- opening and closing --- */

static seed_source *make(seed_files *files, apr_size_t count, apr_interval_time_t interval, apr_time_t now)
{
    seed_source *made = calloc(1, sizeof *made + count * sizeof made->states[0]);
    apr_size_t i;

    if (!made)
        return NULL;
    made->files = files;
    made->count = count;
    made->interval = interval;
    for (i = 0; i < count; i++)
        made->states[i].checked = now - interval;
    return made;
}

apr_status_t seed_source_open_file(seed_source **source, seed_files *files, const char *path, const bt_stamp *stamp,
                                   apr_interval_time_t interval, apr_time_t now)
{
    seed_source *made = make(files, 1, interval, now);

    *source = made;
    if (!made)
        return APR_ENOMEM;
    made->directory = path;
    made->whole.path = "";
    made->whole.stamp = *stamp;
    made->members = &made->whole;
    made->length = stamp->size;
    made->single = 1;
    return look_at(made, 0, now) ? APR_SUCCESS : APR_EBUSY;
}

apr_status_t seed_source_open_members(seed_source **source, seed_files *files, const char *directory,
                                      const tg_member *members, apr_size_t count, apr_interval_time_t interval,
                                      apr_time_t now)
{
    seed_source *made = make(files, count, interval, now);

    *source = made;
    if (!made)
        return APR_ENOMEM;
    made->directory = directory;
    made->members = members;
    made->length = members[count - 1].offset + members[count - 1].stamp.size;
    return seed_source_sweep(made, now) ? APR_SUCCESS : APR_EBUSY;
}

void seed_source_close(seed_source *source)
{
    apr_size_t nth;

    for (nth = 0; source && nth < source->count; nth++) {
        if (source->states[nth].file)
            seed_files_close(source->files, source->states[nth].file);
    }
    free(source);
}

apr_int64_t seed_source_length(const seed_source *source)
{
    return source->length;
}

/* --- where bytes lie --- */

static int begins_by(const seed_source *source, apr_size_t nth, apr_int64_t offset)
{
    return nth < source->count && source->members[nth].offset <= offset;
}

/* The last member that begins at or before an offset; the first one begins at 0. */
static apr_size_t member_at(const seed_source *source, apr_int64_t offset)
{
    apr_size_t low = source->last, high = source->count;

    if (begins_by(source, low, offset)) { /* mostly it is the one that was used last, or the next */
        if (!begins_by(source, low + 1, offset))
            return low;
        if (!begins_by(source, low + 2, offset))
            return low + 1;
    } else {
        high = low;
        low = 0;
    }
    while (high - low > 1) {
        apr_size_t middle = low + (high - low) / 2;
        if (source->members[middle].offset <= offset)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static apr_size_t least(apr_size_t length, apr_int64_t other)
{
    return other < (apr_int64_t)length ? (apr_size_t)other : length;
}

static void zeros(seed_segment *segment, apr_size_t length)
{
    *segment = (seed_segment){-1, 0, length, NULL};
}

apr_status_t seed_source_at(seed_source *source, apr_int64_t offset, apr_size_t length, apr_time_t now,
                            seed_segment *segment)
{
    apr_size_t nth = source->single ? 0 : member_at(source, offset);
    const tg_member *member = &source->members[nth];
    apr_int64_t inside = offset - member->offset;
    apr_status_t status;

    if (offset >= source->length) {
        zeros(segment, length);
        return APR_SUCCESS;
    }
    if (inside >= member->stamp.size) {
        zeros(segment, least(length, source->members[nth + 1].offset - offset));
        return APR_SUCCESS;
    }
    status = use_member(source, nth, now);
    if (status != APR_SUCCESS)
        return status;
    *segment = (seed_segment){source->states[nth].file->fd, inside, least(length, member->stamp.size - inside),
                              source->states[nth].file};
    return APR_SUCCESS;
}

seed_files *seed_source_files(const seed_source *source)
{
    return source->files;
}
