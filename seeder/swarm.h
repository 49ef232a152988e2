/* A torrent that has peers now: its bytes, its entry in the catalogue, and who is connected. Seeder's thread. */
#ifndef SEED_SWARM_H
#define SEED_SWARM_H

#include "base/ring.h"
#include "catalog/catalog.h"
#include "seeder/fair.h"
#include "seeder/knowledge.h"
#include "seeder/peer.h"
#include "seeder/pex.h"
#include "seeder/source.h"
#include "seeder/spread.h"

struct seed_conn;
struct seed_loop;
APR_RING_HEAD(seed_conns, seed_conn);

/* Connections that have something to send and may. */
typedef struct {
    seed_flow flow; /* first: the line is known by it */
    struct seed_conns conns; /* in the order of their turns */
} seed_line;

void seed_line_init(seed_line *line);

/* Where the file lies that hashes were last asked of: which member, and bytes of piece layers before its own. */
typedef struct {
    apr_size_t member, layer;
} seed_last_asked;

/* From its first peer to its last; malloc'd together with its entry's strings. */
typedef struct seed_swarm {
    APR_RING_ENTRY(seed_swarm) due;    /* in the loop's ring of swarms for the choker */
    APR_RING_ENTRY(seed_swarm) all;    /* in the loop's ring of all */
    APR_RING_ENTRY(seed_swarm) active; /* in the loop's ring of those where something happens */
    apr_time_t used;                   /* when something last happened: a handshake, a block */
    cat_entry entry;
    tg_member *members; /* of a collection, else NULL */
    seed_content content;
    seed_content reduced[SEED_KNOWN_COUNT - 1]; /* the same for who came by a hash that stands for v1 alone */
    seed_knowledge *knowledge;               /* NULL while nobody asks; the library's */
    seed_last_asked last_asked;
    seed_pex_journal *journal; /* of peers who came and left; NULL while no two are known */
    seed_source *source;
    seed_line line;
    int is_due, is_active;
    seed_spread *spread; /* NULL: no crowd */
    struct seed_loop *loop;
    APR_RING_ENTRY(seed_swarm) crowds; /* in the loop's ring, while it has a spread */
    int peers;
    struct seed_conns mates;
} seed_swarm;

/** Is it of a directory, which a "/" at the end of its path says? */
int seed_entry_is_collection(const cat_entry *entry);

/**
 * Makes sure that the file of an entry, or those of a collection, are the version that was hashed.
 * @param entry     copied
 * @param files     where they are opened when a block is needed
 * @param interval  how long a look at a file's stamp counts
 * @return APR_SUCCESS; APR_EBUSY: a file is another one now; APR_ENOMEM; or what the catalogue says
 */
apr_status_t seed_swarm_open(seed_swarm **swarm, cat_catalog *catalog, const cat_entry *entry, seed_files *files,
                             apr_interval_time_t interval, apr_time_t now, apr_pool_t *scratch);

/** Is an entry of the catalogue still what this swarm was opened for? */
int seed_swarm_is_of(const seed_swarm *swarm, const cat_entry *entry);

/** As what a peer knows the torrent that came by this info-hash of the swarm. */
seed_known_by seed_swarm_known_by(const seed_swarm *swarm, const bt_infohash *hash);

/** What such a peer may know of it. Of the reduced ones the size of the infodict may be missing: see seed_answer_content. */
seed_content *seed_swarm_content(seed_swarm *swarm, seed_known_by by);

/** Closes the files and frees the swarm, which must have no peers. */
void seed_swarm_close(seed_swarm *swarm);

#endif
