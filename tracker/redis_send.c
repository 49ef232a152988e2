/* What this host says: into the swarms' sorted sets, and by one bulletin to whoever listens; all of it in one round trip. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "tracker/redis_store_internal.h"
#include "tracker/segment.h"

static const char prefix[] = "bthttp:swarm:";
enum { PREFIX = sizeof prefix - 1, KEY = PREFIX + 2 * BT_HASH_SIZE };

apr_size_t trk_store_key(const bt_infohash *hash, char key[TRK_KEY_MAX])
{
    memcpy(key, prefix, PREFIX);
    bt_hex(key + PREFIX, hash->b, sizeof hash->b);
    return KEY;
}

static int nibble(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int trk_store_hash(const char *key, apr_size_t length, bt_infohash *hash)
{
    if (length != KEY || memcmp(key, prefix, PREFIX) != 0)
        return 0;
    for (int i = 0; i < BT_HASH_SIZE; i++) {
        int high = nibble(key[PREFIX + 2 * i]), low = nibble(key[PREFIX + 2 * i + 1]);

        if (high < 0 || low < 0)
            return 0;
        hash->b[i] = (unsigned char)(high << 4 | low);
    }
    return 1;
}

void trk_store_remove(trk_redis_store *store, const char *key, apr_size_t length)
{
    redisReply *reply;

    redisAppendCommand(store->link.commands, "UNLINK %b", key, length);
    if ((reply = trk_link_reply(&store->link)) != NULL)
        freeReplyObject(reply);
    bt_log(BT_LOG_WARNING, 313, APR_SUCCESS, "redis: %.*s was no sorted set, and is removed", (int)length, key);
}

/* --- collecting --- */

/* @return 1 if it was done less than half an interval ago; else it is noted as done */
static int is_recent(trk_redis_store *store, uint64_t what, apr_time_t now)
{
    trk_recent *recent = &store->recent[what % TRK_STORE_RECENT];

    if (recent->what == what && now >= recent->when && now - recent->when < store->config->interval / 2)
        return 1;
    *recent = (trk_recent){what, now};
    return 0;
}

void trk_store_add_read(trk_redis_store *store, const bt_infohash *hash, apr_time_t now)
{
    if (store->read_count < TRK_STORE_READS && !is_recent(store, trk_hash(store->config->swarms, hash->b, sizeof hash->b), now))
        store->reads[store->read_count++] = *hash;
}

void trk_store_add_own(trk_redis_store *store, const bt_infohash *hash, const trk_address *seed, apr_time_t now)
{
    const trk_swarms *swarms = store->config->swarms;
    uint64_t what = trk_hash(swarms, hash->b, sizeof hash->b) + 3 * trk_hash(swarms, seed->ip, sizeof seed->ip) + seed->port;

    if (!seed->port || store->count == TRK_STORE_CHANGES || is_recent(store, what, now))
        return;
    store->changes[store->count++] = (trk_change){.hash = *hash, .peer = *seed, .is_seed = 1, .is_host = 1};
}

/* Was it announced so long ago that the peer will say soon whether it is still there? */
static int is_stale(const trk_redis_store *store, const trk_parcel *parcel, apr_time_t now)
{
    return !parcel->change.is_gone && apr_time_sec(now) - parcel->second > apr_time_sec(store->config->interval) / 2;
}

static void collect(trk_redis_store *store, apr_time_t now)
{
    int count;

    count = trk_outbox_read(store->config->outbox, store->parcels, TRK_STORE_PARCELS, &store->upto);
    if (count == 0)
        store->upto = 0;
    for (int i = 0; i < count; i++) {
        const trk_parcel *parcel = &store->parcels[i];

        if (is_stale(store, parcel, now)) {
            __atomic_fetch_add(&store->counters->dropped, 1, __ATOMIC_RELAXED);
            continue;
        }
        store->changes[store->count++] = parcel->change;
        if (parcel->change.is_gone)
            continue;
        trk_store_add_read(store, &parcel->change.hash, now);
        for (int j = 0; j < parcel->seed_count; j++)
            trk_store_add_own(store, &parcel->change.hash, &parcel->seeds[j], now);
    }
}

