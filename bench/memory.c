/* What swarms cost in memory, and how long an announce takes among so many, also while expiry runs:
 *
 *   memory [-t MS] [-P PORTS] [PEERS/SWARMS]...      (2000, 1; 2000000/50 1500000/1000000)
 *
 * For each pair a table in memory of its own, as the module makes it, is filled with IPv4 peers, PORTS at each address, one in
 * four a seed, in turn in each of the swarms. Then peers picked at random announce themselves again, wanting 50, for MS
 * milliseconds: alone, and while another thread goes round all shards for expired peers without a pause (the module takes one
 * shard a second). Prints a table: memory is the whole segment's, CPU is the announcing thread's, times are of single announces. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "tracker/swarms.h"

enum { STEPS = 32 /* of each doubling */, DOUBLINGS = 40, WANT = 50, LEAST_MEMORY = 4 << 20 };

static const trk_policy policy = {
    .interval = apr_time_from_sec(1800), .nearness = TRK_NEARNESS_DEFAULT, .allow_private_peers = 1};

static struct {
    unsigned ports, time_ms;
} options = {.ports = 1, .time_ms = 2000};

/* How often a time, in nanoseconds, was met: by its logarithm. */
typedef struct {
    unsigned long counts[STEPS * DOUBLINGS], all;
    long longest;
} times;

typedef struct {
    trk_swarms *swarms;
    unsigned peers, swarm_count;
    int ends;
} load;

static void die(const char *what)
{
    fprintf(stderr, "memory: %s: %s\n", what, errno ? strerror(errno) : "not as it should be");
    exit(1);
}

static long nanoseconds(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000L + t.tv_nsec;
}

/* --- times --- */

static void note(times *of, long time)
{
    unsigned long t = time < STEPS ? STEPS : (unsigned long)time;
    int doubling = 63 - __builtin_clzl(t), place = doubling * STEPS + (int)(t * STEPS >> doubling) - STEPS;

    of->counts[place < STEPS * DOUBLINGS ? place : STEPS * DOUBLINGS - 1]++;
    of->all++;
    if (time > of->longest)
        of->longest = time;
}

/* Microseconds that so large a part of all does not exceed. */
static double part(const times *of, double how_much)
{
    unsigned long met = 0;
    int place = 0;

    while (place < STEPS * DOUBLINGS - 1 && (double)(met += of->counts[place]) < how_much * (double)of->all)
        place++;
    return (double)(1UL << place / STEPS) * (1 + (place % STEPS + 1) / (double)STEPS) / 1e3;
}

/* --- announces --- */

static apr_uint64_t scramble(apr_uint64_t x)
{
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

static void announce(const load *on, unsigned peer, apr_uint64_t random)
{
    unsigned address = 0x0b000000 + peer / options.ports;
    trk_address from = {{(unsigned char)(address >> 24), (unsigned char)(address >> 16), (unsigned char)(address >> 8),
                         (unsigned char)address},
                        (apr_uint16_t)(20000 + peer % options.ports),
                        0};
    trk_announce said = {.left = address * 2654435761u >> 30 != 0, .numwant = WANT, .compact = 1, .one_family = 1,
                         .port = from.port};
    apr_uint64_t name = scramble(peer % on->swarm_count);
    static __thread trk_answer answer;

    memcpy(said.hash.b, &name, sizeof name);
    if (trk_swarms_announce(on->swarms, &policy, &said, &from, NULL, 0, apr_time_now(), random, &answer) != APR_SUCCESS)
        die("an announce");
}

static void *expire(void *baton)
{
    const load *on = baton;

    for (unsigned turn = 0; !__atomic_load_n(&on->ends, __ATOMIC_RELAXED); turn++)
        trk_swarms_expire(on->swarms, turn, apr_time_now(), policy.interval);
    return NULL;
}

/* @return CPU-ns an announce */
static double measure(const load *on, times *of)
{
    long end = nanoseconds(CLOCK_MONOTONIC) + options.time_ms * 1000000L, cpu = nanoseconds(CLOCK_THREAD_CPUTIME_ID), before;
    apr_uint64_t random = 1;

    memset(of, 0, sizeof *of);
    while ((before = nanoseconds(CLOCK_MONOTONIC)) < end) {
        random = scramble(random);
        announce(on, (unsigned)(random % on->peers), random);
        note(of, nanoseconds(CLOCK_MONOTONIC) - before);
    }
    return (double)(nanoseconds(CLOCK_THREAD_CPUTIME_ID) - cpu) / (double)of->all;
}

/* --- a table --- */

static void make(load *on)
{
    size_t by_peers = (size_t)16 * on->peers, by_swarms = (size_t)200 * on->swarm_count;
    size_t size = by_peers > by_swarms ? by_peers : by_swarms;
    static const unsigned char key[16] = "bench/memory";
    void *memory;

    if (size < LEAST_MEMORY)
        size = LEAST_MEMORY;
    memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED || trk_swarms_format(memory, size, key) != APR_SUCCESS ||
        trk_swarms_attach(&on->swarms, memory, size) != APR_SUCCESS)
        die("the segment");
    for (unsigned peer = 0; peer < on->peers; peer++)
        announce(on, peer, scramble(peer));
}

static void print_times(const load *on, const char *what, double cpu, const times *of)
{
    trk_totals totals;

    trk_swarms_totals(on->swarms, &totals);
    if (totals.evictions || totals.seeds + totals.leechers != on->peers)
        die("the number of peers");
    printf("| %u in %u | %.1f | %.1f | %s | %.0f | %.2f | %.1f | %.1f | %.1f | %.1f |\n", on->peers, on->swarm_count,
           (double)totals.memory_used / on->peers, (double)totals.memory_used / on->swarm_count, what,
           (double)of->all / options.time_ms * 1e3, cpu / 1e3, part(of, 0.5), part(of, 0.99), part(of, 0.999),
           (double)of->longest / 1e3);
    fflush(stdout);
}

static void run(unsigned peers, unsigned swarms)
{
    load on = {.peers = peers, .swarm_count = swarms};
    static times of;
    pthread_t other;
    double cpu;

    make(&on);
    cpu = measure(&on, &of);
    print_times(&on, "alone", cpu, &of);
    if ((errno = pthread_create(&other, NULL, expire, &on)) != 0)
        die("a thread");
    cpu = measure(&on, &of);
    __atomic_store_n(&on.ends, 1, __ATOMIC_RELAXED);
    pthread_join(other, NULL);
    print_times(&on, "expiry runs", cpu, &of);
    trk_swarms_detach(on.swarms);
}

static unsigned number(const char *text, char end)
{
    char *rest;
    unsigned long value = strtoul(text, &rest, 10);

    errno = 0;
    if (*rest != end || value < 1 || value > 100000000)
        die(text);
    return (unsigned)value;
}

int main(int argc, char **argv)
{
    static char *usual[] = {"2000000/50", "1500000/1000000", NULL};
    char **each = usual;
    int option;

    while ((option = getopt(argc, argv, "t:P:")) != -1) {
        if (option != 't' && option != 'P')
            return 2;
        *(option == 't' ? &options.time_ms : &options.ports) = number(optarg, 0);
    }
    if (optind < argc)
        each = argv + optind;
    puts("| peers in swarms | bytes a peer | bytes a swarm | | announces/s | CPU-us | median us | 99 % | 99.9 % | longest |\n"
         "|---|---:|---:|---|---:|---:|---:|---:|---:|---:|");
    for (; *each; each++) {
        const char *slash = strchr(*each, '/');

        if (!slash)
            die(*each);
        run(number(*each, '/'), number(slash + 1, 0));
    }
    return 0;
}
