#include "tracker/segment.h"

#include <apr_siphash.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static const char magic[8] = "BTHSWRM";

apr_status_t trk_mutex_init(pthread_mutex_t *lock)
{
    pthread_mutexattr_t how;
    int error = pthread_mutexattr_init(&how);

    if (error)
        return error;
    if ((error = pthread_mutexattr_setpshared(&how, PTHREAD_PROCESS_SHARED)) == 0 &&
        (error = pthread_mutexattr_setrobust(&how, PTHREAD_MUTEX_ROBUST)) == 0)
        error = pthread_mutex_init(lock, &how);
    pthread_mutexattr_destroy(&how);
    return error;
}

uint64_t trk_hash(const trk_swarms *view, const void *bytes, size_t length)
{
    return apr_siphash24(bytes, length, view->header->key);
}

/* Fills in where things are. The memory may begin anywhere (APR's is 8 bytes into a page), the segment begins at the
 * next boundary of a block. */
static void lay_out(trk_swarms *view, void *memory, apr_size_t size)
{
    const size_t fixed = sizeof(trk_header) + TRK_SHARDS * sizeof(trk_shard);
    const size_t skip = (TRK_BLOCK_SIZE - (uintptr_t)memory % TRK_BLOCK_SIZE) % TRK_BLOCK_SIZE;
    size_t count, tags;

    memory = (unsigned char *)memory + skip;
    size -= skip;
    count = (size - fixed) / (TRK_BLOCK_SIZE + sizeof(uint16_t));
    if (count > UINT32_MAX - 1)
        count = UINT32_MAX - 1;
    for (;; count--) { /* the tags end on a block's boundary */
        tags = ((count + 1) * sizeof(uint16_t) + TRK_BLOCK_SIZE - 1) / TRK_BLOCK_SIZE * TRK_BLOCK_SIZE;
        if (fixed + tags + count * TRK_BLOCK_SIZE <= size)
            break;
    }
    view->header = memory;
    view->shards = (trk_shard *)(void *)((unsigned char *)memory + sizeof(trk_header));
    view->tags = (uint16_t *)(void *)((unsigned char *)memory + fixed);
    view->blocks = (unsigned char *)memory + fixed + tags - TRK_BLOCK_SIZE;
    view->block_count = (uint32_t)count;
}

apr_status_t trk_swarms_format(void *memory, apr_size_t size, const unsigned char key[16])
{
    trk_swarms view;
    apr_status_t status;

    if (size < TRK_MEMORY_MIN)
        return APR_EINVAL;
    lay_out(&view, memory, size);
    view.header->layout = TRK_LAYOUT_VERSION;
    view.header->block_count = view.block_count;
    view.header->size = size;
    view.header->fresh = 1;
    memcpy(view.header->key, key, sizeof view.header->key);
    status = trk_mutex_init(&view.header->lock);
    for (int i = 0; i < TRK_SHARDS && status == APR_SUCCESS; i++)
        status = trk_mutex_init(&view.shards[i].lock);
    if (status == APR_SUCCESS)
        memcpy(view.header->magic, magic, sizeof magic);
    return status;
}

apr_status_t trk_swarms_attach(trk_swarms **swarms, void *memory, apr_size_t size)
{
    trk_swarms view;

    *swarms = NULL;
    if (size < TRK_MEMORY_MIN)
        return APR_EINVAL;
    lay_out(&view, memory, size);
    view.outbox = NULL;
    if (memcmp(view.header->magic, magic, sizeof magic) != 0 || view.header->layout != TRK_LAYOUT_VERSION ||
        view.header->size != size || view.header->block_count != view.block_count)
        return APR_EINVAL;
    *swarms = malloc(sizeof **swarms);
    if (!*swarms)
        return APR_ENOMEM;
    **swarms = view;
    return APR_SUCCESS;
}

void trk_swarms_detach(trk_swarms *swarms)
{
    free(swarms);
}

void trk_swarms_share(trk_swarms *swarms, trk_outbox *outbox)
{
    swarms->outbox = outbox;
}

