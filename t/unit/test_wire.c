/* The peer wire codec: every message, every split, every bound. */
#include "t/unit/unit.h"

#include <string.h>

#include "seeder/wire.h"

static const pw_bounds plain = {5, 0, 0, 0}, fast = {5, 1, 0, 0}, v2 = {5, 1, 1, 0};

typedef struct {
    const char *bytes;
    size_t length;
    pw_id id;
    const pw_bounds *bounds;
} sample;

#define SAMPLE(text, id, bounds) {text, sizeof(text) - 1, id, bounds}

static const sample good[] = {
    SAMPLE("\0\0\0\0", PW_KEEP_ALIVE, &plain),
    SAMPLE("\0\0\0\1\0", PW_CHOKE, &plain),
    SAMPLE("\0\0\0\1\1", PW_UNCHOKE, &plain),
    SAMPLE("\0\0\0\1\2", PW_INTERESTED, &plain),
    SAMPLE("\0\0\0\1\3", PW_NOT_INTERESTED, &plain),
    SAMPLE("\0\0\0\5\4\0\0\1\2", PW_HAVE, &plain),
    SAMPLE("\0\0\0\6\5\377\377\377\377\200", PW_BITFIELD, &plain),
    SAMPLE("\0\0\0\15\6\1\2\3\4\0\1\0\0\0\0\100\0", PW_REQUEST, &plain),
    SAMPLE("\0\0\0\15\10\1\2\3\4\0\1\0\0\0\0\100\0", PW_CANCEL, &plain),
    SAMPLE("\0\0\0\3\11\32\341", PW_PORT, &plain),
    SAMPLE("\0\0\0\5\15\0\0\0\7", PW_SUGGEST, &fast),
    SAMPLE("\0\0\0\1\16", PW_HAVE_ALL, &fast),
    SAMPLE("\0\0\0\1\17", PW_HAVE_NONE, &fast),
    SAMPLE("\0\0\0\5\21\0\0\0\7", PW_ALLOWED_FAST, &fast),
    SAMPLE("\0\0\0\61\25"
           "0123456789abcdef0123456789abcdef"
           "\0\0\0\0\0\0\0\0\0\0\0\2\0\0\0\0",
           PW_HASH_REQUEST, &v2),
};

static void every_good_message_is_read_only_when_whole(void **state)
{
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        pw_message message;
        size_t used = 0;

        for (size_t cut = 0; cut < good[i].length; cut++)
            assert_int_equal(pw_next((const unsigned char *)good[i].bytes, cut, good[i].bounds, &message, &used), PW_MORE);
        assert_int_equal(pw_next((const unsigned char *)good[i].bytes, good[i].length, good[i].bounds, &message, &used), PW_READ);
        assert_int_equal(used, good[i].length);
        assert_int_equal(message.id, good[i].id);
    }
}

static void fields_are_read(void **state)
{
    pw_message message;
    size_t used;

    pw_next((const unsigned char *)good[7].bytes, good[7].length, &plain, &message, &used);
    assert_int_equal(message.piece, 0x01020304);
    assert_int_equal(message.begin, 0x10000);
    assert_int_equal(message.length, 0x4000);
    pw_next((const unsigned char *)good[5].bytes, good[5].length, &plain, &message, &used);
    assert_int_equal(message.piece, 0x102);
    pw_next((const unsigned char *)good[6].bytes, good[6].length, &plain, &message, &used);
    assert_int_equal(message.body_length, 5);
    assert_memory_equal(message.body, "\377\377\377\377\200", 5);
}

static void what_was_not_negotiated_is_refused(void **state)
{
    static const unsigned char never[] = {PW_PIECE, PW_REJECT, PW_HASHES, PW_HASH_REJECT, 10, 11, 12, 18, 19, 24, 255};
    static const unsigned char needs_fast[] = {PW_SUGGEST, PW_HAVE_ALL, PW_HAVE_NONE, PW_ALLOWED_FAST};
    unsigned char bytes[5] = {0, 0, 0, 1, 0};
    pw_message message;
    size_t used;

    for (size_t i = 0; i < sizeof never; i++) {
        bytes[4] = never[i];
        assert_int_equal(pw_next(bytes, 5, &v2, &message, &used), PW_BAD_ID);
    }
    for (size_t i = 0; i < sizeof needs_fast; i++) {
        bytes[4] = needs_fast[i];
        assert_int_equal(pw_next(bytes, 5, &plain, &message, &used), PW_BAD_ID);
    }
    bytes[3] = 49;
    bytes[4] = PW_HASH_REQUEST;
    assert_int_equal(pw_next(bytes, 5, &fast, &message, &used), PW_BAD_ID);
}

