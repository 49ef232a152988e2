/* Swarms and their peers in the shared segment. Everything here runs under the lock of the shard that it names.
 * Internal to the tracker.
 *
 * A swarm is one block. Up to TRK_SMALL_MAX peers lie in it; of more, each kind (v4 or v6, leecher or seed) has a set: a dense
 * array of records in wire form, in which a peer is found through hash chains by address and picked at random by number. */
#ifndef TRK_TABLE_H
#define TRK_TABLE_H

#include <string.h>

#include "tracker/heads.h"

enum {
    TRK_SMALL_MAX = 4,
    TRK_PER_ADDRESS = 64, /* peers that one address (v6: one /64) may have in a swarm */
    TRK_SEEN_BITS = 20,   /* seconds; comes round after 12 days */
    TRK_LINK_BITS = 26,
    TRK_SET_MAX = (1 << TRK_LINK_BITS) - 2, /* peers */
    TRK_PEERS_SPACE = 120
};

/* Where a peer is: in one of four sets, or in the swarm's own block. */
typedef enum {
    TRK_LEECHERS4,
    TRK_SEEDS4,
    TRK_LEECHERS6,
    TRK_SEEDS6,
    TRK_SETS,
    TRK_INSIDE = TRK_SETS,
    TRK_PLACES
} trk_place;

/* What is kept of a peer beside its address, as bits. */
typedef enum { TRK_IS_V6 = 1, TRK_IS_SEED = 2, TRK_COMPLETED = 4, TRK_PAUSED = 8 } trk_flags;

/* A peer unpacked. */
typedef struct {
    unsigned char wire[18]; /* as it is sent: 4 or 16 bytes, and the port */
    unsigned char is_v6, is_seed;
    unsigned char completed; /* was counted in `downloaded` */
    unsigned char paused;    /* a leecher that downloads nothing (BEP 21) */
    uint32_t seen;           /* seconds, the low TRK_SEEN_BITS */
} trk_peer;

typedef struct {
    uint32_t count; /* peers */
    trk_ref root;   /* of the array of trk_peers */
    trk_heads heads;
} trk_set;

typedef struct {
    unsigned char wire[18];
    unsigned char flags; /* of trk_flags */
    unsigned char unused;
    uint32_t seen;
} trk_small;

/* One swarm. */
typedef struct {
    bt_infohash hash;
    trk_ref next; /* in its chain of the shard's index */
    uint32_t downloaded;
    uint16_t is_big;      /* `sets` and `cursors` are in use, else `small` */
    uint16_t small_count;
    union {
        trk_small small[TRK_SMALL_MAX];
        struct {
            trk_set sets[TRK_SETS];
            uint32_t cursors[TRK_SETS]; /* where the next announce looks for expired peers */
            uint32_t paused;            /* peers of all sets */
        };
    };
} trk_swarm;
_Static_assert(sizeof(trk_swarm) == TRK_BLOCK_SIZE, "a swarm is a block");

/* A block of records. A record is the wire form, 16 bits of `seen`, and 32 bits: link, the rest of `seen`, paused, completed. */
typedef struct {
    unsigned char records[TRK_PEERS_SPACE];
    trk_ref swarm;
    uint8_t place, used; /* trk_place; records */
    uint16_t unused;
} trk_peers;
_Static_assert(sizeof(trk_peers) == TRK_BLOCK_SIZE, "peers are a block");

static inline trk_place trk_place_of(int is_v6, int is_seed)
{
    return (trk_place)((is_v6 ? TRK_LEECHERS6 : TRK_LEECHERS4) + (is_seed ? 1 : 0));
}

static inline apr_size_t trk_wire_size(int is_v6)
{
    return is_v6 ? 18 : 6;
}

/** What trk_small and files keep of a peer, and back. */
unsigned char trk_flags_of(const trk_peer *peer);
void trk_flags_read(unsigned char flags, trk_peer *peer);

/** Seconds since a peer was seen, from its low bits; 0 if that lies ahead. */
static inline uint32_t trk_age(uint32_t seen, uint32_t now)
{
    const uint32_t round = (uint32_t)1 << TRK_SEEN_BITS;
    uint32_t age = (now - seen) & (round - 1);

    return age < round / 2 ? age : 0; /* the clock was set back */
}

static inline int trk_place_is_v6(trk_place place)
{
    return place == TRK_LEECHERS6 || place == TRK_SEEDS6;
}

static inline trk_swarm *trk_swarm_at(const trk_swarms *view, trk_ref ref)
{
    return trk_block(view, ref);
}

/* --- sets.c: the peers of one set of a big swarm --- */

enum { TRK_RECORD4 = 6 + 6, TRK_RECORD6 = 18 + 6 /* bytes: the wire form, and what else is known */ };

static inline uint32_t trk_record_size(trk_place place)
{
    return trk_place_is_v6(place) ? TRK_RECORD6 : TRK_RECORD4;
}

