/* The other end of bench/seed: takes bytes from a seed as fast as it gives them, counts them and throws them away
 * (MSG_TRUNC, so that this end costs little). Speaks the plain peer protocol or HTTP, as one program, so that different
 * seeds are measured by the very same client, and reads what the seed's processes used of the CPU meanwhile.
 *
 *   drain [-n CONNECTIONS] [-w BLOCKS-ASKED-AHEAD] [-c] [-u WARM-UP-MS] [-t MS] [-p PID,PID...] ADDRESS PORT \
 *         peer INFO-HASH PIECE-LENGTH LENGTH  |  http PATH
 *
 * -c: one connection a request, of HTTP. Prints one line: BYTES (of the file) SECONDS SEED-CPU-SECONDS OWN-CPU-SECONDS. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    BLOCK = 16384,
    BLOCK_MAX = 128 * 1024,
    OTHER_MAX = 1024 * 1024, /* a bitfield, an extension's message */
    HANDSHAKE = 68,
    PIECE_HEADER = 13, /* length, id, piece, begin */
    REQUEST = 17,
    REQUESTS_AT_ONCE = 64,
    SKIM = 8, /* blocks of which only the first header is read */
    HTTP_HEADER_MAX = 4096,
    CONNECTIONS_MAX = 1000,
    PROCESSES_MAX = 64,
    TURN = 256 * 1024,  /* bytes from one connection before the others have their turn */
    START_MS = 20000    /* until every connection has got its first byte of the file */
};
enum { CHOKE = 0, UNCHOKE = 1, PIECE = 7, REJECT = 16 };

typedef struct {
    int fd;
    int is_http, greeted, unchoked, flowing, ended; /* ended: the response that was asked for has come */
    unsigned char in[HTTP_HEADER_MAX];
    size_t have;    /* bytes in `in` */
    uint64_t skip;  /* of a message or body that is being thrown away */
    int skip_counts; /* it is the file's */
    unsigned asked; /* blocks asked for and not yet got */
    uint64_t next;  /* offset of the block to ask for next */
} conn;

static struct {
    int connections, ahead, warm_up_ms, time_ms, closing;
    int pids[PROCESSES_MAX], pid_count;
    struct sockaddr_in address;
    const char *path; /* NULL: peer protocol */
    unsigned char hash[20];
    uint64_t piece_length, length;
} options = {.connections = 1, .ahead = 256, .warm_up_ms = 300, .time_ms = 2000};

static uint64_t received; /* bytes of the file */
static int flowing;       /* connections that have got some */
static int epoll;

