/* Any contents of a segment: a table of some swarms is made, then bytes of it are changed as the input says, and its owner dies with
 * a lock in its hands. A header that is none is refused. Whatever the blocks of the shard that was being changed hold, however they
 * are linked and counted, it is made sound again, and no other shard loses a peer; likewise the memory's free list. Only the tags
 * and the mark of fresh blocks, which the memory manager has under its own lock, are believed. */
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tracker/shard.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SWARMS = 12, PEERS = 30, CHANGE = 4 /* bytes of input: what, two of where, value */ };

static const apr_time_t now = APR_TIME_C(1700000000) * APR_USEC_PER_SEC;
static const unsigned char key[16] = {7};
static const trk_policy policy = {.interval = APR_TIME_C(1800) * APR_USEC_PER_SEC, .allow_private_peers = 1};

static void must(int holds)
{
    if (!holds)
        abort();
}

static bt_infohash hash_of(unsigned number)
{
    return (bt_infohash){{(unsigned char)number, 1}};
}

static uint32_t announce_in(trk_swarms *swarms, unsigned swarm, unsigned who, trk_event event)
{
    trk_announce announce = {.hash = hash_of(swarm), .left = who % 3, .event = event, .compact = 1};
    trk_address from = {{11, 0, (unsigned char)who, (unsigned char)(who >> 8), 5, 6, 7, (unsigned char)who}, 9, who % 4 == 0};
    trk_answer answer;

    must(trk_swarms_announce(swarms, &policy, &announce, &from, NULL, 0, now, who + 1, &answer) == APR_SUCCESS);
    return answer.complete + answer.incomplete;
}

static unsigned peers_of(unsigned swarm)
{
    return swarm % 4 == 0 ? PEERS : swarm % 4;
}

/* Swarms of all sizes: some that lie in their own block, some with chains. They are made once and copied. */
static trk_swarms *make(void)
{
    static unsigned char memory[TRK_MEMORY_MIN] __attribute__((aligned(TRK_BLOCK_SIZE))), made[TRK_MEMORY_MIN];
    static int is_made;
    trk_swarms *swarms;

    if (is_made)
        memcpy(memory, made, sizeof made);
    else
        must(trk_swarms_format(memory, sizeof memory, key) == APR_SUCCESS);
    must(trk_swarms_attach(&swarms, memory, sizeof memory) == APR_SUCCESS);
    for (unsigned swarm = 0; swarm < SWARMS && !is_made; swarm++)
        for (unsigned who = 0; who < peers_of(swarm); who++)
            announce_in(swarms, swarm, who, TRK_EVENT_STARTED);
    if (!is_made++)
        memcpy(made, memory, sizeof made);
    return swarms;
}

static unsigned shard_of(const trk_swarms *swarms, unsigned swarm)
{
    bt_infohash hash = hash_of(swarm);

    return trk_shard_of(trk_hash(swarms, hash.b, sizeof hash.b));
}

typedef struct {
    trk_swarms *swarms;
    const uint8_t *data;
    size_t size;
    unsigned shard;
} damage;

/* The nth block (round and round) that has something of the shard's in it, by the tags. */
static unsigned char *block_of(trk_swarms *swarms, unsigned shard, unsigned nth)
{
    trk_ref own[256];
    unsigned count = 0;

    for (trk_ref ref = 1; ref < swarms->header->fresh && count < 256; ref++)
        if (trk_tag_shard(trk_tag(swarms, ref)) == (int)shard)
            own[count++] = ref;
    return count ? trk_block(swarms, own[nth % count]) : NULL;
}

/* The shard's numbers and index, without the lock and the mark that it is being changed. */
static void damage_shard(trk_shard *shard, unsigned where, uint8_t value)
{
    const size_t first = offsetof(trk_shard, index);

    ((unsigned char *)shard)[first + where % (sizeof *shard - first)] = value;
}

static void damage_memory(trk_header *header, unsigned where, uint8_t value)
{
    trk_ref wrong = where * 257u + value;

    if (where % 2)
        header->free_head = wrong;
    else
        header->free_count = wrong;
}

static void *change_and_die(void *baton)
{
    damage *d = baton;
    int in_memory = 0;

    must(trk_shard_lock(d->swarms, d->shard) == APR_SUCCESS);
    for (; d->size >= CHANGE; d->data += CHANGE, d->size -= CHANGE) {
        unsigned where = (unsigned)d->data[1] << 8 | d->data[2];
        unsigned char *block = block_of(d->swarms, d->shard, d->data[1]);

        if (d->data[0] < 200 && block)
            block[d->data[2] % TRK_BLOCK_SIZE] = d->data[3];
        else if (d->data[0] < 240)
            damage_shard(&d->swarms->shards[d->shard], where, d->data[3]);
        else {
            if (!in_memory++)
                must(trk_memory_lock(d->swarms) == APR_SUCCESS);
            damage_memory(d->swarms->header, where, d->data[3]);
        }
    }
    return NULL; /* a thread that ends leaves its robust locks as a process does that is killed */
}

static void check_repair(const uint8_t *data, size_t size)
{
    trk_swarms *swarms = make();
    unsigned damaged = size ? data[0] % SWARMS : 0;
    damage d = {swarms, data, size, shard_of(swarms, damaged)};
    pthread_t thread;

    must(pthread_create(&thread, NULL, change_and_die, &d) == 0);
    must(pthread_join(thread, NULL) == 0);
    must(announce_in(swarms, damaged, PEERS, TRK_EVENT_STARTED) >= 1);
    must(trk_check(swarms) == NULL);
    for (unsigned swarm = 0; swarm < SWARMS; swarm++)
        if (shard_of(swarms, swarm) != d.shard)
            must(announce_in(swarms, swarm, PEERS, TRK_EVENT_STARTED) == peers_of(swarm) + 1);
    must(trk_check(swarms) == NULL);
    trk_swarms_detach(swarms);
}

/* The input as the beginning of a segment. */
static void check_attach(const uint8_t *data, size_t size)
{
    trk_swarms *swarms = make(), *again = NULL;
    unsigned char *memory = (unsigned char *)swarms->header;
    size_t length = size < offsetof(trk_header, key) ? size : offsetof(trk_header, key);
    int same = memcmp(memory, data, length) == 0;
    apr_status_t status;

    memcpy(memory, data, length);
    status = trk_swarms_attach(&again, memory, TRK_MEMORY_MIN);
    must(status == (same ? APR_SUCCESS : APR_EINVAL) && (again != NULL) == same);
    trk_swarms_detach(again);
    trk_swarms_detach(swarms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size)
        check_attach(data, size);
    check_repair(data, size);
    return 0;
}
