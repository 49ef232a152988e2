/* Reads a file in chunks and hashes its pieces: the only place where torrentgen reads a file's bytes, and it reads each
 * of them once for all hashes. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "torrentgen/job.h"
#include "torrentgen/merkle.h"

enum { LEAVES_MAX = TG_PIECE_MAX / TG_BLOCK };

apr_status_t tg_worker_init(tg_worker *worker, const tg_engine *engine)
{
    apr_size_t lanes = (apr_size_t)engine->lanes;

    memset(worker, 0, sizeof *worker);
    worker->engine = engine;
    worker->buffer = malloc(lanes * TG_CHUNK);
    worker->leaves = malloc(lanes * LEAVES_MAX * TG_SHA256_SIZE);
    if (!worker->buffer || !worker->leaves)
        return APR_ENOMEM;
    return engine->create(&worker->hasher);
}

void tg_worker_free(tg_worker *worker)
{
    free(worker->buffer);
    free(worker->leaves);
    if (worker->hasher)
        worker->engine->destroy(worker->hasher);
    memset(worker, 0, sizeof *worker);
}

/* Pieces that are hashed side by side. */
typedef struct {
    tg_job *job;
    tg_worker *worker;
    int fd;
    const int *cancel;
    apr_int64_t first;  /* piece */
    int lanes;          /* how many */
    apr_size_t size;    /* bytes of each */
} group;

static apr_status_t read_exactly(int fd, unsigned char *to, apr_size_t length, apr_int64_t offset)
{
    while (length) {
        ssize_t got = pread(fd, to, length, offset);

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

/* Reads `length` bytes at `offset` of each piece, and makes leaves of them while they are in the CPU's cache. */
static apr_status_t take_chunk(group *in, apr_size_t offset, apr_size_t length)
{
    const tg_engine *engine = in->worker->engine;
    tg_hasher *hasher = in->worker->hasher;
    const unsigned char *data[TG_LANES_MAX];
    apr_size_t blocks = length / TG_BLOCK, rest = length % TG_BLOCK; /* a rest only at the end of the file */
    apr_status_t status;

    for (int lane = 0; lane < in->lanes; lane++) {
        unsigned char *chunk = in->worker->buffer + (apr_size_t)lane * TG_CHUNK;
        unsigned char *leaf =
            in->worker->leaves + ((apr_size_t)lane * LEAVES_MAX + offset / TG_BLOCK) * TG_SHA256_SIZE;

        if (__atomic_load_n(in->cancel, __ATOMIC_RELAXED))
            return APR_EINTR;
        status = read_exactly(in->fd, chunk, length,
                              (in->first + lane) * (apr_int64_t)in->job->piece_length + (apr_int64_t)offset);
        if (status == APR_SUCCESS && in->job->version & TG_V2)
            status = engine->sha256_blocks(hasher, chunk, TG_BLOCK, blocks, leaf);
        if (status == APR_SUCCESS && in->job->version & TG_V2 && rest)
            status = engine->sha256_blocks(hasher, chunk + blocks * TG_BLOCK, rest, 1, leaf + blocks * TG_SHA256_SIZE);
        if (status != APR_SUCCESS)
            return status;
        data[lane] = chunk;
    }
    return in->job->version & TG_V1 ? engine->sha1_update(hasher, in->lanes, data, length) : APR_SUCCESS;
}

/* Leaves to a node of the piece layer; of a file no larger than a piece, to its root. */
static apr_status_t close_layer(group *in)
{
    static const unsigned char missing[TG_SHA256_SIZE];
    apr_size_t count = (in->size + TG_BLOCK - 1) / TG_BLOCK;
    int levels = tg_merkle_levels(in->job->pieces > 1 ? in->job->piece_length / TG_BLOCK : count);
    apr_status_t status = APR_SUCCESS;

    for (int lane = 0; status == APR_SUCCESS && lane < in->lanes; lane++)
        status = tg_merkle_root(in->worker->engine, in->worker->hasher,
                                in->worker->leaves + (apr_size_t)lane * LEAVES_MAX * TG_SHA256_SIZE, count, levels,
                                missing, in->job->layer + (in->first + lane) * TG_SHA256_SIZE);
    return status;
}

static apr_status_t hash_group(group *in)
{
    const tg_engine *engine = in->worker->engine;
    tg_hasher *hasher = in->worker->hasher;
    apr_status_t status = APR_SUCCESS;

    if (in->job->version & TG_V1)
        status = engine->sha1_begin(hasher, in->lanes);
    for (apr_size_t offset = 0; status == APR_SUCCESS && offset < in->size; offset += TG_CHUNK)
        status = take_chunk(in, offset, in->size - offset < TG_CHUNK ? in->size - offset : TG_CHUNK);
    if (status == APR_SUCCESS && in->job->version & TG_V1)
        status = engine->sha1_end(hasher, in->lanes, in->job->sha1 + in->first * TG_SHA1_SIZE);
    if (status == APR_SUCCESS && in->job->version & TG_V2)
        status = close_layer(in);
    return status;
}

/* Opens the path again for each run, so that waiting files hold no descriptor. A link may be followed: whoever asked
 * for this path has checked it, and another file there has another stamp. */
static apr_status_t open_same(const tg_job *job, int *fd)
{
    bt_stamp stamp;

    *fd = open(job->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (*fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? APR_EBUSY : errno; /* it was there at the start */
    if (bt_stamp_fd(*fd, &stamp) == APR_SUCCESS && bt_stamp_equal(&stamp, &job->stamp))
        return APR_SUCCESS;
    close(*fd);
    return APR_EBUSY;
}

apr_int64_t tg_job_run(const tg_job *job, const tg_worker *worker)
{
    apr_int64_t pieces = TG_RUN / job->piece_length;

    return pieces > worker->engine->lanes ? pieces : worker->engine->lanes;
}

apr_status_t tg_job_hash(tg_job *job, tg_worker *worker, apr_int64_t first, apr_int64_t count, const int *cancel)
{
    group part = {.job = job, .worker = worker, .cancel = cancel};
    apr_int64_t whole = job->stamp.size / job->piece_length, end = first + count;
    apr_status_t status = open_same(job, &part.fd);

    if (status != APR_SUCCESS)
        return status;
    posix_fadvise(part.fd, first * job->piece_length, count * job->piece_length, POSIX_FADV_SEQUENTIAL);
    for (part.first = first; status == APR_SUCCESS && part.first < end; part.first += part.lanes) {
        apr_int64_t left = (end < whole ? end : whole) - part.first; /* pieces of full size */

        part.lanes = left > worker->engine->lanes ? worker->engine->lanes : left > 1 ? (int)left : 1;
        part.size = left > 0 ? job->piece_length : (apr_size_t)(job->stamp.size % job->piece_length);
        status = hash_group(&part);
    }
    close(part.fd);
    return status;
}
