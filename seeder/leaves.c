#include "seeder/leaves.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/ring.h"
#include "torrentgen/intake.h"

enum { NODE = BT_HASH_V2_SIZE, CHUNK = 16 * TG_BLOCK };

typedef enum { WAITING, MADE, CHECKED, FAILED } result_state;

/* Hashes of some blocks, or a crown: from the first time it is asked for. malloc'd, with the path behind it. */
typedef struct result {
    APR_RING_ENTRY(result) all; /* the one that was not used for longest first */
    struct result *next;        /* that waits to be made; under the mutex */
    unsigned char root[NODE];
    apr_uint32_t piece_length;
    apr_uint64_t first_leaf;
    apr_uint32_t leaves;  /* 0: a crown */
    apr_size_t size;      /* bytes of hashes */
    apr_time_t used;      /* or failed */
    bt_stamp stamp;
    const char *path;     /* of leaves */
    unsigned char *layer; /* of a crown, while it waits: malloc'd */
    apr_size_t layer_size;
    result_state state;         /* under the mutex while it waits; the worker's last word */
    apr_status_t status;        /* why it failed */
    unsigned char *hashes;
} result;

APR_RING_HEAD(results, result);

struct seed_leaves {
    int event;
    seed_nodes nodes; /* of the seeder's thread */
    struct results all;
    int count;         /* of results */
    apr_size_t kept;   /* bytes of hashes, those to be made included */
    apr_size_t copied; /* bytes of piece layers */
    pthread_mutex_t mutex;
    pthread_t worker;
    int has_worker;         /* one has been started and not joined */
    int working, stopping;  /* under the mutex, as all below */
    result *first, **last;  /* those that wait */
    int waiting;
};

/* --- the worker --------------------------------------------------------------------------------------------------------- */

static int is_stopping(seed_leaves *store)
{
    int stopping;

    pthread_mutex_lock(&store->mutex);
    stopping = store->stopping;
    pthread_mutex_unlock(&store->mutex);
    return stopping;
}

/* Hashes blocks that follow each other; the file's last one may be shorter. */
static apr_status_t hash_blocks(const tg_engine *engine, tg_hasher *hasher, const unsigned char *bytes, apr_size_t length,
                                unsigned char *out)
{
    apr_size_t whole = length / TG_BLOCK, rest = length % TG_BLOCK;
    apr_status_t status = engine->sha256_blocks(hasher, bytes, TG_BLOCK, whole, out);

    if (status == APR_SUCCESS && rest)
        status = engine->sha256_blocks(hasher, bytes + whole * TG_BLOCK, rest, 1, out + whole * NODE);
    return status;
}

static apr_status_t read_leaves(seed_leaves *store, result *made, tg_intake *intake, tg_hasher *hasher,
                                const tg_engine *engine)
{
    apr_int64_t at = intake->start;
    unsigned char *buffer = malloc(CHUNK), *out = made->hashes;
    apr_status_t status = buffer ? APR_SUCCESS : APR_ENOMEM;

    tg_intake_ahead(intake, intake->start, intake->end - intake->start);
    while (status == APR_SUCCESS && at < intake->end) {
        apr_size_t length = intake->end - at < CHUNK ? (apr_size_t)(intake->end - at) : CHUNK;
        status = is_stopping(store) ? APR_EINTR : tg_intake_read(intake, buffer, length, at);
        if (status == APR_SUCCESS)
            status = hash_blocks(engine, hasher, buffer, length, out);
        at += (apr_int64_t)length;
        out += CHUNK / TG_BLOCK * NODE;
    }
    free(buffer);
    return status;
}

