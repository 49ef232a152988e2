#include "torrentgen/watch.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <apr_hash.h>
#include <apr_strings.h>

enum {
    READ_BYTES = 32 * 1024,
    READS_MAX = 32, /* in one call: the caller has other things to do as well */
    EVENTS = IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF |
             IN_MOVE_SELF | IN_ONLYDIR | IN_EXCL_UNLINK
};

/* A directory under one name; links may give the same directory several, which then share a watch. malloc'd. */
typedef struct place {
    struct place *other; /* the next name of the same watch */
    int wd;
    char path[];
} place;

/* A file that is not quiet yet. malloc'd; in a list by the time when it will be, which is the order of their events. */
typedef struct pending {
    struct pending *before, *after;
    apr_time_t due;
    char path[];
} pending;

struct tg_watch {
    tg_watch_options options;
    apr_pool_t *pool;
    int fd;
    apr_hash_t *by_wd;    /* int (in the place) to place */
    apr_hash_t *by_path;  /* to place */
    apr_hash_t *unquiet;  /* path to pending */
    pending *first, *last;
};

typedef struct {
    tg_watch *watch;
    apr_time_t now;
    tg_watch_fn *tell;
    void *baton;
    char path[PATH_MAX + NAME_MAX + 2];
} reading;

/* --- life ------------------------------------------------------------------ */

apr_status_t tg_watch_create(tg_watch **watch, const tg_watch_options *options, apr_pool_t *pool)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    tg_watch *made;

    if (fd < 0)
        return errno;
    made = apr_pcalloc(pool, sizeof *made);
    made->options = *options;
    made->fd = fd;
    apr_pool_create(&made->pool, pool);
    made->by_wd = apr_hash_make(made->pool);
    made->by_path = apr_hash_make(made->pool);
    made->unquiet = apr_hash_make(made->pool);
    *watch = made;
    return APR_SUCCESS;
}

static void forget_pending(tg_watch *watch, pending *gone)
{
    apr_hash_set(watch->unquiet, gone->path, APR_HASH_KEY_STRING, NULL);
    *(gone->before ? &gone->before->after : &watch->first) = gone->after;
    *(gone->after ? &gone->after->before : &watch->last) = gone->before;
    free(gone);
}

static void forget_all_pending(tg_watch *watch)
{
    while (watch->first)
        forget_pending(watch, watch->first);
}

void tg_watch_destroy(tg_watch *watch)
{
    forget_all_pending(watch);
    for (apr_hash_index_t *i = apr_hash_first(NULL, watch->by_path); i; i = apr_hash_next(i)) {
        void *each;

        apr_hash_this(i, NULL, NULL, &each);
        free(each);
    }
    close(watch->fd); /* the kernel ends the watches */
    apr_pool_destroy(watch->pool);
}

int tg_watch_descriptor(const tg_watch *watch)
{
    return watch->fd;
}

int tg_watch_count(const tg_watch *watch)
{
    return (int)apr_hash_count(watch->by_path);
}

/* --- directories ----------------------------------------------------------- */

/* Events are made by the kernel that changes the file: of what is changed elsewhere it knows nothing. */
static int tells_events(const char *directory)
{
    static const unsigned deaf[] = {
        0x6969 /* NFS */,   0xFF534D42 /* CIFS */, 0xFE534D42 /* SMB2 */,   0x517B /* SMB */,      0x65735546 /* FUSE */,
        0x01021997 /* 9P */, 0x00C36400 /* Ceph */, 0x5346414F /* AFS */,   0x6B414653 /* AFS */,  0x73757245 /* Coda */,
        0x0BD00BD0 /* Lustre */, 0x47504653 /* GPFS */, 0x7461636F /* OCFS2 */, 0x01161970 /* GFS2 */, 0x013111A8 /* IBRIX */};
    struct statfs info;

    if (statfs(directory, &info) < 0)
        return 1; /* adding the watch will say why */
    for (size_t i = 0; i < sizeof deaf / sizeof *deaf; i++)
        if ((unsigned)info.f_type == deaf[i])
            return 0;
    return 1;
}

