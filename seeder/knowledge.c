#include "seeder/knowledge.h"

#include <string.h>

#include "torrentgen/old_clients.h"

void seed_library_init(seed_library *library)
{
    APR_RING_INIT(&library->ring, seed_knowledge, here);
    library->size = 0;
    library->paid = 0;
}

void seed_knowledge_drop(seed_library *library, seed_knowledge **holder)
{
    seed_knowledge *knowledge = *holder;
    int i;

    if (!knowledge)
        return;
    *holder = NULL;
    APR_RING_REMOVE(knowledge, here);
    library->size -= knowledge->size;
    for (i = 0; i < SEED_KNOWN_COUNT; i++)
        bt_buf_free(&knowledge->reduced[i]);
    apr_pool_destroy(knowledge->pool);
}

/* Drops the least recently used ones until `size` more bytes fit, or none is left but `keep`. */
static void make_room(seed_library *library, apr_size_t size, const seed_knowledge *keep)
{
    while (library->size + size > SEED_KNOWLEDGE_MAX && !APR_RING_EMPTY(&library->ring, seed_knowledge, here) &&
           APR_RING_FIRST(&library->ring) != keep)
        seed_knowledge_drop(library, APR_RING_FIRST(&library->ring)->holder);
}

/* A pool whose memory goes back to the system with it. */
static apr_pool_t *make_pool(void)
{
    apr_allocator_t *allocator;
    apr_pool_t *pool;

    if (apr_allocator_create(&allocator) != APR_SUCCESS)
        return NULL;
    apr_allocator_max_free_set(allocator, 1);
    if (apr_pool_create_unmanaged_ex(&pool, NULL, allocator) != APR_SUCCESS) {
        apr_allocator_destroy(allocator);
        return NULL;
    }
    apr_allocator_owner_set(allocator, pool);
    return pool;
}

/* Who comes and goes may have the same read again and again. @return 0 if that is too much for now */
static int may_read(seed_library *library, apr_size_t size, apr_time_t now)
{
    if (library->paid - now > APR_USEC_PER_SEC)
        return 0;
    if (library->paid < now)
        library->paid = now;
    library->paid += (apr_time_t)size * APR_USEC_PER_SEC / SEED_KNOWLEDGE_RATE;
    return 1;
}

static apr_status_t load(seed_library *library, cat_catalog *catalog, const cat_entry *entry, seed_knowledge **holder,
                         apr_time_t now)
{
    apr_size_t size = entry->infodict_length + entry->layer_length + 2 * entry->members_length + sizeof **holder;
    seed_knowledge *knowledge;
    apr_status_t status;
    apr_pool_t *pool;
    int i;

    if (size > SEED_KNOWLEDGE_ONE)
        return APR_ENOSPC;
    if (!may_read(library, size, now))
        return APR_EAGAIN;
    make_room(library, size, NULL);
    pool = make_pool();
    if (!pool)
        return APR_ENOMEM;
    knowledge = apr_pcalloc(pool, sizeof *knowledge);
    status = knowledge ? cat_read_torrent(catalog, entry, pool, &knowledge->torrent) : APR_ENOMEM;
    if (status != APR_SUCCESS) {
        apr_pool_destroy(pool);
        return status;
    }
    knowledge->pool = pool;
    knowledge->size = size;
    knowledge->holder = holder;
    for (i = 0; i < SEED_KNOWN_COUNT; i++)
        bt_buf_init(&knowledge->reduced[i], knowledge->torrent.infodict_length);
    library->size += size;
    APR_RING_INSERT_TAIL(&library->ring, knowledge, seed_knowledge, here);
    *holder = knowledge;
    return APR_SUCCESS;
}

apr_status_t seed_knowledge_get(seed_library *library, cat_catalog *catalog, const cat_entry *entry,
                                seed_knowledge **holder, apr_time_t now)
{
    apr_status_t status = *holder ? APR_SUCCESS : load(library, catalog, entry, holder, now);

    if (status != APR_SUCCESS)
        return status;
    (*holder)->used = now;
    APR_RING_REMOVE(*holder, here);
    APR_RING_INSERT_TAIL(&library->ring, *holder, seed_knowledge, here);
    return APR_SUCCESS;
}

apr_status_t seed_knowledge_infodict(seed_library *library, seed_knowledge *knowledge, seed_known_by by,
                                     const unsigned char **infodict, apr_size_t *length)
{
    const tg_torrent *torrent = &knowledge->torrent;
    bt_buf *reduced = &knowledge->reduced[by];
    apr_status_t status = APR_SUCCESS;

    if (by == SEED_KNOWN_FULL) {
        *infodict = torrent->infodict;
        *length = torrent->infodict_length;
        return APR_SUCCESS;
    }
    if (!reduced->length) {
        status = (by == SEED_KNOWN_KEYLESS ? tg_keyless_write : tg_v1_alone_write)(reduced, torrent->infodict,
                                                                                  torrent->infodict_length);
        if (status != APR_SUCCESS) {
            bt_buf_free(reduced);
            return status;
        }
        knowledge->size += reduced->length;
        library->size += reduced->length;
        make_room(library, 0, knowledge);
    }
    *infodict = reduced->data;
    *length = reduced->length;
    return status;
}

void seed_library_tick(seed_library *library, apr_time_t now)
{
    while (!APR_RING_EMPTY(&library->ring, seed_knowledge, here) &&
           now - APR_RING_FIRST(&library->ring)->used >= SEED_KNOWLEDGE_SECONDS * APR_USEC_PER_SEC)
        seed_knowledge_drop(library, APR_RING_FIRST(&library->ring)->holder);
}

void seed_library_free(seed_library *library)
{
    while (!APR_RING_EMPTY(&library->ring, seed_knowledge, here))
        seed_knowledge_drop(library, APR_RING_FIRST(&library->ring)->holder);
}
