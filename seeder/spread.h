/* Which pieces a peer is told of, and when, in a crowd. While the swarm is young, each piece is shown to one peer, so that
 * none is sent twice before all are out once (BEP 16, with several pieces at a time so that no pipe runs empty). Afterwards,
 * while the leechers feed each other well, the seed yields: it shows a little more, rarest pieces first. Whoever runs dry is
 * shown twice as much next time: where the seed's uplink is not the bottleneck, nothing is held back for long.
 * No I/O, no clock. Memory: 4 bytes a piece, and a bit a piece for each peer. */
#ifndef SEED_SPREAD_H
#define SEED_SPREAD_H

#include <apr_time.h>

typedef struct seed_spread seed_spread;

enum {
    SEED_SPREAD_FEW = 4,        /* peers that cannot feed each other so well that the seed yields */
    SEED_SPREAD_PIECES = 32768, /* a torrent with more is shown in full: who is told all in the end is told by HAVEs */
    SEED_SPREAD_WHOLE = 0xffff  /* a window that is everything */
};

#define SEED_SPREAD_NOTHING ((apr_uint32_t)-1)

/* What the spread knows of one peer; all zero while the peer is in none. It stays where it is meanwhile. */
typedef struct {
    unsigned char *bits;     /* the pieces that it has; the spread's */
    apr_uint16_t id;         /* in the spread's table; 0: in none */
    unsigned whole : 1;      /* it was shown everything */
    unsigned dried : 1;      /* since the last tick */
    unsigned known : 1;      /* it has been there for a tick */
    unsigned took : 1;       /* something of what it was shown, since the last tick */
    unsigned offered : 1;    /* at the last tick there was something for it to take */
    apr_uint32_t window;     /* pieces that it may be shown and not have yet */
    apr_uint32_t waiting;    /* pieces that it was shown and does not have yet */
    apr_int64_t unsent;      /* bytes of these that we have not sent it */
    apr_uint32_t unpassed;   /* pieces that it alone was shown, and nobody else has yet */
    apr_uint32_t passed;     /* such pieces that others got since; of late */
    apr_uint32_t has;        /* pieces */
    apr_int64_t gained, sent;     /* bytes since the last tick: of pieces, from whomever; that we sent it */
    apr_int64_t gaining, sending; /* bytes a second, of late */
    apr_time_t progress;     /* when it last got a piece, or bytes of one from us */
} seed_share;

/** @param seed  of its dice. @return NULL when memory is short */
seed_spread *seed_spread_make(apr_uint32_t pieces, apr_uint32_t piece_length, apr_uint64_t seed, apr_time_t now);

/** All shares must have left. */
void seed_spread_free(seed_spread *spread);

/**
 * A peer comes, without pieces as far as is known: see seed_spread_has.
 * @param shown  bits of what it was shown already, by another seeder of ours; NULL: everything
 * @return 0 if there is no room: it is then not considered, and to be shown everything
 */
int seed_spread_join(seed_spread *spread, seed_share *share, const unsigned char *shown, apr_time_t now);
void seed_spread_leave(seed_spread *spread, seed_share *share);

/** It has a piece now (or not any more). @param was_shown  by us */
void seed_spread_has(seed_spread *spread, seed_share *share, apr_uint32_t piece, int now_has, int was_shown,
                     apr_time_t now);

/** It was sent so many bytes. */
void seed_spread_sent(seed_spread *spread, seed_share *share, apr_size_t bytes, apr_time_t now);

/** It has no request left: if it was sent all that it was shown, it is shown more next time. */
void seed_spread_dry(seed_spread *spread, seed_share *share, apr_time_t now);

/**
 * Called for a peer that may ask and has asked for nothing, before a tick: was it shown what it does not want? A client
 * may want some files alone, or the beginning first. It is then shown much more.
 */
void seed_spread_idle(seed_spread *spread, seed_share *share);

/**
 * The same moment, for a peer that waits for nothing while nobody else does either: the uplink is not the bottleneck. Some
 * clients ask once a second, for what they heard of a second ago: so they might go on for ever with the least they may be shown.
 */
void seed_spread_spare(seed_spread *spread, seed_share *share, apr_time_t now);

/** It is choked: what it was being given may be given to others. */
void seed_spread_release(seed_spread *spread, seed_share *share);

/**
 * The next piece to show to a peer that may ask; noted as shown.
 * @return SEED_SPREAD_NOTHING if it has been shown enough for now
 */
apr_uint32_t seed_spread_next(seed_spread *spread, seed_share *share, const unsigned char *shown, apr_time_t now);

/** Does it take so fast that everything is better shown at once, or is it the only one that lacks something? */
int seed_spread_is_fast(const seed_spread *spread, const seed_share *share);

/** It was shown everything. */
void seed_spread_whole(seed_spread *spread, seed_share *share);

/** Once a second: rates, and how much may be sent while the seed yields. */
void seed_spread_tick(seed_spread *spread, apr_time_t now);

/** Are there pieces that no peer has or is being given? */
int seed_spread_is_young(const seed_spread *spread);

/** Is a piece being given to a peer, and nobody else has it? For tests. */
int seed_spread_is_lent(const seed_spread *spread, apr_uint32_t piece);

/** Do the leechers feed each other so well that the seed keeps back? */
int seed_spread_yields(const seed_spread *spread);

/** May a peer be served now? Whoever was shown everything is kept back by not being served. */
int seed_spread_may_serve(const seed_spread *spread, const seed_share *share, apr_time_t now);

/** How well it passes on what it is given: 0 to 100. */
int seed_share_merit(const seed_share *share);

#endif
