#include "torrentgen/torrent.h"

#define KIB ((apr_int64_t)1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

/* docs/internals/torrentgen.md shows this table. */
static const struct {
    apr_int64_t from; /* length of the file, bytes */
    apr_uint32_t piece_length;
} table[] = {
    {50 * GIB, 16 * MIB},  {10 * GIB, 8 * MIB},   {5 * GIB, 4 * MIB},    {2 * GIB, 2 * MIB},  {1 * GIB, 1 * MIB},
    {512 * MIB, 512 * KIB}, {256 * MIB, 256 * KIB}, {128 * MIB, 128 * KIB}, {64 * MIB, 64 * KIB}, {32 * MIB, 32 * KIB},
};

apr_uint32_t tg_piece_length_for(apr_int64_t length)
{
    for (unsigned i = 0; i < sizeof table / sizeof *table; i++)
        if (length >= table[i].from)
            return table[i].piece_length;
    return TG_PIECE_MIN;
}

apr_int64_t tg_piece_count(apr_int64_t length, apr_uint32_t piece_length)
{
    return length / piece_length + (length % piece_length != 0);
}