static apr_status_t make_leaves(seed_leaves *store, result *made)
{
    apr_int64_t start = (apr_int64_t)made->first_leaf * TG_BLOCK, end = start + (apr_int64_t)made->leaves * TG_BLOCK;
    const tg_engine *engine = tg_engine_default();
    tg_hasher *hasher = NULL;
    tg_intake intake;
    apr_status_t status = tg_intake_open(&intake, made->path, &made->stamp, start,
                                         end < made->stamp.size ? end : made->stamp.size);

    if (status != APR_SUCCESS)
        return status;
    status = engine->create(&hasher);
    if (status == APR_SUCCESS)
        status = read_leaves(store, made, &intake, hasher, engine);
    engine->destroy(hasher);
    tg_intake_close(&intake);
    return status;
}

static apr_status_t make_crown(result *made)
{
    seed_hash_tree tree = {made->root, made->stamp.size, made->piece_length, made->layer};
    seed_nodes nodes;
    apr_status_t status = seed_nodes_init(&nodes);

    if (status == APR_SUCCESS)
        status = seed_crown_make(&nodes, &tree, made->hashes);
    seed_nodes_free(&nodes);
    return status;
}

static void make(seed_leaves *store, result *made)
{
    apr_status_t status = made->leaves ? make_leaves(store, made) : make_crown(made);

    pthread_mutex_lock(&store->mutex);
    made->status = status;
    made->state = status == APR_SUCCESS ? MADE : FAILED;
    pthread_mutex_unlock(&store->mutex);
    eventfd_write(store->event, 1);
}

/* Takes the first one that waits. @return NULL: none is left, and the thread ends */
static result *take(seed_leaves *store)
{
    result *taken;

    pthread_mutex_lock(&store->mutex);
    taken = store->stopping ? NULL : store->first;
    store->working = taken != NULL;
    if (taken) {
        store->first = taken->next;
        store->waiting--;
        if (!store->first)
            store->last = &store->first;
    }
    pthread_mutex_unlock(&store->mutex);
    return taken;
}

static void *work(void *baton)
{
    seed_leaves *store = baton;
    result *next;

    while ((next = take(store)))
        make(store, next);
    return NULL;
}

/* --- the seeder's thread ------------------------------------------------------------------------------------------------ */

/* Gives a result to the worker, and makes sure that there is one. */
static apr_status_t post(seed_leaves *store, result *made)
{
    int must_start;

    pthread_mutex_lock(&store->mutex);
    made->next = NULL;
    *store->last = made;
    store->last = &made->next;
    store->waiting++;
    must_start = !store->working;
    store->working = 1;
    pthread_mutex_unlock(&store->mutex);
    if (!must_start)
        return APR_SUCCESS;
    if (store->has_worker)
        pthread_join(store->worker, NULL); /* it has taken its leave already */
    store->has_worker = pthread_create(&store->worker, NULL, work, store) == 0;
    if (store->has_worker)
        return APR_SUCCESS;
    store->first = NULL; /* without a worker, nobody else looks at them; and it was the only one */
    store->last = &store->first;
    store->waiting = store->working = 0;
    return APR_ENOMEM;
}

static result_state state_of(seed_leaves *store, result *of)
{
    result_state state;

    pthread_mutex_lock(&store->mutex);
    state = of->state;
    pthread_mutex_unlock(&store->mutex);
    return state;
}

static void drop_layer(seed_leaves *store, result *of)
{
    free(of->layer);
    store->copied -= of->layer_size;
    of->layer = NULL;
    of->layer_size = 0;
}

static void drop(seed_leaves *store, result *gone)
{
    APR_RING_REMOVE(gone, all);
    store->count--;
    drop_layer(store, gone);
    store->kept -= gone->size;
    free(gone->hashes);
    free(gone);
}

/* Makes room for one more of a file, and for its bytes. What waits or is being made stays. */
static void make_room(seed_leaves *store, const unsigned char *root, apr_size_t size)
{
    result *at, *next, *oldest = NULL;
    int same = 0;

    for (at = APR_RING_FIRST(&store->all); at != APR_RING_SENTINEL(&store->all, result, all); at = next) {
        next = APR_RING_NEXT(at, all);
        if (state_of(store, at) == WAITING)
            continue;
        if (store->kept + size > SEED_LEAVES_KEPT || store->count >= SEED_LEAVES_RESULTS) {
            drop(store, at);
        } else if (memcmp(at->root, root, NODE) == 0) {
            oldest = oldest ? oldest : at;
            same++;
        }
    }
    if (same >= SEED_LEAVES_OF_ONE)
        drop(store, oldest);
}

