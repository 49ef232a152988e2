#include "t/unit/unit.h"

#include <string.h>

#include "t/unit/crowd_model.h"

enum { STEPS = 10 /* a second */, PIECE = 64 * 1024 };

static apr_time_t now_of(const model *m)
{
    return m->steps * (APR_USEC_PER_SEC / STEPS);
}

static int is_in(const unsigned char *bits, int piece)
{
    return (bits[piece / 8] & (0x80 >> (piece % 8))) != 0;
}

static void set(unsigned char *bits, int piece)
{
    bits[piece / 8] |= (unsigned char)(0x80 >> (piece % 8));
}

/* A client that has been shown something asks for all of it that it does not have. */
static void ask(const model *m, model_peer *peer, int piece)
{
    if (is_in(peer->has, piece))
        return;
    peer->queue[peer->queued++] = piece;
    peer->asked[piece] = m->steps + m->delay;
}

static void show_all(model *m, model_peer *peer)
{
    int start = (int)unit_below(&m->dice, (size_t)m->pieces);

    peer->whole = 1;
    for (int i = 0; i < m->pieces; i++) { /* it asks in an order of its own */
        int piece = (start + i * 7919) % m->pieces;
        if (!is_in(peer->shown, piece))
            ask(m, peer, piece);
    }
}

static void feed(model *m, model_peer *peer)
{
    apr_uint32_t piece;

    if (!m->spread || peer->whole || !peer->there)
        return;
    if (seed_spread_is_fast(m->spread, &peer->share)) {
        seed_spread_whole(m->spread, &peer->share);
        show_all(m, peer);
        return;
    }
    while ((piece = seed_spread_next(m->spread, &peer->share, peer->shown, now_of(m))) != SEED_SPREAD_NOTHING) {
        assert_false(is_in(peer->shown, (int)piece));
        assert_true(piece < (apr_uint32_t)m->pieces);
        set(peer->shown, (int)piece);
        ask(m, peer, (int)piece);
    }
}

void model_start(model *m, int pieces, int count, double seed_rate, double upload, int spread, uint64_t dice)
{
    memset(m, 0, sizeof *m);
    m->pieces = pieces;
    m->count = count;
    m->seed_rate = seed_rate / STEPS;
    m->dice = dice;
    m->spread = spread ? seed_spread_make((apr_uint32_t)pieces, PIECE, dice, 0) : NULL;
    for (int i = 0; i < count; i++) {
        m->peers[i].there = 1;
        m->peers[i].upload = upload / STEPS;
        if (spread)
            assert_true(seed_spread_join(m->spread, &m->peers[i].share, m->peers[i].shown, 0));
        else
            show_all(m, &m->peers[i]);
    }
}

static void get(model *m, model_peer *peer, int piece)
{
    if (is_in(peer->has, piece))
        return;
    set(peer->has, piece);
    if (!peer->has_count++)
        peer->first = (double)m->steps / STEPS;
    if (peer->has_count == m->pieces)
        peer->done = (double)(m->steps + 1) / STEPS;
    if (m->spread && !peer->silent)
        seed_spread_has(m->spread, &peer->share, (apr_uint32_t)piece, 1, is_in(peer->shown, piece), now_of(m));
    feed(m, peer);
}

/* The seed sends one piece to whoever's turn it is. @return 0 if nobody asks */
static int send_one(model *m, int *turn)
{
    for (int tried = 0; tried < m->count; tried++) {
        model_peer *peer = &m->peers[*turn];
        int piece;

        *turn = (*turn + 1) % m->count;
        while (peer->queued && is_in(peer->has, peer->queue[0])) /* cancelled meanwhile */
            memmove(peer->queue, peer->queue + 1, sizeof(int) * (size_t)--peer->queued);
        if (!peer->queued || peer->asked[peer->queue[0]] > m->steps || !peer->there || (m->spread && !seed_spread_may_serve(m->spread, &peer->share, now_of(m))))
            continue;
        piece = peer->queue[0];
        memmove(peer->queue, peer->queue + 1, sizeof(int) * (size_t)--peer->queued);
        m->sent++;
        m->out += !m->times_sent[piece]++;
        m->early_twice += m->times_sent[piece] > 1 && m->out < m->pieces;
        if (m->spread)
            seed_spread_sent(m->spread, &peer->share, PIECE, now_of(m));
        get(m, peer, piece);
        if (m->spread && (!peer->queued || peer->asked[peer->queue[0]] > m->steps)) {
            seed_spread_dry(m->spread, &peer->share, now_of(m));
            feed(m, peer);
        }
        return 1;
    }
    return 0;
}

/* One gives a piece to another that lacks it: the one that it meets first, the rarest of a few that it looks at. */
static void pass_on(model *m, model_peer *from)
{
    for (int tries = 0; tries < m->count; tries++) {
        model_peer *to = &m->peers[unit_below(&m->dice, (size_t)m->count)];
        int start = (int)unit_below(&m->dice, (size_t)m->pieces);

        if (to == from || to->done || !to->there || to->upload == 0)
            continue; /* who gives nothing gets nothing */
        for (int i = 0; i < m->pieces; i++) {
            int piece = (start + i) % m->pieces;
            if (is_in(from->has, piece) && !is_in(to->has, piece)) {
                get(m, to, piece);
                return;
            }
        }
    }
}

static void step(model *m)
{
    int turn = (int)unit_below(&m->dice, (size_t)m->count);

    for (m->saved += m->seed_rate; m->saved >= 1 && send_one(m, &turn); m->saved -= 1)
        ;
    m->saved = m->saved > 1 ? 1 : m->saved;
    for (int i = 0; i < m->count; i++) {
        model_peer *peer = &m->peers[i];
        for (peer->saved += peer->there ? peer->upload : 0; peer->saved >= 1; peer->saved -= 1)
            pass_on(m, peer);
    }
    m->steps++;
    if (m->spread && m->steps % STEPS == 0) {
        seed_spread_tick(m->spread, now_of(m));
        for (int i = 0; i < m->count; i++)
            feed(m, &m->peers[i]);
    }
}

double model_run(model *m, double most)
{
    for (;;) {
        double last = 0;
        int left = 0;

        for (int i = 0; i < m->count; i++) {
            left += m->peers[i].there && !m->peers[i].done;
            last = m->peers[i].done > last ? m->peers[i].done : last;
        }
        if (!left)
            return last;
        if ((double)m->steps / STEPS > most)
            return -1;
        if (m->steps == 0)
            for (int i = 0; i < m->count; i++)
                feed(m, &m->peers[i]);
        step(m);
    }
}

void model_end(model *m)
{
    for (int i = 0; m->spread && i < m->count; i++)
        seed_spread_leave(m->spread, &m->peers[i].share);
    seed_spread_free(m->spread);
}

double model_bound(const model *m, double upload)
{
    double seed = m->seed_rate * STEPS, alone = m->pieces / seed, together = m->pieces * m->count / (seed + m->count * upload);

    return alone > together ? alone : together;
}
