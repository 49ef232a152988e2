/* A crowd with a real seeder: whoever wants only some of the pieces is told of them in the end. */
#include "t/unit/unit.h"

#include <sys/socket.h>
#include <unistd.h>

#include "t/unit/peer_bytes.h"
#include "t/unit/seed_world.h"

enum { PIECES = 300 };

static world *w;
static seed_seeder *seeder;
static bt_infohash hash;

static int set_up(void **state)
{
    bt_infohash v2;

    w = world_make();
    w->limits.crowd = 2;
    w->limits.tick = APR_USEC_PER_SEC; /* as it is: a spread counts seconds */
    world_file(w, "f", (apr_uint64_t)PIECES * WORLD_PIECE, TG_V1, &hash, &v2);
    seeder = world_start(w);
    return 0;
}

static int tear_down(void **state)
{
    world_stop(seeder, 0);
    world_free(w);
    return 0;
}

/* Shakes hands as one of a crowd: the first message says that we have nothing. */
static int join(void)
{
    int peer = world_connect(w, 0);
    unsigned char answer[PW_HANDSHAKE_SIZE + 5];
    bt_buf bytes;

    bt_buf_init(&bytes, 100);
    say_handshake(&bytes, &hash, PW_BIT_FAST);
    world_send(peer, &bytes);
    assert_true(world_read(peer, answer, sizeof answer));
    assert_int_equal(answer[72], PW_HAVE_NONE);
    return peer;
}

/* Reads until it was told of so many pieces; whatever else comes is a choke or an unchoke. */
static void hear_of(int peer, apr_uint32_t pieces)
{
    unsigned char head[5], piece[4], seen[PIECES] = {0};
    apr_uint32_t count = 0;

    while (count < pieces) {
        assert_true(world_read(peer, head, sizeof head));
        if (head[4] != PW_HAVE) {
            assert_true(head[4] == PW_CHOKE || head[4] == PW_UNCHOKE);
            continue;
        }
        assert_true(world_read(peer, piece, sizeof piece));
        assert_true(pw_get_u32(piece) < PIECES);
        assert_int_equal(seen[pw_get_u32(piece)]++, 0);
        count++;
    }
}

/* A client that was told to get one file of many does not care for others' pieces, and cannot say which it wants. */
static void who_wants_few_is_told_of_all(void **state)
{
    int first = world_connect(w, 0), second;

    world_shake(first, &hash, PW_BIT_FAST, PIECES);
    second = join();
    hear_of(second, PIECES);
    close(first);
    close(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_wants_few_is_told_of_all, set_up, tear_down),
    };

    apr_initialize();
    return cmocka_run_group_tests_name("crowd", tests, NULL, NULL);
}
