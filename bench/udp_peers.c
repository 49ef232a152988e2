/* Many peers of a tracker by UDP (BEP 15), for bench/udp:
 *
 *   udp_peers [-k connect|announce|scrape] [-a ADDRESSES] [-P PORTS] [-w WINDOW] [-t MS] [-p PID,PID...] ADDRESS PORT
 * FILE
 *
 * FILE has an info-hash a line, 40 hexadecimal digits. There are as many peers as ADDRESSES (in 127/8, one id each)
 * times PORTS, and each is in one of the swarms. All of them announce themselves once. Then requests of one kind are
 * sent for MS milliseconds, WINDOW of them under way at any time: announces of all in turn, each wanting 50 peers;
 * scrapes of one. Prints: answers, seconds, CPU seconds of the processes, own CPU seconds, requests that got no answer,
 * peers told. An answer that is not as it should be ends it. */
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECT, ANNOUNCE, SCRAPE };
enum { ADDRESS_BITS = 20 /* of a transaction; above them is the number of the phase */ };
enum { BATCH = 64, PACKET = 2048, FIRST_PORT = 20000, PATIENCE = 1000 /* ms */, PIDS = 64 };

static struct {
    unsigned addresses, ports, window, time_ms;
    int kind, pids[PIDS], pid_count;
    struct sockaddr_in tracker;
    unsigned char (*hashes)[20];
    unsigned hash_count;
} options = {.addresses = 10000, .ports = 10, .window = 128, .time_ms = 2000, .kind = ANNOUNCE};

/* A row of datagrams, each with the address of ours that it is from or for. */
typedef struct {
    unsigned char bytes[BATCH][PACKET];
    struct iovec vectors[BATCH];
    struct mmsghdr messages[BATCH];
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(struct in_pktinfo))];
    } control[BATCH];
} row;

static int fd;
static uint64_t *ids; /* of each address, as it came */
static row out, in;

/* What is sent in a phase, and what has come of it. */
static struct {
    int kind;
    uint32_t number;
    uint64_t next, answers, lost, told;
    unsigned under_way;
} phase;

static void die(const char *what)
{
    fprintf(stderr, "udp_peers: %s: %s\n", what, errno ? strerror(errno) : "not as it should be");
    exit(1);
}

