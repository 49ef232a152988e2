/* Reads a file in chunks and hashes its pieces: the only place where torrentgen reads a file's bytes, and it reads each
 * of them once for all hashes. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "torrentgen/merkle.h"
#include "torrentgen/part.h"

enum {
    CHUNK = 128 * 1024,    /* bytes of a piece that are read at once; cancelling waits for no more than one a lane */
    RUN = 4 * 1024 * 1024, /* bytes that a worker takes before it looks at the next file */
};

apr_status_t tg_worker_init(tg_worker *worker, const tg_engine *engine)
{
    memset(worker, 0, sizeof *worker);
    worker->engine = engine;
    worker->buffer = malloc((apr_size_t)engine->lanes * CHUNK);
    return worker->buffer ? engine->create(&worker->hasher) : APR_ENOMEM;
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
    const tg_part *part;
    tg_worker *worker;
    int fd;
    const int *cancel;
    apr_int64_t first;        /* piece */
    int lanes;                /* how many */
    apr_size_t data;          /* bytes that the file has of each */
    apr_size_t size;          /* bytes that SHA-1 covers of each: more if it is padded */
    apr_size_t leaves;        /* of each */
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

static apr_status_t make_leaves(group *in, const unsigned char *chunk, apr_size_t length, unsigned char *leaf)
{
    const tg_engine *engine = in->worker->engine;
    apr_size_t blocks = length / TG_BLOCK, rest = length % TG_BLOCK; /* a rest only at the end of the file */
    apr_status_t status = engine->sha256_blocks(in->worker->hasher, chunk, TG_BLOCK, blocks, leaf);

    if (status == APR_SUCCESS && rest)
        status = engine->sha256_blocks(in->worker->hasher, chunk + blocks * TG_BLOCK, rest, 1, leaf + blocks * TG_SHA256_SIZE);
    return status;
}

/* Reads `length` bytes at `offset` of each piece, and makes leaves of them while they are in the CPU's cache. */
static apr_status_t take_chunk(group *in, apr_size_t offset, apr_size_t length)
{
    const unsigned char *data[TG_LANES_MAX];
    apr_size_t there = offset >= in->data ? 0 : in->data - offset < length ? in->data - offset : length;
    apr_status_t status;

    for (int lane = 0; lane < in->lanes; lane++) {
        unsigned char *chunk = in->worker->buffer + (apr_size_t)lane * CHUNK;
        apr_size_t leaf = (apr_size_t)lane * in->leaves + offset / TG_BLOCK;

        if (__atomic_load_n(in->cancel, __ATOMIC_RELAXED))
            return APR_EINTR;
        status = read_exactly(in->fd, chunk, there,
                              (in->first + lane) * (apr_int64_t)in->part->piece_length + (apr_int64_t)offset);
        if (status == APR_SUCCESS && in->part->version & TG_V2 && there)
            status = make_leaves(in, chunk, there, in->worker->leaves + leaf * TG_SHA256_SIZE);
        if (status != APR_SUCCESS)
            return status;
        memset(chunk + there, 0, length - there);
        data[lane] = chunk;
    }
    return in->part->version & TG_V1 ? in->worker->engine->sha1_update(in->worker->hasher, in->lanes, data, length)
                                     : APR_SUCCESS;
}

/* Leaves to a node of the piece layer; of a file no larger than a piece, to its root. */
static apr_status_t close_layer(group *in)
{
    static const unsigned char missing[TG_SHA256_SIZE];
    int whole = in->part->stamp.size > in->part->piece_length;
    int levels = tg_merkle_levels(whole ? in->part->piece_length / TG_BLOCK : in->leaves);
    apr_status_t status = APR_SUCCESS;

    for (int lane = 0; status == APR_SUCCESS && lane < in->lanes; lane++)
        status = tg_merkle_root(in->worker->engine, in->worker->hasher,
                                in->worker->leaves + (apr_size_t)lane * in->leaves * TG_SHA256_SIZE, in->leaves, levels,
                                missing, in->part->layer + (in->first + lane) * TG_SHA256_SIZE);
    return status;
}

static apr_status_t make_room(group *in)
{
    apr_size_t need = (apr_size_t)in->lanes * in->leaves * TG_SHA256_SIZE;
    unsigned char *more;

    if (!(in->part->version & TG_V2) || need <= in->worker->leaves_room)
        return APR_SUCCESS;
    more = realloc(in->worker->leaves, need);
    if (!more)
        return APR_ENOMEM;
    in->worker->leaves = more;
    in->worker->leaves_room = need;
    return APR_SUCCESS;
}

static apr_status_t hash_group(group *in)
{
    const tg_engine *engine = in->worker->engine;
    tg_hasher *hasher = in->worker->hasher;
    apr_status_t status = make_room(in);

    if (status == APR_SUCCESS && in->part->version & TG_V1)
        status = engine->sha1_begin(hasher, in->lanes);
    for (apr_size_t offset = 0; status == APR_SUCCESS && offset < in->size; offset += CHUNK)
        status = take_chunk(in, offset, in->size - offset < CHUNK ? in->size - offset : CHUNK);
    if (status == APR_SUCCESS && in->part->version & TG_V1)
        status = engine->sha1_end(hasher, in->lanes, in->part->sha1 + in->first * TG_SHA1_SIZE);
    if (status == APR_SUCCESS && in->part->version & TG_V2)
        status = close_layer(in);
    return status;
}

/* Opens the path again for each run, so that waiting files hold no descriptor. A link may be followed: whoever asked
 * for this path has checked it, and another file there has another stamp. */
static apr_status_t open_same(const tg_part *part, int *fd)
{
    bt_stamp stamp;

    *fd = open(part->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (*fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? APR_EBUSY : errno; /* it was there at the start */
    if (bt_stamp_fd(*fd, &stamp) == APR_SUCCESS && bt_stamp_equal(&stamp, &part->stamp))
        return APR_SUCCESS;
    close(*fd);
    return APR_EBUSY;
}

apr_int64_t tg_part_run(const tg_part *part, const tg_worker *worker)
{
    apr_int64_t pieces = RUN / part->piece_length;

    return pieces > worker->engine->lanes ? pieces : worker->engine->lanes;
}

apr_status_t tg_part_hash(const tg_part *part, tg_worker *worker, apr_int64_t first, apr_int64_t count, const int *cancel)
{
    group in = {.part = part, .worker = worker, .cancel = cancel};
    apr_int64_t whole = part->stamp.size / part->piece_length, end = first + count;
    apr_status_t status = open_same(part, &in.fd);

    if (status != APR_SUCCESS)
        return status;
    posix_fadvise(in.fd, first * part->piece_length, count * part->piece_length, POSIX_FADV_SEQUENTIAL);
    for (in.first = first; status == APR_SUCCESS && in.first < end; in.first += in.lanes) {
        apr_int64_t left = (end < whole ? end : whole) - in.first; /* pieces of full size */

        in.lanes = left > worker->engine->lanes ? worker->engine->lanes : left > 1 ? (int)left : 1;
        in.data = left > 0 ? part->piece_length : (apr_size_t)(part->stamp.size % part->piece_length);
        in.size = part->padded && part->version & TG_V1 ? part->piece_length : in.data;
        in.leaves = (in.data + TG_BLOCK - 1) / TG_BLOCK;
        status = hash_group(&in);
    }
    close(in.fd);
    return status;
}
