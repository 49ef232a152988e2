#include "seeder/requests.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 16 };

void seed_requests_free(seed_requests *queue)
{
    free(queue->ring);
    memset(queue, 0, sizeof *queue);
}

static seed_block *slot(const seed_requests *queue, apr_uint32_t nth)
{
    return &queue->ring[(queue->head + nth) % queue->capacity];
}

const seed_block *seed_requests_at(const seed_requests *queue, apr_uint32_t nth)
{
    return slot(queue, nth);
}

static int grow(seed_requests *queue)
{
    apr_uint32_t capacity = queue->capacity ? queue->capacity * 2 : FIRST_CAPACITY, i;
    seed_block *ring = malloc(capacity * sizeof *ring);

    if (!ring)
        return 0;
    for (i = 0; i < queue->count; i++)
        ring[i] = *slot(queue, i);
    free(queue->ring);
    queue->ring = ring;
    queue->capacity = capacity;
    queue->head = 0;
    return 1;
}

int seed_requests_push(seed_requests *queue, const seed_block *block, apr_uint32_t limit)
{
    if (queue->count >= limit || (queue->count == queue->capacity && !grow(queue)))
        return 0;
    *slot(queue, queue->count) = *block;
    queue->count++;
    return 1;
}

int seed_requests_pop(seed_requests *queue, seed_block *block)
{
    if (queue->count == 0)
        return 0;
    *block = *slot(queue, 0);
    queue->head = (queue->head + 1) % queue->capacity;
    if (--queue->count == 0 && queue->capacity > FIRST_CAPACITY)
        seed_requests_free(queue);
    return 1;
}

static int same(const seed_block *a, const seed_block *b)
{
    return a->piece == b->piece && a->begin == b->begin && a->length == b->length;
}

int seed_requests_cancel(seed_requests *queue, const seed_block *block)
{
    apr_uint32_t i;

    for (i = 0; i < queue->count && !same(slot(queue, i), block); i++)
        ;
    if (i == queue->count)
        return 0;
    for (; i + 1 < queue->count; i++)
        *slot(queue, i) = *slot(queue, i + 1);
    queue->count--;
    return 1;
}
