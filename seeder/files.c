#include "seeder/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* A file that is not read again and again is not worth a mapping. */
enum { MUCH = 64 * 1024 * 1024 };

seed_files *seed_files_make(int most, const seed_disk *disk)
{
    seed_files *made = malloc(sizeof *made + (size_t)most * sizeof made->slots[0]);
    int i;

    if (!made)
        return NULL;
    APR_RING_INIT(&made->open, seed_file, line);
    APR_RING_INIT(&made->unused, seed_file, line);
    made->count = 0;
    made->most = most;
    made->disk = disk;
    seed_views_init(&made->views);
    for (i = 0; i < most; i++)
        APR_RING_INSERT_TAIL(&made->unused, &made->slots[i], seed_file, line);
    return made;
}

void seed_files_free(seed_files *files)
{
    while (files && files->count > 0)
        seed_files_close(files, APR_RING_FIRST(&files->open));
    free(files);
}

/* Non-blocking, for a FIFO may have taken the file's place; what is not a regular file has no stamp. */
static int open_path(const char *path)
{
    return open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

static int is_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOMEM;
}

apr_status_t seed_files_open(seed_files *files, const char *path, seed_file **holder, apr_time_t now)
{
    seed_file *file;
    int fd;

    if (files->count == files->most)
        seed_files_close(files, APR_RING_FIRST(&files->open));
    fd = open_path(path);
    if (fd < 0 && is_shortage(errno) && files->count > 0) {
        seed_files_close(files, APR_RING_FIRST(&files->open));
        fd = open_path(path);
    }
    if (fd < 0)
        return errno;
    file = APR_RING_FIRST(&files->unused);
    APR_RING_REMOVE(file, line);
    APR_RING_INSERT_TAIL(&files->open, file, seed_file, line);
    files->count++;
    file->fd = fd;
    file->direct = file->blind = 0;
    file->view = NULL;
    file->read = 0;
    file->used = now;
    file->holder = holder;
    *holder = file;
    return APR_SUCCESS;
}

void seed_files_use(seed_files *files, seed_file *file, apr_time_t now)
{
    file->used = now;
    if (file == APR_RING_LAST(&files->open))
        return;
    APR_RING_REMOVE(file, line);
    APR_RING_INSERT_TAIL(&files->open, file, seed_file, line);
}

void seed_files_note_read(seed_files *files, seed_file *file, apr_int64_t offset, apr_size_t length, apr_time_t now)
{
    if (!file->view && !file->blind && (file->read += (apr_int64_t)length) >= MUCH) {
        file->read = 0;
        file->view = seed_view_make(&files->views, file->fd);
    }
    if (file->view)
        seed_view_note(file->view, offset, length, now);
}

void seed_files_unmap(seed_files *files, seed_file *file)
{
    seed_view_free(&files->views, file->view);
    file->view = NULL;
    file->read = 0;
}

void seed_files_close(seed_files *files, seed_file *file)
{
    seed_files_unmap(files, file);
    close(file->fd);
    *file->holder = NULL;
    files->count--;
    APR_RING_REMOVE(file, line);
    APR_RING_INSERT_HEAD(&files->unused, file, seed_file, line);
}

void seed_files_close_idle(seed_files *files, apr_time_t before)
{
    while (files->count > 0 && APR_RING_FIRST(&files->open)->used <= before)
        seed_files_close(files, APR_RING_FIRST(&files->open));
}
