/* A seeder alone, for trials and benches:   seed_cli [-p PORT] [-v 1|2|3] [-r RATE] [-o FILE.torrent] FILE
 * Makes the torrent of FILE, writes it if asked to, and seeds it on 127.0.0.1:PORT until standard input ends. It then
 * prints what was sent and the CPU time that it took. State is kept in a temporary directory. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "base/log.h"
#include "seeder/seeder.h"
#include "torrentgen/metainfo.h"
#include "torrentgen/queue.h"

typedef struct {
    int port, version;
    apr_int64_t rate;
    const char *torrent, *path;
} options;

static void give_up(const char *what, apr_status_t status)
{
    char text[200];

    fprintf(stderr, "%s: %s\n", what, apr_strerror(status, text, sizeof text));
    exit(1);
}

static void must(const char *what, apr_status_t status)
{
    if (status != APR_SUCCESS)
        give_up(what, status);
}

static void print_log(void *baton, bt_log_level level, int number, apr_status_t status, const char *message)
{
    if (level < BT_LOG_DEBUG)
        fprintf(stderr, "BTH%04d: %s\n", number, message);
}

static apr_status_t permit(void *baton, const cat_entry *entry)
{
    return APR_SUCCESS;
}

static options read_options(int argc, char **argv)
{
    options o = {16881, TG_HYBRID, 0, NULL, NULL};
    int letter;

    while ((letter = getopt(argc, argv, "p:v:r:o:")) != -1) {
        if (letter == 'p')
            o.port = (int)strtol(optarg, NULL, 10);
        else if (letter == 'v')
            o.version = (int)strtol(optarg, NULL, 10) & TG_HYBRID;
        else if (letter == 'r')
            o.rate = strtoll(optarg, NULL, 10);
        else if (letter == 'o')
            o.torrent = optarg;
        else
            exit(2);
    }
    if (optind + 1 != argc || !o.version) {
        fprintf(stderr, "usage: seed_cli [-p PORT] [-v 1|2|3] [-r RATE] [-o FILE.torrent] FILE\n");
        exit(2);
    }
    o.path = realpath(argv[optind], NULL);
    if (!o.path)
        give_up(argv[optind], APR_ENOENT);
    return o;
}

static int listen_on(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((unsigned short)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 1024) != 0)
        give_up("cannot listen", APR_FROM_OS_ERROR(errno));
    return fd;
}

static void write_torrent(const options *o, const tg_torrent *torrent)
{
    tg_envelope envelope = {.created_by = "seed_cli"};
    FILE *file = o->torrent ? fopen(o->torrent, "wb") : NULL;
    bt_buf buf;

    if (!o->torrent)
        return;
    bt_buf_init(&buf, 64 * 1024 * 1024);
    must("torrent", tg_metainfo_write(&buf, torrent, &envelope));
    if (!file || fwrite(buf.data, 1, buf.length, file) != buf.length || fclose(file) != 0)
        give_up(o->torrent, APR_EGENERAL);
    bt_buf_free(&buf);
}

static void publish(const options *o, cat_catalog *catalog, apr_pool_t *pool)
{
    const char *slash = strrchr(o->path, '/');
    tg_request request = {.path = o->path, .name = slash + 1, .version = (tg_version)o->version, .urgent = 1};
    cat_publication publication;
    tg_torrent torrent;
    bt_stamp stamp;

    must(o->path, tg_make(&request, pool, &torrent, &stamp));
    write_torrent(o, &torrent);
    publication = (cat_publication){.path = o->path,
                                    .url = "127.0.0.1 80 http localhost /",
                                    .grant = 1,
                                    .published = 1,
                                    .stamp = stamp,
                                    .torrent = &torrent};
    must("publish", cat_publish(catalog, &publication, 1));
}

static void report(const seed_counters *counters)
{
    struct rusage used;
    double cpu;

    getrusage(RUSAGE_SELF, &used);
    cpu = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
          (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    printf("sent %lld bytes in %lld blocks, %.2f s of CPU (hashing included), %ld KiB\n",
           (long long)counters->bytes_sent, (long long)counters->blocks_sent, cpu, used.ru_maxrss);
    for (int i = 0; i < SEED_CLOSE_REASONS; i++)
        if (counters->closed[i])
            printf("closed %s: %lld\n", seed_close_name((seed_close_reason)i), (long long)counters->closed[i]);
}

int main(int argc, char **argv)
{
    options o = read_options(argc, argv);
    char directory[] = "/tmp/seed_cli-XXXXXX", byte;
    int listener = listen_on(o.port);
    seed_config config = {.listeners = &listener, .listener_count = 1, .max_peers = 100000, .upload_rate = o.rate,
                          .hash_threads = 1, .permit = permit};
    seed_mailbox *mailbox;
    seed_seeder *seeder;
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    bt_log_install(print_log, NULL);
    if (!mkdtemp(directory))
        give_up(directory, APR_EGENERAL);
    must("mailbox", seed_mailbox_create(&mailbox, pool));
    config.state_dir = directory;
    config.mailbox = mailbox;
    config.counters = apr_palloc(pool, seed_counters_size());
    seed_counters_init(config.counters);
    must("catalogue", cat_open(&config.catalog, directory, pool));
    publish(&o, config.catalog, pool);
    must("seeder", seed_start(&seeder, &config, pool));
    printf("seeding on 127.0.0.1:%d\n", o.port);
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    report(config.counters);
    seed_leave(seeder, 0);
    seed_join(seeder);
    return 0;
}
