/* A roll: swarms one after another, in numbers of network order.
 *
 *     swarm = info-hash (20), downloaded (4), number of peers (4), peer…
 *     peer  = bits (1: v6, 2: seed, 4: completion counted), second of the last announce, low bits (4), wire form (6 or 18)
 *
 * A swarm may come several times; its peers add up. */
#include <string.h>

#include "tracker/shard.h"

enum { SWARM_SIZE = BT_HASH_SIZE + 8, PEER_SIZE = 5 };

static void add_number(bt_buf *roll, uint32_t number)
{
    unsigned char bytes[4] = {(unsigned char)(number >> 24), (unsigned char)(number >> 16 & 0xff),
                              (unsigned char)(number >> 8 & 0xff), (unsigned char)(number & 0xff)};

    bt_buf_add(roll, bytes, sizeof bytes);
}

static uint32_t read_number(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void add_swarm(bt_buf *roll, const trk_swarm *swarm, uint32_t downloaded, uint32_t peers)
{
    bt_buf_add(roll, swarm->hash.b, sizeof swarm->hash.b);
    add_number(roll, downloaded);
    add_number(roll, peers);
}

static void add_peer(bt_buf *roll, const trk_peer *peer)
{
    unsigned char flags = trk_flags_of(peer);

    bt_buf_add(roll, &flags, 1);
    add_number(roll, peer->seen);
    bt_buf_add(roll, peer->wire, trk_wire_size(peer->is_v6));
}

void trk_roll_add(const trk_swarms *view, unsigned shard, bt_buf *roll)
{
    const trk_heads *index = &view->shards[shard].index;

    for (uint32_t chain = 0; chain < index->count; chain++)
        for (trk_ref at = trk_head(view, index, chain); at; at = trk_swarm_at(view, at)->next) {
            const trk_swarm *swarm = trk_swarm_at(view, at);

            add_swarm(roll, swarm, swarm->downloaded, trk_swarm_peers(swarm));
            for (int place = 0; place < TRK_PLACES; place++)
                for (uint32_t i = 0; i < trk_place_count(swarm, (trk_place)place); i++) {
                    trk_peer peer;

                    trk_peer_read(view, swarm, (trk_place)place, i, &peer);
                    add_peer(roll, &peer);
                }
        }
}

static void salvage_swarm(const trk_swarms *view, const trk_swarm *swarm, bt_buf *roll)
{
    uint32_t peers = swarm->is_big || swarm->small_count > TRK_SMALL_MAX ? 0 : swarm->small_count;

    add_swarm(roll, swarm, swarm->downloaded, peers);
    for (uint32_t i = 0; i < peers; i++) {
        trk_peer peer;

        trk_peer_read(view, swarm, TRK_INSIDE, i, &peer);
        add_peer(roll, &peer);
    }
}

static void salvage_peers(const trk_swarms *view, unsigned shard, const trk_peers *block, bt_buf *roll)
{
    trk_place place = (trk_place)block->place;

    if (place >= TRK_SETS || block->used > trk_set_per_block(place) ||
        !trk_owns(view, shard, block->swarm, TRK_SWARM))
        return;
    add_swarm(roll, trk_swarm_at(view, block->swarm), 0, block->used);
    for (uint32_t i = 0; i < block->used; i++) {
        trk_peer peer;

        trk_record_read(block->records + i * (TRK_PEERS_SPACE / trk_set_per_block(place)), place, &peer);
        add_peer(roll, &peer);
    }
}

void trk_roll_salvage(const trk_swarms *view, unsigned shard, bt_buf *roll)
{
    uint32_t fresh = __atomic_load_n(&view->header->fresh, __ATOMIC_RELAXED);

    for (trk_ref ref = 1; ref < fresh && ref <= view->block_count; ref++) {
        if (trk_owns(view, shard, ref, TRK_SWARM))
            salvage_swarm(view, trk_swarm_at(view, ref), roll);
        else if (trk_owns(view, shard, ref, TRK_PEERS))
            salvage_peers(view, shard, trk_block(view, ref), roll);
    }
}

/* What is still to be read. */
typedef struct {
    const unsigned char *at, *end;
} reader;

static int read_swarm(reader *in, bt_infohash *hash, uint32_t *downloaded, uint32_t *peers)
{
    if (in->end - in->at < SWARM_SIZE)
        return 0;
    memcpy(hash->b, in->at, BT_HASH_SIZE);
    *downloaded = read_number(in->at + BT_HASH_SIZE);
    *peers = read_number(in->at + BT_HASH_SIZE + 4);
    in->at += SWARM_SIZE;
    return 1;
}

static int read_peer(reader *in, trk_peer *peer)
{
    apr_size_t wire_size;

    if (in->end - in->at < PEER_SIZE || *in->at >= 2 * TRK_PAUSED)
        return 0;
    memset(peer, 0, sizeof *peer);
    trk_flags_read(*in->at, peer);
    peer->seen = read_number(in->at + 1) & (((uint32_t)1 << TRK_SEEN_BITS) - 1);
    in->at += PEER_SIZE;
    wire_size = trk_wire_size(peer->is_v6);
    if ((apr_size_t)(in->end - in->at) < wire_size)
        return 0;
    memcpy(peer->wire, in->at, wire_size);
    in->at += wire_size;
    return 1;
}

int trk_roll_check(const unsigned char *roll, apr_size_t length)
{
    reader in = {roll, roll + length};
    bt_infohash hash;
    uint32_t downloaded, peers;
    trk_peer peer;

    while (in.at < in.end) {
        if (!read_swarm(&in, &hash, &downloaded, &peers))
            return 0;
        for (; peers > 0; peers--)
            if (!read_peer(&in, &peer))
                return 0;
    }
    return 1;
}

/* A swarm that has only its past to be remembered by is made too. */
static void keep_downloaded(trk_swarms *view, const trk_keeping *how, uint32_t downloaded)
{
    trk_ref ref = trk_swarm_find(view, how->hash, how->hashed);

    if (!ref && downloaded > 0)
        ref = trk_swarm_make(view, how->hash, how->hashed);
    if (ref && trk_swarm_at(view, ref)->downloaded < downloaded)
        trk_swarm_at(view, ref)->downloaded = downloaded;
}

static apr_size_t keep_swarm(trk_swarms *view, reader *in, uint32_t peers, uint32_t downloaded, trk_keeping *how, int mine)
{
    apr_size_t kept = 0;
    trk_peer peer;

    for (; peers > 0 && read_peer(in, &peer); peers--) {
        const unsigned char *port = peer.wire + trk_wire_size(peer.is_v6) - 2;

        if (mine && (port[0] || port[1]) && (how->limit == 0 || trk_age(peer.seen, how->now) <= how->limit))
            kept += trk_keep(view, how, &peer) == APR_SUCCESS;
    }
    if (mine)
        keep_downloaded(view, how, downloaded);
    return kept;
}

apr_size_t trk_roll_keep(trk_swarms *view, const unsigned char *roll, apr_size_t length, int held, uint32_t now,
                         uint32_t limit)
{
    reader in = {roll, roll + length};
    uint32_t downloaded, peers;
    uint64_t random = trk_hash(view, &length, sizeof length) | 1;
    apr_size_t kept = 0;
    bt_infohash hash;

    while (length > 0 && read_swarm(&in, &hash, &downloaded, &peers)) {
        uint64_t hashed = trk_hash(view, hash.b, sizeof hash.b);
        trk_keeping how = {&hash, hashed, now, limit, held < 0 ? random : 0, 0, 0, 0};
        unsigned shard = trk_shard_of(hashed);

        if (held < 0 && trk_shard_lock(view, shard) != APR_SUCCESS)
            break;
        kept += keep_swarm(view, &in, peers, downloaded, &how, held < 0 || (unsigned)held == shard);
        if (held < 0) {
            random = how.random;
            trk_shard_unlock(view, shard);
        }
    }
    return kept;
}
