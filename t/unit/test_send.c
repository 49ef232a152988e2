/* The send path with a real socket and a real file: whatever way the bytes go, the peer gets the same stream. */
#include "t/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "seeder/send.h"
#include "t/unit/peer_bytes.h"

enum { PIECE = 65536, PIECES = 40, LENGTH = PIECE * (PIECES - 1) + 100, NOW = 1000000 };

static const seed_content content = {LENGTH, PIECE, PIECES, 1, 1, {{0}}, 0};
static unsigned char data[LENGTH + 16384], buffer[SEED_BATCH_SIZE];
static seed_peer peer;
static bt_buf wanted; /* what the peer must get */
static seed_source *source;
static seed_files *files;
static char path[] = "/tmp/bthttp-send-XXXXXX";
static int ends[2];
static seed_fetched fetched;
static seed_sent all; /* summed up */
static int sealing;    /* everything once more with an encrypted stream */
static int mapping;    /* and with a file that was read again and again */
static seed_rc4 reading;

/* As if the whole file had been sent so often that it was mapped. */
static void map_file(void)
{
    seed_segment run;

    assert_int_equal(seed_source_at(source, 0, 1, NOW, &run), APR_SUCCESS);
    while (!run.open->view)
        seed_files_note_read(files, run.open, 0, LENGTH, NOW);
}

static int set_up(void **state)
{
    uint64_t seed = 7;
    bt_stamp stamp;
    int file;

    memset(&fetched, 0, sizeof fetched);
    unit_fill(&seed, data, LENGTH); /* what follows is zeros, which padded blocks end with */
    strcpy(path + sizeof path - 7, "XXXXXX");
    file = mkstemp(path);
    if (write(file, data, LENGTH) != LENGTH || bt_stamp_fd(file, &stamp) != APR_SUCCESS)
        return -1;
    close(file);
    files = seed_files_make(4, &seed_disk_kernel);
    if (seed_source_open_file(&source, files, path, &stamp, APR_USEC_PER_SEC, NOW) != APR_SUCCESS || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0)
        return -1;
    seed_peer_init(&peer, &seed_limits_default, NOW);
    peer.content = &content;
    peer.state = SEED_PEER_LIVE;
    if (sealing) {
        peer.crypt = SEED_CRYPT_RC4;
        peer.stream = calloc(1, sizeof *peer.stream);
        peer.stream->rc4 = 1;
        seed_rc4_init(&peer.stream->out, (const unsigned char *)"key", 3);
        reading = peer.stream->out;
    }
    if (mapping)
        map_file();
    bt_buf_init(&wanted, 16 << 20);
    memset(&all, 0, sizeof all);
    return 0;
}

static int tear_down(void **state)
{
    seed_peer_free(&peer);
    bt_buf_free(&wanted);
    close(ends[0]);
    close(ends[1]);
    seed_source_close(source);
    seed_files_free(files);
    unlink(path);
    return 0;
}

static void ask(apr_uint32_t piece, apr_uint32_t begin, apr_uint32_t length)
{
    seed_block block = {piece, begin, length};
    unsigned char *at = bt_buf_extend(&wanted, PW_PIECE_HEADER);

    assert_int_equal(seed_requests_push(&peer.requests, &block, 2000), 1);
    pw_piece_header(at, piece, begin, length);
    bt_buf_add(&wanted, data + (size_t)piece * PIECE + begin, length);
}

/* Reads what has come and compares it. */
static size_t take(size_t at)
{
    static unsigned char got[1 << 20];
    ssize_t n = recv(ends[1], got, sizeof got, MSG_DONTWAIT);

    if (n <= 0)
        return at;
    if (sealing)
        seed_rc4_apply(&reading, got, got, (size_t)n);
    assert_true(at + (size_t)n <= wanted.length);
    assert_memory_equal(got, wanted.data + at, (size_t)n);
    return at + (size_t)n;
}

