/* The record of a live peer: nothing is lost in it, and nothing wrong is read from one. */
#include "t/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "seeder/handover.h"
#include "seeder/mail.h"
#include "t/unit/peer_bytes.h"

static const bt_infohash hash = {"0123456789abcdefghi"};
static const unsigned char own_id[] = "-BH0100-0123456789ab";
static const seed_content content = {10 * 65536 + 100, 65536, 11, 1, 0, {{0}}, 32768};

/* Brings a peer into one of several states. */
static void bring(seed_peer *peer, int stage)
{
    bt_buf bytes;

    seed_peer_init(peer, &seed_limits_default, 1);
    bt_buf_init(&bytes, 1 << 20);
    say_handshake(&bytes, &hash, PW_BIT_FAST | PW_BIT_V2);
    seed_peer_input(peer, bytes.data, stage == 0 ? 30 : stage == 1 ? 55 : 48, 1);
    if (stage >= 2)
        seed_peer_admit(peer, &content, own_id, SEED_SHOW_ALL, 1);
    if (stage >= 3) {
        bt_buf_consume(&bytes, 48);
        say(&bytes, PW_INTERESTED, 0, 0, 0, 0);
        bt_buf_add(&bytes, "\0\0\0\3\5\125\100", 7);
        seed_peer_input(peer, bytes.data, bytes.length, 1);
    }
    if (stage >= 4) {
        seed_peer_unchoke(peer, 1);
        seed_peer_sent_out(peer, 40, 1);
        bt_buf_reset(&bytes);
        for (apr_uint32_t i = 0; i < 30; i++)
            say_request(&bytes, i % 10, 16384, 16384);
        say(&bytes, PW_CANCEL, 3, 9, 16384, 16384);
        bt_buf_add(&bytes, "\0\0\0\15\6\0\0", 7);
        seed_peer_input(peer, bytes.data, bytes.length, 1);
        seed_peer_next_block(peer);
        seed_peer_sent_block(peer, 5000, 1);
    }
    bt_buf_free(&bytes);
}

static void nothing_is_lost(void **state)
{
    for (int stage = 0; stage <= 4; stage++) {
        seed_peer before, after;
        seed_content said;
        bt_buf record, again;

        bring(&before, stage);
        bt_buf_init(&record, 65536);
        bt_buf_init(&again, 65536);
        assert_int_equal(seed_handover_write(&record, &before), APR_SUCCESS);
        seed_peer_init(&after, &seed_limits_default, 5);
        assert_int_equal(seed_handover_read(record.data, record.length, &after, &said), APR_SUCCESS);
        if (stage >= 2)
            after.content = &content;
        if (stage >= 3)
            assert_memory_equal(after.theirs.peer_id, "-TT0001-abcdefghijkl", 20);
        if (stage == 4) {
            assert_int_equal(after.requests.count, 28);
            assert_int_equal(after.block_sent, 5000);
            assert_int_equal(after.block.length, 16384);
            assert_int_equal(after.in.length, 7);
            assert_int_equal(after.pieces.count, 5);
        }
        assert_int_equal(seed_handover_write(&again, &after), APR_SUCCESS);
        assert_int_equal(again.length, record.length);
        assert_memory_equal(again.data, record.data, record.length);
        bt_buf_free(&record);
        bt_buf_free(&again);
        seed_peer_free(&before);
        seed_peer_free(&after);
    }
}

/* A record that was cut or changed is refused, or gives a peer that keeps within its torrent. */
static void changed_records(void **state)
{
    uint64_t random = 4711;
    seed_peer peer, taken;
    bt_buf record;
    int refused = 0;

    bring(&peer, 4);
    bt_buf_init(&record, 65536);
    seed_handover_write(&record, &peer);
    for (size_t round = 0; round < 20000; round++) {
        size_t length = round < record.length ? round : record.length;
        unsigned char *copy = malloc(length ? length : 1);
        seed_content said;

        memcpy(copy, record.data, length);
        if (length == record.length)
            for (size_t i = 0; i <= round % 3; i++)
                copy[unit_below(&random, length)] ^= (unsigned char)(1 << unit_below(&random, 8));
        seed_peer_init(&taken, &seed_limits_default, 1);
        if (seed_handover_read(copy, length, &taken, &said) != APR_SUCCESS) {
            refused++;
        } else {
            assert_int_equal(length, record.length);
            taken.content = &said;
            while (seed_peer_next_block(&taken)) {
                assert_true(seed_content_offset(taken.content, &taken.block) >= 0);
                assert_true(seed_content_offset(taken.content, &taken.block) + taken.block.length <= said.length);
                seed_peer_sent_block(&taken, PW_PIECE_HEADER + taken.block.length - taken.block_sent, 1);
            }
        }
        seed_peer_free(&taken);
        free(copy);
    }
    assert_true(refused > (int)record.length);
    bt_buf_free(&record);
    seed_peer_free(&peer);
}