static result *find(seed_leaves *store, const seed_hash_tree *tree, apr_uint64_t first_leaf, apr_uint32_t leaves,
                    apr_time_t now)
{
    result *at;

    APR_RING_FOREACH(at, &store->all, result, all)
    {
        if (memcmp(at->root, tree->root, NODE) == 0 && at->piece_length == tree->piece_length &&
            at->first_leaf == first_leaf && at->leaves == leaves) {
            if (state_of(store, at) != FAILED)
                at->used = now;
            APR_RING_REMOVE(at, all);
            APR_RING_INSERT_TAIL(&store->all, at, result, all);
            return at;
        }
    }
    return NULL;
}

/* Room for a result with `extra` bytes behind it. */
static result *begin(seed_leaves *store, const seed_hash_tree *tree, apr_size_t size, apr_size_t extra, apr_time_t now)
{
    result *made;

    make_room(store, tree->root, size);
    made = calloc(1, sizeof *made + extra);
    if (!made)
        return NULL;
    made->hashes = malloc(size);
    if (!made->hashes) {
        free(made);
        return NULL;
    }
    memcpy(made->root, tree->root, NODE);
    made->piece_length = tree->piece_length;
    made->stamp.size = tree->length;
    made->size = size;
    made->used = now;
    store->kept += size;
    store->count++;
    APR_RING_INSERT_TAIL(&store->all, made, result, all);
    return made;
}

static apr_status_t may_begin(seed_leaves *store, apr_size_t size)
{
    int waiting;

    pthread_mutex_lock(&store->mutex);
    waiting = store->waiting;
    pthread_mutex_unlock(&store->mutex);
    return waiting < SEED_LEAVES_WAITING && size <= SEED_LEAVES_KEPT ? APR_SUCCESS : APR_ENOSPC;
}

static apr_status_t begin_or_drop(seed_leaves *store, result *made)
{
    apr_status_t status = post(store, made);

    if (status == APR_SUCCESS)
        return APR_EAGAIN;
    drop(store, made);
    return status;
}

static apr_status_t begin_leaves(seed_leaves *store, const seed_hash_tree *tree, const seed_hash_plan *plan, const char *path,
                                 const bt_stamp *stamp, apr_time_t now)
{
    apr_size_t size = (apr_size_t)plan->leaves * NODE, length = strlen(path) + 1;
    apr_status_t status = may_begin(store, size);
    result *made;

    if (status != APR_SUCCESS)
        return status;
    made = begin(store, tree, size, length, now);
    if (!made)
        return APR_ENOMEM;
    made->path = memcpy(made + 1, path, length);
    made->stamp = *stamp;
    made->first_leaf = plan->first_leaf;
    made->leaves = plan->leaves;
    return begin_or_drop(store, made);
}

static apr_status_t begin_crown(seed_leaves *store, const seed_hash_tree *tree, apr_time_t now)
{
    apr_size_t size = seed_crown_size(tree);
    apr_size_t length = (apr_size_t)tg_piece_count(tree->length, tree->piece_length) * NODE;
    apr_status_t status = store->copied + length <= SEED_LEAVES_COPIED ? may_begin(store, size) : APR_ENOSPC;
    result *made;

    if (status != APR_SUCCESS)
        return status;
    made = begin(store, tree, size, 0, now);
    if (!made)
        return APR_ENOMEM;
    made->layer = malloc(length);
    if (!made->layer) {
        drop(store, made);
        return APR_ENOMEM;
    }
    memcpy(made->layer, tree->layer, length);
    made->layer_size = length;
    store->copied += length;
    return begin_or_drop(store, made);
}