static seed_send_result send_once(size_t quantum)
{
    seed_sent sent;
    seed_send_result result = seed_send(&peer, ends[0], source, &fetched, buffer, quantum, NOW, &sent);

    assert_true(sent.payload <= sent.bytes);
    all.bytes += sent.bytes;
    all.payload += sent.payload;
    all.blocks += sent.blocks;
    return result;
}

/* Sends and reads by turns to the end. */
static void send_all(size_t quantum)
{
    seed_send_result result = SEED_SEND_MORE;
    size_t at = 0;

    while (result == SEED_SEND_MORE || result == SEED_SEND_BLOCKED) {
        result = send_once(quantum);
        assert_true(result != SEED_SEND_BLOCKED || seed_peer_has_output(&peer));
        at = take(at);
    }
    assert_int_equal(result, SEED_SEND_DONE);
    while (at < wanted.length)
        at = take(at);
    assert_int_equal(all.bytes, wanted.length);
    assert_false(seed_peer_has_output(&peer));
}

static void ask_in_order(int blocks)
{
    for (int i = 0; i < blocks; i++)
        ask((apr_uint32_t)i / 4, (apr_uint32_t)i % 4 * 16384, 16384);
}

static void blocks_in_order(void **state)
{
    ask_in_order(150);
    send_all(seed_limits_default.quantum);
    assert_int_equal(all.blocks, 150);
    assert_int_equal(all.payload, 150 * 16384);
}

static void one_block(void **state)
{
    ask(PIECES - 1, 3, 97);
    send_all(1 << 20);
    assert_int_equal(all.blocks, 1);
    assert_int_equal(all.payload, 97);
}

static void a_padded_block_among_others(void **state)
{
    ask_in_order(5);
    ask(PIECES - 1, 0, 16384);
    ask(PIECES - 1, 0, 100);
    ask(PIECES - 1, 99, 2);
    ask(3, 16384, 16384);
    ask(3, 32768, 16384);
    send_all(1 << 20);
    assert_int_equal(all.blocks, 10);
}

static void blocks_anywhere_of_any_size(void **state)
{
    static const apr_uint32_t sizes[] = {1, 2, 13, 14, 100, 16383, 16384, 32768, PIECE};
    uint64_t seed = 3;
    apr_size_t payload = 0;

    for (int i = 0; i < 400; i++) {
        apr_uint32_t size = sizes[unit_below(&seed, sizeof sizes / sizeof *sizes)];
        ask((apr_uint32_t)unit_below(&seed, PIECES - 1), (apr_uint32_t)unit_below(&seed, PIECE - size + 1), size);
        payload += size;
    }
    send_all(200000);
    assert_int_equal(all.blocks, 400);
    assert_int_equal(all.payload, payload);
}

/* Whatever is cut off in a block, in a header too, is gone on with. */
static void quanta_of_any_size(void **state)
{
    static const size_t quanta[] = {1, 12, 13, 14, 16384, 16397, 32793, 32794, 32795, 100000};

    for (size_t i = 0; i < sizeof quanta / sizeof *quanta; i++) {
        tear_down(state);
        set_up(state);
        ask_in_order(quanta[i] < 100 ? 3 : 40);
        send_all(quanta[i]);
    }
}

static void a_small_socket_buffer(void **state)
{
    int size = 4096;

    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    ask_in_order(100);
    send_all(seed_limits_default.quantum);
}

static void no_more_than_the_quantum(void **state)
{
    seed_sent sent;

    ask_in_order(100);
    for (size_t quantum = 1; quantum < 400000; quantum = quantum * 3 / 2 + 1) {
        assert_int_not_equal(seed_send(&peer, ends[0], source, &fetched, buffer, quantum, NOW, &sent), SEED_SEND_GONE);
        /* Only a header may be finished beyond it. */
        assert_true(sent.bytes < quantum + PW_PIECE_HEADER);
        while (recv(ends[1], buffer, sizeof buffer, MSG_DONTWAIT) > 0)
            ;
    }
}