/* The largest torrent: a bitfield, pieces shown, and all else that a peer can hold. */
static void the_largest_bitfield_goes_along(void **state)
{
    static const seed_content huge = {APR_INT64_C(1) << 35, 16384, 1 << 21, 0, 0, {{0}}, 0};
    seed_peer peer, taken;
    seed_content said;
    bt_buf bytes, record;

    seed_peer_init(&peer, &seed_limits_default, 1);
    bt_buf_init(&bytes, 1 << 20);
    bt_buf_init(&record, SEED_RECORD_MAX);
    say_handshake(&bytes, &hash, PW_BIT_FAST);
    for (apr_uint32_t i = 0; i < 1 << 21; i += 4099)
        say(&bytes, PW_HAVE, 1, i, 0, 0);
    seed_peer_input(&peer, bytes.data, bytes.length, 1);
    seed_peer_admit(&peer, &huge, own_id, SEED_SHOW_NONE, 1);
    seed_peer_show(&peer, 77);
    assert_int_equal(peer.pieces.count, 512);
    assert_int_equal(seed_handover_write(&record, &peer), APR_SUCCESS);
    seed_peer_init(&taken, &seed_limits_default, 1);
    assert_int_equal(seed_handover_read(record.data, record.length, &taken, &said), APR_SUCCESS);
    assert_int_equal(taken.pieces.count, 512);
    assert_memory_equal(taken.pieces.bits, peer.pieces.bits, 1 << 18);
    assert_int_equal(taken.shown_count, 1);
    assert_memory_equal(taken.shown, peer.shown, 1 << 18);
    seed_peer_free(&peer);
    seed_peer_free(&taken);
    bt_buf_free(&bytes);
    bt_buf_free(&record);
}

static void add_u32(bt_buf *out, apr_uint32_t value)
{
    pw_put_u32(bt_buf_extend(out, 4), value);
}

/* What the build before sections wrote of a peer as stage 4 has it. */
static void write_version_1(bt_buf *out, unsigned flags, apr_uint32_t have)
{
    static const apr_uint32_t of_content[] = {0, 10 * 65536 + 100, 65536, 11, 1};
    static const apr_uint32_t counted[] = {12, 2, 16384, 16384};

    add_u32(out, 1);
    add_u32(out, SEED_PEER_LIVE);
    add_u32(out, flags);
    bt_buf_add(out, "\0\0\0\0\0\0\0\4", 8);
    bt_buf_add(out, hash.b, 20);
    bt_buf_add(out, "-TT0001-abcdefghijkl", 20);
    for (int i = 0; i < 5; i++)
        add_u32(out, of_content[i]);
    add_u32(out, have);
    add_u32(out, 3); /* to skip */
    add_u32(out, 1); /* the block */
    add_u32(out, 0);
    add_u32(out, 16384);
    add_u32(out, 5000);
    add_u32(out, have ? 2 : 0);
    bt_buf_add(out, "\125\100", have ? 2 : 0);
    for (int i = 0; i < 4; i++)
        add_u32(out, counted[i]);
    add_u32(out, 2);
    bt_buf_add(out, "in", 2);
    add_u32(out, 3);
    bt_buf_add(out, "out", 3);
}

