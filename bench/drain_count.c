/* What bench/drain measures. */
#include "bench/drain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* User and system time of a process, all its threads, from /proc/PID/stat. */
static double cpu_of(int pid)
{
    char name[64], line[1024];
    const char *rest;
    unsigned long user, kernel;
    FILE *file;

    snprintf(name, sizeof name, "/proc/%d/stat", pid);
    file = fopen(name, "r");
    if (!file || !fgets(line, sizeof line, file))
        drain_die("no process %d", pid);
    fclose(file);
    rest = strrchr(line, ')');
    if (!rest || sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel) != 2)
        drain_die("%s is not understood", name);
    return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

static double seed_cpu(void)
{
    double sum = 0;
    int i;

    for (i = 0; i < options.pid_count; i++)
        sum += cpu_of(options.pids[i]);
    return sum;
}

static double own_cpu(void)
{
    struct rusage used;

    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

/* Until each gets something, or patience is at an end: a seed may leave some of them out. */
static void wait_for_all(void)
{
    double start = now();

    while (drain_flowing + drain_lost < options.connections && now() - start < DRAIN_PATIENCE_MS / 1000.0)
        drain_turn();
    if (drain_flowing == 0)
        drain_die("no connection gets anything");
}

/* One line: BYTES (of the file) SECONDS SEED-CPU-SECONDS OWN-CPU-SECONDS, CONNECTIONS that got something meanwhile, those
 * that the seed has CLOSED, what the connection with the SMALLEST and with the GREATEST share got, 1 being a fair one, and
 * RESPONSES of HTTP. */
static void report(const drain_conn *conns, const int64_t *before, int64_t responses, double seconds, double cpu,
                   double own)
{
    int64_t sum = 0, least = INT64_MAX, most = 0;
    int i, served = 0;

    for (i = 0; i < options.connections; i++) {
        int64_t got = conns[i].received - before[i];

        got = got > 0 ? got : 0; /* the headers of blocks to come are taken off at once */
        sum += got;
        served += got > 0;
        least = got < least ? got : least;
        most = got > most ? got : most;
    }
    if (sum <= 0)
        drain_die("nothing came");
    printf("%lld %.6f %.2f %.2f %d %d %.3f %.3f %lld\n", (long long)sum, seconds, cpu, own, served, drain_lost,
           (double)least * options.connections / (double)sum, (double)most * options.connections / (double)sum,
           (long long)responses);
}

static int64_t responses_of(const drain_conn *conns)
{
    int64_t sum = 0;
    int i;

    for (i = 0; i < options.connections; i++)
        sum += conns[i].responses;
    return sum;
}

void drain_measure(drain_conn *conns)
{
    int64_t responses, *before = calloc((size_t)options.connections, sizeof *before);
    double start, cpu, own, end;
    int i;

    if (!before)
        drain_die("out of memory");
    wait_for_all();
    for (end = now() + options.warm_up_ms / 1000.0; now() < end;)
        drain_turn();
    start = now();
    cpu = seed_cpu();
    own = own_cpu();
    for (i = 0; i < options.connections; i++)
        before[i] = conns[i].received;
    responses = responses_of(conns);
    for (end = start + options.time_ms / 1000.0; now() < end;)
        drain_turn();
    end = now();
    cpu = seed_cpu() - cpu;
    report(conns, before, responses_of(conns) - responses, end - start, cpu, own_cpu() - own);
    free(before);
}