static void compare_parts(const seed_batch *batch)
{
    size_t at = 0;

    for (int i = 0; i < batch->count; i++) {
        assert_memory_equal(batch->parts[i].iov_base, wanted.data + at, batch->parts[i].iov_len);
        at += batch->parts[i].iov_len;
    }
    assert_int_equal(at, batch->length);
}

static void a_batch_uses_all_the_room_there_is(void **state)
{
    static const size_t rooms[] = {16397 + 1, 16397 + 13, 16397 + 14, 40000, 5 * 16397 - 1, 5 * 16397, 5 * 16397 + 1};
    apr_int64_t cold;
    seed_batch batch;

    ask_in_order(8);
    for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
        int some = seed_batch_fill(&batch, &peer, source, &fetched, buffer, rooms[i], NOW, &cold);
        size_t over = rooms[i] % 16397;

        if (rooms[i] < 2 * 16397 && over <= PW_PIECE_HEADER) {
            assert_false(some); /* one block is no batch */
            continue;
        }
        assert_true(some);
        assert_int_equal(batch.length, over <= PW_PIECE_HEADER ? rooms[i] - over : rooms[i]);
        assert_int_equal(batch.mapped != NULL, mapping);
        compare_parts(&batch);
    }
}

/* A choke that stands in `out` comes after the block begun and before the next. */
static void control_bytes_between_blocks(void **state)
{
    unsigned char *at;

    ask_in_order(1);
    at = bt_buf_extend(&wanted, 5);
    memcpy(at, "\0\0\0\1\1", 5);
    ask(7, 0, 16384);
    ask(7, 16384, 16384);
    assert_int_equal(send_once(100), SEED_SEND_MORE);
    assert_int_equal(peer.requests.count, 2);
    pw_add_plain(&peer.out, PW_UNCHOKE);
    send_all(1 << 20);
    assert_int_equal(all.blocks, 3);
}

/* What an encrypted handshake said last may still be in `out` when the stream begins: it is sealed already. */
static void what_was_sealed_already_goes_as_it_is(void **state)
{
    unsigned char got[100];

    if (!sealing)
        return;
    bt_buf_add(&peer.out, "as it is", 8);
    peer.stream->raw = 8;
    pw_add_plain(&peer.out, PW_UNCHOKE);
    while (seed_peer_has_output(&peer))
        assert_true(send_once(3) != SEED_SEND_GONE);
    assert_int_equal(recv(ends[1], got, sizeof got, 0), 13);
    assert_memory_equal(got, "as it is", 8);
    seed_rc4_apply(&reading, got + 8, got + 8, 5);
    assert_memory_equal(got + 8, "\0\0\0\1\1", 5);
}

static void a_file_that_became_shorter(void **state)
{
    seed_segment run;
    size_t at = 0;

    ask_in_order(40);
    assert_int_equal(seed_source_at(source, 0, 1, NOW, &run), APR_SUCCESS); /* opened before */
    assert_int_equal(truncate(path, 20 * 16384 + 5000), 0);
    for (;;) {
        seed_send_result result = send_once(1 << 20);
        at = take(at);
        if (result == SEED_SEND_FILE)
            break;
        if (result == SEED_SEND_COLD) /* what is missing was looked for on the disk */
            fetched = (seed_fetched){0, LENGTH, NOW + 1};
        else
            assert_true(result == SEED_SEND_MORE || result == SEED_SEND_BLOCKED);
    }
    assert_int_equal(all.blocks, 20);
    assert_int_equal(all.payload, 20 * 16384 + 5000);
}

/* --- a file that was read so often that it is mapped --- */

static seed_file *file_of_source(void)
{
    seed_segment run;

    assert_int_equal(seed_source_at(source, 0, 1, NOW, &run), APR_SUCCESS);
    return run.open;
}