static void a_wrong_length_is_found_at_the_id(void **state)
{
    for (size_t i = 1; i < sizeof good / sizeof *good; i++) {
        unsigned char bytes[5];
        pw_message message;
        size_t used;

        for (int change = -1; change <= 1; change += 2) {
            memcpy(bytes, good[i].bytes, 5);
            pw_put_u32(bytes, pw_get_u32(bytes) + (apr_uint32_t)change);
            if (pw_get_u32(bytes))
                assert_int_equal(pw_next(bytes, 5, good[i].bounds, &message, &used), PW_BAD_LENGTH);
        }
    }
}

static void an_oversized_prefix_is_found_at_four_bytes(void **state)
{
    static const pw_bounds large = {100000, 0, 0, 0};
    unsigned char bytes[4];
    pw_message message;
    size_t used;

    pw_put_u32(bytes, PW_IGNORED_MAX + 1);
    assert_int_equal(pw_next(bytes, 4, &plain, &message, &used), PW_MORE);
    pw_put_u32(bytes, PW_IGNORED_MAX + 2);
    assert_int_equal(pw_next(bytes, 4, &plain, &message, &used), PW_BAD_LENGTH);
    pw_put_u32(bytes, 0xffffffff);
    assert_int_equal(pw_next(bytes, 4, &plain, &message, &used), PW_BAD_LENGTH);
    pw_put_u32(bytes, 100001);
    assert_int_equal(pw_next(bytes, 4, &large, &message, &used), PW_MORE);
    pw_put_u32(bytes, 100002);
    assert_int_equal(pw_next(bytes, 4, &large, &message, &used), PW_BAD_LENGTH);
}

static void an_extension_message_is_passed_over(void **state)
{
    const unsigned char bytes[] = {0, 0, 0, 9, PW_EXTENDED, 0, 1, 2};
    pw_message message;
    size_t used;

    assert_int_equal(pw_next(bytes, sizeof bytes, &plain, &message, &used), PW_SKIP);
    assert_int_equal(used, 5);
    assert_int_equal(message.body_length, 8);
}

static void handshakes(void **state)
{
    pw_handshake ours = {{1, 2, 3, 4, 5, 6, 7, 8}, {"abcdefghijklmnopqrs"}, "-BH0100-0123456789a"}, read;
    unsigned char bytes[PW_HANDSHAKE_SIZE];

    pw_handshake_write(bytes, &ours);
    for (size_t cut = 0; cut <= sizeof bytes; cut++)
        assert_true(pw_handshake_plausible(bytes, cut));
    pw_handshake_read(bytes, &read);
    assert_memory_equal(read.reserved, ours.reserved, 8);
    assert_memory_equal(read.hash.b, ours.hash.b, 20);
    assert_memory_equal(bytes + 48, ours.peer_id, 20);
    for (size_t at = 0; at < 20; at++) {
        bytes[at] ^= 1;
        for (size_t cut = 0; cut <= sizeof bytes; cut++)
            assert_int_equal(pw_handshake_plausible(bytes, cut), cut <= at);
        bytes[at] ^= 1;
    }
}

static void what_is_written(void **state)
{
    unsigned char header[PW_PIECE_HEADER];
    bt_buf out;

    bt_buf_init(&out, 1000);
    pw_add_plain(&out, PW_HAVE_ALL);
    pw_add_keep_alive(&out);
    pw_add_full_bitfield(&out, 11);
    pw_add_full_bitfield(&out, 8);
    pw_add_reject(&out, 1, 0x4000, 2);
    assert_int_equal(out.length, 5 + 4 + 7 + 6 + 17);
    assert_memory_equal(out.data, "\0\0\0\1\16\0\0\0\0\0\0\0\3\5\377\340\0\0\0\2\5\377"
                                  "\0\0\0\15\20\0\0\0\1\0\0\100\0\0\0\0\2", out.length);
    bt_buf_reset(&out);
    pw_add_hash_reject(&out, (const unsigned char *)good[14].bytes + 5);
    assert_int_equal(out.length, 53);
    assert_int_equal(out.data[4], PW_HASH_REJECT);
    assert_memory_equal(out.data + 5, good[14].bytes + 5, 48);
    bt_buf_free(&out);
    pw_piece_header(header, 3, 0x8000, 0x4000);
    assert_memory_equal(header, "\0\0\100\11\7\0\0\0\3\0\0\200\0", 13);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_good_message_is_read_only_when_whole),
        cmocka_unit_test(fields_are_read),
        cmocka_unit_test(what_was_not_negotiated_is_refused),
        cmocka_unit_test(a_wrong_length_is_found_at_the_id),
        cmocka_unit_test(an_oversized_prefix_is_found_at_four_bytes),
        cmocka_unit_test(an_extension_message_is_passed_over),
        cmocka_unit_test(handshakes),
        cmocka_unit_test(what_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
