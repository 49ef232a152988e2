/* Which pieces a peer has: against a plain array. */
#include "t/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "seeder/pieces.h"

static void sizes(void **state)
{
    assert_int_equal(seed_bitfield_size(0), 0);
    assert_int_equal(seed_bitfield_size(1), 1);
    assert_int_equal(seed_bitfield_size(8), 1);
    assert_int_equal(seed_bitfield_size(9), 2);
    assert_int_equal(seed_bitfield_size(0xffffffff), 0x20000000);
}

static void expect(const seed_pieces *pieces, const unsigned char *has, apr_uint32_t total)
{
    apr_uint32_t count = 0;

    for (apr_uint32_t i = 0; i < total; i++) {
        assert_int_equal(seed_pieces_has(pieces, total, i), has[i]);
        count += has[i];
    }
    assert_int_equal(pieces->count, count);
    assert_true(pieces->bits != NULL || count == 0 || count == total);
}

/* Any sequence of changes leaves what it would leave in an array, and says truly whether it changed anything. */
static void any_sequence(void **state)
{
    uint64_t random = 42;

    for (apr_uint32_t total = 1; total <= 40; total++) {
        unsigned char has[40] = {0}, bits[5];
        seed_pieces pieces = {0};

        for (int round = 0; round < 2000; round++) {
            apr_uint32_t piece = (apr_uint32_t)unit_below(&random, total), before = pieces.count, i;
            unsigned what = (unsigned)unit_below(&random, 40);
            seed_pieces_change change;

            if (what == 0) {
                seed_pieces_all(&pieces, total);
                memset(has, 1, total);
                change = before == total ? SEED_PIECES_SAME : SEED_PIECES_CHANGED;
            } else if (what == 1) {
                memset(bits, 0, sizeof bits);
                for (i = 0; i < total; i++)
                    if (unit_below(&random, 2)) {
                        bits[i / 8] |= (unsigned char)(0x80 >> i % 8);
                        has[i] = 1;
                    }
                change = seed_pieces_merge(&pieces, total, bits);
            } else if (what < 20) {
                change = seed_pieces_clear(&pieces, total, piece);
                has[piece] = 0;
            } else {
                change = seed_pieces_set(&pieces, total, piece);
                has[piece] = 1;
            }
            expect(&pieces, has, total);
            assert_int_equal(change, pieces.count == before ? SEED_PIECES_SAME : SEED_PIECES_CHANGED);
        }
        seed_pieces_free(&pieces);
    }
}

static void a_bitfield_makes_them_known(void **state)
{
    seed_pieces pieces = {.unknown = 1};

    assert_int_equal(seed_pieces_merge(&pieces, 9, (const unsigned char *)"\200\0"), SEED_PIECES_CHANGED);
    assert_int_equal(pieces.unknown, 0);
    pieces.unknown = 1;
    seed_pieces_all(&pieces, 9);
    assert_int_equal(pieces.unknown, 0);
    assert_null(pieces.bits);
    seed_pieces_free(&pieces);
    assert_int_equal(pieces.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),
        cmocka_unit_test(any_sequence),
        cmocka_unit_test(a_bitfield_makes_them_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
