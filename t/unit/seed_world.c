#include "t/unit/seed_world.h"

#include "t/unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <apr_strings.h>

#include "t/unit/peer_bytes.h"
#include "torrentgen/old_clients.h"

static apr_status_t permit(void *baton, const cat_entry *entry)
{
    world *w = baton;

    __atomic_add_fetch(&w->asked, 1, __ATOMIC_RELAXED);
    return __atomic_load_n(&w->permit, __ATOMIC_RELAXED);
}

static void elected(void *baton)
{
    __atomic_add_fetch(&((world *)baton)->elected, 1, __ATOMIC_RELAXED);
}

static void listen_on_loopback(world *w)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof any;

    w->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(w->listener >= 0);
    assert_int_equal(bind(w->listener, (struct sockaddr *)&any, sizeof any), 0);
    assert_int_equal(listen(w->listener, 1024), 0);
    assert_int_equal(getsockname(w->listener, (struct sockaddr *)&any, &length), 0);
    w->port = ntohs(any.sin_port);
}

world *world_make(void)
{
    world *w = calloc(1, sizeof *w);
    seed_mailbox *mailbox;

    assert_non_null(w);
    apr_pool_create(&w->pool, NULL);
    strcpy(w->directory, "/tmp/bthttp-seeder-XXXXXX");
    assert_non_null(mkdtemp(w->directory));
    listen_on_loopback(w);
    w->limits = seed_limits_default;
    w->limits.lock = 5000;
    w->limits.heir = 1000;
    w->limits.siblings = 10000;
    w->limits.tick = 20000;
    w->limits.crowd = 1 << 20; /* whoever comes is shown everything */
    w->limits.freshness = 20000;
    w->config.state_dir = w->directory;
    assert_int_equal(seed_mailbox_create(&mailbox, w->pool), APR_SUCCESS);
    w->config.mailbox = mailbox;
    w->config.counters = apr_palloc(w->pool, seed_counters_size());
    seed_counters_init(w->config.counters);
    assert_int_equal(cat_open(&w->config.catalog, w->directory, w->pool), APR_SUCCESS);
    w->config.listeners = &w->listener;
    w->config.listener_count = 1;
    w->config.max_peers = 100;
    w->config.hash_threads = 1;
    w->config.permit = permit;
    w->config.elected = elected;
    w->config.baton = w;
    return w;
}

static int remove_one(const char *path, const struct stat *info, int flag, struct FTW *where)
{
    return remove(path);
}

