/* The peer protocol of bench/drain: as little of it as makes a seed send. */
#include "bench/drain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCK = 16384,
    BLOCK_MAX = 128 * 1024,
    OTHER_MAX = 1024 * 1024, /* a bitfield, an extension's message */
    REQUEST = 17,
    REQUESTS_AT_ONCE = 64,
    SKIM = 8 /* blocks of which only the first header is read */
};
enum { CHOKE = 0, UNCHOKE = 1, HAVE = 4, PIECE = 7, HAVE_NONE = 15, REJECT = 16, HAVE_END = 9 };

static uint32_t read_u32(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void write_u32(unsigned char *at, uint64_t value)
{
    at[0] = (unsigned char)(value >> 24);
    at[1] = (unsigned char)(value >> 16);
    at[2] = (unsigned char)(value >> 8);
    at[3] = (unsigned char)value;
}

void drain_peer_greet(drain_conn *c)
{
    unsigned char hello[DRAIN_HANDSHAKE + 5] = "\x13" "BitTorrent protocol";

    hello[20 + 7] = 0x04; /* fast extension */
    memcpy(hello + 28, options.hash, 20);
    memcpy(hello + 48, "-XX0001-", 8);
    snprintf((char *)hello + 56, 13, "%012d", c->number);
    write_u32(hello + DRAIN_HANDSHAKE, 1);
    hello[DRAIN_HANDSHAKE + 4] = 2; /* interested */
    drain_send(c, hello, sizeof hello);
}

/* --- what the seed says it has: all of it, unless it begins with nothing and goes on piece by piece --- */

static uint64_t pieces(void)
{
    return (options.length + options.piece_length - 1) / options.piece_length;
}

static void on_have_none(drain_conn *c)
{
    free(c->shown);
    c->shown = calloc(pieces(), 1);
    c->shown_count = 0;
    if (!c->shown)
        drain_die("out of memory");
}

static void on_have(drain_conn *c, uint32_t piece)
{
    if (!c->shown || piece >= pieces() || c->shown[piece])
        return;
    c->shown[piece] = 1;
    if (++c->shown_count == pieces()) {
        free(c->shown);
        c->shown = NULL;
    }
}

/* Goes on to the next piece that was shown, if it must. @return 0 if there is none */
static int find_shown(drain_conn *c)
{
    uint64_t piece = c->next / options.piece_length;

    if (!c->shown || c->shown[piece])
        return 1;
    if (c->shown_count == 0)
        return 0;
    while (!c->shown[piece])
        piece = (piece + 1) % pieces();
    c->next = piece * options.piece_length;
    return 1;
}

/* --- asking --- */

static void write_request(drain_conn *c, unsigned char *at)
{
    uint64_t piece = c->next / options.piece_length, begin = c->next % options.piece_length, size = BLOCK;

    if (size > options.piece_length - begin)
        size = options.piece_length - begin;
    if (size > options.length - c->next)
        size = options.length - c->next;
    write_u32(at, REQUEST - 4);
    at[4] = 6;
    write_u32(at + 5, piece);
    write_u32(at + 9, begin);
    write_u32(at + 13, size);
    c->next += size;
    if (c->next >= options.length)
        c->next = 0;
}

/* Asks ahead again once a quarter of what was asked for has come. */
void drain_peer_ask(drain_conn *c)
{
    unsigned char batch[REQUESTS_AT_ONCE * REQUEST];
    size_t count;

    if (!c->unchoked || c->fd < 0 || c->asked > (unsigned)options.ahead * 3 / 4)
        return;
    while (c->asked < (unsigned)options.ahead && find_shown(c)) {
        for (count = 0; count < REQUESTS_AT_ONCE && c->asked < (unsigned)options.ahead && find_shown(c); count++, c->asked++)
            write_request(c, batch + count * REQUEST);
        drain_send(c, batch, count * REQUEST);
    }
}

/* --- what comes --- */

static int all_blocks_are_alike(void)
{
    return options.length % BLOCK == 0 && options.piece_length % BLOCK == 0;
}

/* Decrypting costs as much as encrypting: the drain would be the bottleneck. So it stops looking once the first piece
 * comes, and takes all that follows for pieces. What else a seed may say in between is a few bytes of many millions; a
 * seed that chokes is noticed by what does not come any more. */
static void look_away(drain_conn *c)
{
    c->blind = 1;
    c->sighted = DRAIN_PIECE_HEADER;
    c->have = 0;
    drain_flowing += !c->flowing;
    c->flowing = 1;
}

void drain_peer_count(drain_conn *c, size_t count)
{
    uint64_t blocks;

    c->received += (int64_t)(count * BLOCK / (BLOCK + DRAIN_PIECE_HEADER));
    c->sighted += count;
    blocks = c->sighted / (BLOCK + DRAIN_PIECE_HEADER);
    c->sighted %= BLOCK + DRAIN_PIECE_HEADER;
    c->asked -= blocks < c->asked ? (unsigned)blocks : c->asked;
}

/* Nothing else comes between the blocks of a seed that has shown everything. */
static unsigned blocks_to_skim(const drain_conn *c, uint32_t size)
{
    if (size != BLOCK || c->shown || !all_blocks_are_alike())
        return 0;
    return (c->asked < SKIM ? c->asked : SKIM) - 1;
}

/* A piece, and blindly those that must follow it, since that many blocks of the same size have been asked for: a seed that
 * says anything else in between is noticed at the next header that is read. */
static void on_piece(drain_conn *c, uint32_t size)
{
    unsigned blind;

    if (size == 0 || size > BLOCK_MAX || c->asked == 0)
        drain_die("a piece that nobody asked for");
    blind = blocks_to_skim(c, size);
    if (c->keys && !c->shown && all_blocks_are_alike()) {
        look_away(c);
        return;
    }
    c->asked -= 1 + blind;
    drain_consume(c, DRAIN_PIECE_HEADER);
    drain_skip(c, size + (uint64_t)blind * (DRAIN_PIECE_HEADER + BLOCK), 1);
    c->received -= (int64_t)blind * DRAIN_PIECE_HEADER;
}

static void on_other(drain_conn *c, unsigned id)
{
    if (id == UNCHOKE)
        c->unchoked = 1;
    else if (id == CHOKE)
        c->unchoked = 0;
    if (id == CHOKE && !c->fast) /* what was asked for is forgotten; else each is answered by a reject */
        c->asked = 0;
    else if (id == REJECT && c->asked)
        c->asked--;
    else if (id == HAVE_NONE)
        on_have_none(c);
    else if (id == HAVE)
        on_have(c, read_u32(c->in + HAVE_END - 4));
}

static int read_handshake(drain_conn *c)
{
    if (c->have < DRAIN_HANDSHAKE)
        return 0;
    if (memcmp(c->in + 28, options.hash, 20) != 0)
        drain_die("the seed answers with another info-hash");
    c->fast = (c->in[20 + 7] & 0x04) != 0;
    c->greeted = 1;
    drain_consume(c, DRAIN_HANDSHAKE);
    return 1;
}

int drain_peer_read(drain_conn *c)
{
    uint32_t length;

    if (!c->greeted)
        return read_handshake(c);
    if (c->have < 4 || (c->have < 5 && read_u32(c->in) > 0))
        return 0;
    length = read_u32(c->in);
    if (length > 0 && c->in[4] == PIECE) {
        if (c->have < DRAIN_PIECE_HEADER)
            return 0;
        on_piece(c, length < DRAIN_PIECE_HEADER - 4 ? 0 : length - (DRAIN_PIECE_HEADER - 4));
    } else {
        if (length > OTHER_MAX)
            drain_die("what comes is not the peer protocol");
        if (length == HAVE_END - 4 && c->in[4] == HAVE && c->have < HAVE_END)
            return 0;
        if (length > 0)
            on_other(c, c->in[4]);
        drain_skip(c, (uint64_t)length + 4, 0);
    }
    return 1;
}