static void what_is_sent_often_is_mapped_in_time(void **state)
{
    int rounds = 0;

    while (!file_of_source()->view) {
        assert_in_range(++rounds, 1, (64 << 20) / (150 * 16384) + 1);
        ask_in_order(150);
        send_all(1 << 20);
        memset(&all, 0, sizeof all);
        wanted.length = 0;
    }
    assert_in_range(rounds, 20, 30);
    ask_in_order(150);
    ask(PIECES - 1, 0, 100);
    send_all(1 << 20);
    assert_non_null(file_of_source()->view);
}

/* A page that cannot be had (here: the mapping is not to be read) is an error of sendmsg(2) and nothing else: reading tells what
 * the matter is. */
static void a_mapping_that_fails(void **state)
{
    map_file();
    assert_int_equal(mprotect(seed_view_of(file_of_source()->view, 1 << 20, 1, NOW), 1 << 20, PROT_NONE), 0);
    ask_in_order(150);
    send_all(1 << 20);
    assert_null(file_of_source()->view);
}

static void what_was_read_long_ago_is_read_again(void **state)
{
    seed_batch batch;
    apr_int64_t cold;

    map_file();
    ask_in_order(8);
    assert_true(seed_batch_fill(&batch, &peer, source, &fetched, buffer, 1 << 20, NOW, &cold));
    assert_non_null(batch.mapped);
    assert_true(seed_batch_fill(&batch, &peer, source, &fetched, buffer, 1 << 20, NOW + SEED_VIEW_KNOWN, &cold));
    assert_null(batch.mapped);
    assert_true(seed_batch_fill(&batch, &peer, source, &fetched, buffer, 1 << 20, NOW + SEED_VIEW_KNOWN, &cold));
    assert_non_null(batch.mapped);
}

/* --- a disk that is slow: only what was fetched can be read at once --- */

static struct {
    apr_int64_t from, to; /* of the file, in the page cache */
    int peeks;
    int error; /* what peeking says instead */
} cache;

static ssize_t peek_at_cache(void *baton, int file, const struct iovec *to, int count, apr_int64_t offset)
{
    apr_int64_t end = offset;

    cache.peeks++;
    for (int i = 0; i < count; i++)
        end += (apr_int64_t)to[i].iov_len;
    errno = cache.error ? cache.error : EAGAIN;
    if (cache.error || offset < cache.from || offset >= cache.to)
        return -1;
    return preadv(file, to, count, offset) && end <= cache.to ? (ssize_t)(end - offset) : (ssize_t)(cache.to - offset);
}

static const seed_disk slow = {peek_at_cache, NULL, NULL};

/* Reads whatever the peer waits for when it must, and counts how often. */
static int send_all_from_a_slow_disk(size_t quantum)
{
    seed_send_result result = SEED_SEND_MORE;
    size_t at = 0;
    int reads = 0;
    seed_sent sent;

    while (result != SEED_SEND_DONE) {
        result = seed_send(&peer, ends[0], source, &fetched, buffer, quantum, NOW, &sent);
        assert_true(result != SEED_SEND_FILE && result != SEED_SEND_GONE);
        at = take(at);
        if (result != SEED_SEND_COLD)
            continue;
        assert_true(sent.cold < cache.from || sent.cold >= cache.to);
        fetched.until = NOW + 1;
        cache.from = fetched.from = sent.cold;
        cache.to = fetched.to = sent.cold + (apr_int64_t)seed_send_wants(&peer, sent.cold);
        reads++;
    }
    while (at < wanted.length)
        at = take(at);
    return reads;
}

static int set_up_slow(void **state)
{
    memset(&cache, 0, sizeof cache);
    if (set_up(state) != 0)
        return -1;
    files->disk = &slow;
    return 0;
}

static void what_follows_is_read_at_once(void **state)
{
    ask_in_order(150); /* 2.4 MB: a megabyte at a time */
    assert_int_equal(send_all_from_a_slow_disk(1 << 20), 3);
}

static void blocks_from_anywhere_of_a_slow_disk(void **state)
{
    uint64_t seed = 3;

    for (int i = 0; i < 200; i++)
        ask((apr_uint32_t)unit_below(&seed, PIECES - 1), (apr_uint32_t)unit_below(&seed, 4) * 16384, 16384);
    assert_in_range(send_all_from_a_slow_disk(60000), 100, 400);
}