/* Compares leaves with the tree, once. */
static void check(seed_leaves *store, result *made, const seed_hash_tree *tree, const seed_hash_plan *plan, apr_time_t now)
{
    int right = 0;
    apr_status_t status = seed_leaves_check(&store->nodes, tree, plan, made->hashes, &right);

    made->state = status == APR_SUCCESS && right ? CHECKED : FAILED;
    made->status = status == APR_SUCCESS ? APR_EBUSY : status; /* the file was written to without a trace in its stamp */
    made->used = now;
}

apr_status_t seed_leaves_get(seed_leaves *store, const seed_hash_tree *tree, const seed_hash_plan *plan, const char *path,
                             const bt_stamp *stamp, apr_time_t now, const unsigned char **leaves)
{
    result *is = find(store, tree, plan->first_leaf, plan->leaves, now);
    result_state state;

    if (!is)
        return begin_leaves(store, tree, plan, path, stamp, now);
    state = state_of(store, is);
    if (state == WAITING)
        return APR_EAGAIN;
    if (state == MADE)
        check(store, is, tree, plan, now);
    *leaves = is->hashes;
    return is->state == CHECKED ? APR_SUCCESS : is->status;
}

apr_status_t seed_leaves_crown(seed_leaves *store, const seed_hash_tree *tree, apr_time_t now, const unsigned char **crown)
{
    result *is = find(store, tree, 0, 0, now);
    result_state state = is ? state_of(store, is) : WAITING;

    if (!is)
        return begin_crown(store, tree, now);
    *crown = is->hashes;
    return state == WAITING ? APR_EAGAIN : state == FAILED ? is->status : APR_SUCCESS;
}

seed_nodes *seed_leaves_nodes(seed_leaves *store)
{
    return &store->nodes;
}

int seed_leaves_count(const seed_leaves *store)
{
    return store->count;
}

int seed_leaves_hold_any(const seed_leaves *store)
{
    return store && !APR_RING_EMPTY(&store->all, result, all);
}

void seed_leaves_tick(seed_leaves *store, apr_time_t now)
{
    result *at, *next;

    for (at = APR_RING_FIRST(&store->all); at != APR_RING_SENTINEL(&store->all, result, all); at = next) {
        result_state state = state_of(store, at);
        apr_time_t most = apr_time_from_sec(state == FAILED ? SEED_LEAVES_FAILED_SECONDS : SEED_LEAVES_SECONDS);
        next = APR_RING_NEXT(at, all);
        if (state != WAITING && now - at->used >= most)
            drop(store, at);
    }
}

int seed_leaves_event(const seed_leaves *store)
{
    return store->event;
}

void seed_leaves_heard(seed_leaves *store)
{
    eventfd_t count;
    result *at;

    eventfd_read(store->event, &count);
    APR_RING_FOREACH(at, &store->all, result, all)
    {
        if (at->layer && state_of(store, at) != WAITING)
            drop_layer(store, at);
    }
}

apr_status_t seed_leaves_open(seed_leaves **store)
{
    seed_leaves *made = calloc(1, sizeof *made);
    apr_status_t status;

    *store = NULL;
    if (!made)
        return APR_ENOMEM;
    APR_RING_INIT(&made->all, result, all);
    made->last = &made->first;
    pthread_mutex_init(&made->mutex, NULL);
    made->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    status = made->event < 0 ? errno : seed_nodes_init(&made->nodes);
    if (status == APR_SUCCESS)
        *store = made;
    else
        seed_leaves_close(made);
    return status;
}

void seed_leaves_close(seed_leaves *store)
{
    if (!store)
        return;
    pthread_mutex_lock(&store->mutex);
    store->stopping = 1;
    pthread_mutex_unlock(&store->mutex);
    if (store->has_worker)
        pthread_join(store->worker, NULL);
    while (!APR_RING_EMPTY(&store->all, result, all))
        drop(store, APR_RING_FIRST(&store->all));
    seed_nodes_free(&store->nodes);
    if (store->event >= 0)
        close(store->event);
    pthread_mutex_destroy(&store->mutex);
    free(store);
}
