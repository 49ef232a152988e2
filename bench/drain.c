/* The other end of bench/seed: takes bytes from a seed as fast as it gives them, counts them and throws them away
 * (MSG_TRUNC, so that this end costs little). Speaks the peer protocol, plain or encrypted, or HTTP, as one program, so
 * that different seeds are measured by the very same client, and reads what the seed's processes used of the CPU meanwhile.
 *
 *   drain [-n CONNECTIONS] [-w BLOCKS-ASKED-AHEAD] [-a] [-c] [-e] [-u WARM-UP-MS] [-t MS] [-p PID,PID...] ADDRESS PORT \
 *         peer INFO-HASH PIECE-LENGTH LENGTH  |  http PATH or @FILE
 *
 * @FILE has paths to ask for in turn, one a line. -a: each connection comes from a loopback address of its own. -c: one connection a request, of HTTP. -e: RC4.
 * Prints one line, see drain_count.c. */
#include "bench/drain.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 10000, AHEAD_MAX = 2000 };

drain_options options = {.connections = 1, .ahead = 256, .warm_up_ms = 300, .time_ms = 2000};

void drain_die(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fputs("drain: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static long number(const char *text, long most)
{
    char *end;
    long value = strtol(text, &end, 10);

    if (*end || end == text || value < 1 || value > most)
        drain_die("%s is no number from 1 to %ld", text, most);
    return value;
}

static void read_pids(char *list)
{
    char *rest = list, *one;

    while ((one = strsep(&rest, ","))) {
        if (options.pid_count == DRAIN_PROCESSES_MAX)
            drain_die("too many processes");
        options.pids[options.pid_count++] = (int)number(one, 1L << 30);
    }
}

static void read_hash(const char *hex)
{
    int i;

    for (i = 0; i < 20; i++) {
        if (sscanf(hex + 2 * i, "%2hhx", &options.hash[i]) != 1)
            drain_die("%s is no info-hash", hex);
    }
}

static void read_options(int argc, char **argv)
{
    int letter;

    while ((letter = getopt(argc, argv, "n:w:aceu:t:p:")) != -1) {
        switch (letter) {
        case 'n': options.connections = (int)number(optarg, CONNECTIONS_MAX); break;
        case 'w': options.ahead = (int)number(optarg, AHEAD_MAX); break;
        case 'a': options.many_addresses = 1; break;
        case 'c': options.closing = 1; break;
        case 'e': options.encrypted = 1; break;
        case 'u': options.warm_up_ms = (int)number(optarg, 60000); break;
        case 't': options.time_ms = (int)number(optarg, 600000); break;
        case 'p': read_pids(optarg); break;
        default: exit(2);
        }
    }
}

static void read_target(int argc, char **argv)
{
    if (argc < 4 || inet_pton(AF_INET, argv[0], &options.address.sin_addr) != 1)
        drain_die("usage: see the top of drain.c");
    options.address.sin_family = AF_INET;
    options.address.sin_port = htons((uint16_t)number(argv[1], 65535));
    if (argc == 4 && strcmp(argv[2], "http") == 0) {
        drain_http_paths(argv[3]);
    } else if (argc == 6 && strcmp(argv[2], "peer") == 0 && strlen(argv[3]) == 40) {
        read_hash(argv[3]);
        options.piece_length = (uint64_t)number(argv[4], 1L << 30);
        options.length = (uint64_t)number(argv[5], 1L << 50);
    } else {
        drain_die("usage: see the top of drain.c");
    }
}

int main(int argc, char **argv)
{
    drain_conn *conns;
    int i;

    read_options(argc, argv);
    read_target(argc - optind, argv + optind);
    conns = calloc((size_t)options.connections, sizeof *conns);
    if (!conns)
        drain_die("out of memory");
    for (i = 0; i < options.connections; i++)
        drain_open(&conns[i], i);
    drain_measure(conns);
    return 0;
}