void trk_swarms_shared(const trk_swarms *swarms, trk_store_counters *counters)
{
    const trk_store_counters *from = swarms->outbox ? trk_outbox_counters(swarms->outbox) : NULL;

    memset(counters, 0, sizeof *counters);
    if (!from)
        return;
    counters->state = __atomic_load_n(&from->state, __ATOMIC_RELAXED);
    counters->sent = __atomic_load_n(&from->sent, __ATOMIC_RELAXED);
    counters->learned = __atomic_load_n(&from->learned, __ATOMIC_RELAXED);
    counters->dropped = __atomic_load_n(&from->dropped, __ATOMIC_RELAXED);
    counters->lost = __atomic_load_n(&from->lost, __ATOMIC_RELAXED);
}

int trk_owns(const trk_swarms *view, unsigned shard, trk_ref ref, trk_kind kind)
{
    return ref != 0 && ref <= view->block_count && trk_tag(view, ref) == trk_make_tag(shard, kind);
}

static void set_tag(trk_swarms *view, trk_ref ref, unsigned tag)
{
    __atomic_store_n(&view->tags[ref], (uint16_t)tag, __ATOMIC_RELAXED);
}

/* Puts a block on the free list. The tag goes first: a block without one is found again by remake_free_list. */
static void put(trk_swarms *view, trk_ref ref)
{
    trk_header *header = view->header;

    set_tag(view, ref, 0);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    memcpy(trk_block(view, ref), &header->free_head, sizeof header->free_head);
    header->free_head = ref;
    header->free_count++;
}

static void remake_free_list(trk_swarms *view)
{
    trk_header *header = view->header;

    header->free_head = 0;
    header->free_count = 0;
    for (trk_ref ref = header->fresh - 1; ref > 0; ref--)
        if (trk_tag(view, ref) == 0)
            put(view, ref);
    bt_log(BT_LOG_WARNING, 301, APR_SUCCESS,
           "a process died while it took or gave swarm memory: free list made again, %u blocks free",
           header->free_count);
}

apr_status_t trk_memory_lock(trk_swarms *view)
{
    int error = pthread_mutex_lock(&view->header->lock);

    if (error == EOWNERDEAD) {
        remake_free_list(view);
        error = pthread_mutex_consistent(&view->header->lock);
    }
    return error;
}

void trk_memory_unlock(trk_swarms *view)
{
    pthread_mutex_unlock(&view->header->lock);
}

apr_status_t trk_take(trk_swarms *view, unsigned shard, const trk_kind *kinds, trk_ref *refs, int count)
{
    trk_header *header = view->header;
    apr_status_t status = trk_memory_lock(view);

    if (status != APR_SUCCESS)
        return status;
    if (header->free_count + (view->block_count + 1 - header->fresh) < (uint32_t)count) {
        trk_memory_unlock(view);
        return APR_ENOSPC;
    }
    for (int i = 0; i < count; i++) {
        if (header->free_head) {
            refs[i] = header->free_head;
            memcpy(&header->free_head, trk_block(view, refs[i]), sizeof header->free_head);
            header->free_count--;
        } else {
            refs[i] = header->fresh;
            __atomic_store_n(&header->fresh, header->fresh + 1, __ATOMIC_RELAXED);
        }
        memset(trk_block(view, refs[i]), 0, TRK_BLOCK_SIZE);
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        set_tag(view, refs[i], trk_make_tag(shard, kinds[i]));
    }
    trk_memory_unlock(view);
    return APR_SUCCESS;
}

/* Without the lock the block stays its shard's, unreachable: that shard's next repair finds it. It cannot happen short
 * of damage to the lock itself. */
void trk_give(trk_swarms *view, trk_ref ref)
{
    if (trk_memory_lock(view) != APR_SUCCESS)
        return;
    put(view, ref);
    trk_memory_unlock(view);
}

void trk_give_all(trk_swarms *view, unsigned shard)
{
    if (trk_memory_lock(view) != APR_SUCCESS)
        return;
    for (trk_ref ref = 1; ref < view->header->fresh; ref++)
        if (trk_tag_shard(trk_tag(view, ref)) == (int)shard)
            put(view, ref);
    trk_memory_unlock(view);
}
