/* Byte strings that a test peer sends, for tests of the seeder. */
#ifndef PEER_BYTES_H
#define PEER_BYTES_H

#include <string.h>

#include "seeder/wire.h"

/* @param reserved  the last byte of the reserved bits, and in its upper half the one of the extension protocol */
static inline void say_handshake(bt_buf *to, const bt_infohash *hash, unsigned reserved)
{
    pw_handshake theirs = {{0, 0, 0, 0, 0, (unsigned char)(reserved >> 8), 0, (unsigned char)reserved},
                           *hash,
                           "-TT0001-abcdefghijkl"};

    pw_handshake_write(bt_buf_extend(to, PW_HANDSHAKE_SIZE), &theirs);
}

enum { SAY_EXTENDED = PW_BIT_EXTENDED << 8 };

/* An extension message. */
static inline void say_extended(bt_buf *to, unsigned id, const char *text, apr_size_t length)
{
    unsigned char *at = bt_buf_extend(to, 6);

    pw_put_u32(at, 2 + (apr_uint32_t)length);
    at[4] = PW_EXTENDED;
    at[5] = (unsigned char)id;
    bt_buf_add(to, text, length);
}

/* A message of up to three integers. */
static inline void say(bt_buf *to, pw_id id, int fields, apr_uint32_t a, apr_uint32_t b, apr_uint32_t c)
{
    unsigned char *at = bt_buf_extend(to, 5 + 4 * (apr_size_t)fields);
    apr_uint32_t values[3] = {a, b, c};

    pw_put_u32(at, 1 + 4 * (apr_uint32_t)fields);
    at[4] = (unsigned char)id;
    for (int i = 0; i < fields; i++)
        pw_put_u32(at + 5 + 4 * i, values[i]);
}

static inline void say_request(bt_buf *to, apr_uint32_t piece, apr_uint32_t begin, apr_uint32_t length)
{
    say(to, PW_REQUEST, 3, piece, begin, length);
}

#endif