static void link_place(tg_watch *watch, place *added)
{
    place *first = apr_hash_get(watch->by_wd, &added->wd, sizeof added->wd);

    if (first) {
        added->other = first->other;
        first->other = added;
    } else {
        apr_hash_set(watch->by_wd, &added->wd, sizeof added->wd, added);
    }
    apr_hash_set(watch->by_path, added->path, APR_HASH_KEY_STRING, added);
}

/* The kernel has ended the watch, or will. */
static void forget_watch(tg_watch *watch, int wd)
{
    place *each = apr_hash_get(watch->by_wd, &wd, sizeof wd), *next;

    apr_hash_set(watch->by_wd, &wd, sizeof wd, NULL);
    for (; each; each = next) {
        next = each->other;
        apr_hash_set(watch->by_path, each->path, APR_HASH_KEY_STRING, NULL);
        free(each);
    }
}

static void end_watch(tg_watch *watch, int wd)
{
    inotify_rm_watch(watch->fd, wd); /* what is still on its way for this number finds no place, and is dropped */
    forget_watch(watch, wd);
}

apr_status_t tg_watch_add(tg_watch *watch, const char *directory)
{
    place *known = apr_hash_get(watch->by_path, directory, APR_HASH_KEY_STRING), *added;
    size_t size = strlen(directory) + 1;
    int wd;

    if (size > PATH_MAX)
        return ENAMETOOLONG;
    if (!known && tg_watch_count(watch) >= watch->options.watches_max)
        return APR_ENOSPC;
    if (!tells_events(directory))
        return APR_ENOTIMPL;
    wd = inotify_add_watch(watch->fd, directory, EVENTS);
    if (wd < 0)
        return errno;
    if (known && known->wd == wd)
        return APR_SUCCESS;
    if (known) /* another directory of this name */
        end_watch(watch, known->wd);
    if (!(added = malloc(sizeof *added + size)))
        return APR_ENOMEM;
    added->other = NULL;
    added->wd = wd;
    memcpy(added->path, directory, size);
    link_place(watch, added);
    return APR_SUCCESS;
}

static int is_below(const char *path, const char *directory)
{
    size_t length = strlen(directory);

    return !strncmp(path, directory, length) && (path[length] == '\0' || path[length] == '/');
}

/* A directory was moved away: its watches would go on under names that are no longer true. */
static void end_watches_below(tg_watch *watch, const char *directory)
{
    int *ended = malloc(sizeof *ended * (apr_hash_count(watch->by_path) + 1)), count = 0;

    if (!ended)
        return;
    for (apr_hash_index_t *i = apr_hash_first(NULL, watch->by_path); i; i = apr_hash_next(i)) {
        void *each;

        apr_hash_this(i, NULL, NULL, &each);
        if (is_below(((place *)each)->path, directory))
            ended[count++] = ((place *)each)->wd;
    }
    while (count > 0)
        end_watch(watch, ended[--count]);
    free(ended);
}

/* --- files ----------------------------------------------------------------- */

static void lose(reading *in)
{
    forget_all_pending(in->watch);
    in->tell(in->baton, TG_WATCH_LOST, "");
}

static void append(tg_watch *watch, pending *added)
{
    added->after = NULL;
    added->before = watch->last;
    *(watch->last ? &watch->last->after : &watch->first) = added;
    watch->last = added;
    apr_hash_set(watch->unquiet, added->path, APR_HASH_KEY_STRING, added);
}

/* Tells it later, counted from the last event. */
static void wait_for_quiet(reading *in)
{
    tg_watch *watch = in->watch;
    pending *known = apr_hash_get(watch->unquiet, in->path, APR_HASH_KEY_STRING), *added;
    size_t size = strlen(in->path) + 1;

    if (known)
        forget_pending(watch, known);
    else if ((int)apr_hash_count(watch->unquiet) >= watch->options.pending_max) {
        lose(in);
        return;
    }
    if (!(added = malloc(sizeof *added + size))) {
        lose(in);
        return;
    }
    added->due = in->now + watch->options.quiet;
    memcpy(added->path, in->path, size);
    append(watch, added);
}

static void tell_gone(reading *in)
{
    pending *known = apr_hash_get(in->watch->unquiet, in->path, APR_HASH_KEY_STRING);

    if (known)
        forget_pending(in->watch, known);
    in->tell(in->baton, TG_WATCH_GONE, in->path);
}