/* What is there goes out; the rest does not make it wait. */
static void what_is_there_is_sent_first(void **state)
{
    seed_sent sent;

    cache.to = 3 * 16384 + 100;
    ask_in_order(10);
    assert_int_equal(seed_send(&peer, ends[0], source, &fetched, buffer, 1 << 20, NOW, &sent), SEED_SEND_COLD);
    assert_int_equal(sent.blocks, 3);
    assert_in_range(sent.cold, 3 * 16384, 3 * 16384 + 100);
    assert_int_equal(seed_send_wants(&peer, 3 * 16384), 7 * 16384);
}

/* It was fetched, and is gone again: it is read once more if that was long ago, else at any rate. */
static void what_was_fetched_counts_for_a_while(void **state)
{
    seed_sent sent;

    ask_in_order(4);
    fetched = (seed_fetched){0, 1 << 20, NOW}; /* until now */
    assert_int_equal(seed_send(&peer, ends[0], source, &fetched, buffer, 1 << 20, NOW, &sent), SEED_SEND_COLD);
    fetched.until = NOW + 1;
    assert_int_equal(seed_send(&peer, ends[0], source, &fetched, buffer, 1 << 20, NOW, &sent), SEED_SEND_DONE);
    assert_int_equal(sent.blocks, 4);
}

/* A file system that cannot tell what is in the page cache: it is asked once, and everything is fetched first. */
static void a_file_system_that_cannot_tell(void **state)
{
    cache.error = EOPNOTSUPP;
    ask_in_order(100);
    assert_int_equal(send_all_from_a_slow_disk(1 << 20), 2);
    assert_int_equal(cache.peeks, 1);
}

static void a_peer_that_is_gone(void **state)
{
    ask_in_order(10);
    shutdown(ends[1], SHUT_RDWR);
    assert_int_equal(send_once(1 << 20), SEED_SEND_GONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(blocks_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_block, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_padded_block_among_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(blocks_anywhere_of_any_size, set_up, tear_down),
        cmocka_unit_test_setup_teardown(quanta_of_any_size, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_small_socket_buffer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_more_than_the_quantum, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_batch_uses_all_the_room_there_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(control_bytes_between_blocks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_sealed_already_goes_as_it_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_became_shorter, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_peer_that_is_gone, set_up, tear_down),
    };
    const struct CMUnitTest mapped[] = {
        cmocka_unit_test_setup_teardown(what_is_sent_often_is_mapped_in_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_mapping_that_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_read_long_ago_is_read_again, set_up, tear_down),
    };
    const struct CMUnitTest from_slow[] = {
        cmocka_unit_test_setup_teardown(what_follows_is_read_at_once, set_up_slow, tear_down),
        cmocka_unit_test_setup_teardown(blocks_from_anywhere_of_a_slow_disk, set_up_slow, tear_down),
        cmocka_unit_test_setup_teardown(what_is_there_is_sent_first, set_up_slow, tear_down),
        cmocka_unit_test_setup_teardown(what_was_fetched_counts_for_a_while, set_up_slow, tear_down),
        cmocka_unit_test_setup_teardown(a_file_system_that_cannot_tell, set_up_slow, tear_down),
    };

    int failed;

    apr_initialize();
    failed = cmocka_run_group_tests_name("send", tests, NULL, NULL);
    failed += cmocka_run_group_tests_name("send what must be read", from_slow, NULL, NULL);
    failed += cmocka_run_group_tests_name("send what is mapped", mapped, NULL, NULL);
    mapping = 1;
    failed += cmocka_run_group_tests_name("send from a mapping", tests, NULL, NULL);
    mapping = 0;
    sealing = 1;
    failed += cmocka_run_group_tests_name("send by RC4", tests, NULL, NULL);
    return failed + cmocka_run_group_tests_name("send by RC4 what must be read", from_slow, NULL, NULL);
}
