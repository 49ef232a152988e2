/* What happened while there was no link: all swarms in redis are gone through once, a page at a time; and what one host alone missed. */
#include <stdlib.h>
#include <string.h>

#include "tracker/redis_store_internal.h"

/* Of a very large swarm the newest peers are enough: the others announce themselves within an interval. */
enum { PAGE = 64 /* keys, about */, PEERS_MAX = 5000 };

static void learn_swarm(trk_redis_store *store, const bt_infohash *hash, const redisReply *reply, apr_time_t now)
{
    trk_change change = {.hash = *hash};

    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        const redisReply *member = reply->element[i], *score = reply->element[i + 1];
        apr_int64_t second, age;

        if (member->type != REDIS_REPLY_STRING || score->type != REDIS_REPLY_STRING ||
            !trk_member_read(member->str, (apr_size_t)member->len, score->str, &change, &second))
            continue;
        age = apr_time_sec(now) + store->link.ahead - second;
        if (age >= -(apr_int64_t)store->limit && age <= store->limit)
            trk_store_learn(store, &change, age < 1 ? 1 : (uint32_t)age, now);
    }
}

/* @return 0 if the link is lost */
static int take_swarm(trk_redis_store *store, const bt_infohash *hash, apr_time_t now)
{
    redisReply *reply = trk_link_reply(&store->link);

    if (!reply)
        return 0;
    if (reply->type == REDIS_REPLY_ARRAY)
        learn_swarm(store, hash, reply, now);
    freeReplyObject(reply);
    return 1;
}

void trk_store_read(trk_redis_store *store, apr_time_t now)
{
    int count = store->read_count;
    char key[TRK_KEY_MAX];

    for (int i = 0; i < count; i++)
        redisAppendCommand(store->link.commands, "ZREVRANGE %b 0 %d WITHSCORES", key, trk_store_key(&store->reads[i], key),
                           PEERS_MAX - 1);
    for (int i = 0; i < count; i++)
        if (!take_swarm(store, &store->reads[i], now))
            return;
    store->read_count = 0;
}

static void learn_page(trk_redis_store *store, const redisReply *keys, apr_time_t now)
{
    for (size_t i = 0; i < keys->elements && !store->link.why[0]; i++) {
        const redisReply *key = keys->element[i];
        bt_infohash hash;

        if (key->type != REDIS_REPLY_STRING || !trk_store_hash(key->str, (apr_size_t)key->len, &hash) ||
            !store->config->is_wanted(store->config->baton, &hash))
            continue;
        store->reads[store->read_count++] = hash;
        if (store->read_count == TRK_STORE_READS)
            trk_store_read(store, now);
    }
    trk_store_read(store, now);
}

void trk_store_catch_up(trk_redis_store *store, apr_time_t now)
{
    redisReply *reply;

    redisAppendCommand(store->link.commands, "SCAN %s MATCH bthttp:swarm:* COUNT %d", store->cursor, PAGE);
    if (!(reply = trk_link_reply(&store->link)))
        return;
    store->cursor[0] = 0;
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 && reply->element[0]->type == REDIS_REPLY_STRING &&
        reply->element[1]->type == REDIS_REPLY_ARRAY) {
        const char *cursor = reply->element[0]->str;

        learn_page(store, reply->element[1], now);
        if (strcmp(cursor, "0") != 0 && strlen(cursor) < sizeof store->cursor)
            memcpy(store->cursor, cursor, strlen(cursor) + 1);
    }
    freeReplyObject(reply);
}