/* A file that is being made will be closed; a link is there at once. */
static int is_complete(const char *path)
{
    struct stat info;

    return lstat(path, &info) == 0 && (S_ISLNK(info.st_mode) || (S_ISREG(info.st_mode) && info.st_nlink > 1));
}

/* --- events ---------------------------------------------------------------- */

static void on_name(reading *in, unsigned mask)
{
    int is_directory = (mask & IN_ISDIR) != 0;

    if (mask & (IN_DELETE | IN_MOVED_FROM)) {
        if (!is_directory) {
            tell_gone(in);
        } else if (mask & IN_MOVED_FROM) { /* one that is removed is empty */
            end_watches_below(in->watch, in->path);
            in->tell(in->baton, TG_WATCH_MOVED_AWAY, in->path);
        }
    } else if (is_directory) {
        in->tell(in->baton, TG_WATCH_DIRECTORY, in->path);
    } else if (!(mask & IN_CREATE) || is_complete(in->path)) {
        wait_for_quiet(in);
    }
}

static int is_top(const tg_watch *watch, const char *path)
{
    const char *slash = strrchr(path, '/');
    char above[PATH_MAX];

    if (!slash || (size_t)(slash - path) >= sizeof above)
        return 1;
    memcpy(above, path, (size_t)(slash - path));
    above[slash - path] = '\0';
    return !apr_hash_get(watch->by_path, above, APR_HASH_KEY_STRING);
}

/* What a directory tells of itself. One that is below another was told of there. */
static void on_self(reading *in, const place *of, unsigned mask)
{
    if (!(mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)) || !is_top(in->watch, of->path))
        return;
    apr_cpystrn(in->path, of->path, sizeof in->path);
    if (mask & IN_MOVE_SELF)
        end_watches_below(in->watch, in->path);
    in->tell(in->baton, TG_WATCH_ROOT_GONE, in->path);
}

static void on_place(reading *in, const place *of, const struct inotify_event *event)
{
    size_t length = strlen(of->path);

    if (event->len == 0) {
        on_self(in, of, event->mask);
        return;
    }
    if (length && of->path[length - 1] == '/')
        length--;
    memcpy(in->path, of->path, length);
    in->path[length] = '/';
    apr_cpystrn(in->path + length + 1, event->name, sizeof in->path - length - 1);
    on_name(in, event->mask);
}

/* The callbacks may add and end watches: the names are looked up anew for each. */
static void on_event(reading *in, const struct inotify_event *event)
{
    for (int nth = 0;; nth++) {
        place *of = apr_hash_get(in->watch->by_wd, &event->wd, sizeof event->wd);

        for (int i = 0; of && i < nth; i++)
            of = of->other;
        if (!of)
            break;
        on_place(in, of, event);
    }
    if (event->mask & IN_IGNORED)
        forget_watch(in->watch, event->wd);
}

static void read_events(reading *in)
{
    char buffer[READ_BYTES] __attribute__((aligned(__alignof__(struct inotify_event))));

    for (int i = 0; i < READS_MAX; i++) {
        ssize_t length = read(in->watch->fd, buffer, sizeof buffer);

        if (length <= 0)
            return;
        for (char *at = buffer; at < buffer + length;) {
            const struct inotify_event *event = (const void *)at;

            if (event->mask & IN_Q_OVERFLOW)
                lose(in);
            else
                on_event(in, event);
            at += sizeof *event + event->len;
        }
    }
}

static void tell_quiet(reading *in)
{
    tg_watch *watch = in->watch;

    while (watch->first && watch->first->due <= in->now) {
        apr_cpystrn(in->path, watch->first->path, sizeof in->path);
        forget_pending(watch, watch->first);
        in->tell(in->baton, TG_WATCH_FILE, in->path);
    }
}

apr_interval_time_t tg_watch_due(const tg_watch *watch, apr_time_t now)
{
    if (!watch->first)
        return -1;
    return watch->first->due > now ? watch->first->due - now : 0;
}

void tg_watch_read(tg_watch *watch, apr_time_t now, tg_watch_fn *tell, void *baton)
{
    reading in = {.watch = watch, .now = now, .tell = tell, .baton = baton};

    read_events(&in);
    tell_quiet(&in);
}
