/* What a swarm's torrent says beyond its pieces: infodict and piece layers, read from the catalogue when a peer first asks
 * for them. Bounded over all swarms, the least recently used goes first; what nobody has used for a while goes as well.
 * Seeder's thread. */
#ifndef SEED_KNOWLEDGE_H
#define SEED_KNOWLEDGE_H

#include <apr_time.h>

#include "base/buf.h"
#include "base/ring.h"
#include "catalog/catalog.h"

enum {
    SEED_KNOWLEDGE_MAX = 64 * 1024 * 1024, /* bytes of all together; one that is larger than that stands alone */
    SEED_KNOWLEDGE_ONE = 160 * 1024 * 1024, /* bytes of one: a hybrid of 2^21 pieces. Larger ones are not read */
    SEED_KNOWLEDGE_RATE = 64 * 1024 * 1024, /* bytes read in a second, over many: reading keeps the loop from all else */
    SEED_KNOWLEDGE_SECONDS = 60            /* kept so long after its last use */
};

/* By which of its info-hashes a torrent is known: the infodict differs. */
typedef enum {
    SEED_KNOWN_FULL,    /* by v1 or v2 */
    SEED_KNOWN_KEYLESS, /* see torrentgen/old_clients.h */
    SEED_KNOWN_ALONE,   /* likewise */
    SEED_KNOWN_COUNT
} seed_known_by;

/* Of one swarm. Read-only for others than knowledge.c. */
typedef struct seed_knowledge {
    APR_RING_ENTRY(seed_knowledge) here; /* the one used last at the end */
    struct seed_knowledge **holder;      /* the swarm's pointer to it */
    apr_pool_t *pool;                    /* owns it and the torrent */
    apr_time_t used;
    apr_size_t size;        /* bytes that it takes */
    tg_torrent torrent;     /* infodict, layers, members */
    bt_buf reduced[SEED_KNOWN_COUNT]; /* the other infodicts, made when first asked for */
} seed_knowledge;

APR_RING_HEAD(seed_knowledges, seed_knowledge);

/* All of a seeder. */
typedef struct {
    struct seed_knowledges ring;
    apr_size_t size; /* bytes */
    apr_time_t paid; /* when what was read will have been read at the rate above */
} seed_library;

void seed_library_init(seed_library *library);

/**
 * Gives the knowledge of an entry, reading it if need be.
 * @param holder  where it is kept: NULL before; set to NULL when it is dropped
 * @return APR_SUCCESS; APR_NOTFOUND if the torrent went away; APR_ENOSPC if it is too large; APR_EAGAIN if
 *         too much was read of late; APR_ENOMEM; or as the catalogue.
 *         What it gives is valid until the next call of any function here
 */
apr_status_t seed_knowledge_get(seed_library *library, cat_catalog *catalog, const cat_entry *entry,
                                seed_knowledge **holder, apr_time_t now);

/** The infodict by which the torrent is known. @return APR_SUCCESS, or why it cannot be made */
apr_status_t seed_knowledge_infodict(seed_library *library, seed_knowledge *knowledge, seed_known_by by,
                                     const unsigned char **infodict, apr_size_t *length);

/** The holder goes away. */
void seed_knowledge_drop(seed_library *library, seed_knowledge **holder);

/** Drops what nobody has used for long. */
void seed_library_tick(seed_library *library, apr_time_t now);

/** Drops everything. */
void seed_library_free(seed_library *library);

#endif