void world_free(world *w)
{
    close(w->listener);
    close(w->config.mailbox->read_fd);
    close(w->config.mailbox->write_fd);
    nftw(w->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    apr_pool_destroy(w->pool);
    free(w);
}

seed_seeder *world_start(world *w)
{
    seed_seeder *seeder;

    assert_int_equal(seed_start_limited(&seeder, &w->config, &w->limits, w->pool), APR_SUCCESS);
    return seeder;
}

void world_stop(seed_seeder *seeder, int graceful)
{
    seed_leave(seeder, graceful);
    seed_join(seeder);
}

static void wait_until(const apr_uint64_t *number, apr_uint64_t least, apr_uint64_t most)
{
    const struct timespec moment = {0, 2000000};
    apr_uint64_t now = 0;

    for (int i = 0; i < 5000; i++) {
        now = __atomic_load_n(number, __ATOMIC_RELAXED);
        if (now >= least && now <= most)
            return;
        nanosleep(&moment, NULL);
    }
    fail_msg("it stays at %ld, not %ld", (long)now, (long)least);
}

void world_wait(const apr_uint64_t *counter, apr_uint64_t value)
{
    wait_until(counter, value, APR_UINT64_MAX);
}

void world_wait_for(const apr_uint64_t *gauge, apr_uint64_t value)
{
    wait_until(gauge, value, value);
}

unsigned char world_byte(apr_uint64_t offset)
{
    return (unsigned char)((offset * APR_UINT64_C(0x9E3779B97F4A7C15)) >> 56);
}

/* Writes bytes of the world from an offset on. */
static bt_stamp write_bytes(const char *path, apr_uint64_t offset, apr_uint64_t size)
{
    unsigned char *bytes = malloc(size ? size : 1);
    FILE *file = fopen(path, "wb");
    bt_stamp stamp;

    assert_non_null(file);
    for (apr_uint64_t i = 0; i < size; i++)
        bytes[i] = world_byte(offset + i);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
    free(bytes);
    assert_int_equal(bt_stamp_path(path, &stamp), APR_SUCCESS);
    return stamp;
}

static void publish(world *w, const char *path, const bt_stamp *stamp, tg_torrent *torrent, bt_infohash *v1,
                    bt_infohash *v2)
{
    /* The seeder reads it for magnet links alone; its hash is not that of the torrent. */
    static const unsigned char infodict[] = "d9:file treed1:ad0:d6:lengthi1eeee6:lengthi1ee";
    static unsigned serial;
    const cat_publication publication = {
        .path = path, .url = "127.0.0.1 80 http x /", .grant = 1, .published = 1, .stamp = *stamp, .torrent = torrent};

    serial++;
    torrent->piece_length = WORLD_PIECE;
    torrent->infodict = infodict;
    torrent->infodict_length = sizeof infodict - 1;
    if (torrent->version & TG_V1)
        memset(torrent->v1.b, (int)(2 * serial), sizeof torrent->v1.b);
    if (torrent->version == TG_HYBRID)
        assert_int_equal(tg_hash_for_old_clients(torrent), APR_SUCCESS);
    if (torrent->version & TG_V2)
        memset(torrent->v2.b, (int)(2 * serial + 1), sizeof torrent->v2.b);
    *v1 = torrent->v1;
    *v2 = bt_infohash_truncate(&torrent->v2);
    assert_int_equal(cat_publish(w->config.catalog, &publication, 1), APR_SUCCESS);
}

const char *world_file(world *w, const char *name, apr_uint64_t size, tg_version version, bt_infohash *v1,
                       bt_infohash *v2)
{
    const char *path = apr_pstrcat(w->pool, w->directory, "/", name, NULL);
    tg_torrent torrent = {.version = version, .length = (apr_int64_t)size};
    bt_stamp stamp = write_bytes(path, 0, size);

    publish(w, path, &stamp, &torrent, v1, v2);
    return path;
}

const char *world_collection(world *w, const char *name, apr_size_t count, apr_uint64_t size, bt_infohash *v1,
                             bt_infohash *v2)
{
    const char *path = apr_pstrcat(w->pool, w->directory, "/", name, "/", NULL);
    tg_member *members = apr_pcalloc(w->pool, count * sizeof *members);
    tg_torrent torrent = {.version = TG_HYBRID, .length = (apr_int64_t)(count * size), .members = members,
                          .member_count = count};
    bt_stamp sum = {.size = torrent.length};

    assert_int_equal(mkdir(path, 0700), 0);
    for (apr_size_t i = 0; i < count; i++) {
        members[i].path = apr_psprintf(w->pool, "%05d", (int)i);
        members[i].offset = (apr_int64_t)(i * size);
        members[i].stamp = write_bytes(apr_pstrcat(w->pool, path, members[i].path, NULL), i * size, size);
    }
    publish(w, path, &sum, &torrent, v1, v2);
    return path;
}

int world_connect(const world *w, int buffer)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)w->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {10, 0};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    if (buffer)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

void world_send(int peer, bt_buf *bytes)
{
    assert_int_equal(send(peer, bytes->data, bytes->length, MSG_NOSIGNAL), bytes->length);
    bt_buf_free(bytes);
}

int world_read(int peer, void *bytes, size_t length)
{
    ssize_t got = 1;

    for (size_t have = 0; have < length && got > 0; have += (size_t)got) {
        got = recv(peer, (char *)bytes + have, length - have, 0);
        if (got < 0 && errno == ECONNRESET)
            return 0;
        if (got < 0)
            fail_msg("nothing comes: %s", strerror(errno));
    }
    return got > 0 || length == 0;
}

