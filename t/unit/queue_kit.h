/* What a job of the hashing queue told, for tests, and files to hash. */
#ifndef QUEUE_KIT_H
#define QUEUE_KIT_H

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "t/unit/naive.h"
#include "t/unit/unit.h"
#include "torrentgen/queue.h"

/* What one job told, and a gate at which its progress can be held up. */
typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int done, told, last_percent, in_order, gate_closed, at_gate;
    apr_status_t status;
    bt_infohash v1;
    bt_infohash_v2 v2;
    bt_stamp stamp;
    int has_digest;
    unsigned char digest[32];
    int turn; /* when it was done, counted from 1 */
} ear;

static int ear_turns; /* atomic */

static inline void ear_init(ear *one, int gate_closed)
{
    memset(one, 0, sizeof *one);
    pthread_mutex_init(&one->lock, NULL);
    pthread_cond_init(&one->changed, NULL);
    one->in_order = 1;
    one->gate_closed = gate_closed;
}

static inline void hear_progress(void *baton, int percent)
{
    ear *one = baton;

    pthread_mutex_lock(&one->lock);
    one->in_order &= percent > one->last_percent && percent <= 100 && !one->done;
    one->last_percent = percent;
    one->told++;
    one->at_gate = 1;
    pthread_cond_broadcast(&one->changed);
    while (one->gate_closed)
        pthread_cond_wait(&one->changed, &one->lock);
    pthread_mutex_unlock(&one->lock);
}

static inline void hear_done(void *baton, apr_status_t status, const tg_result *result)
{
    ear *one = baton;

    pthread_mutex_lock(&one->lock);
    one->done++;
    one->status = status;
    one->in_order &= (status == APR_SUCCESS) == (result->torrent.version != 0);
    one->stamp = result->stamp;
    one->has_digest = result->has_digest;
    memcpy(one->digest, result->digest, sizeof one->digest);
    one->turn = __atomic_add_fetch(&ear_turns, 1, __ATOMIC_RELAXED);
    one->v1 = result->torrent.v1;
    one->v2 = result->torrent.v2;
    pthread_cond_broadcast(&one->changed);
    pthread_mutex_unlock(&one->lock);
}

static inline void wait_done(ear *one)
{
    pthread_mutex_lock(&one->lock);
    while (!one->done)
        pthread_cond_wait(&one->changed, &one->lock);
    pthread_mutex_unlock(&one->lock);
}

static inline void wait_at_gate(ear *one)
{
    pthread_mutex_lock(&one->lock);
    while (!one->at_gate)
        pthread_cond_wait(&one->changed, &one->lock);
    pthread_mutex_unlock(&one->lock);
}

static inline void open_gate(ear *one)
{
    pthread_mutex_lock(&one->lock);
    one->gate_closed = 0;
    pthread_cond_broadcast(&one->changed);
    pthread_mutex_unlock(&one->lock);
}

static inline char *random_file(const char *name, size_t length, uint64_t seed)
{
    unsigned char *data = malloc(length ? length : 1);
    char *path;

    unit_fill(&seed, data, length);
    path = naive_file(name, data, length);
    free(data);
    return path;
}

#endif
