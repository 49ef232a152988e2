/* Watching directories for files that come, change and go (inotify).
 *
 * Events are hints: whoever is told of a file looks at it again. Where watching is not to be had (the kernel's bound on
 * watches, ours, or a filesystem that other machines write to), the caller is told and walks the tree now and then. */
#ifndef TG_WATCH_H
#define TG_WATCH_H

#include <apr_pools.h>
#include <apr_time.h>

/* One instance belongs to one thread. */
typedef struct tg_watch tg_watch;

typedef enum {
    TG_WATCH_FILE,      /* it was closed after writing, moved or linked here, or got other rights, and is quiet since */
    TG_WATCH_GONE,      /* a file was removed, or moved away */
    TG_WATCH_MOVED_AWAY, /* a directory was moved away with all that is below it, which nobody tells of */
    TG_WATCH_DIRECTORY, /* a directory has come, or got other rights: walk it, adding it and those below it */
    TG_WATCH_ROOT_GONE, /* a directory that was added is gone, and nothing above it is watched */
    TG_WATCH_LOST       /* the kernel or we could not keep up; the path is "": walk everything again */
} tg_watch_event;

/** Told of an event. @param path  absolute; valid during the call. May call tg_watch_add */
typedef void tg_watch_fn(void *baton, tg_watch_event event, const char *path);

typedef struct {
    int watches_max;           /* directories; each costs the kernel about 1 KiB that cannot be swapped */
    int pending_max;           /* files that are not quiet yet; with more, TG_WATCH_LOST is told */
    apr_interval_time_t quiet; /* how long a file must be left alone before it is told */
} tg_watch_options;

/** @return APR_SUCCESS, or why there can be none: EMFILE (fs.inotify.max_user_instances), ... */
apr_status_t tg_watch_create(tg_watch **watch, const tg_watch_options *options, apr_pool_t *pool);

/** Ends all watches. Nothing is told any more. */
void tg_watch_destroy(tg_watch *watch);

/**
 * Watches one directory, not those below it. Add a directory before reading it, so that nothing falls in between.
 * Adding it again does no harm.
 * @param directory  absolute, without a slash at the end
 * @return APR_SUCCESS; APR_ENOSPC if our bound or the kernel's (fs.inotify.max_user_watches) is reached; APR_ENOTIMPL on
 *         a filesystem that tells no events (NFS, SMB, FUSE, ...); else why it cannot be (APR_ENOENT, APR_EACCES, ...)
 */
apr_status_t tg_watch_add(tg_watch *watch, const char *directory);

/** Readable when there are events. */
int tg_watch_descriptor(const tg_watch *watch);

/** How long until tg_watch_read has something to tell although the descriptor is silent; -1: nothing waits. */
apr_interval_time_t tg_watch_due(const tg_watch *watch, apr_time_t now);

/** Reads what there is, without blocking, and tells what is due. A busy descriptor may stay readable. */
void tg_watch_read(tg_watch *watch, apr_time_t now, tg_watch_fn *tell, void *baton);

/** Directories that are watched now. */
int tg_watch_count(const tg_watch *watch);

#endif
