/* The outbox: announces of this host on their way to the store that it shares with others, in shared memory. Every child puts in, and
 * one thread, in the child that seeds, takes out. Nobody who puts in ever waits for the store: if it does not keep up, the oldest go. */
#ifndef TRK_OUTBOX_H
#define TRK_OUTBOX_H

#include <apr_errno.h>

#include "tracker/change.h"

typedef struct trk_outbox trk_outbox;

enum { TRK_PARCEL_SEEDS = 2 };

typedef struct {
    trk_change change;
    apr_uint32_t second; /* when it was announced */
    trk_address seeds[TRK_PARCEL_SEEDS]; /* as which the client was told of this host itself */
    int seed_count;
} trk_parcel;

typedef enum { TRK_STORE_LOCAL, TRK_STORE_AWAY, TRK_STORE_SHARED } trk_store_state;

/* What came of it, for status; members are accessed with __atomic builtins, relaxed. */
typedef struct {
    apr_uint64_t state; /* trk_store_state */
    apr_uint64_t sent;  /* changes */
    apr_uint64_t learned;
    apr_uint64_t dropped; /* the outbox was full */
    apr_uint64_t lost;    /* connections */
} trk_store_counters;

/** Bytes to allocate. */
apr_size_t trk_outbox_size(void);

/**
 * Makes zeroed shared memory an outbox. Parent, once, before children.
 * @param wake  an eventfd that all children inherit: readable when there is something for a reader that rests
 * @param host  random bytes that name this host among those that share
 */
apr_status_t trk_outbox_format(void *memory, int wake, const unsigned char host[TRK_HOST_ID_SIZE]);

/** Can this module use the outbox that an earlier one made? */
int trk_outbox_usable(const void *memory, apr_size_t size);

const unsigned char *trk_outbox_host(const trk_outbox *outbox);
int trk_outbox_wake(const trk_outbox *outbox);
trk_store_counters *trk_outbox_counters(trk_outbox *outbox);

/** Puts in one change. Any thread of any child; takes a lock for a copy's time. */
void trk_outbox_push(trk_outbox *outbox, const trk_change *change, apr_uint32_t second, const trk_address *seeds,
                     int seed_count);

/**
 * Copies the oldest, which stay until trk_outbox_done().
 * @param upto  what to say then
 * @return how many
 */
int trk_outbox_read(trk_outbox *outbox, trk_parcel *parcels, int max, apr_uint64_t *upto);
void trk_outbox_done(trk_outbox *outbox, apr_uint64_t upto);

/** The reader is going to wait for `wake`. @return 0 if it need not, as there is something */
int trk_outbox_rest(trk_outbox *outbox);

#endif