__attribute__((format(printf, 1, 2), noreturn)) static void die(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fputs("drain: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static uint32_t read_u32(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void write_u32(unsigned char *at, uint64_t value)
{
    at[0] = (unsigned char)(value >> 24);
    at[1] = (unsigned char)(value >> 16);
    at[2] = (unsigned char)(value >> 8);
    at[3] = (unsigned char)value;
}

/* --- asking --- */

/* What is sent is little and always fits, unless the seed has stopped reading. */
static void send_all(const conn *c, const void *bytes, size_t length)
{
    const char *at = bytes;

    while (length) {
        ssize_t n = send(c->fd, at, length, MSG_NOSIGNAL | MSG_DONTWAIT);
        struct pollfd room = {.fd = c->fd, .events = POLLOUT};

        if (n < 0 && errno != EAGAIN && errno != EINTR)
            die("the seed closed: %s", strerror(errno));
        if (n < 0 && poll(&room, 1, START_MS) == 0)
            die("the seed does not read");
        if (n > 0) {
            at += n;
            length -= (size_t)n;
        }
    }
}

static void write_request(conn *c, unsigned char *at)
{
    uint64_t piece = c->next / options.piece_length, begin = c->next % options.piece_length, size = BLOCK;

    if (size > options.piece_length - begin)
        size = options.piece_length - begin;
    if (size > options.length - c->next)
        size = options.length - c->next;
    write_u32(at, REQUEST - 4);
    at[4] = 6;
    write_u32(at + 5, piece);
    write_u32(at + 9, begin);
    write_u32(at + 13, size);
    c->next += size;
    if (c->next >= options.length)
        c->next = 0;
}

/* Asks ahead again once a quarter of what was asked for has come. */
static void ask_blocks(conn *c)
{
    unsigned char batch[REQUESTS_AT_ONCE * REQUEST];
    size_t count;

    if (!c->unchoked || c->asked > (unsigned)options.ahead * 3 / 4)
        return;
    while (c->asked < (unsigned)options.ahead) {
        for (count = 0; count < REQUESTS_AT_ONCE && c->asked < (unsigned)options.ahead; count++, c->asked++)
            write_request(c, batch + count * REQUEST);
        send_all(c, batch, count * REQUEST);
    }
}

static void ask_file(conn *c)
{
    char request[1024];
    int n = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", options.path,
                     options.closing ? "Connection: close\r\n" : "");

    if (n < 0 || (size_t)n >= sizeof request)
        die("the path is too long");
    send_all(c, request, (size_t)n);
}

static void greet(conn *c)
{
    unsigned char hello[HANDSHAKE + 5] = "\x13" "BitTorrent protocol";

    hello[20 + 7] = 0x04; /* fast extension */
    memcpy(hello + 28, options.hash, 20);
    memcpy(hello + 48, "-XX0001-", 8);
    snprintf((char *)hello + 56, 13, "%012d", c->fd);
    write_u32(hello + HANDSHAKE, 1);
    hello[HANDSHAKE + 4] = 2; /* interested */
    send_all(c, hello, sizeof hello);
}

/* --- what comes --- */

static void consume(conn *c, size_t count)
{
    memmove(c->in, c->in + count, c->have - count);
    c->have -= count;
}

/* Throws away `size` bytes, some of which may be in `in` already. */
static void skip(conn *c, uint64_t size, int counts)
{
    size_t here = c->have < size ? c->have : (size_t)size;

    consume(c, here);
    c->skip = size - here;
    c->skip_counts = counts;
    if (counts) {
        received += here;
        flowing += !c->flowing;
        c->flowing = 1;
    }
}

static void on_other(conn *c, unsigned id)
{
    if (id == UNCHOKE)
        c->unchoked = 1;
    else if (id == CHOKE)
        c->unchoked = 0;
    else if (id == REJECT && c->asked)
        c->asked--;
}

static int read_handshake(conn *c)
{
    if (c->have < HANDSHAKE)
        return 0;
    if (memcmp(c->in + 28, options.hash, 20) != 0)
        die("the seed answers with another info-hash");
    c->greeted = 1;
    consume(c, HANDSHAKE);
    return 1;
}

/* A piece, and blindly those that must follow it, since that many blocks of the same size have been asked for: a seed that
 * says anything else in between is noticed at the next header that is read. */
static void on_piece(conn *c, uint32_t size)
{
    unsigned blind = 0;

    if (size == 0 || size > BLOCK_MAX || c->asked == 0)
        die("a piece that nobody asked for");
    if (size == BLOCK && options.length % BLOCK == 0 && options.piece_length % BLOCK == 0)
        blind = (c->asked < SKIM ? c->asked : SKIM) - 1;
    c->asked -= 1 + blind;
    consume(c, PIECE_HEADER);
    skip(c, size + (uint64_t)blind * (PIECE_HEADER + BLOCK), 1);
    received -= (uint64_t)blind * PIECE_HEADER;
}

/* Deals with one message at the front of `in`; 0 if it is not all there. */
static int read_message(conn *c)
{
    uint32_t length;

    if (!c->greeted)
        return read_handshake(c);
    if (c->have < 4 || (c->have < 5 && read_u32(c->in) > 0))
        return 0;
    length = read_u32(c->in);
    if (length > 0 && c->in[4] == PIECE) {
        if (c->have < PIECE_HEADER)
            return 0;
        on_piece(c, length < PIECE_HEADER - 4 ? 0 : length - (PIECE_HEADER - 4));
    } else {
        if (length > OTHER_MAX)
            die("what comes is not the peer protocol");
        if (length > 0)
            on_other(c, c->in[4]);
        skip(c, (uint64_t)length + 4, 0);
    }
    return 1;
}

/* Deals with one response's head; 0 if it is not all there. */
static int read_response(conn *c)
{
    unsigned char *end = memmem(c->in, c->have, "\r\n\r\n", 4);
    const char *field;
    uint64_t length;

    if (!end) {
        if (c->have == sizeof c->in)
            die("the response's head is too long");
        return 0;
    }
    *end = '\0';
    if (strncmp((char *)c->in, "HTTP/1.1 200 ", 13) != 0)
        die("httpd answers %.40s", (char *)c->in);
    field = strcasestr((char *)c->in, "\r\nContent-Length: ");
    length = field ? strtoull(field + 18, NULL, 10) : 0;
    if (length == 0)
        die("a response without a length");
    consume(c, (size_t)(end - c->in) + 4);
    if (!options.closing)
        ask_file(c); /* the next one follows without a pause */
    skip(c, length, 1);
    c->ended = 1;
    return 1;
}

static void open_socket(conn *c)
{
    int on = 1;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&options.address, sizeof options.address) != 0)
        die("no connection: %s", strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void watch(conn *c)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};

    if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event) != 0)
        die("epoll: %s", strerror(errno));
}

/* httpd has closed after its response, as it was asked to. */
static void connect_again(conn *c)
{
    close(c->fd);
    open_socket(c);
    c->ended = 0;
    ask_file(c);
    watch(c);
}

/* How many bytes to read into `in`: of messages, never more than the head of a piece, so that payload stays out. */
static size_t wanted(const conn *c)
{
    if (c->is_http)
        return sizeof c->in - c->have;
    return (c->greeted ? PIECE_HEADER : HANDSHAKE) - c->have;
}

