#include "seeder/batch.h"

#include <string.h>

/* What is to be read, in the order of the buffer. */
typedef struct {
    struct iovec to[SEED_BATCH_BLOCKS];
    apr_int64_t from[SEED_BATCH_BLOCKS]; /* offsets in the torrent */
    apr_size_t head[SEED_BATCH_BLOCKS];  /* bytes of a header before it */
    int count;
    unsigned char *buffer;
    apr_size_t length; /* of the buffer that is used */
} plan;

/* Adds a block without its first `skip` bytes, header included; of the last one, what there is room for.
 * @return 0 if there is no room for more */
static int add_block(plan *p, const seed_content *content, const seed_block *block, apr_uint32_t skip,
                     unsigned char *buffer, apr_size_t room)
{
    apr_int64_t offset = seed_content_offset(content, block);
    unsigned char header[PW_PIECE_HEADER], *at = buffer + p->length;
    apr_uint32_t head = skip < PW_PIECE_HEADER ? PW_PIECE_HEADER - skip : 0, done = head ? 0 : skip - PW_PIECE_HEADER;
    apr_size_t size = head + (apr_size_t)block->length - done;

    if (p->count == SEED_BATCH_BLOCKS || room - p->length <= head)
        return 0;
    size = size < room - p->length ? size : room - p->length;
    pw_piece_header(header, block->piece, block->begin, block->length);
    memcpy(at, header + PW_PIECE_HEADER - head, head);
    p->to[p->count] = (struct iovec){at + head, size - head};
    p->from[p->count] = offset + done;
    p->head[p->count] = head;
    p->count++;
    p->length += size;
    return 1;
}

static void make_plan(plan *p, const seed_peer *peer, unsigned char *buffer, apr_size_t room)
{
    apr_uint32_t nth;

    p->count = 0;
    p->buffer = buffer;
    p->length = 0;
    if (peer->block.length && !add_block(p, peer->content, &peer->block, peer->block_sent, buffer, room))
        return;
    for (nth = 0; nth < peer->requests.count; nth++) {
        if (!add_block(p, peer->content, seed_requests_at(&peer->requests, nth), 0, buffer, room))
            return;
    }
}

/* Leaves whole blocks alone that were read: `got` bytes from the nth on. */
static void cut(plan *p, int nth, apr_size_t got)
{
    const char *end;

    for (; got >= p->to[nth].iov_len; nth++)
        got -= p->to[nth].iov_len;
    p->count = nth;
    if (nth == 0)
        return;
    end = (const char *)p->to[nth - 1].iov_base + p->to[nth - 1].iov_len;
    p->length = (apr_size_t)(end - (const char *)p->buffer);
}

/* Reads blocks that follow each other at once, as peers mostly ask for them. @return 0 if it failed */
static int read_plan(plan *p, seed_source *source, const seed_fetched *fetched, apr_time_t now, apr_int64_t *cold)
{
    struct iovec to[SEED_BATCH_BLOCKS];
    int first = 0, next;
    apr_size_t got;

    for (; first < p->count; first = next) {
        apr_int64_t end = p->from[first];
        seed_read_result result;

        for (next = first; next < p->count && p->from[next] == end; next++) {
            to[next - first] = p->to[next];
            end += (apr_int64_t)p->to[next].iov_len;
        }
        result = seed_source_read(source, to, next - first, p->from[first], now, fetched, &got);
        if (result == SEED_READ_FAILED)
            return 0;
        if (result == SEED_READ_DONE)
            continue;
        *cold = p->from[first] + (apr_int64_t)got;
        cut(p, first, got);
        return 1;
    }
    return 1;
}

/* The mapped bytes of all blocks, if they are of one file: to look at another might close it.
 * @return that file, or NULL */
static seed_file *find_mapped(const plan *p, seed_source *source, apr_time_t now, void *bytes[SEED_BATCH_BLOCKS])
{
    seed_file *file = NULL;
    seed_segment at;

    for (int i = 0; i < p->count; i++) {
        apr_size_t length = p->to[i].iov_len;
        if (seed_source_at(source, p->from[i], length, now, &at) != APR_SUCCESS || !at.open || at.length < length ||
            (file && file != at.open))
            return NULL;
        file = at.open;
        bytes[i] = seed_view_of(file->view, at.offset, length, now);
        if (!bytes[i])
            return NULL;
    }
    return file && seed_view_is_whole(file->view, file->fd) ? file : NULL;
}

static void add_part(seed_batch *batch, void *bytes, apr_size_t length)
{
    if (length > 0)
        batch->parts[batch->count++] = (struct iovec){bytes, length};
}

/* @return 0 if what is planned is not mapped, or must be sealed */
static int use_mapping(seed_batch *batch, const plan *p, const seed_peer *peer, seed_source *source, apr_time_t now)
{
    void *bytes[SEED_BATCH_BLOCKS];

    batch->mapped = seed_stream_seals(peer->stream) ? NULL : find_mapped(p, source, now, bytes);
    if (!batch->mapped)
        return 0;
    batch->count = 0;
    for (int i = 0; i < p->count; i++) {
        add_part(batch, (unsigned char *)p->to[i].iov_base - p->head[i], p->head[i]);
        add_part(batch, bytes[i], p->to[i].iov_len);
    }
    return 1;
}

int seed_batch_fill(seed_batch *batch, const seed_peer *peer, seed_source *source, const seed_fetched *fetched,
                    unsigned char *buffer, apr_size_t room, apr_time_t now, apr_int64_t *cold)
{
    plan p;

    *cold = -1;
    make_plan(&p, peer, buffer, room < SEED_BATCH_SIZE ? room : SEED_BATCH_SIZE);
    if (p.count < 2)
        return 0;
    if (!use_mapping(batch, &p, peer, source, now)) {
        if (!read_plan(&p, source, fetched, now, cold) || p.count == 0)
            return 0;
        batch->parts[0] = (struct iovec){buffer, p.length};
        batch->count = 1;
    }
    batch->length = p.length;
    *cold = -1; /* what is there goes first */
    return 1;
}
