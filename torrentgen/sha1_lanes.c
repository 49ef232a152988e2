#include "config.h"

#ifdef TG_HAVE_SHA1_LANES
#include <string.h>

#include "torrentgen/sha1_lanes.h"

/* A lane picked from the first (below the number of lanes) or the second vector, for each lane. */
#if defined(__clang__) || __GNUC__ >= 12
#define PICK(type, x, y, ...) __builtin_shufflevector(x, y, __VA_ARGS__)
#else
#define PICK(type, x, y, ...) __builtin_shuffle(x, y, (type){__VA_ARGS__})
#endif

/* FIPS 180-4, 6.1.2. The message schedule is made as it is needed, in place. */
#define ROTATE(x, n) (((x) << (n)) | ((x) >> (32 - (n))))
#define CH(x, y, z) (((x) & (y)) | (~(x) & (z)))
#define PARITY(x, y, z) ((x) ^ (y) ^ (z))
#define MAJ(x, y, z) (((x) & (y)) | ((z) & ((x) | (y))))
#define SCHEDULED(t) \
    ((t) < 16 ? w[(t) & 15] \
              : (w[(t) & 15] = ROTATE(w[((t) + 13) & 15] ^ w[((t) + 8) & 15] ^ w[((t) + 2) & 15] ^ w[(t) & 15], 1)))
#define STEP(a, b, c, d, e, f, k, t) \
    e += ROTATE(a, 5) + f(b, c, d) + (k) + SCHEDULED(t); \
    b = ROTATE(b, 30);
#define FIVE_STEPS(f, k, t) \
    STEP(a, b, c, d, e, f, k, t) \
    STEP(e, a, b, c, d, f, k, t + 1) \
    STEP(d, e, a, b, c, f, k, t + 2) \
    STEP(c, d, e, a, b, f, k, t + 3) \
    STEP(b, c, d, e, a, f, k, t + 4)
#define TWENTY_STEPS(f, k, t) \
    FIVE_STEPS(f, k, t) FIVE_STEPS(f, k, t + 5) FIVE_STEPS(f, k, t + 10) FIVE_STEPS(f, k, t + 15)

/* Lanes are chosen by constants, once a loop over rows is unrolled: clang does that by itself, gcc only at -O3. */
#ifdef __clang__
#define UNROLL
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* Exchanges, in a square of words of which each vector is a row, the two off-diagonal quarters of each square of 2 * `s` rows. */
#define EXCHANGE_ALL(s) \
    UNROLL \
    for (int i = 0; i < LANES; i++) \
        if (!(i & (s))) { \
            const words x = rows[i], y = rows[i + (s)]; \
            rows[i] = UPPER(s, x, y); \
            rows[i + (s)] = LOWER(s, x, y); \
        }
/* Where the lane `j` comes from. */
#define U(s, j) ((j) & (s) ? LANES + (j) - (s) : (j))
#define D(s, j) ((j) & (s) ? LANES + (j) : (j) + (s))
#define EIGHT(m, s, j) m(s, j), m(s, j + 1), m(s, j + 2), m(s, j + 3), m(s, j + 4), m(s, j + 5), m(s, j + 6), m(s, j + 7)

/* Bytes of big-endian words, from `at`. */
#define SWAP4(at) (at) + 3, (at) + 2, (at) + 1, (at)
#define SWAP16(at) SWAP4(at), SWAP4((at) + 4), SWAP4((at) + 8), SWAP4((at) + 12)
#define SWAP32(at) SWAP16(at), SWAP16((at) + 16)

typedef uint32_t words16 __attribute__((vector_size(64)));
typedef uint8_t bytes64 __attribute__((vector_size(64)));
typedef uint32_t words8 __attribute__((vector_size(32)));
typedef uint8_t bytes32 __attribute__((vector_size(32)));

#define COMPRESS tg_sha1_compress_avx512
#define TARGET __attribute__((target("avx512f,avx512bw")))
#define LANES 16
#define words words16
#define bytes bytes64
#define SWAP(row) PICK(bytes64, row, row, SWAP32(0), SWAP32(32))
#define UPPER(s, x, y) PICK(words16, x, y, EIGHT(U, s, 0), EIGHT(U, s, 8))
#define LOWER(s, x, y) PICK(words16, x, y, EIGHT(D, s, 0), EIGHT(D, s, 8))
#define TRANSPOSE EXCHANGE_ALL(1) EXCHANGE_ALL(2) EXCHANGE_ALL(4) EXCHANGE_ALL(8)
#include "torrentgen/sha1_lanes_compress.h"

#define COMPRESS tg_sha1_compress_avx2
#define TARGET __attribute__((target("avx2")))
#define LANES 8
#define words words8
#define bytes bytes32
#define SWAP(row) PICK(bytes32, row, row, SWAP32(0))
#define UPPER(s, x, y) PICK(words8, x, y, EIGHT(U, s, 0))
#define LOWER(s, x, y) PICK(words8, x, y, EIGHT(D, s, 0))
#define TRANSPOSE EXCHANGE_ALL(1) EXCHANGE_ALL(2) EXCHANGE_ALL(4)
#include "torrentgen/sha1_lanes_compress.h"
#else
typedef int nothing_here; /* ISO C wants something in each file */
#endif
