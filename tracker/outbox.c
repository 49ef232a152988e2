#include "tracker/outbox.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "tracker/segment.h"

enum { MAGIC = 0x4254484f /* "BTHO" */, LAYOUT = 1, PARCELS = 32768 };

/* Numbers of parcels only rise; a parcel lies at its number modulo PARCELS. A process that dies with the lock leaves a sound outbox: a
 * parcel is written before `next` counts it. */
struct trk_outbox {
    apr_uint32_t magic, layout;
    apr_uint64_t size;
    unsigned char host[TRK_HOST_ID_SIZE];
    int wake;
    int resting; /* the reader waits to be woken; atomic */
    pthread_mutex_t lock;
    apr_uint64_t first, next; /* under the lock: the oldest, and the one that comes next */
    trk_store_counters counters;
    trk_parcel parcels[PARCELS];
};

apr_size_t trk_outbox_size(void)
{
    return sizeof(trk_outbox);
}

apr_status_t trk_outbox_format(void *memory, int wake, const unsigned char host[TRK_HOST_ID_SIZE])
{
    trk_outbox *outbox = memory;

    outbox->magic = MAGIC;
    outbox->layout = LAYOUT;
    outbox->size = sizeof *outbox;
    outbox->wake = wake;
    memcpy(outbox->host, host, sizeof outbox->host);
    return trk_mutex_init(&outbox->lock);
}

int trk_outbox_usable(const void *memory, apr_size_t size)
{
    const trk_outbox *outbox = memory;

    return size >= sizeof *outbox && outbox->magic == MAGIC && outbox->layout == LAYOUT && outbox->size == sizeof *outbox;
}

const unsigned char *trk_outbox_host(const trk_outbox *outbox)
{
    return outbox->host;
}

int trk_outbox_wake(const trk_outbox *outbox)
{
    return outbox->wake;
}

trk_store_counters *trk_outbox_counters(trk_outbox *outbox)
{
    return &outbox->counters;
}

/* @return 0 if the lock is damaged */
static int lock(trk_outbox *outbox)
{
    int error = pthread_mutex_lock(&outbox->lock);

    if (error == EOWNERDEAD)
        error = pthread_mutex_consistent(&outbox->lock);
    return error == 0;
}

static void put(trk_outbox *outbox, const trk_change *change, apr_uint32_t second, const trk_address *seeds, int seed_count)
{
    trk_parcel *parcel = &outbox->parcels[outbox->next % PARCELS];

    if (outbox->next - outbox->first == PARCELS) {
        outbox->first++;
        __atomic_fetch_add(&outbox->counters.dropped, 1, __ATOMIC_RELAXED);
    }
    parcel->change = *change;
    parcel->second = second;
    parcel->seed_count = seed_count < TRK_PARCEL_SEEDS ? seed_count : TRK_PARCEL_SEEDS;
    for (int i = 0; i < parcel->seed_count; i++)
        parcel->seeds[i] = seeds[i];
    outbox->next++;
}

void trk_outbox_push(trk_outbox *outbox, const trk_change *change, apr_uint32_t second, const trk_address *seeds,
                     int seed_count)
{
    const apr_uint64_t one = 1;

    if (!lock(outbox))
        return;
    put(outbox, change, second, seeds, seed_count);
    pthread_mutex_unlock(&outbox->lock);
    if (__atomic_load_n(&outbox->resting, __ATOMIC_SEQ_CST) && __atomic_exchange_n(&outbox->resting, 0, __ATOMIC_SEQ_CST) &&
        write(outbox->wake, &one, sizeof one) < 0)
        return; /* it is full, so it wakes */
}

int trk_outbox_read(trk_outbox *outbox, trk_parcel *parcels, int max, apr_uint64_t *upto)
{
    int count = 0;

    *upto = 0;
    if (!lock(outbox))
        return 0;
    for (*upto = outbox->first; *upto < outbox->next && count < max; ++*upto)
        parcels[count++] = outbox->parcels[*upto % PARCELS];
    pthread_mutex_unlock(&outbox->lock);
    return count;
}

void trk_outbox_done(trk_outbox *outbox, apr_uint64_t upto)
{
    if (!lock(outbox))
        return;
    if (outbox->first < upto && upto <= outbox->next)
        outbox->first = upto;
    pthread_mutex_unlock(&outbox->lock);
}

int trk_outbox_rest(trk_outbox *outbox)
{
    int is_empty;

    __atomic_store_n(&outbox->resting, 1, __ATOMIC_SEQ_CST);
    if (!lock(outbox))
        return 1;
    is_empty = outbox->first == outbox->next;
    pthread_mutex_unlock(&outbox->lock);
    return is_empty;
}
