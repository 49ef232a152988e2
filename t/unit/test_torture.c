/* One peer's whole life - handshake, extensions, requests, hash requests, a hand-over in the middle - with the nth
 * allocation of memory failing, for each n until there is none left to fail; and with the next two failing as well. Whatever
 * fails, the seeder lives, nothing leaks (run it under valgrind or ASan), and who comes afterwards is served. */
#include "t/unit/unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "seeder/extension.h"
#include "t/unit/mse_client.h"
#include "t/unit/peer_bytes.h"
#include "t/unit/seed_world.h"
#include "t/unit/torture_memory.h"

enum { SIZE = 4 * WORLD_PIECE, PIECES = 4, BLOCKS = SIZE / TG_BLOCK, MOST = 1000 };
enum { FAST = PW_BIT_FAST, V2 = PW_BIT_V2 };

static world *w;
static seed_counters *page;
static seed_seeder *seeder;
static bt_infohash v1, v2, other_v1, other_v2;

/* Our end of the connection. */
typedef struct {
    int socket;
    mse_client *mse; /* NULL: in plain */
} line;

/* The peer may be closed at any moment: all of these return 0 then. */

static int tell(line *to, bt_buf *bytes)
{
    ssize_t sent;

    if (to->mse)
        seed_rc4_apply(&to->mse->out, bytes->data, bytes->data, bytes->length);
    sent = send(to->socket, bytes->data, bytes->length, MSG_NOSIGNAL);
    sent = sent == (ssize_t)bytes->length;
    bt_buf_free(bytes);
    return (int)sent;
}

static int take(line *from, void *bytes, size_t length)
{
    if (!world_read(from->socket, bytes, length))
        return 0;
    if (from->mse)
        seed_rc4_apply(&from->mse->in, bytes, bytes, length);
    return 1;
}

/* Reads messages up to one of two kinds. @return 0 if it was closed before */
static int hear_either(line *from, pw_id wanted, pw_id or_this)
{
    static unsigned char body[PW_BLOCK_MAX + 64];
    unsigned char head[4];
    apr_uint32_t length;

    do {
        if (!take(from, head, sizeof head))
            return 0;
        length = pw_get_u32(head);
        assert_true(length <= sizeof body);
        if (!take(from, body, length))
            return 0;
    } while (length == 0 || (body[0] != wanted && body[0] != or_this));
    return 1;
}

static int hear(line *from, pw_id wanted)
{
    return hear_either(from, wanted, wanted);
}

/* Every request ends in a piece, or in a reject: when it was cancelled, and when memory is short. */
static int hear_end_of_request(line *from)
{
    return hear_either(from, PW_PIECE, PW_REJECT);
}

static void say_text(bt_buf *to, unsigned id, const char *text)
{
    say_extended(to, id, text, strlen(text));
}

static int shake_hands(line *l)
{
    unsigned char answer[PW_HANDSHAKE_SIZE];
    bt_buf bytes;

    bt_buf_init(&bytes, 4096);
    say_handshake(&bytes, &v1, FAST | V2);
    bytes.data[20 + 5] |= 0x10; /* the extension protocol */
    return tell(l, &bytes) && take(l, answer, sizeof answer) && hear(l, PW_HAVE_ALL);
}

/* Extensions, and every kind of message that a seed listens to; the last one is only half there. */
static int introduce(line *l)
{
    unsigned char *bits;
    bt_buf bytes;

    bt_buf_init(&bytes, 4096);
    say_text(&bytes, 0, "d1:md11:lt_donthavei7e11:ut_metadatai2e6:ut_pexi1ee4:reqqi500ee");
    bits = bt_buf_extend(&bytes, 6);
    memcpy(bits, "\0\0\0\2\5\x80", 6);
    say(&bytes, PW_HAVE, 1, 1, 0, 0);
    say_text(&bytes, SEED_EXT_METADATA, "d8:msg_typei0e5:piecei0ee");
    say_text(&bytes, SEED_EXT_METADATA, "d8:msg_typei0e5:piecei9ee"); /* there is none */
    say_text(&bytes, SEED_EXT_PEX, "d5:added6:\177\1\1\1\32\341e");
    say_extended(&bytes, SEED_EXT_DONTHAVE, "\0\0\0\1", 4);
    say(&bytes, PW_INTERESTED, 0, 0, 0, 0);
    bt_buf_add(&bytes, "\0\0\0\5\4\0", 6);
    return tell(l, &bytes) && hear(l, PW_UNCHOKE);
}