static double seconds(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_of(int pid)
{
    unsigned long user = 0, kernel = 0;
    char path[64], line[1024], *rest;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    if (!(file = fopen(path, "r")) || !fgets(line, sizeof line, file) || !(rest = strrchr(line, ')')) ||
        sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel) != 2)
        die(path);
    fclose(file);
    return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

static double trackers_cpu(void)
{
    double sum = 0;

    for (int i = 0; i < options.pid_count; i++)
        sum += cpu_of(options.pids[i]);
    return sum;
}

static void put_u32(unsigned char *to, uint32_t value)
{
    value = htonl(value);
    memcpy(to, &value, sizeof value);
}

static uint32_t get_u32(const unsigned char *from)
{
    uint32_t value;

    memcpy(&value, from, sizeof value);
    return ntohl(value);
}

/* --- requests --- */

static size_t write_request(unsigned char *to, uint64_t nth)
{
    unsigned address = (unsigned)(nth % options.addresses), port = (unsigned)(nth / options.addresses % options.ports);
    const unsigned char *hash = options.hashes[(address + port * options.addresses) % options.hash_count];

    memcpy(to, &ids[address], 8);
    put_u32(to + 8, (uint32_t)phase.kind);
    put_u32(to + 12, address | phase.number << ADDRESS_BITS);
    if (phase.kind == CONNECT) {
        memcpy(to, "\0\0\x04\x17\x27\x10\x19\x80", 8);
        return 16;
    }
    memcpy(to + 16, hash, 20);
    if (phase.kind == SCRAPE)
        return 36;
    memset(to + 36, 0, 62);
    memcpy(to + 36, "-XX0001-", 8);
    put_u32(to + 44, address);
    put_u32(to + 48, port);
    to[71] = address * 2654435761u >> 30 != 0; /* left: one in four is a seed, in every swarm */
    put_u32(to + 92, 50);
    to[96] = (unsigned char)((FIRST_PORT + port) >> 8);
    to[97] = (unsigned char)(FIRST_PORT + port);
    return 98;
}

static void address_message(int i, uint64_t nth)
{
    struct msghdr *message = &out.messages[i].msg_hdr;
    struct in_pktinfo info = {.ipi_spec_dst.s_addr = htonl(0x7f010001 + (uint32_t)(nth % options.addresses))};
    struct cmsghdr *header;

    message->msg_name = &options.tracker;
    message->msg_namelen = sizeof options.tracker;
    message->msg_control = &out.control[i];
    message->msg_controllen = sizeof out.control[i];
    header = CMSG_FIRSTHDR(message);
    header->cmsg_level = IPPROTO_IP;
    header->cmsg_type = IP_PKTINFO;
    header->cmsg_len = CMSG_LEN(sizeof info);
    memcpy(CMSG_DATA(header), &info, sizeof info);
}

static void send_some(unsigned count)
{
    unsigned sent = 0;

    for (unsigned i = 0; i < count; i++) {
        address_message((int)i, phase.next);
        out.vectors[i] = (struct iovec){out.bytes[i], write_request(out.bytes[i], phase.next++)};
    }
    while (sent < count) {
        int done = sendmmsg(fd, out.messages + sent, count - sent, 0);

        if (done <= 0)
            die("sendmmsg");
        sent += (unsigned)done;
    }
    phase.under_way += count;
}

/* --- answers --- */

static void take_answer(const unsigned char *bytes, size_t length)
{
    uint32_t transaction = length >= 8 ? get_u32(bytes + 4) : 0, address = transaction & ((1 << ADDRESS_BITS) - 1);

    errno = 0;
    if (length < 8)
        die("an answer");
    if (transaction >> ADDRESS_BITS != phase.number)
        return; /* late, to a phase before */
    if (get_u32(bytes) != (uint32_t)phase.kind || address >= options.addresses)
        die("an answer");
    if (phase.kind == CONNECT) {
        if (length != 16)
            die("a connect's answer");
        memcpy(&ids[address], bytes + 8, 8);
    } else if (phase.kind == ANNOUNCE) {
        if (length < 20 || (length - 20) % 6)
            die("an announce's answer");
        phase.told += (length - 20) / 6;
    } else if (length != 20) {
        die("a scrape's answer");
    }
    phase.answers++;
    if (phase.under_way > 0)
        phase.under_way--;
}

static void take_answers(void)
{
    struct pollfd ready = {fd, POLLIN, 0};
    int got;

    if (poll(&ready, 1, PATIENCE) == 0) {
        phase.lost += phase.under_way;
        phase.under_way = 0;
        return;
    }
    for (int i = 0; i < BATCH; i++)
        in.vectors[i] = (struct iovec){in.bytes[i], PACKET};
    got = recvmmsg(fd, in.messages, BATCH, MSG_DONTWAIT, NULL);
    if (got < 0 && errno != EAGAIN && errno != EINTR)
        die("recvmmsg");
    for (int i = 0; i < got; i++)
        take_answer(in.bytes[i], in.messages[i].msg_len);
}

/* --- phases --- */

static void keep_window_full(uint64_t most)
{
    while (phase.under_way < options.window && phase.next < most) {
        unsigned room = options.window - phase.under_way;

        if (room > most - phase.next)
            room = (unsigned)(most - phase.next);
        send_some(room < BATCH ? room : BATCH);
    }
}

static void run(int kind, uint64_t requests, double until)
{
    static uint32_t number;

    memset(&phase, 0, sizeof phase);
    phase.kind = kind;
    phase.number = ++number;
    while (seconds(CLOCK_MONOTONIC) < until && (phase.next < requests || phase.under_way)) {
        keep_window_full(requests);
        take_answers();
    }
}

/* Every address gets its id, and every peer announces itself; if some of that was lost, all of it is said again. */
static void prepare(void)
{
    static const struct {
        int kind;
        const char *what;
    } steps[] = {{CONNECT, "some connects were never answered"}, {ANNOUNCE, "some announces were never answered"}};

    for (int i = 0; i < 2; i++) {
        int tries = 3;

        do {
            run(steps[i].kind, (uint64_t)options.addresses * (i ? options.ports : 1), HUGE_VAL);
        } while (phase.lost && --tries);
        errno = 0;
        if (phase.lost)
            die(steps[i].what);
    }
}

static void measure(void)
{
    double cpu = trackers_cpu(), own = seconds(CLOCK_PROCESS_CPUTIME_ID), start = seconds(CLOCK_MONOTONIC), end;

    run(options.kind, UINT64_MAX, start + options.time_ms / 1e3);
    end = seconds(CLOCK_MONOTONIC);
    printf("%llu %.6f %.2f %.2f %llu %llu\n", (unsigned long long)phase.answers, end - start, trackers_cpu() - cpu,
           seconds(CLOCK_PROCESS_CPUTIME_ID) - own, (unsigned long long)phase.lost, (unsigned long long)phase.told);
}

/* --- options --- */

static void open_socket(void)
{
    int size = 16 << 20;

    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        die("socket");
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0) /* only root may have so much */
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    for (int i = 0; i < BATCH; i++) {
        out.messages[i].msg_hdr.msg_iov = &out.vectors[i];
        in.messages[i].msg_hdr.msg_iov = &in.vectors[i];
        out.messages[i].msg_hdr.msg_iovlen = in.messages[i].msg_hdr.msg_iovlen = 1;
    }
}

