/* What sharing swarms through a redis takes from announces: for bench/store.
 *
 *   store_announces HOW PORT SWARMS SECONDS
 *
 * HOW is `alone`: a table and nothing else; `shared`: announces are told to redis by a thread, and a second host listens (BTHTTPTrackerStore);
 * `waiting`: each announce writes its peer to redis and reads fifty, in one pipeline, before it is decided, as a tracker does that keeps its
 * swarms there. Prints: announces a second; the median and the 99th percentile of one, µs; announces the second host learned; dropped */
#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "tracker/redis_store.h"

enum { MEMORY = 256 << 20, PEERS = 100000, LATENCIES = 1 << 24, SETTLE_SECONDS = 30 };

typedef struct {
    trk_swarms *swarms;
    trk_outbox *outbox;
    trk_redis_config config;
    pthread_t thread;
} host;

static const trk_policy policy = {.interval = APR_TIME_C(1800) * APR_USEC_PER_SEC, .allow_private_peers = 1, .nearness = 50};

static void must(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "%s\n", what);
        exit(1);
    }
}

static double now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void *shared_memory(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    must(memory != MAP_FAILED, "no memory");
    return memory;
}

static int everything(void *baton, const bt_infohash *hash)
{
    (void)baton;
    (void)hash;
    return 1;
}

static int is_nobody(void *baton, const trk_address *address)
{
    (void)baton;
    (void)address;
    return 0;
}

static int no_seeds(void *baton, const trk_address *local, const trk_address *peer, trk_address *seeds)
{
    (void)baton;
    (void)local;
    (void)peer;
    (void)seeds;
    return 0;
}

static void *run(void *config)
{
    trk_redis_run(config);
    return NULL;
}

static void make_host(host *made, const char *id, int port, int shares)
{
    const unsigned char key[16] = {1};
    void *memory = shared_memory(MEMORY);

    must(trk_swarms_format(memory, MEMORY, key) == APR_SUCCESS && trk_swarms_attach(&made->swarms, memory, MEMORY) == APR_SUCCESS,
         "no table");
    if (!shares)
        return;
    made->outbox = shared_memory(trk_outbox_size());
    must(trk_outbox_format(made->outbox, eventfd(0, EFD_NONBLOCK), (const unsigned char *)id) == APR_SUCCESS, "no outbox");
    trk_swarms_share(made->swarms, made->outbox);
    made->config = (trk_redis_config){.place = {.host = "127.0.0.1", .port = port}, .swarms = made->swarms, .outbox = made->outbox,
                                      .interval = policy.interval, .leave = eventfd(0, EFD_NONBLOCK), .is_wanted = everything,
                                      .seeds = no_seeds,
                                      .is_itself = is_nobody};
    must(pthread_create(&made->thread, NULL, run, &made->config) == 0, "no thread");
    while (__atomic_load_n(&trk_outbox_counters(made->outbox)->state, __ATOMIC_RELAXED) != TRK_STORE_SHARED)
        usleep(1000);
}

static void wait_for_redis(redisContext *redis, const trk_announce *announce, const trk_address *from)
{
    enum { COMMANDS = 4 };
    const void *hash = announce->hash.b;

    redisAppendCommand(redis, "ZADD waiting:%b %lld %b", hash, (size_t)BT_HASH_SIZE, (long long)time(NULL), from->ip, (size_t)4);
    redisAppendCommand(redis, "ZREMRANGEBYSCORE waiting:%b -inf 0", hash, (size_t)BT_HASH_SIZE);
    redisAppendCommand(redis, "EXPIRE waiting:%b 3150", hash, (size_t)BT_HASH_SIZE);
    redisAppendCommand(redis, "ZREVRANGE waiting:%b 0 49", hash, (size_t)BT_HASH_SIZE);
    for (int i = 0; i < COMMANDS; i++) {
        void *reply = NULL;

        must(redisGetReply(redis, &reply) == REDIS_OK && reply, "redis is gone");
        freeReplyObject(reply);
    }
}

static int by_size(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

static void announce_one(const host *here, redisContext *redis, uint64_t *random, uint32_t swarms)
{
    trk_announce announce = {.left = 1, .numwant = 50, .compact = 1};
    uint32_t peer, swarm;
    trk_address from = {{10}, 7000, 0};
    trk_answer answer;

    *random = *random * 6364136223846793005u + 1442695040888963407u;
    peer = (uint32_t)(*random >> 33) % PEERS;
    swarm = peer % swarms;
    memcpy(announce.hash.b, &swarm, sizeof swarm);
    announce.port = from.port;
    from.ip[1] = (unsigned char)(peer >> 16);
    from.ip[2] = (unsigned char)(peer >> 8 & 0xff);
    from.ip[3] = (unsigned char)(peer & 0xff);
    if (redis)
        wait_for_redis(redis, &announce, &from);
    must(trk_swarms_announce(here->swarms, &policy, &announce, &from, NULL, 0, apr_time_now(), *random, &answer) == APR_SUCCESS,
         "an announce failed");
}

int main(int argc, char **argv)
{
    host here = {0}, there = {0};
    redisContext *redis = NULL;
    uint64_t random = 1, learned = 0, dropped = 0;
    long count = 0;
    double begin, end, last;
    float *latencies = malloc(LATENCIES * sizeof *latencies);

    must(argc == 5 && latencies, "usage: store_announces alone|shared|waiting PORT SWARMS SECONDS");
    make_host(&here, "this    ", atoi(argv[2]), !strcmp(argv[1], "shared"));
    if (!strcmp(argv[1], "shared"))
        make_host(&there, "another ", atoi(argv[2]), 1);
    if (!strcmp(argv[1], "waiting"))
        must((redis = redisConnect("127.0.0.1", atoi(argv[2]))) && !redis->err, "no redis");
    begin = last = now_us();
    end = begin + atof(argv[4]) * 1e6;
    while (last < end && count < LATENCIES) {
        double before = last;

        announce_one(&here, redis, &random, (uint32_t)atoi(argv[3]));
        last = now_us();
        latencies[count++] = (float)(last - before);
    }
    for (int i = 0; there.outbox && i < SETTLE_SECONDS * 100; i++) { /* what is under way arrives */
        learned = __atomic_load_n(&trk_outbox_counters(there.outbox)->learned, __ATOMIC_RELAXED);
        dropped = __atomic_load_n(&trk_outbox_counters(here.outbox)->dropped, __ATOMIC_RELAXED);
        if (learned + dropped >= (uint64_t)count)
            break;
        usleep(10000);
    }
    qsort(latencies, (size_t)count, sizeof *latencies, by_size);
    printf("%.0f %.2f %.2f %lu %lu\n", (double)count / (last - begin) * 1e6, (double)latencies[count / 2],
           (double)latencies[count / 100 * 99], (unsigned long)learned, (unsigned long)dropped);
    return 0;
}
