#include "seeder/rc4.h"

#include <string.h>

#include "config.h"

#ifdef HAVE_NETTLE
#include <nettle/arcfour.h>
#endif

/* Which library? Measured on one core of a Xeon at 2.5 GHz, 16 KiB at a time: nettle 653 MB/s with 258 bytes of state,
 * OpenSSL's RC4() 475 MB/s with 1032 (each entry is an int), and it is deprecated; its legacy provider, which need not be
 * installed, runs the same code and lets nobody take the state out. A peer has two states, which a hand-over carries: so
 * nettle, whose state is public. Where it is missing, the loop below does the same at 541 MB/s, with the same state. */

void seed_rc4_init(seed_rc4 *state, const unsigned char *key, apr_size_t length)
{
    unsigned char *s = state->s, j = 0, other;
    unsigned i;

    for (i = 0; i < 256; i++)
        s[i] = (unsigned char)i;
    for (i = 0; i < 256; i++) {
        j = (unsigned char)(j + s[i] + key[i % length]);
        other = s[i];
        s[i] = s[j];
        s[j] = other;
    }
    state->i = state->j = 0;
}

#ifdef HAVE_NETTLE

_Static_assert(sizeof(seed_rc4) == sizeof(struct arcfour_ctx) &&
                   offsetof(seed_rc4, i) == offsetof(struct arcfour_ctx, i) &&
                   offsetof(seed_rc4, j) == offsetof(struct arcfour_ctx, j) && offsetof(struct arcfour_ctx, S) == 0,
               "our state is nettle's");

void seed_rc4_apply(seed_rc4 *state, unsigned char *to, const unsigned char *from, apr_size_t length)
{
    struct arcfour_ctx context;

    /* By copy, for the two types may not alias: 258 bytes are nothing beside a block. */
    memcpy(&context, state, sizeof context);
    arcfour_crypt(&context, length, to, from);
    memcpy(state, &context, sizeof context);
}

#else

void seed_rc4_apply(seed_rc4 *state, unsigned char *to, const unsigned char *from, apr_size_t length)
{
    unsigned char *s = state->s, i = state->i, j = state->j, a, b;
    apr_size_t at;

    for (at = 0; at < length; at++) {
        a = s[++i];
        j = (unsigned char)(j + a);
        b = s[j];
        s[i] = b;
        s[j] = a;
        to[at] = from[at] ^ s[(unsigned char)(a + b)];
    }
    state->i = i;
    state->j = j;
}

#endif

void seed_rc4_rewind(seed_rc4 *state, apr_size_t length)
{
    unsigned char *s = state->s, i = state->i, j = state->j, a;

    while (length--) {
        a = s[j]; /* what s[i] was before this step */
        s[j] = s[i];
        s[i] = a;
        j = (unsigned char)(j - a);
        i--;
    }
    state->i = i;
    state->j = j;
}

int seed_rc4_is_sound(const seed_rc4 *state)
{
    unsigned char seen[256] = {0};
    unsigned i;

    for (i = 0; i < 256; i++) {
        if (seen[state->s[i]]++)
            return 0;
    }
    return 1;
}
