/* The body of one tg_sha1_compress, for one width of vectors: included by sha1_lanes.c alone, with COMPRESS, TARGET, LANES,
 * words, bytes, SWAP, UPPER, LOWER and TRANSPOSE, all of which it takes back. */

TARGET void COMPRESS(tg_sha1_state state, const unsigned char *const *data, size_t blocks)
{
    words value[5];

    for (int i = 0; i < 5; i++)
        memcpy(&value[i], state[i], sizeof value[i]);
    for (size_t at = 0; at < blocks * TG_SHA1_BLOCK; at += TG_SHA1_BLOCK) {
        words w[16], a = value[0], b = value[1], c = value[2], d = value[3], e = value[4];

        /* Row by row, a lane's words lie side by side; wanted is a word of all lanes in each vector. */
        UNROLL
        for (int half = 0; half < 16; half += LANES) {
            words *rows = w + half;

            UNROLL
            for (int lane = 0; lane < LANES; lane++) {
                bytes row;

                memcpy(&row, data[lane] + at + 4 * half, sizeof row);
                rows[lane] = (words)SWAP(row);
            }
            TRANSPOSE
        }
        TWENTY_STEPS(CH, 0x5a827999u, 0)
        TWENTY_STEPS(PARITY, 0x6ed9eba1u, 20)
        TWENTY_STEPS(MAJ, 0x8f1bbcdcu, 40)
        TWENTY_STEPS(PARITY, 0xca62c1d6u, 60)
        value[0] += a;
        value[1] += b;
        value[2] += c;
        value[3] += d;
        value[4] += e;
    }
    for (int i = 0; i < 5; i++)
        memcpy(state[i], &value[i], sizeof value[i]);
}

#undef COMPRESS
#undef TARGET
#undef LANES
#undef words
#undef bytes
#undef SWAP
#undef UPPER
#undef LOWER
#undef TRANSPOSE
