/* Hashes a file's pieces. Each byte is read once for all hashes, into a buffer that stays in the CPU's cache until both are
 * made: leaves of the blocks of all pieces that are hashed side by side, and a step of SHA-1 for each piece. */
#include <stdlib.h>
#include <string.h>

#include "torrentgen/merkle.h"
#include "torrentgen/part.h"
#include "torrentgen/intake.h"

enum {
    BUFFER = 512 * 1024,    /* bytes that are read before they are hashed: half of a usual L2; a multiple of a block in each lane */
    RUN_MIN = 4 * 1024 * 1024, /* bytes that a worker takes before it looks at the next file, if that fills its lanes */
    RUN_MAX = 64 * 1024 * 1024,
    RUNS = 32, /* of a file between those */
    AHEAD = 1024 * 1024,    /* bytes of each lane that are on their way from the disk */
    BLOCKS = BUFFER / TG_BLOCK
};

apr_status_t tg_worker_init(tg_worker *worker, const tg_engine *engine)
{
    memset(worker, 0, sizeof *worker);
    worker->engine = engine;
    worker->buffer = malloc(BUFFER);
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

/* Pieces that are hashed side by side: all of the same length, a shorter one alone. */
typedef struct {
    const tg_part *part;
    tg_worker *worker;
    tg_intake *intake;
    const int *cancel;
    apr_int64_t first; /* piece */
    int lanes;         /* how many */
    apr_size_t data;   /* bytes that the file has of each */
    apr_size_t size;   /* bytes that SHA-1 covers of each: more if it is padded */
    apr_size_t leaves; /* of each */
} group;

static apr_int64_t place_of(const group *in, int lane, apr_size_t offset)
{
    return (in->first + lane) * (apr_int64_t)in->part->piece_length + (apr_int64_t)offset;
}

/* Small pieces are fetched one group after the other, in long stretches; of long ones, only what each lane needs next. At a
 * piece's end a lane goes on with its piece of the next group. */
static void fetch_ahead(group *in, int lane, apr_size_t offset)
{
    apr_int64_t piece = in->part->piece_length, all = piece * in->lanes, left = piece - (apr_int64_t)offset;

    if (piece <= AHEAD) {
        if (lane == 0 && offset == 0)
            tg_intake_ahead(in->intake, place_of(in, 0, 0), all + (apr_int64_t)in->worker->engine->lanes * AHEAD);
        return;
    }
    tg_intake_ahead(in->intake, place_of(in, lane, offset), left < AHEAD ? left : AHEAD);
    if (left < AHEAD)
        tg_intake_ahead(in->intake, place_of(in, lane, 0) + all, AHEAD - left);
}

/* `length` bytes at `offset` of each lane, one lane after the other in the buffer; zeros for what the file does not have. */
static apr_status_t read_lanes(group *in, apr_size_t offset, apr_size_t length, apr_size_t there)
{
    int contiguous = length == in->part->piece_length;
    apr_status_t status = APR_SUCCESS;

    for (int lane = 0; status == APR_SUCCESS && lane < in->lanes; lane += contiguous ? in->lanes : 1) {
        unsigned char *to = in->worker->buffer + (apr_size_t)lane * length;

        if (__atomic_load_n(in->cancel, __ATOMIC_RELAXED))
            return APR_EINTR;
        fetch_ahead(in, lane, offset);
        if (contiguous && there == length)
            status = tg_intake_read(in->intake, to, length * (apr_size_t)in->lanes, place_of(in, 0, 0));
        else if (there)
            status = tg_intake_read(in->intake, to, there, place_of(in, lane, offset));
        memset(to + there, 0, length - there);
    }
    for (int lane = 0; status == APR_SUCCESS && there && lane < in->lanes && !in->part->digest; lane++)
        tg_intake_behind(in->intake, place_of(in, lane, offset), (apr_int64_t)there);
    return status;
}

/* Leaves of all lanes side by side, then each to its lane's. */
static apr_status_t make_leaves(group *in, apr_size_t offset, apr_size_t length)
{
    unsigned char made[BLOCKS * TG_SHA256_SIZE], *to = in->worker->leaves + offset / TG_BLOCK * TG_SHA256_SIZE;
    const tg_engine *engine = in->worker->engine;
    apr_size_t blocks = length / TG_BLOCK, rest = length % TG_BLOCK; /* a rest only at the end of the file, with one lane */
    apr_status_t status =
        engine->sha256_blocks(in->worker->hasher, in->worker->buffer, TG_BLOCK, blocks * (apr_size_t)in->lanes, made);

    for (int lane = 0; status == APR_SUCCESS && lane < in->lanes; lane++)
        memcpy(to + (apr_size_t)lane * in->leaves * TG_SHA256_SIZE, made + (apr_size_t)lane * blocks * TG_SHA256_SIZE,
               blocks * TG_SHA256_SIZE);
    if (status == APR_SUCCESS && rest)
        status = engine->sha256_blocks(in->worker->hasher, in->worker->buffer + blocks * TG_BLOCK, rest, 1,
                                       to + blocks * TG_SHA256_SIZE);
    return status;
}

static apr_status_t take_chunk(group *in, apr_size_t offset, apr_size_t length)
{
    const unsigned char *data[TG_LANES_MAX];
    apr_size_t there = offset >= in->data ? 0 : in->data - offset < length ? in->data - offset : length;
    apr_status_t status = read_lanes(in, offset, length, there);

    if (status == APR_SUCCESS && in->part->version & TG_V2 && there)
        status = make_leaves(in, offset, there);
    if (status != APR_SUCCESS || !(in->part->version & TG_V1))
        return status;
    for (int lane = 0; lane < in->lanes; lane++)
        data[lane] = in->worker->buffer + (apr_size_t)lane * length;
    return in->worker->engine->sha1_update(in->worker->hasher, in->lanes, data, length);
}

/* Leaves to a node of the piece layer; of a file no larger than a piece, to its root. Whole pieces go up side by side. */
static apr_status_t close_layer(group *in)
{
    static const unsigned char missing[TG_SHA256_SIZE];
    const tg_engine *engine = in->worker->engine;
    unsigned char *nodes = in->worker->leaves, *out = in->part->layer + in->first * TG_SHA256_SIZE;
    apr_size_t count = (apr_size_t)in->lanes * in->leaves;
    apr_status_t status = APR_SUCCESS;

    if (in->data < in->part->piece_length)
        return tg_merkle_root(engine, in->worker->hasher, nodes, in->leaves,
                              tg_merkle_levels(in->part->stamp.size > in->part->piece_length ? in->part->piece_length / TG_BLOCK
                                                                                            : in->leaves),
                              missing, out);
    for (; status == APR_SUCCESS && count > (apr_size_t)in->lanes; count /= 2)
        status = engine->sha256_blocks(in->worker->hasher, nodes, 2 * TG_SHA256_SIZE, count / 2, nodes);
    memcpy(out, nodes, (apr_size_t)in->lanes * TG_SHA256_SIZE);
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
    apr_size_t chunk = BLOCKS / (apr_size_t)in->lanes * TG_BLOCK;
    apr_status_t status = make_room(in);

    if (status == APR_SUCCESS && in->part->version & TG_V1)
        status = engine->sha1_begin(hasher, in->lanes);
    for (apr_size_t offset = 0; status == APR_SUCCESS && offset < in->size; offset += chunk)
        status = take_chunk(in, offset, in->size - offset < chunk ? in->size - offset : chunk);
    if (status == APR_SUCCESS && in->part->version & TG_V1)
        status = engine->sha1_end(hasher, in->lanes, in->part->sha1 + in->first * TG_SHA1_SIZE);
    if (status == APR_SUCCESS && in->part->version & TG_V2)
        status = close_layer(in);
    return status;
}

apr_int64_t tg_part_run(const tg_part *part, const tg_worker *worker)
{
    apr_int64_t lanes = worker->engine->lanes, bytes = part->stamp.size / RUNS, pieces;

    bytes = bytes < RUN_MIN ? RUN_MIN : bytes > RUN_MAX ? RUN_MAX : bytes;
    pieces = bytes / part->piece_length / lanes * lanes;
    return pieces > lanes ? pieces : lanes;
}

apr_status_t tg_part_hash(const tg_part *part, tg_worker *worker, apr_int64_t first, apr_int64_t count, const int *cancel)
{
    apr_int64_t piece = part->piece_length, whole = part->stamp.size / piece, end = first + count;
    tg_intake intake;
    group in = {.part = part, .worker = worker, .intake = &intake, .cancel = cancel};
    apr_status_t status =
        tg_intake_open(&intake, part->path, &part->stamp, first * piece, end <= whole ? end * piece : part->stamp.size);

    if (status != APR_SUCCESS)
        return status;
    for (in.first = first; status == APR_SUCCESS && in.first < end; in.first += in.lanes) {
        apr_int64_t left = (end < whole ? end : whole) - in.first; /* pieces of full size */

        in.lanes = left > worker->engine->lanes ? worker->engine->lanes : left > 1 ? (int)left : 1;
        in.data = left > 0 ? part->piece_length : (apr_size_t)(part->stamp.size % piece);
        in.size = part->padded && part->version & TG_V1 ? part->piece_length : in.data;
        in.leaves = (in.data + TG_BLOCK - 1) / TG_BLOCK;
        status = hash_group(&in);
    }
    if (status == APR_SUCCESS && part->digest)
        status = tg_digest_add(part->digest, &intake, intake.start, intake.end - intake.start, cancel);
    tg_intake_close(&intake);
    return status;
}