/* --- telling --- */

enum { REPLIES_KEPT = 3 };

static void append(trk_redis_store *store, const trk_change *change, apr_int64_t second)
{
    redisContext *to = store->link.commands;
    unsigned char member[TRK_MEMBER_MAX];
    apr_size_t size = trk_member_of(change, member), length;
    char key[TRK_KEY_MAX];

    length = trk_store_key(&change->hash, key);
    if (change->is_gone) {
        redisAppendCommand(to, "ZREM %b %b", key, length, member, size);
        return;
    }
    redisAppendCommand(to, "ZADD %b %lld %b", key, length, (long long)trk_score_of(change, second), member, size);
    redisAppendCommand(to, "ZREMRANGEBYSCORE %b -inf (%lld", key, length,
                       (long long)trk_score_of(&(trk_change){.is_seed = 0}, second - store->limit));
    redisAppendCommand(to, "EXPIRE %b %u", key, length, (unsigned)store->limit);
}

static void append_bulletin(trk_redis_store *store)
{
    bt_buf *bulletin = &store->bulletin;

    bt_buf_reset(bulletin);
    trk_bulletin_begin(bulletin, trk_outbox_host(store->config->outbox));
    for (int i = 0; i < store->count; i++)
        trk_bulletin_add(bulletin, &store->changes[i]);
    redisAppendCommand(store->link.commands, "PUBLISH bthttp:bulletins:%d %b", store->config->place.database, bulletin->data,
                       bulletin->length);
}

static void note_refusal(trk_redis_store *store, const char *what)
{
    if (!store->refused)
        bt_log(BT_LOG_WARNING, 312, APR_SUCCESS, "redis at %s, port %d, refuses what it is told: %.200s", store->config->place.host,
               store->config->place.port, what);
    store->refused = 1;
}

/* @return 1 if a key is damaged */
static int take_replies(trk_redis_store *store, int count)
{
    int damaged = 0;

    for (int i = 0; i < count; i++) {
        redisReply *reply = trk_link_reply(&store->link);

        if (!reply)
            return damaged;
        if (reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "WRONGTYPE", 9) == 0)
            damaged = 1;
        else if (reply->type == REDIS_REPLY_ERROR)
            note_refusal(store, reply->str);
        freeReplyObject(reply);
    }
    return damaged;
}

/* @return 1 if a key is damaged, and all must be told again */
static int tell(trk_redis_store *store, apr_time_t now)
{
    int damaged = 0;

    for (int i = 0; i < store->count; i++)
        append(store, &store->changes[i], apr_time_sec(now) + store->link.ahead);
    append_bulletin(store);
    for (int i = 0; i < store->count; i++)
        if (take_replies(store, store->changes[i].is_gone ? 1 : REPLIES_KEPT)) {
            store->changes[damaged++] = store->changes[i];
        }
    take_replies(store, 1);
    if (!damaged || store->link.why[0])
        return 0;
    store->count = damaged;
    for (int i = 0; i < damaged; i++) {
        char key[TRK_KEY_MAX];
        apr_size_t length = trk_store_key(&store->changes[i].hash, key);

        trk_store_remove(store, key, length);
    }
    return 1;
}

int trk_store_send(trk_redis_store *store, apr_time_t now)
{
    int count;

    collect(store, now);
    if (store->count == 0 && !store->upto)
        return 0;
    count = store->count;
    if (count > 0 && tell(store, now))
        tell(store, now);
    if (store->link.why[0])
        return 0;
    __atomic_fetch_add(&store->counters->sent, (apr_uint64_t)count, __ATOMIC_RELAXED);
    if (store->upto)
        trk_outbox_done(store->config->outbox, store->upto);
    store->upto = 0;
    store->count = 0;
    return 1;
}