void world_expect_closed(int peer)
{
    char byte;

    while (world_read(peer, &byte, 1))
        ;
    close(peer);
}

void world_shake(int peer, const bt_infohash *hash, unsigned reserved7, apr_uint32_t pieces)
{
    unsigned char answer[PW_HANDSHAKE_SIZE + 5], body[4096];
    pw_handshake read;
    bt_buf bytes;

    bt_buf_init(&bytes, 100);
    say_handshake(&bytes, hash, reserved7);
    world_send(peer, &bytes);
    assert_true(world_read(peer, answer, PW_HANDSHAKE_SIZE));
    assert_true(pw_handshake_plausible(answer, PW_HANDSHAKE_SIZE));
    pw_handshake_read(answer, &read);
    assert_memory_equal(read.hash.b, hash->b, BT_HASH_SIZE);
    if (!(reserved7 & PW_BIT_FAST) && pieces == 0)
        return;
    assert_true(world_read(peer, answer + PW_HANDSHAKE_SIZE, 5));
    assert_int_equal(answer[72], reserved7 & PW_BIT_FAST ? PW_HAVE_ALL : PW_BITFIELD);
    assert_int_equal(pw_get_u32(answer + 68), reserved7 & PW_BIT_FAST ? 1 : 1 + (pieces + 7) / 8);
    if (!(reserved7 & PW_BIT_FAST))
        assert_true(world_read(peer, body, (pieces + 7) / 8));
}

void world_get_unchoked(int peer)
{
    unsigned char message[5];
    bt_buf bytes;

    bt_buf_init(&bytes, 100);
    say(&bytes, PW_INTERESTED, 0, 0, 0, 0);
    world_send(peer, &bytes);
    assert_true(world_read(peer, message, 5));
    assert_memory_equal(message, "\0\0\0\1\1", 5);
}

void world_ask(int peer, apr_uint32_t piece, apr_uint32_t begin, apr_uint32_t length)
{
    bt_buf bytes;

    bt_buf_init(&bytes, 100);
    say_request(&bytes, piece, begin, length);
    world_send(peer, &bytes);
}

apr_uint32_t world_take_block(int peer, apr_uint32_t piece, apr_uint32_t begin)
{
    static unsigned char block[PW_BLOCK_MAX];
    unsigned char header[PW_PIECE_HEADER];
    apr_uint64_t offset = (apr_uint64_t)piece * WORLD_PIECE + begin;
    apr_uint32_t length;

    assert_true(world_read(peer, header, sizeof header));
    assert_int_equal(header[4], PW_PIECE);
    assert_int_equal(pw_get_u32(header + 5), piece);
    assert_int_equal(pw_get_u32(header + 9), begin);
    length = pw_get_u32(header) - 9;
    assert_true(length <= sizeof block);
    assert_true(world_read(peer, block, length));
    for (apr_uint32_t i = 0; i < length; i++)
        if (block[i] != world_byte(offset + i))
            fail_msg("byte %ld is wrong", (long)(offset + i));
    return length;
}

void world_download(int peer, apr_uint64_t size)
{
    enum { WINDOW = 20 };
    apr_uint64_t asked = 0, taken = 0;

    while (taken < size) {
        for (; asked < size && asked - taken < (apr_uint64_t)WINDOW * TG_BLOCK; asked += TG_BLOCK)
            world_ask(peer, (apr_uint32_t)(asked / WORLD_PIECE), (apr_uint32_t)(asked % WORLD_PIECE),
                      size - asked < TG_BLOCK ? (apr_uint32_t)(size - asked) : TG_BLOCK);
        taken += world_take_block(peer, (apr_uint32_t)(taken / WORLD_PIECE), (apr_uint32_t)(taken % WORLD_PIECE));
    }
}
