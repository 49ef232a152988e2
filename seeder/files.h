/* Open files, with one bound for all torrents: a file is opened when it is needed; the one that was not used for longest
 * makes room, and none stays open for long without use. Seeder's thread. */
#ifndef SEED_FILES_H
#define SEED_FILES_H

#include <limits.h>

#include <apr_errno.h>
#include <apr_time.h>

#include "base/ring.h"
#include "seeder/disk.h"
#include "seeder/view.h"

enum { SEED_FILES_MAX = 1024 }; /* open at once */

/* An open file. `fd` is the cache's own: it may be closed at the next call that opens one. */
typedef struct seed_file {
    int fd;
    int direct; /* what is not in the page cache cannot be told, and need not: it is memory (tmpfs) */
    int blind;  /* what is not in the page cache cannot be told */
    struct seed_file **holder;
    apr_time_t used;
    seed_view *view;  /* NULL: it is not mapped, or not yet */
    apr_int64_t read; /* bytes, since it was opened or could not be mapped */
    APR_RING_ENTRY(seed_file) line; /* among the open ones: that used last at the end; among the free ones: anywhere */
} seed_file;

APR_RING_HEAD(seed_file_line, seed_file);

typedef struct {
    struct seed_file_line open, unused;
    int count, most;
    const seed_disk *disk;
    seed_views views;
    char path[PATH_MAX]; /* scratch for whoever puts a path together */
    seed_file slots[];
} seed_files;

/**
 * @param most  files that may be open at once, at least 1
 * @param disk  how they are read; outlives it
 * @return NULL if there is no memory
 */
seed_files *seed_files_make(int most, const seed_disk *disk);

/** Closes all that are open. */
void seed_files_free(seed_files *files);

/**
 * Opens a regular file for reading.
 * @param holder  holds the file afterwards, and NULL again as soon as the cache closes it
 * @return what open(2) says
 */
apr_status_t seed_files_open(seed_files *files, const char *path, seed_file **holder, apr_time_t now);

/** Notes that a file is used, which keeps it open for longer. */
void seed_files_use(seed_files *files, seed_file *file, apr_time_t now);

void seed_files_close(seed_files *files, seed_file *file);

/**
 * Notes that bytes of a file were read, which are in the page cache now. One of which much is read gets mapped.
 * @param offset  in the file
 */
void seed_files_note_read(seed_files *files, seed_file *file, apr_int64_t offset, apr_size_t length, apr_time_t now);

/** Lets go of a file's mapping: it is not what it was. */
void seed_files_unmap(seed_files *files, seed_file *file);

/** Closes those that were last used at `before` or earlier. */
void seed_files_close_idle(seed_files *files, apr_time_t before);

#endif
