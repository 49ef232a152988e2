/* Reading a torrent's bytes: without waiting for a disk, unless somebody has just waited for it. */
#include "seeder/source.h"

#include <errno.h>
#include <string.h>

/* Does a run begin with bytes that were brought in a moment ago? Then these are read as they come, lest a peer wait for
 * them forever; the run is cut to them. */
static int is_fetched(const seed_fetched *fetched, apr_int64_t offset, seed_segment *run, apr_time_t now)
{
    if (!fetched)
        return 1;
    if (offset < fetched->from || offset >= fetched->to || now >= fetched->until)
        return 0;
    if (fetched->to - offset < (apr_int64_t)run->length)
        run->length = (apr_size_t)(fetched->to - offset);
    return 1;
}

/* Can it be told of this file what is in the page cache? It is found out once, where the kernel says no. */
static int is_told(seed_file *file)
{
    if (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL)
        return 1;
    file->direct = seed_disk_is_memory(file->fd);
    file->blind = !file->direct;
    return 0;
}

/* Reads from a file. @return as preadv(2); EAGAIN: not without waiting */
static ssize_t read_some(const seed_disk *disk, const seed_segment *from, const struct iovec *to, int count, int may_wait)
{
    if (!may_wait && !from->open->direct && !from->open->blind) {
        ssize_t n = disk->peek(disk->baton, from->file, to, count, from->offset);
        if (n >= 0 || is_told(from->open))
            return n;
    }
    if (may_wait || from->open->direct)
        return preadv(from->file, to, count, (off_t)from->offset);
    errno = EAGAIN;
    return -1;
}

/* Fills whole buffers as far as the run reaches, or else a part of the first.
 * @return how many bytes were wanted; *got of them came, less than none: errno says why */
static apr_size_t fill(const seed_disk *disk, struct iovec *to, int count, const seed_segment *from, int may_wait,
                       ssize_t *got)
{
    struct iovec part = {to->iov_base, to->iov_len < from->length ? to->iov_len : from->length};
    apr_size_t length = part.iov_len;
    int whole = 1;

    if (from->file < 0) {
        memset(part.iov_base, 0, length);
        *got = (ssize_t)length;
        return length;
    }
    while (whole < count && length + to[whole].iov_len <= from->length)
        length += to[whole++].iov_len;
    *got = read_some(disk, from, whole > 1 ? to : &part, whole, may_wait);
    return length;
}

/* Passes over bytes that are there. */
static void advance(struct iovec **to, int *count, apr_size_t done)
{
    for (; *count > 0 && done >= (*to)->iov_len; ++*to, --*count)
        done -= (*to)->iov_len;
    if (done > 0) {
        (*to)->iov_base = (char *)(*to)->iov_base + done;
        (*to)->iov_len -= done;
    }
}

static apr_size_t sum(const struct iovec *to, int count)
{
    apr_size_t length = 0;
    int i;

    for (i = 0; i < count; i++)
        length += to[i].iov_len;
    return length;
}

seed_read_result seed_source_read(seed_source *source, struct iovec *to, int count, apr_int64_t offset, apr_time_t now,
                                  const seed_fetched *fetched, apr_size_t *got)
{
    seed_files *files = seed_source_files(source);
    apr_size_t left = sum(to, count), wanted;
    seed_segment from;
    int may_wait;
    ssize_t n;

    for (*got = 0; left > 0; left -= wanted) {
        if (seed_source_at(source, offset + (apr_int64_t)*got, left, now, &from) != APR_SUCCESS)
            return SEED_READ_FAILED;
        may_wait = is_fetched(fetched, offset + (apr_int64_t)*got, &from, now);
        wanted = fill(files->disk, to, count, &from, may_wait, &n);
        if (n < 0)
            return errno == EAGAIN ? SEED_READ_COLD : SEED_READ_FAILED;
        if (from.open)
            seed_files_note_read(files, from.open, from.offset, (apr_size_t)n, now);
        *got += (apr_size_t)n;
        if ((apr_size_t)n < wanted) /* the rest is not there yet, or the file has become shorter */
            return may_wait ? SEED_READ_FAILED : SEED_READ_COLD;
        advance(&to, &count, wanted);
    }
    return SEED_READ_DONE;
}

int seed_source_is_ready(seed_source *source, seed_segment *run, apr_int64_t offset, apr_time_t now,
                         const seed_fetched *fetched)
{
    enum { STRIDE = 16 * 1024 };
    apr_int64_t last = run->offset + (apr_int64_t)run->length - 1;
    seed_segment at = *run;
    char byte;
    struct iovec to = {&byte, 1};

    if (run->file < 0 || is_fetched(fetched, offset, run, now))
        return 1;
    for (;; at.offset = at.offset + STRIDE < last ? at.offset + STRIDE : last) {
        if (read_some(seed_source_files(source)->disk, &at, &to, 1, 0) < 0 && errno == EAGAIN)
            return 0;
        if (at.offset == last)
            return 1;
    }
}
