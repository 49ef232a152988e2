/* Reads the data of a torrent and hashes it, on several threads. Files that begin with a piece go the way by which torrents
 * are made, many pieces at a time; the others, and whatever is not as it should be, a piece at a time: pieces of v1 torrents
 * of other programs may span files. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command/progress.h"
#include "command/verify.h"
#include "torrentgen/engine.h"
#include "torrentgen/merkle.h"
#include "torrentgen/part.h"

enum { CHUNK = 1 << 18 };

/* Shared by all threads. */
typedef struct {
    cmd_verification *v;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    apr_int64_t next;   /* the piece that nobody has taken; under the lock */
    int aligned;        /* each file begins with a piece, and what lies between files is padding */
    unsigned char *sha1, *layer; /* of each piece, as computed; only of whole files in an aligned torrent */
    apr_int64_t hashed; /* bytes */
    int running;
    apr_status_t status; /* the first failure of a thread, not of the data */
} shared;

/* One thread's. */
typedef struct {
    shared *all;
    pthread_t thread;
    tg_worker worker;  /* the fastest engine: for many pieces, and for leaves, which are equal blocks side by side */
    tg_hasher *hasher; /* OpenSSL's: one piece at a time */
    unsigned char *chunk, *leaves;
    int open_index, fd; /* the file that it last read; fd is -1 if there is none */
} checker;

/* --- bytes ----------------------------------------------------------------------------------------------------------- */

static void close_file(checker *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    c->open_index = -1;
}

/* Notes what is wrong with a file; what was noted first stays. */
static void note(checker *c, int index, cmd_file_state state, apr_status_t status)
{
    cmd_checked_file *file = &c->all->v->files[index];

    pthread_mutex_lock(&c->all->lock);
    if (file->state == CMD_FILE_FINE) {
        file->state = state;
        file->status = status;
    }
    pthread_mutex_unlock(&c->all->lock);
}

static int open_file(checker *c, int index)
{
    const cmd_checked_file *file = &c->all->v->files[index];

    if (c->open_index == index)
        return c->fd >= 0;
    close_file(c);
    c->open_index = index;
    if (file->stamp.size <= 0) /* missing, or no regular file: never opened */
        return 0;
    c->fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (c->fd < 0)
        note(c, index, CMD_FILE_UNREADABLE, errno);
    return c->fd >= 0;
}

static int read_file(checker *c, int index, unsigned char *to, apr_size_t length, apr_int64_t offset)
{
    if (!open_file(c, index))
        return 0;
    while (length) {
        ssize_t got = pread(c->fd, to, length, offset);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            note(c, index, CMD_FILE_UNREADABLE, errno);
        if (got <= 0)
            return 0;
        to += got;
        offset += got;
        length -= (apr_size_t)got;
    }
    return 1;
}

/* The last file that begins at or before that byte; files are in the order of their offsets. */
static int file_at(const cmd_verification *v, apr_int64_t offset)
{
    int low = 0, high = v->torrent->meta.file_count - 1;

    while (low < high) {
        int middle = low + (high - low + 1) / 2;

        if (v->files[middle].file->offset <= offset)
            low = middle;
        else
            high = middle - 1;
    }
    while (low > 0 && v->files[low].file->length == 0)
        low--;
    return low;
}

/* Reads bytes of the torrent, of whatever files they are; padding is zeros. @return 0 if some cannot be had */
static int read_span(checker *c, unsigned char *to, apr_size_t length, apr_int64_t offset)
{
    const cmd_verification *v = c->all->v;
    int index = file_at(v, offset), count = v->torrent->meta.file_count;

    memset(to, 0, length);
    for (; length && index < count; index++) {
        const tg_file *file = v->files[index].file;
        apr_int64_t skip = offset - file->offset, from = skip > 0 ? skip : 0;
        apr_size_t gap = skip < 0 ? (apr_size_t)-skip : 0, take;

        if (skip < 0 && -skip >= (apr_int64_t)length)
            return 1; /* padding up to the end */
        if (from >= file->length)
            continue;
        to += gap, offset += (apr_int64_t)gap, length -= gap;
        take = file->length - from < (apr_int64_t)length ? (apr_size_t)(file->length - from) : length;
        if (!read_file(c, index, to, take, from))
            return 0;
        to += take, offset += (apr_int64_t)take, length -= take;
    }
    return 1;
}

