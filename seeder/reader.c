#include "seeder/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/ring.h"

struct seed_read {
    APR_RING_ENTRY(seed_read) line;
    void *waiter; /* the seeder's thread alone looks at it; NULL: abandoned */
    int file;     /* our own copy */
    apr_int64_t offset;
    apr_size_t length;
    apr_status_t status;
    int waits; /* for a thread; under the mutex */
};

APR_RING_HEAD(seed_reads, seed_read);

/* `waiting`, `finished`, `idle`, `queued` and `stopping` are under the mutex. */
struct seed_reader {
    const seed_disk *disk;
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* something waits; stopping */
    struct seed_reads waiting, finished;
    int idle;   /* threads that wait for work */
    int queued; /* reads that wait for a thread */
    int stopping;
    int wake; /* eventfd */
    pthread_t threads[SEED_READER_THREADS];
    int count; /* of threads that were started */
    int reads; /* that there are; the seeder's thread alone looks at it */
};

static void free_read(seed_read *read)
{
    close(read->file);
    free(read);
}

static void free_all(struct seed_reads *reads)
{
    while (!APR_RING_EMPTY(reads, seed_read, line)) {
        seed_read *read = APR_RING_FIRST(reads);
        APR_RING_REMOVE(read, line);
        free_read(read);
    }
}

/* --- the threads --------------------------------------------------------------------------------------------------- */

/* Under the mutex. */
static void take_out(seed_reader *reader, seed_read *read)
{
    APR_RING_REMOVE(read, line);
    read->waits = 0;
    reader->queued--;
}

/* Under the mutex. @return NULL when it is time to end */
static seed_read *take(seed_reader *reader)
{
    seed_read *read;

    reader->idle++;
    while (APR_RING_EMPTY(&reader->waiting, seed_read, line) && !reader->stopping)
        pthread_cond_wait(&reader->changed, &reader->mutex);
    reader->idle--;
    if (reader->stopping)
        return NULL;
    read = APR_RING_FIRST(&reader->waiting);
    take_out(reader, read);
    return read;
}

static void finish(seed_reader *reader, seed_read *read)
{
    if (APR_RING_EMPTY(&reader->finished, seed_read, line))
        eventfd_write(reader->wake, 1);
    APR_RING_INSERT_TAIL(&reader->finished, read, seed_read, line);
}

static void *run(void *baton)
{
    seed_reader *reader = baton;
    seed_read *read;

    pthread_setname_np(pthread_self(), "bthttp-read");
    pthread_mutex_lock(&reader->mutex);
    while ((read = take(reader))) {
        pthread_mutex_unlock(&reader->mutex);
        read->status = reader->disk->fetch(reader->disk->baton, read->file, read->offset, read->length);
        pthread_mutex_lock(&reader->mutex);
        finish(reader, read);
    }
    pthread_mutex_unlock(&reader->mutex);
    return NULL;
}

/* --- from the loop ------------------------------------------------------------------------------------------------- */

apr_status_t seed_reader_open(seed_reader **reader, const seed_disk *disk)
{
    seed_reader *made = calloc(1, sizeof *made);

    if (!made)
        return APR_ENOMEM;
    made->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (made->wake < 0) {
        free(made);
        return errno;
    }
    made->disk = disk;
    pthread_mutex_init(&made->mutex, NULL);
    pthread_cond_init(&made->changed, NULL);
    APR_RING_INIT(&made->waiting, seed_read, line);
    APR_RING_INIT(&made->finished, seed_read, line);
    *reader = made;
    return APR_SUCCESS;
}

void seed_reader_close(seed_reader *reader)
{
    int i;

    if (!reader)
        return;
    pthread_mutex_lock(&reader->mutex);
    reader->stopping = 1;
    pthread_cond_broadcast(&reader->changed);
    pthread_mutex_unlock(&reader->mutex);
    for (i = 0; i < reader->count; i++)
        pthread_join(reader->threads[i], NULL);
    free_all(&reader->waiting);
    free_all(&reader->finished);
    pthread_cond_destroy(&reader->changed);
    pthread_mutex_destroy(&reader->mutex);
    close(reader->wake);
    free(reader);
}

int seed_reader_fd(const seed_reader *reader)
{
    return reader->wake;
}

/* Another thread, if all are at work and more are allowed. Signals are for others. @return 0 if there is none at all */
static int want_thread(seed_reader *reader, int too_few)
{
    sigset_t all, before;

    if (!too_few || reader->count == SEED_READER_THREADS)
        return 1;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&reader->threads[reader->count], NULL, run, reader) == 0)
        reader->count++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return reader->count > 0;
}

static seed_read *make_read(int file, apr_int64_t offset, apr_size_t length, void *waiter)
{
    seed_read *made = malloc(sizeof *made);

    if (!made)
        return NULL;
    made->file = fcntl(file, F_DUPFD_CLOEXEC, 0);
    made->offset = offset;
    made->length = length;
    made->waiter = waiter;
    made->waits = 1;
    if (made->file >= 0)
        return made;
    free(made);
    return NULL;
}

int seed_reader_room(const seed_reader *reader)
{
    return SEED_READER_MOST - reader->reads;
}

apr_status_t seed_reader_begin(seed_reader *reader, int file, apr_int64_t offset, apr_size_t length, void *waiter,
                               seed_read **begun)
{
    seed_read *made;
    int too_few;

    *begun = NULL;
    if (seed_reader_room(reader) == 0)
        return APR_EAGAIN;
    made = make_read(file, offset, length, waiter);
    if (!made)
        return APR_ENOMEM;
    pthread_mutex_lock(&reader->mutex);
    too_few = ++reader->queued > reader->idle;
    APR_RING_INSERT_TAIL(&reader->waiting, made, seed_read, line);
    pthread_cond_signal(&reader->changed);
    pthread_mutex_unlock(&reader->mutex);
    if (!want_thread(reader, too_few)) {
        take_out(reader, made); /* there is no thread that could have taken it */
        free_read(made);
        return APR_ENOMEM;
    }
    reader->reads++;
    *begun = made;
    return APR_SUCCESS;
}

static void give_back(seed_reader *reader, seed_read *read)
{
    free_read(read);
    reader->reads--;
}

void seed_reader_abandon(seed_reader *reader, seed_read *read)
{
    int waits;

    read->waiter = NULL;
    pthread_mutex_lock(&reader->mutex);
    waits = read->waits;
    if (waits)
        take_out(reader, read);
    pthread_mutex_unlock(&reader->mutex);
    if (waits)
        give_back(reader, read);
}

static seed_read *next_finished(seed_reader *reader)
{
    seed_read *first = NULL;
    eventfd_t woken;

    pthread_mutex_lock(&reader->mutex);
    if (APR_RING_EMPTY(&reader->finished, seed_read, line)) {
        eventfd_read(reader->wake, &woken);
    } else {
        first = APR_RING_FIRST(&reader->finished);
        APR_RING_REMOVE(first, line);
    }
    pthread_mutex_unlock(&reader->mutex);
    return first;
}

void *seed_reader_finished(seed_reader *reader, apr_status_t *status)
{
    seed_read *read;

    while ((read = next_finished(reader))) {
        void *waiter = read->waiter;

        *status = read->status;
        give_back(reader, read);
        if (waiter)
            return waiter;
    }
    return NULL;
}
