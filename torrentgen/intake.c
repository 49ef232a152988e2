#include "torrentgen/intake.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>


/* What is looked at, fetched and dropped at once: as much as kernels fetch for one POSIX_FADV_WILLNEED everywhere. */
enum { GRANULE = 256 * 1024 };

enum { UNSEEN, CACHED, FETCHED, FETCHED_MAYBE }; /* maybe: the file system does not say, so it is not dropped */

apr_status_t tg_intake_open(tg_intake *intake, const char *path, const bt_stamp *stamp, apr_int64_t start, apr_int64_t end)
{
    bt_stamp now;

    intake->start = start;
    intake->end = end;
    intake->count = (apr_size_t)((end - start + GRANULE - 1) / GRANULE);
    intake->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (intake->fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? APR_EBUSY : errno; /* it was there when the stamp was taken */
    if (bt_stamp_fd(intake->fd, &now) != APR_SUCCESS || !bt_stamp_equal(&now, stamp)) {
        close(intake->fd);
        return APR_EBUSY;
    }
    intake->granules = calloc(intake->count + 1, 1);
    if (!intake->granules) {
        close(intake->fd);
        return APR_ENOMEM;
    }
    posix_fadvise(intake->fd, 0, 0, POSIX_FADV_RANDOM); /* we know better: the lanes lie apart, and looking must fetch nothing */
    return APR_SUCCESS;
}

static apr_int64_t begin_of(const tg_intake *intake, apr_size_t granule)
{
    return intake->start + (apr_int64_t)granule * GRANULE;
}

static apr_int64_t end_of(const tg_intake *intake, apr_size_t granule)
{
    apr_int64_t end = begin_of(intake, granule + 1);

    return end < intake->end ? end : intake->end;
}

static void drop(tg_intake *intake, apr_size_t granule)
{
    if (intake->granules[granule] == FETCHED)
        posix_fadvise(intake->fd, begin_of(intake, granule), end_of(intake, granule) - begin_of(intake, granule),
                      POSIX_FADV_DONTNEED);
    intake->granules[granule] = CACHED; /* nothing is left to be done */
}

void tg_intake_close(tg_intake *intake)
{
    for (apr_size_t i = 0; i < intake->count; i++)
        drop(intake, i); /* what was fetched in vain, or lies across the end of a piece */
    free(intake->granules);
    close(intake->fd);
}

/* One byte in its middle is asked for and must not be waited for. mincore(2) tells the truth only to those who may write the
 * file, and takes a mapping. */
static int look(const tg_intake *intake, apr_size_t granule)
{
    unsigned char byte;
    struct iovec to = {&byte, 1};
    ssize_t got =
        preadv2(intake->fd, &to, 1, begin_of(intake, granule) + (end_of(intake, granule) - begin_of(intake, granule)) / 2, RWF_NOWAIT);

    return got >= 0 ? CACHED : errno == EAGAIN ? FETCHED : FETCHED_MAYBE;
}

void tg_intake_ahead(tg_intake *intake, apr_int64_t offset, apr_int64_t length)
{
    apr_int64_t from = offset > intake->start ? offset : intake->start;
    apr_int64_t to = offset + length < intake->end ? offset + length : intake->end;

    for (apr_size_t i = (apr_size_t)((from - intake->start) / GRANULE); i < intake->count && begin_of(intake, i) < to; i++) {
        if (intake->granules[i] != UNSEEN)
            continue;
        intake->granules[i] = (unsigned char)look(intake, i);
        if (intake->granules[i] != CACHED)
            posix_fadvise(intake->fd, begin_of(intake, i), end_of(intake, i) - begin_of(intake, i), POSIX_FADV_WILLNEED);
    }
}

apr_status_t tg_intake_read(tg_intake *intake, unsigned char *to, apr_size_t length, apr_int64_t offset)
{
    while (length) {
        ssize_t got = pread(intake->fd, to, length, offset);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno;
        if (got == 0)
            return APR_EBUSY; /* shorter than it was */
        to += got;
        offset += got;
        length -= (apr_size_t)got;
    }
    return APR_SUCCESS;
}

void tg_intake_behind(tg_intake *intake, apr_int64_t offset, apr_int64_t length)
{
    apr_int64_t end = offset + length - intake->start;

    if (offset < intake->start || end > intake->end - intake->start)
        return;
    for (apr_int64_t i = (offset - intake->start) / GRANULE; (i + 1) * GRANULE <= end; i++)
        drop(intake, (apr_size_t)i);
}