/* --- pieces ----------------------------------------------------------------------------------------------------------- */

static void add_hashed(checker *c, apr_size_t bytes)
{
    __atomic_add_fetch(&c->all->hashed, (apr_int64_t)bytes, __ATOMIC_RELAXED);
}

/* @return 1 if the piece is as the torrent says, 0 if not, -1 if hashing failed */
static int check_v1(checker *c, apr_int64_t piece)
{
    const tg_metainfo *meta = &c->all->v->torrent->meta;
    apr_int64_t at = piece * meta->torrent.piece_length, end = at + meta->torrent.piece_length;
    apr_int64_t end_of_pieces = meta->covered;
    unsigned char digest[TG_SHA1_SIZE];

    if (end > end_of_pieces)
        end = end_of_pieces;
    if (tg_engine_openssl.sha1_begin(c->hasher, 1) != APR_SUCCESS)
        return -1;
    while (at < end) {
        apr_size_t length = end - at < CHUNK ? (apr_size_t)(end - at) : CHUNK;
        const unsigned char *data = c->chunk;

        if (!read_span(c, c->chunk, length, at))
            return 0;
        if (tg_engine_openssl.sha1_update(c->hasher, 1, &data, length) != APR_SUCCESS)
            return -1;
        at += (apr_int64_t)length;
        if (meta->torrent.version == TG_V1)
            add_hashed(c, length);
    }
    if (tg_engine_openssl.sha1_end(c->hasher, 1, digest) != APR_SUCCESS)
        return -1;
    return memcmp(digest, meta->pieces + piece * TG_SHA1_SIZE, sizeof digest) == 0;
}

static int check_v2(checker *c, apr_int64_t piece)
{
    static const unsigned char missing[TG_SHA256_SIZE];
    const tg_metainfo *meta = &c->all->v->torrent->meta;
    apr_int64_t start = piece * meta->torrent.piece_length;
    int index = file_at(c->all->v, start);
    const cmd_checked_file *file = &c->all->v->files[index];
    apr_int64_t at = start - file->file->offset, end = at + meta->torrent.piece_length;
    unsigned char root[TG_SHA256_SIZE], *leaf = c->leaves;
    apr_size_t count;

    if (end > file->file->length)
        end = file->file->length;
    count = (apr_size_t)((end - at + TG_BLOCK - 1) / TG_BLOCK);
    while (at < end) {
        apr_size_t length = end - at < CHUNK ? (apr_size_t)(end - at) : CHUNK;
        apr_size_t blocks = length / TG_BLOCK, rest = length % TG_BLOCK;

        if (!read_file(c, index, c->chunk, length, at))
            return 0;
        if (c->worker.engine->sha256_blocks(c->worker.hasher, c->chunk, TG_BLOCK, blocks, leaf) != APR_SUCCESS ||
            (rest && c->worker.engine->sha256_blocks(c->worker.hasher, c->chunk + blocks * TG_BLOCK, rest, 1,
                                              leaf + blocks * TG_SHA256_SIZE) != APR_SUCCESS))
            return -1;
        leaf += (blocks + (rest > 0)) * TG_SHA256_SIZE;
        at += (apr_int64_t)length;
        add_hashed(c, length);
    }
    if (tg_merkle_root(c->worker.engine, c->worker.hasher, c->leaves, count,
                       tg_merkle_levels(file->pieces > 1 ? meta->torrent.piece_length / TG_BLOCK : count), missing, root) !=
        APR_SUCCESS)
        return -1;
    return file->layer && memcmp(root, file->layer + (piece - file->first) * TG_SHA256_SIZE, sizeof root) == 0;
}

static int check_piece(checker *c, apr_int64_t piece)
{
    tg_version version = c->all->v->torrent->meta.torrent.version;
    int fine = version & TG_V2 ? check_v2(c, piece) : 1;

    return fine == 1 && version & TG_V1 ? check_v1(c, piece) : fine;
}