static ssize_t receive_once(conn *c)
{
    ssize_t n = c->skip ? recv(c->fd, NULL, c->skip < TURN ? (size_t)c->skip : TURN, MSG_TRUNC | MSG_DONTWAIT)
                        : recv(c->fd, c->in + c->have, wanted(c), MSG_DONTWAIT);

    if (n == 0 && options.closing && c->ended && !c->skip) {
        connect_again(c);
        return -1;
    }
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        die("the seed closed%s%s", n ? ": " : "", n ? strerror(errno) : "");
    if (n < 0)
        return -1;
    if (c->skip) {
        c->skip -= (uint64_t)n;
        received += c->skip_counts ? (uint64_t)n : 0;
        return n;
    }
    c->have += (size_t)n;
    while (!c->skip && (c->is_http ? c->have && read_response(c) : read_message(c)))
        ;
    return n;
}

static void on_readable(conn *c)
{
    ssize_t n, taken = 0;

    while (taken < TURN && (n = receive_once(c)) >= 0) {
        taken += n;
        if (!c->is_http)
            ask_blocks(c);
    }
}

/* --- measuring --- */

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
        die("no process %d", pid);
    fclose(file);
    rest = strrchr(line, ')');
    if (!rest || sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel) != 2)
        die("%s is not understood", name);
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

static void turn(void)
{
    struct epoll_event events[64];
    int i, count = epoll_wait(epoll, events, 64, 100);

    for (i = 0; i < count; i++)
        on_readable(events[i].data.ptr);
}

static void measure(void)
{
    double start = now(), cpu, own, end;
    uint64_t before;

    while (flowing < options.connections) {
        turn();
        if (now() - start > START_MS / 1000.0)
            die("only %d of %d connections get anything", flowing, options.connections);
    }
    for (end = now() + options.warm_up_ms / 1000.0; now() < end;)
        turn();
    start = now();
    cpu = seed_cpu();
    own = own_cpu();
    before = received;
    for (end = start + options.time_ms / 1000.0; now() < end;)
        turn();
    cpu = seed_cpu() - cpu;
    printf("%llu %.6f %.2f %.2f\n", (unsigned long long)(received - before), now() - start, cpu, own_cpu() - own);
}

/* --- starting --- */

static void open_conn(conn *c, int number)
{
    open_socket(c);
    c->is_http = options.path != NULL;
    if (c->is_http) {
        ask_file(c);
    } else { /* each starts somewhere else, at a piece */
        uint64_t pieces = (options.length + options.piece_length - 1) / options.piece_length;
        c->next = pieces * (uint64_t)number / (uint64_t)options.connections * options.piece_length;
        greet(c);
    }
    watch(c);
}

static long number(const char *text, long most)
{
    char *end;
    long value = strtol(text, &end, 10);

    if (*end || end == text || value < 1 || value > most)
        die("%s is no number from 1 to %ld", text, most);
    return value;
}

static void read_pids(char *list)
{
    char *rest = list, *one;

    while ((one = strsep(&rest, ","))) {
        if (options.pid_count == PROCESSES_MAX)
            die("too many processes");
        options.pids[options.pid_count++] = (int)number(one, 1L << 30);
    }
}

static void read_hash(const char *hex)
{
    int i;

    for (i = 0; i < 20; i++) {
        if (sscanf(hex + 2 * i, "%2hhx", &options.hash[i]) != 1)
            die("%s is no info-hash", hex);
    }
}

static void read_options(int argc, char **argv)
{
    int letter;

    while ((letter = getopt(argc, argv, "n:w:cu:t:p:")) != -1) {
        switch (letter) {
        case 'n': options.connections = (int)number(optarg, CONNECTIONS_MAX); break;
        case 'w': options.ahead = (int)number(optarg, 2000); break;
        case 'c': options.closing = 1; break;
        case 'u': options.warm_up_ms = (int)number(optarg, 60000); break;
        case 't': options.time_ms = (int)number(optarg, 600000); break;
        case 'p': read_pids(optarg); break;
        default: exit(2);
        }
    }
    argv += optind;
    argc -= optind;
    if (argc < 4 || inet_pton(AF_INET, argv[0], &options.address.sin_addr) != 1)
        die("usage: see the top of drain.c");
    options.address.sin_family = AF_INET;
    options.address.sin_port = htons((uint16_t)number(argv[1], 65535));
    if (argc == 4 && strcmp(argv[2], "http") == 0) {
        options.path = argv[3];
    } else if (argc == 6 && strcmp(argv[2], "peer") == 0 && strlen(argv[3]) == 40) {
        read_hash(argv[3]);
        options.piece_length = (uint64_t)number(argv[4], 1L << 30);
        options.length = (uint64_t)number(argv[5], 1L << 50);
    } else {
        die("usage: see the top of drain.c");
    }
}

int main(int argc, char **argv)
{
    conn *conns;
    int i;

    epoll = epoll_create1(EPOLL_CLOEXEC);
    read_options(argc, argv);
    conns = calloc((size_t)options.connections, sizeof *conns);
    if (epoll < 0 || !conns)
        die("out of memory");
    for (i = 0; i < options.connections; i++)
        open_conn(&conns[i], i);
    measure();
    return 0;
}
