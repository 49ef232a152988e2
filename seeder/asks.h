/* What a peer asked that is not a block: it waits until there is room for the answer, which takes what only the owner of the
 * connection can get. A ring that holds memory only while it holds asks. */
#ifndef SEED_ASKS_H
#define SEED_ASKS_H

#include "seeder/record.h"
#include "seeder/wire.h"

enum { SEED_ASKS_MAX = 64 };

/* The numbers are those of hand-over records. */
typedef enum { SEED_ASK_METADATA = 1, SEED_ASK_HASHES = 2 } seed_ask_kind;

typedef struct {
    seed_ask_kind kind;
    apr_uint32_t piece;                          /* METADATA: which part of the infodict */
    unsigned char request[PW_HASH_REQUEST_BODY]; /* HASHES: as it came */
} seed_ask;

/* All zero: empty. */
typedef struct {
    seed_ask *ring; /* malloc'd, NULL while empty */
    apr_uint16_t head, count, capacity;
    unsigned char waiting; /* the oldest waits for something that an event will tell of: not asked about until then */
    unsigned char paid;    /* what that costs has been counted */
} seed_asks;

void seed_asks_free(seed_asks *asks);

/** @return 0 when SEED_ASKS_MAX wait already or memory is short */
int seed_asks_push(seed_asks *asks, const seed_ask *ask);

/** The oldest; NULL if there is none. Valid until the next call. */
const seed_ask *seed_asks_first(const seed_asks *asks);

/** The nth oldest, which must exist. */
const seed_ask *seed_asks_at(const seed_asks *asks, apr_uint16_t nth);

/** Drops the oldest, which must exist. */
void seed_asks_drop(seed_asks *asks);

/* Their section of hand-over records. What waits is then asked about again. */
void seed_asks_save(bt_buf *out, const seed_asks *asks);
apr_status_t seed_asks_restore(seed_record *in, seed_asks *asks);

#endif