/* --- many pieces of a file ------------------------------------------------------------------------------------------- */

static int is_right(const checker *c, const cmd_checked_file *file, apr_int64_t piece)
{
    const shared *all = c->all;
    const tg_metainfo *meta = &all->v->torrent->meta;

    if (meta->torrent.version & TG_V1 &&
        memcmp(all->sha1 + piece * TG_SHA1_SIZE, meta->pieces + piece * TG_SHA1_SIZE, TG_SHA1_SIZE) != 0)
        return 0;
    return !(meta->torrent.version & TG_V2) ||
           (file->layer && memcmp(all->layer + piece * TG_SHA256_SIZE, file->layer + (piece - file->first) * TG_SHA256_SIZE,
                                  TG_SHA256_SIZE) == 0);
}

static tg_part part_of(const shared *all, const cmd_checked_file *file)
{
    const tg_metainfo *meta = &all->v->torrent->meta;
    apr_int64_t end = (file->first + file->pieces) * meta->torrent.piece_length;

    return (tg_part){.path = file->path,
                     .stamp = file->stamp,
                     .version = meta->torrent.version,
                     .piece_length = meta->torrent.piece_length,
                     .padded = meta->covered >= end,
                     .sha1 = all->sha1 + file->first * TG_SHA1_SIZE,
                     .layer = all->layer + file->first * TG_SHA256_SIZE};
}

/* May this piece go with others? Then *count is how many, at most `most`. */
static const cmd_checked_file *whole_file_at(const shared *all, apr_int64_t piece, apr_int64_t most, apr_int64_t *count)
{
    const cmd_checked_file *file;

    if (!all->aligned)
        return NULL;
    file = &all->v->files[file_at(all->v, piece * all->v->torrent->meta.torrent.piece_length)];
    if (file->stamp.size != file->file->length || piece >= file->first + file->pieces)
        return NULL;
    *count = file->first + file->pieces - piece;
    if (*count > most)
        *count = most;
    return file;
}

/* @return 0 if it did not work: to be looked at a piece at a time, which finds out why */
static int check_many(checker *c, const cmd_checked_file *file, apr_int64_t first, apr_int64_t count)
{
    static const int never;
    tg_part part = part_of(c->all, file);
    apr_int64_t length = part.piece_length * count, left = file->file->length - (first - file->first) * part.piece_length;

    if (tg_part_hash(&part, &c->worker, first - file->first, count, &never) != APR_SUCCESS)
        return 0;
    for (apr_int64_t i = first; i < first + count; i++)
        c->all->v->bad[i] = !is_right(c, file, i); /* each piece has its own byte */
    add_hashed(c, (apr_size_t)(left < length ? left : length));
    return 1;
}

/* --- threads ---------------------------------------------------------------------------------------------------------- */

/* Takes the next pieces. @return NULL with a count of 1 for one that goes alone, of 0 at the end */
static const cmd_checked_file *take(checker *c, apr_int64_t *first, apr_int64_t *count)
{
    shared *all = c->all;
    const cmd_checked_file *file = NULL;
    const tg_part any = {.piece_length = all->v->torrent->meta.torrent.piece_length};

    pthread_mutex_lock(&all->lock);
    *first = all->next;
    *count = *first < all->v->pieces;
    if (*count)
        file = whole_file_at(all, *first, tg_part_run(&any, &c->worker), count);
    all->next += *count;
    pthread_mutex_unlock(&all->lock);
    return file;
}

static apr_status_t check_pieces(checker *c)
{
    const cmd_checked_file *file;
    apr_int64_t first, count;
    int fine;

    for (;;) {
        file = take(c, &first, &count);
        if (!count)
            return APR_SUCCESS;
        if (file && check_many(c, file, first, count))
            continue;
        for (apr_int64_t piece = first; piece < first + count; piece++) {
            if ((fine = check_piece(c, piece)) < 0)
                return APR_EGENERAL;
            c->all->v->bad[piece] = !fine;
        }
    }
}

