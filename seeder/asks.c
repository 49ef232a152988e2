#include "seeder/asks.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 4 };

void seed_asks_free(seed_asks *asks)
{
    free(asks->ring);
    memset(asks, 0, sizeof *asks);
}

const seed_ask *seed_asks_at(const seed_asks *asks, apr_uint16_t nth)
{
    return &asks->ring[(asks->head + nth) % asks->capacity];
}

const seed_ask *seed_asks_first(const seed_asks *asks)
{
    return asks->count ? seed_asks_at(asks, 0) : NULL;
}

static int grow(seed_asks *asks)
{
    apr_uint16_t capacity = (apr_uint16_t)(asks->capacity ? asks->capacity * 2 : FIRST_CAPACITY), i;
    seed_ask *ring = malloc(capacity * sizeof *ring);

    if (!ring)
        return 0;
    for (i = 0; i < asks->count; i++)
        ring[i] = *seed_asks_at(asks, i);
    free(asks->ring);
    asks->ring = ring;
    asks->capacity = capacity;
    asks->head = 0;
    return 1;
}

int seed_asks_push(seed_asks *asks, const seed_ask *ask)
{
    if (asks->count >= SEED_ASKS_MAX || (asks->count == asks->capacity && !grow(asks)))
        return 0;
    asks->ring[(asks->head + asks->count) % asks->capacity] = *ask;
    asks->count++;
    return 1;
}

void seed_asks_drop(seed_asks *asks)
{
    asks->head = (apr_uint16_t)((asks->head + 1) % asks->capacity);
    asks->waiting = asks->paid = 0;
    if (--asks->count == 0)
        seed_asks_free(asks);
}

void seed_asks_save(bt_buf *out, const seed_asks *asks)
{
    apr_uint16_t i;

    for (i = 0; i < asks->count; i++) {
        const seed_ask *ask = seed_asks_at(asks, i);
        seed_put_u32(out, ask->kind);
        if (ask->kind == SEED_ASK_METADATA)
            seed_put_u32(out, ask->piece);
        else
            bt_buf_add(out, ask->request, sizeof ask->request);
    }
}

apr_status_t seed_asks_restore(seed_record *in, seed_asks *asks)
{
    while (in->at != in->end) {
        seed_ask ask = {.kind = (seed_ask_kind)seed_take_u32(in)};
        const unsigned char *request = NULL;

        if (ask.kind == SEED_ASK_METADATA)
            ask.piece = seed_take_u32(in);
        else if (ask.kind != SEED_ASK_HASHES || !(request = seed_take(in, sizeof ask.request)))
            return APR_EINVAL;
        if (request)
            memcpy(ask.request, request, sizeof ask.request);
        if (in->broken || asks->count == SEED_ASKS_MAX)
            return APR_EINVAL;
        if (!seed_asks_push(asks, &ask))
            return APR_ENOMEM;
    }
    return APR_SUCCESS;
}
