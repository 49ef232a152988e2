#include "seeder/batch.h"

#include <string.h>

/* What is to be read, in the order of the buffer. */
typedef struct {
    struct iovec to[SEED_BATCH_BLOCKS];
    apr_int64_t from[SEED_BATCH_BLOCKS]; /* offsets in the torrent */
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

apr_size_t seed_batch_fill(const seed_peer *peer, seed_source *source, const seed_fetched *fetched,
                           unsigned char *buffer, apr_size_t room, apr_time_t now, apr_int64_t *cold)
{
    plan p;

    *cold = -1;
    make_plan(&p, peer, buffer, room < SEED_BATCH_SIZE ? room : SEED_BATCH_SIZE);
    if (p.count < 2 || !read_plan(&p, source, fetched, now, cold) || p.count == 0)
        return 0;
    *cold = -1; /* what is there goes first */
    return p.length;
}