static int ask_for_hashes(line *l)
{
    bt_buf bytes;
    unsigned char *at;

    bt_buf_init(&bytes, 4096);
    bt_buf_add(&bytes, "\0\0\2", 3); /* the other half */
    at = bt_buf_extend(&bytes, 5 + PW_HASH_REQUEST_BODY);
    memset(at, 7, 5 + PW_HASH_REQUEST_BODY);
    pw_put_u32(at, 1 + PW_HASH_REQUEST_BODY);
    at[4] = PW_HASH_REQUEST;
    return tell(l, &bytes) && hear(l, PW_HASH_REJECT); /* of a root that this torrent does not have */
}

static int ask_for_blocks(line *l)
{
    bt_buf bytes;

    bt_buf_init(&bytes, 65536);
    for (int round = 0; round < 8; round++) {
        for (apr_uint32_t i = 0; i < BLOCKS; i++)
            say_request(&bytes, i / 4, i % 4 * TG_BLOCK, TG_BLOCK);
    }
    say(&bytes, PW_CANCEL, 3, 3, 3 * TG_BLOCK, TG_BLOCK);
    return tell(l, &bytes) && hear_end_of_request(l) && hear_end_of_request(l);
}

/* While most of the blocks are still to be sent. */
static void change_seeders(void)
{
    seed_seeder *next = world_start(w);

    world_stop(seeder, 1);
    seeder = next;
}

static int take_the_rest(line *l)
{
    bt_buf bytes;

    for (int i = 2; i < 8 * BLOCKS; i++) {
        if (!hear_end_of_request(l))
            return 0;
    }
    bt_buf_init(&bytes, 100);
    say(&bytes, PW_HAVE, 1, 3, 0, 0);
    say(&bytes, PW_NOT_INTERESTED, 0, 0, 0, 0);
    return tell(l, &bytes);
}

/* @return was it served to its end? */
static int live(line *l)
{
    int well = shake_hands(l) && introduce(l) && ask_for_hashes(l) && ask_for_blocks(l);

    change_seeders();
    return well && take_the_rest(l);
}

static int session(int encrypted)
{
    line l = {world_connect(w, 8192), NULL};
    mse_client mse;
    int well = 1;

    if (encrypted) {
        well = mse_client_shake(&mse, l.socket, &v1, SEED_MSE_RC4) == SEED_MSE_RC4;
        l.mse = &mse;
    }
    well = well && live(&l);
    close(l.socket);
    return well;
}

static void expect_to_be_served(const bt_infohash *hash)
{
    int peer = world_connect(w, 0);

    world_shake(peer, hash, FAST, PIECES);
    world_get_unchoked(peer);
    world_download(peer, SIZE);
    close(peer);
}

static void torture(int encrypted, int in_a_row)
{
    int n = 0, count, well;

    do {
        int bystander = world_connect(w, 0);

        world_shake(bystander, &other_v1, FAST, PIECES);
        torture_arm(++n, in_a_row);
        well = session(encrypted);
        count = torture_disarm();
        expect_to_be_served(&v1);
        if (!well && in_a_row == 1) /* otherwise it may have been the bystander's own memory */
            world_get_unchoked(bystander);
        close(bystander);
        world_wait_for(&page->peers, 0);
        world_wait_for(&page->swarms, 0);
        assert_true(n < MOST);
    } while (count >= n);
    assert_true(well); /* nothing failed in the last round */
    assert_true(n > 10); /* and in the others something did */
}

static void one_fails(void **state)
{
    torture(0, 1);
}

static void several_fail(void **state)
{
    torture(0, 3);
}

static void one_fails_of_an_encrypted_peer(void **state)
{
    torture(1, 1);
}

static void several_fail_of_an_encrypted_peer(void **state)
{
    torture(1, 3);
}

static int set_up(void **state)
{
    w = world_make();
    page = w->config.counters;
    world_file(w, "f", SIZE, TG_HYBRID, &v1, &v2);
    world_file(w, "g", SIZE, TG_V1, &other_v1, &other_v2);
    seeder = world_start(w);
    return 0;
}

static int tear_down(void **state)
{
    world_stop(seeder, 0);
    world_free(w);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_fails),
        TEST(several_fail),
        TEST(one_fails_of_an_encrypted_peer),
        TEST(several_fail_of_an_encrypted_peer),
    };
    apr_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