/** Peers that a block of this set holds. */
static inline uint32_t trk_set_per_block(trk_place place)
{
    return trk_place_is_v6(place) ? TRK_PEERS_SPACE / TRK_RECORD6 : TRK_PEERS_SPACE / TRK_RECORD4;
}

/** The number of the block that has this peer of a set. */
static inline uint32_t trk_block_of(trk_place place, uint32_t index)
{
    return trk_place_is_v6(place) ? index / (TRK_PEERS_SPACE / TRK_RECORD6) : index / (TRK_PEERS_SPACE / TRK_RECORD4);
}

static inline uint32_t trk_set_blocks(trk_place place, uint32_t count)
{
    return count > 0 ? trk_block_of(place, count - 1) + 1 : 0;
}

/** The record of a peer and its unpacking, and writing back of all but the address. */
unsigned char *trk_set_record(const trk_swarms *view, const trk_swarm *swarm, trk_place place, uint32_t index);
void trk_record_read(const unsigned char *record, trk_place place, trk_peer *peer);
static inline uint32_t trk_record_seen(const unsigned char *record, trk_place place)
{
    uint16_t low;
    uint32_t high;

    record += trk_wire_size(trk_place_is_v6(place));
    memcpy(&low, record, sizeof low);
    memcpy(&high, record + sizeof low, sizeof high);
    return low | (high >> TRK_LINK_BITS & 0xf) << 16;
}

void trk_record_update(unsigned char *record, trk_place place, const trk_peer *peer);

/** @return APR_SUCCESS, or APR_ENOSPC and nothing was changed */
apr_status_t trk_set_add(trk_swarms *view, unsigned shard, trk_ref swarm, const trk_peer *peer);
void trk_set_remove(trk_swarms *view, unsigned shard, trk_ref swarm, trk_place place, uint32_t index);
void trk_set_clear(trk_swarms *view, unsigned shard, trk_swarm *swarm, trk_place place);

/* What a search met. */
typedef struct {
    int stops; /* at the peer itself: what follows `index` is then only of use if it is not there */
    int found;
    trk_place place;
    uint32_t index;
    uint32_t same_address; /* peers of that address met, itself included */
    trk_place oldest_place;
    uint32_t oldest_index, oldest_age;
} trk_search;

/** The keyed hash by which a peer's address is found in sets. */
uint32_t trk_peer_hash(const trk_swarms *view, const trk_peer *peer);

/** Adds to a search what one set has of the peer's address, which has this hash. */
void trk_set_search(const trk_swarms *view, const trk_swarm *swarm, trk_place place, const trk_peer *peer, uint32_t hash,
                    uint32_t now, trk_search *search);

/** The chains of a set, for the invariants. */
trk_chains trk_set_chains(const trk_swarms *view, unsigned shard, const trk_swarm *swarm, trk_place place);

/* --- table.c: swarms, whether small or big --- */

unsigned trk_shard_of(uint64_t hash);
trk_chains trk_index_chains(const trk_swarms *view, unsigned shard);

/** @return 0 if there is none */
trk_ref trk_swarm_find(const trk_swarms *view, const bt_infohash *hash, uint64_t hashed);

/** @return 0 if there is no room */
trk_ref trk_swarm_make(trk_swarms *view, const bt_infohash *hash, uint64_t hashed);
void trk_swarm_remove(trk_swarms *view, unsigned shard, trk_ref ref);

/** Peers in one place; 0 for places that the swarm does not have now. */
uint32_t trk_place_count(const trk_swarm *swarm, trk_place place);
uint32_t trk_swarm_peers(const trk_swarm *swarm);
void trk_swarm_numbers(const trk_swarm *swarm, uint32_t *seeds, uint32_t *leechers);

/** How many of the leechers are paused. */
uint32_t trk_swarm_paused(const trk_swarm *swarm);

void trk_peer_read(const trk_swarms *view, const trk_swarm *swarm, trk_place place, uint32_t index, trk_peer *peer);
void trk_peer_find(const trk_swarms *view, const trk_swarm *swarm, const trk_peer *peer, uint32_t now,
                   trk_search *search);

/** The same in less time: of its address nothing is told if it is there itself. */
void trk_peer_seek(const trk_swarms *view, const trk_swarm *swarm, const trk_peer *peer, uint32_t now,
                   trk_search *search);

/** Adds a peer that is not there. @return APR_SUCCESS, or APR_ENOSPC and nothing was changed */
apr_status_t trk_peer_add(trk_swarms *view, unsigned shard, trk_ref ref, const trk_peer *peer);

/** Changes what is known of a peer, but not its place. */
void trk_peer_update(trk_swarms *view, trk_swarm *swarm, trk_place place, uint32_t index, const trk_peer *peer);
void trk_peer_remove(trk_swarms *view, unsigned shard, trk_ref ref, trk_place place, uint32_t index);

/** After removals: makes a big swarm of few peers small, and removes one that has nothing to remember. @return 1 if removed */
int trk_swarm_settle(trk_swarms *view, unsigned shard, trk_ref ref);

#endif
