/* SHA-1 of several messages side by side, a message in each lane of the vector registers: only the compression of whole
 * blocks, so that messages may be as long as they like and be fed piecemeal. Libraries of that kind (libipsec-mb) take whole
 * messages only, which for pieces would mean to hold 16 of them in memory. Pure. */
#ifndef TG_SHA1_LANES_H
#define TG_SHA1_LANES_H

#include <stddef.h>
#include <stdint.h>

enum { TG_SHA1_LANES = 16, TG_SHA1_BLOCK = 64 };

/* Chaining values: word by word, of each lane. */
typedef uint32_t tg_sha1_state[5][TG_SHA1_LANES];

/**
 * Compresses `blocks` blocks of 64 bytes of each lane's data into its state.
 * @param data  of each lane; all must be readable, whether the lane matters or not
 */
typedef void tg_sha1_compress(tg_sha1_state state, const unsigned char *const *data, size_t blocks);

/* Defined where TG_HAVE_SHA1_LANES is (x86-64, a compiler with vector types). The processor must have what the name says. */
tg_sha1_compress tg_sha1_compress_avx512; /* F and BW; 16 lanes */
tg_sha1_compress tg_sha1_compress_avx2;   /* the first 8 lanes */

#endif
