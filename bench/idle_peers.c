/* Many peers that connect, shake hands and then do nothing, for bench/idle:
 *
 *   idle_peers -n CONNECTIONS [-i] ADDRESS PORT FILE
 *
 * FILE has an info-hash a line, 40 hexadecimal digits; the peers take them by turns. Each comes from an address of its
 * own in 127/8. -i: they say that they are interested. Prints "ready" once all have been answered, keeps them alive, and ends with
 * standard input, printing how many the seed has closed meanwhile. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HANDSHAKE = 68, UNDER_WAY = 100, KEEP_ALIVE = 100 /* seconds */ };

typedef struct {
    int fd; /* -1: closed */
    unsigned got;
    int greeted;
    time_t spoken;
} peer;

static struct {
    int count, interested;
    struct sockaddr_in seed;
    unsigned char (*hashes)[20];
    int hash_count;
} options;

static peer *peers;
static int epoll, opened, greeted, lost;

static void die(const char *what)
{
    fprintf(stderr, "idle_peers: %s: %s\n", what, strerror(errno));
    exit(1);
}

static time_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec;
}

static void send_bytes(peer *p, const void *bytes, size_t length)
{
    if (send(p->fd, bytes, length, MSG_NOSIGNAL) != (ssize_t)length)
        die("send");
    p->spoken = now();
}

static void greet(peer *p)
{
    unsigned char hello[HANDSHAKE + 5] = "\x13" "BitTorrent protocol";
    long nth = p - peers;

    hello[27] = 4; /* fast */
    memcpy(hello + 28, options.hashes[nth % options.hash_count], 20);
    snprintf((char *)hello + 48, 21, "-ID0001-%012u", (unsigned)nth);
    memcpy(hello + HANDSHAKE, "\0\0\0\1\2", 5);
    send_bytes(p, hello, options.interested ? sizeof hello : HANDSHAKE);
}

/* Blocking while it connects: that is quick, and the seed answers when it likes. */
static void open_peer(peer *p)
{
    long nth = p - peers;
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f010101 + (unsigned)nth)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = p};

    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (p->fd < 0 || bind(p->fd, (struct sockaddr *)&own, sizeof own) != 0 ||
        connect(p->fd, (struct sockaddr *)&options.seed, sizeof options.seed) != 0)
        die("connect");
    greet(p);
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, p->fd, &event) != 0)
        die("epoll");
}

static void on_readable(peer *p)
{
    char bytes[4096];
    ssize_t n = recv(p->fd, bytes, sizeof bytes, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        close(p->fd);
        p->fd = -1;
        lost++;
        if (!p->greeted)
            die("the seed refuses a peer");
        return;
    }
    p->got += (unsigned)n;
    if (p->got >= HANDSHAKE && !p->greeted) {
        p->greeted = 1;
        greeted++;
    }
}

static void keep_alive(void)
{
    int i;

    for (i = 0; i < opened; i++) {
        if (peers[i].fd >= 0 && now() - peers[i].spoken >= KEEP_ALIVE)
            send_bytes(&peers[i], "\0\0\0", 4);
    }
}

static void serve(void)
{
    struct epoll_event events[256], input = {.events = EPOLLIN, .data.ptr = NULL};
    int i, count, told = 0;

    epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &input);
    for (;;) {
        while (opened < options.count && opened - greeted < UNDER_WAY)
            open_peer(&peers[opened++]);
        count = epoll_wait(epoll, events, 256, 1000);
        for (i = 0; i < count; i++) {
            if (!events[i].data.ptr)
                return;
            on_readable(events[i].data.ptr);
        }
        if (greeted == options.count && !told++) {
            puts("ready");
            fflush(stdout);
        }
        keep_alive();
    }
}

static void read_hashes(const char *path)
{
    FILE *file = fopen(path, "r");
    char line[64];
    int i;

    if (!file)
        die(path);
    while (fgets(line, sizeof line, file)) {
        options.hashes = realloc(options.hashes, (size_t)(options.hash_count + 1) * sizeof *options.hashes);
        if (!options.hashes)
            die("memory");
        for (i = 0; i < 20; i++) {
            if (sscanf(line + 2 * i, "%2hhx", &options.hashes[options.hash_count][i]) != 1)
                die(line);
        }
        options.hash_count++;
    }
    fclose(file);
}

int main(int argc, char **argv)
{
    struct rlimit files;
    int letter;

    while ((letter = getopt(argc, argv, "n:i")) != -1) {
        if (letter == 'n')
            options.count = (int)strtol(optarg, NULL, 10);
        else if (letter == 'i')
            options.interested = 1;
        else
            return 2;
    }
    if (argc - optind != 3 || options.count < 1 || inet_pton(AF_INET, argv[optind], &options.seed.sin_addr) != 1) {
        fprintf(stderr, "usage: idle_peers -n CONNECTIONS [-i] ADDRESS PORT FILE\n");
        return 2;
    }
    options.seed.sin_family = AF_INET;
    options.seed.sin_port = htons((unsigned short)strtol(argv[optind + 1], NULL, 10));
    read_hashes(argv[optind + 2]);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    peers = calloc((size_t)options.count, sizeof *peers);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!peers || epoll < 0 || !options.hash_count)
        die("start");
    serve();
    printf("%d\n", lost);
    return 0;
}