static void version_1_is_read(void **state)
{
    for (unsigned unknown = 0; unknown <= 16; unknown += 16) {
        seed_content said;
        seed_peer taken;
        bt_buf record;

        bt_buf_init(&record, 1000);
        write_version_1(&record, 1 | 4 | 8 | unknown, unknown ? 0 : 5);
        seed_peer_init(&taken, &seed_limits_default, 1);
        assert_int_equal(seed_handover_read(record.data, record.length, &taken, &said), APR_SUCCESS);
        assert_int_equal(taken.flags, 1 | 4 | 8);
        assert_int_equal(taken.pieces.count, unknown ? 0 : 5);
        assert_int_equal(taken.pieces.unknown, unknown != 0);
        assert_int_equal(taken.skip, 3);
        assert_int_equal(taken.block_sent, 5000);
        assert_int_equal(taken.requests.count, 1);
        assert_memory_equal(taken.in.data, "in", 2);
        assert_memory_equal(taken.out.data, "out", 3);
        seed_peer_free(&taken);
        for (size_t cut = 0; cut < record.length; cut++) {
            seed_peer_init(&taken, &seed_limits_default, 1);
            assert_int_equal(seed_handover_read(record.data, cut, &taken, &said), APR_EINVAL);
            seed_peer_free(&taken);
        }
        record.data[11] |= 32; /* a flag that it did not know */
        seed_peer_init(&taken, &seed_limits_default, 1);
        assert_int_equal(seed_handover_read(record.data, record.length, &taken, &said), APR_EINVAL);
        seed_peer_free(&taken);
        bt_buf_free(&record);
    }
}

/* A section that nobody here knows is passed over, unless it is marked critical; none may come twice. */
static void sections_of_a_later_build(void **state)
{
    static const struct {
        apr_uint32_t tag, length;
        apr_status_t status;
    } later[] = {{0x7000, 4, APR_SUCCESS}, {0x7000, 3, APR_EINVAL},  {0x7000, 0xffffffff, APR_EINVAL},
                 {0x80007000u, 4, APR_EINVAL}, {0x80000002u, 0, APR_EINVAL}};

    for (size_t i = 0; i < sizeof later / sizeof *later; i++) {
        seed_peer peer, taken;
        seed_content said;
        bt_buf record;

        bring(&peer, 4);
        bt_buf_init(&record, 65536);
        seed_handover_write(&record, &peer);
        add_u32(&record, later[i].tag);
        add_u32(&record, later[i].length);
        bt_buf_add(&record, "abcd", 4);
        pw_put_u32(record.data + 4, (apr_uint32_t)record.length);
        seed_peer_init(&taken, &seed_limits_default, 1);
        assert_int_equal(seed_handover_read(record.data, record.length, &taken, &said), later[i].status);
        seed_peer_free(&peer);
        seed_peer_free(&taken);
        bt_buf_free(&record);
    }
}

/* A peer that had told some pieces before it had all of them. */
static void have_all_after_a_bitfield(void **state)
{
    seed_peer peer, taken;
    seed_content said;
    bt_buf bytes, record;

    bring(&peer, 3);
    bt_buf_init(&bytes, 100);
    bt_buf_init(&record, 65536);
    say(&bytes, PW_HAVE_ALL, 0, 0, 0, 0);
    seed_peer_input(&peer, bytes.data, bytes.length, 1);
    assert_int_equal(peer.pieces.count, 11);
    assert_int_equal(seed_handover_write(&record, &peer), APR_SUCCESS);
    seed_peer_init(&taken, &seed_limits_default, 1);
    assert_int_equal(seed_handover_read(record.data, record.length, &taken, &said), APR_SUCCESS);
    assert_int_equal(taken.pieces.count, 11);
    assert_true(taken.complete != 0);
    seed_peer_free(&peer);
    seed_peer_free(&taken);
    bt_buf_free(&bytes);
    bt_buf_free(&record);
}

/* Before it has said how it speaks, no more is read of a peer than a handshake: a record of more is refused. */
static void more_than_a_beginning(void **state)
{
    for (size_t length = 40; length <= 2000; length += 4) {
        unsigned char noise[2000] = {0xaa};
        seed_peer before, after;
        seed_content said;
        bt_buf record;

        seed_peer_init(&before, &seed_limits_default, 1);
        seed_peer_init(&after, &seed_limits_default, 1);
        bt_buf_add(&before.in, noise, length);
        bt_buf_init(&record, 65536);
        assert_int_equal(seed_handover_write(&record, &before), APR_SUCCESS);
        assert_int_equal(seed_handover_read(record.data, record.length, &after, &said),
                         length <= PW_HANDSHAKE_SIZE ? APR_SUCCESS : APR_EINVAL);
        bt_buf_free(&record);
        seed_peer_free(&before);
        seed_peer_free(&after);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost),
        cmocka_unit_test(changed_records),
        cmocka_unit_test(have_all_after_a_bitfield),
        cmocka_unit_test(the_largest_bitfield_goes_along),
        cmocka_unit_test(version_1_is_read),
        cmocka_unit_test(more_than_a_beginning),
        cmocka_unit_test(sections_of_a_later_build),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