static void *run_checker(void *baton)
{
    checker *c = baton;
    apr_size_t leaves = c->all->v->torrent->meta.torrent.piece_length / TG_BLOCK + 1;
    apr_status_t status = APR_ENOMEM;

    c->fd = c->open_index = -1;
    c->chunk = malloc(CHUNK);
    c->leaves = malloc(leaves * TG_SHA256_SIZE);
    if (c->chunk && c->leaves && (status = tg_engine_openssl.create(&c->hasher)) == APR_SUCCESS &&
        (status = tg_worker_init(&c->worker, tg_engine_default())) == APR_SUCCESS)
        status = check_pieces(c);
    close_file(c);
    if (c->hasher)
        tg_engine_openssl.destroy(c->hasher);
    tg_worker_free(&c->worker);
    free(c->chunk);
    free(c->leaves);
    pthread_mutex_lock(&c->all->lock);
    if (status != APR_SUCCESS && c->all->status == APR_SUCCESS)
        c->all->status = status;
    c->all->running--;
    pthread_cond_signal(&c->all->changed);
    pthread_mutex_unlock(&c->all->lock);
    return NULL;
}

static void wait_all(shared *all, int quiet)
{
    cmd_progress progress;

    cmd_progress_begin(&progress, "verifying", quiet);
    pthread_mutex_lock(&all->lock);
    while (all->running) {
        cmd_progress_wait(&all->changed, &all->lock);
        pthread_mutex_unlock(&all->lock);
        cmd_progress_show(&progress, __atomic_load_n(&all->hashed, __ATOMIC_RELAXED), all->v->torrent->size, NULL);
        pthread_mutex_lock(&all->lock);
    }
    pthread_mutex_unlock(&all->lock);
    cmd_progress_end(&progress);
}

/* --- the result ------------------------------------------------------------------------------------------------------- */

static void conclude(cmd_verification *v)
{
    for (apr_int64_t i = 0; i < v->pieces; i++)
        v->bad_count += v->bad[i];
    for (int i = 0; i < v->torrent->meta.file_count; i++) {
        cmd_checked_file *file = &v->files[i];
        bt_stamp now;

        if (file->state != CMD_FILE_FINE)
            continue;
        if (bt_stamp_path(file->path, &now) != APR_SUCCESS || !bt_stamp_equal(&now, &file->stamp)) {
            file->state = CMD_FILE_UNREADABLE;
            file->status = APR_EBUSY;
        } else if (memchr(v->bad + file->first, 1, (apr_size_t)file->pieces)) {
            file->state = CMD_FILE_BAD;
        }
    }
}

static int is_aligned(const cmd_verification *v)
{
    const tg_metainfo *meta = &v->torrent->meta;

    for (int i = 0; i < meta->file_count; i++)
        if (meta->files[i].length && meta->files[i].offset % meta->torrent.piece_length)
            return 0;
    return 1;
}

apr_status_t cmd_verify_run(cmd_verification *v, int threads, int quiet, apr_pool_t *pool)
{
    shared all = {.v = v, .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    checker *checkers;
    int started = 0;

    all.aligned = is_aligned(v);
    if (all.aligned) {
        all.sha1 = apr_palloc(pool, (apr_size_t)v->pieces * TG_SHA1_SIZE + 1);
        all.layer = apr_palloc(pool, (apr_size_t)v->pieces * TG_SHA256_SIZE + 1);
    }
    if (threads > v->pieces)
        threads = v->pieces ? (int)v->pieces : 1;
    checkers = apr_pcalloc(pool, (apr_size_t)threads * sizeof *checkers);
    pthread_mutex_lock(&all.lock);
    for (; started < threads; started++, all.running++) {
        checkers[started].all = &all;
        if (pthread_create(&checkers[started].thread, NULL, run_checker, &checkers[started]) != 0)
            break;
    }
    pthread_mutex_unlock(&all.lock);
    if (!started)
        return APR_ENOMEM;
    wait_all(&all, quiet);
    for (int i = 0; i < started; i++)
        pthread_join(checkers[i].thread, NULL);
    conclude(v);
    return all.status;
}