static void read_hashes(const char *path)
{
    FILE *file = fopen(path, "r");
    char line[64];

    if (!file)
        die(path);
    while (fgets(line, sizeof line, file)) {
        options.hashes = realloc(options.hashes, (options.hash_count + 1) * sizeof *options.hashes);
        errno = 0;
        for (int i = 0; i < 20; i++)
            if (!options.hashes || sscanf(line + 2 * i, "%2hhx", &options.hashes[options.hash_count][i]) != 1)
                die(path);
        options.hash_count++;
    }
    fclose(file);
    if (options.hash_count == 0)
        die(path);
}

static unsigned number(const char *text, unsigned long most)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    errno = 0;
    if (*end || value < 1 || value > most)
        die(text);
    return (unsigned)value;
}

static int kind_of(const char *name)
{
    static const char *const names[] = {"connect", "announce", "scrape"};

    for (int i = 0; i < 3; i++)
        if (strcmp(name, names[i]) == 0)
            return i;
    errno = 0;
    die(name);
    return 0;
}

static void read_pids(char *text)
{
    for (char *pid = strtok(text, ","); pid && options.pid_count < PIDS; pid = strtok(NULL, ","))
        options.pids[options.pid_count++] = (int)number(pid, INT32_MAX);
}

static void read_option(int option)
{
    switch (option) {
    case 'k':
        options.kind = kind_of(optarg);
        break;
    case 'a':
        options.addresses = number(optarg, 1000000);
        break;
    case 'P':
        options.ports = number(optarg, 64);
        break;
    case 'w':
        options.window = number(optarg, 100000);
        break;
    case 't':
        options.time_ms = number(optarg, 1000000);
        break;
    case 'p':
        read_pids(optarg);
        break;
    default:
        exit(2);
    }
}

int main(int argc, char **argv)
{
    int option;

    while ((option = getopt(argc, argv, "k:a:P:w:t:p:")) != -1)
        read_option(option);
    errno = 0;
    if (argc - optind != 3)
        die("usage: see the head of the source");
    options.tracker.sin_family = AF_INET;
    if (inet_pton(AF_INET, argv[optind], &options.tracker.sin_addr) != 1)
        die(argv[optind]);
    options.tracker.sin_port = htons((uint16_t)number(argv[optind + 1], 65535));
    read_hashes(argv[optind + 2]);
    if (!(ids = calloc(options.addresses, sizeof *ids)))
        die("memory");
    open_socket();
    prepare();
    measure();
    free(ids);
    free(options.hashes);
    return 0;
}
