/* The requests that a peer waits for: a ring that grows to a limit, and gives its memory back when empty. */
#ifndef SEED_REQUESTS_H
#define SEED_REQUESTS_H

#include <apr_general.h>

typedef struct {
    apr_uint32_t piece, begin, length; /* begin and length in bytes */
} seed_block;

typedef struct {
    seed_block *ring; /* malloc'd, NULL while empty */
    apr_uint32_t head, count, capacity;
} seed_requests;

void seed_requests_free(seed_requests *queue);

/** @return 1, or 0 when `limit` requests wait already or memory is short */
int seed_requests_push(seed_requests *queue, const seed_block *block, apr_uint32_t limit);

/** Takes the oldest. @return 0 when there is none */
int seed_requests_pop(seed_requests *queue, seed_block *block);

/** The nth oldest, which must exist. */
const seed_block *seed_requests_at(const seed_requests *queue, apr_uint32_t nth);

/** Removes the oldest equal one, keeping the order of the others. @return 0 when there is none */
int seed_requests_cancel(seed_requests *queue, const seed_block *block);

#endif
