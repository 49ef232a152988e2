#include "seeder/pieces.h"

#include <stdlib.h>
#include <string.h>

apr_uint32_t seed_bitfield_size(apr_uint32_t total)
{
    return total / 8 + (total % 8 ? 1 : 0);
}

void seed_pieces_free(seed_pieces *pieces)
{
    free(pieces->bits);
    memset(pieces, 0, sizeof *pieces);
}

static unsigned char bit_of(apr_uint32_t piece)
{
    return (unsigned char)(0x80 >> (piece % 8));
}

static void fill(unsigned char *bits, apr_uint32_t total)
{
    memset(bits, 0xff, seed_bitfield_size(total));
    if (total % 8)
        bits[total / 8] = (unsigned char)(0xff00 >> (total % 8));
}

/* Makes the bitfield of one that has none or all. */
static int make_bits(seed_pieces *pieces, apr_uint32_t total)
{
    apr_uint32_t bytes = seed_bitfield_size(total);

    if (pieces->bits)
        return 1;
    pieces->bits = calloc(bytes ? bytes : 1, 1);
    if (pieces->bits && pieces->count && pieces->count == total)
        fill(pieces->bits, total);
    return pieces->bits != NULL;
}

int seed_pieces_has(const seed_pieces *pieces, apr_uint32_t total, apr_uint32_t piece)
{
    return pieces->bits ? (pieces->bits[piece / 8] & bit_of(piece)) != 0 : pieces->count == total;
}

seed_pieces_change seed_pieces_set(seed_pieces *pieces, apr_uint32_t total, apr_uint32_t piece)
{
    if (pieces->count == total || seed_pieces_has(pieces, total, piece))
        return SEED_PIECES_SAME;
    if (!make_bits(pieces, total))
        return SEED_PIECES_NO_MEMORY;
    pieces->bits[piece / 8] |= bit_of(piece);
    if (++pieces->count == total)
        seed_pieces_all(pieces, total);
    return SEED_PIECES_CHANGED;
}

seed_pieces_change seed_pieces_clear(seed_pieces *pieces, apr_uint32_t total, apr_uint32_t piece)
{
    if (!seed_pieces_has(pieces, total, piece))
        return SEED_PIECES_SAME;
    if (!make_bits(pieces, total))
        return SEED_PIECES_NO_MEMORY;
    pieces->bits[piece / 8] &= (unsigned char)~bit_of(piece);
    pieces->count--;
    return SEED_PIECES_CHANGED;
}

seed_pieces_change seed_pieces_merge(seed_pieces *pieces, apr_uint32_t total, const unsigned char *bits)
{
    apr_uint32_t i, bytes = seed_bitfield_size(total), before = pieces->count;

    if (before == total)
        return SEED_PIECES_SAME;
    if (!make_bits(pieces, total))
        return SEED_PIECES_NO_MEMORY;
    for (i = 0, pieces->count = 0; i < bytes; i++) {
        pieces->bits[i] |= bits[i];
        pieces->count += (apr_uint32_t)__builtin_popcount(pieces->bits[i]);
    }
    pieces->unknown = 0;
    if (pieces->count == total)
        seed_pieces_all(pieces, total);
    return pieces->count == before ? SEED_PIECES_SAME : SEED_PIECES_CHANGED;
}

void seed_pieces_all(seed_pieces *pieces, apr_uint32_t total)
{
    free(pieces->bits);
    pieces->bits = NULL;
    pieces->count = total;
    pieces->unknown = 0;
}
