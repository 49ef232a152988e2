/* What every unit test needs: cmocka with its includes, and a generator of random numbers that gives the same sequence
 * on every machine, so that a failure can be repeated. */
#ifndef UNIT_H
#define UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* xorshift64*: `state` starts at any number but 0. */
static inline uint64_t unit_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545F4914F6CDD1DULL;
}

static inline size_t unit_below(uint64_t *state, size_t limit)
{
    return (size_t)((unit_random(state) >> 16) % limit);
}

static inline void unit_fill(uint64_t *state, void *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        ((unsigned char *)bytes)[i] = (unsigned char)(unit_random(state) >> 32);
}

#endif
