#include "seeder/spread.h"

#include <stdlib.h>
#include <string.h>

enum {
    WINDOW_MIN = 2,            /* pieces that a peer may be shown and not have yet */
    WINDOW_BYTES = 256 * 1024, /* and at least so many bytes of them */
    WINDOW_SECONDS = 2,        /* and what it takes in that time */
    STARTERS = 4,              /* pieces that a newcomer is given whatever the swarm does, to have something to trade */
    PATIENCE = 3,              /* seconds without a piece from anybody: then the seed must feed a peer */
    STALLED = 4,               /* seconds in which a peer takes nothing: then others may have what it was being given */
    COST_PARTS = 16,           /* yielding may cost the swarm one of so many parts of its speed */
    LEAST_PARTS = 16,          /* and the seed goes on with one of so many parts of its own */
    SMOOTH = 4,                /* ticks that a rate is averaged over */
    PEAK_DECAY = 256,          /* ticks */
    UNWANTED_GROWTH = 8,       /* of the window of a peer that wants nothing of what it was shown */
    HOARD = 8,                 /* pieces not passed on, beyond twice the average, from which on a peer is shown less */
    PASSED_DECAY = 32,         /* ticks */
    CANDIDATES = 1024,         /* of which the rarest is shown */
    IDS_MAX = 0x10000
};

struct seed_spread {
    apr_uint32_t pieces, piece_length, window_min;
    apr_uint32_t fresh;        /* pieces that nobody has and nobody is being given */
    apr_uint32_t shares, most; /* entries of by_id that are used; and all */
    apr_uint32_t told_bit_by_bit; /* shares that were not shown everything */
    apr_uint64_t unpassed;     /* of all shares together */
    apr_uint64_t dice;
    apr_time_t ticked;
    apr_int64_t gained, sent, gaining, sending; /* as in a share */
    apr_int64_t peak;        /* bytes a second that the seed sends when it does not yield */
    apr_int64_t budget;      /* bytes that it may send while it yields */
    apr_int64_t usual;       /* bytes a second that one leecher gets from others, at the best of times */
    int fed;                 /* the leechers feed each other well */
    apr_uint32_t leechers;   /* shares that have not everything */
    apr_uint32_t behind;     /* which of them are far behind: those with no more pieces than this */
    seed_share **by_id;      /* [0] is nobody */
    apr_uint16_t *available; /* by piece: how many peers have it */
    apr_uint16_t *lent;      /* by piece: who alone was shown it, while nobody else has it; 0: nobody */
};

seed_spread *seed_spread_make(apr_uint32_t pieces, apr_uint32_t piece_length, apr_uint64_t seed, apr_time_t now)
{
    seed_spread *spread = calloc(1, sizeof *spread);

    if (!spread)
        return NULL;
    spread->available = calloc(pieces, sizeof *spread->available);
    spread->lent = calloc(pieces, sizeof *spread->lent);
    if (!spread->available || !spread->lent) {
        seed_spread_free(spread);
        return NULL;
    }
    spread->pieces = spread->fresh = pieces;
    spread->piece_length = piece_length;
    spread->window_min = WINDOW_BYTES / piece_length > WINDOW_MIN ? WINDOW_BYTES / piece_length : WINDOW_MIN;
    spread->dice = seed | 1;
    spread->ticked = now;
    return spread;
}

void seed_spread_free(seed_spread *spread)
{
    if (!spread)
        return;
    free(spread->available);
    free(spread->lent);
    free(spread->by_id);
    free(spread);
}

/* --- who has what --- */

static int is_in(const unsigned char *bits, apr_uint32_t piece)
{
    return (bits[piece / 8] & (0x80 >> (piece % 8))) != 0;
}

static unsigned is_fresh(const seed_spread *spread, apr_uint32_t piece)
{
    return !spread->available[piece] && !spread->lent[piece];
}

static void lend(seed_spread *spread, seed_share *share, apr_uint32_t piece)
{
    spread->fresh -= is_fresh(spread, piece);
    spread->lent[piece] = share->id;
    spread->unpassed++;
    share->unpassed++;
}

static void take_back(seed_spread *spread, apr_uint32_t piece)
{
    spread->by_id[spread->lent[piece]]->unpassed--;
    spread->unpassed--;
    spread->lent[piece] = 0;
    spread->fresh += is_fresh(spread, piece);
}

static void note_shown(seed_spread *spread, seed_share *share, apr_uint32_t piece)
{
    share->waiting++;
    share->unsent += spread->piece_length;
    if (is_fresh(spread, piece))
        lend(spread, share, piece);
}

static void add_piece(seed_spread *spread, seed_share *share, apr_uint32_t piece)
{
    spread->fresh -= is_fresh(spread, piece);
    if (spread->available[piece] < 0xffff)
        spread->available[piece]++;
    share->bits[piece / 8] |= (unsigned char)(0x80 >> (piece % 8));
    share->has++;
    if (spread->lent[piece] && spread->lent[piece] != share->id) { /* it was passed on */
        spread->by_id[spread->lent[piece]]->passed++;
        take_back(spread, piece);
    }
}

static void drop_piece(seed_spread *spread, seed_share *share, apr_uint32_t piece)
{
    unsigned was_fresh = is_fresh(spread, piece);

    if (spread->available[piece])
        spread->available[piece]--;
    share->bits[piece / 8] &= (unsigned char)~(0x80 >> (piece % 8));
    share->has--;
    spread->fresh += is_fresh(spread, piece) - was_fresh;
}

void seed_spread_has(seed_spread *spread, seed_share *share, apr_uint32_t piece, int now_has, int was_shown,
                     apr_time_t now)
{
    if (!share->id || is_in(share->bits, piece) == now_has)
        return;
    if (!now_has) {
        drop_piece(spread, share, piece);
        share->waiting += was_shown && !share->whole;
        return;
    }
    add_piece(spread, share, piece);
    share->waiting -= was_shown && share->waiting;
    if (share->unsent > (apr_int64_t)share->waiting * spread->piece_length) /* it got some of that from others */
        share->unsent = (apr_int64_t)share->waiting * spread->piece_length;
    share->took |= was_shown != 0;
    share->progress = now;
    if (share->known) { /* what it had when it came was not got here */
        share->gained += spread->piece_length;
        spread->gained += spread->piece_length;
    }
}

/* --- who is there --- */

static int grow_table(seed_spread *spread)
{
    apr_uint32_t most = spread->most ? spread->most * 2 : 16;
    seed_share **table = most <= IDS_MAX ? realloc(spread->by_id, most * sizeof *table) : NULL;

    if (!table)
        return 0;
    memset(table + spread->most, 0, (most - spread->most) * sizeof *table);
    spread->by_id = table;
    spread->most = most;
    return 1;
}

static int give_id(seed_spread *spread, seed_share *share)
{
    apr_uint32_t id;

    if (spread->shares + 1 >= spread->most && !grow_table(spread))
        return 0;
    for (id = 1; spread->by_id[id]; id++)
        ;
    spread->by_id[id] = share;
    share->id = (apr_uint16_t)id;
    spread->shares++;
    return 1;
}

int seed_spread_join(seed_spread *spread, seed_share *share, const unsigned char *shown, apr_time_t now)
{
    apr_uint32_t piece;

    memset(share, 0, sizeof *share);
    share->bits = calloc((spread->pieces + 7) / 8, 1);
    if (!share->bits || !give_id(spread, share)) {
        free(share->bits);
        share->bits = NULL;
        return 0;
    }
    share->window = spread->window_min;
    share->progress = now;
    share->whole = !shown;
    spread->told_bit_by_bit += !share->whole;
    for (piece = 0; shown && piece < spread->pieces; piece++) {
        if (is_in(shown, piece))
            note_shown(spread, share, piece);
    }
    return 1;
}

void seed_spread_release(seed_spread *spread, seed_share *share)
{
    apr_uint32_t piece;

    if (!share->id)
        return;
    for (piece = 0; piece < spread->pieces && share->unpassed; piece++) {
        if (spread->lent[piece] == share->id && !is_in(share->bits, piece))
            take_back(spread, piece);
    }
}

void seed_spread_leave(seed_spread *spread, seed_share *share)
{
    apr_uint32_t piece;

    if (!share->id)
        return;
    for (piece = 0; piece < spread->pieces && (share->has || share->unpassed); piece++) {
        if (spread->lent[piece] == share->id)
            take_back(spread, piece);
        if (is_in(share->bits, piece))
            drop_piece(spread, share, piece);
    }
    spread->by_id[share->id] = NULL;
    spread->shares--;
    spread->told_bit_by_bit -= !share->whole;
    free(share->bits);
    memset(share, 0, sizeof *share);
}

/* --- what it is shown --- */

/* Does it get next to nothing from others, so that the seed must feed it however well the others do? */
static int depends(const seed_spread *spread, const seed_share *share, apr_time_t now)
{
    apr_int64_t usual = spread->shares ? spread->gaining / spread->shares : 0; /* bytes a second of one of them */
    apr_interval_time_t patience = PATIENCE * APR_USEC_PER_SEC;

    if (share->has + share->waiting < STARTERS)
        return 1;
    if (usual > 0 && PATIENCE * APR_USEC_PER_SEC * (apr_int64_t)spread->piece_length / usual > patience)
        patience = PATIENCE * APR_USEC_PER_SEC * (apr_int64_t)spread->piece_length / usual;
    return now - share->progress > patience || (share->sending > 0 && share->sending * 2 >= share->gaining);
}

static apr_uint32_t window_of(const seed_spread *spread, const seed_share *share)
{
    apr_uint64_t average = spread->unpassed / (spread->told_bit_by_bit ? spread->told_bit_by_bit : 1);

    if (share->unpassed <= 2 * average + HOARD)
        return share->window;
    return share->window / 4 ? share->window / 4 : 1; /* little, but never nothing */
}

static apr_uint32_t roll(seed_spread *spread, apr_uint32_t below)
{
    spread->dice ^= spread->dice >> 12;
    spread->dice ^= spread->dice << 25;
    spread->dice ^= spread->dice >> 27;
    return (apr_uint32_t)((spread->dice * 0x2545F4914F6CDD1DULL >> 33) % below);
}

/* The rarest of some pieces that it neither has nor was shown, from anywhere; a fresh one if there is any. */
static apr_uint32_t rarest(seed_spread *spread, const seed_share *share, const unsigned char *shown)
{
    apr_uint32_t found = SEED_SPREAD_NOTHING, piece = roll(spread, spread->pieces), left, rank, best = (apr_uint32_t)-1;
    apr_uint32_t floor = spread->fresh ? 0 : 1, candidates = spread->fresh ? spread->pieces : CANDIDATES;

    for (left = spread->pieces; left && candidates && best > floor; left--, piece = piece + 1 < spread->pieces ? piece + 1 : 0) {
        if (is_in(share->bits, piece) || is_in(shown, piece))
            continue;
        candidates--;
        rank = spread->available[piece] ? spread->available[piece] : spread->lent[piece] != 0;
        if (rank < best) {
            best = rank;
            found = piece;
        }
    }
    return found;
}

apr_uint32_t seed_spread_next(seed_spread *spread, seed_share *share, const unsigned char *shown, apr_time_t now)
{
    apr_uint32_t piece;
    int keeps_back;

    if (!share->id || share->whole || share->waiting >= window_of(spread, share))
        return SEED_SPREAD_NOTHING;
    keeps_back = seed_spread_yields(spread) && !depends(spread, share, now);
    if (keeps_back && (spread->budget < spread->piece_length || share->has > spread->behind))
        return SEED_SPREAD_NOTHING; /* what little there is goes to those who are behind */
    piece = rarest(spread, share, shown);
    if (piece == SEED_SPREAD_NOTHING)
        return piece;
    if (!share->waiting)
        share->progress = now;
    spread->budget -= keeps_back ? spread->piece_length : 0;
    note_shown(spread, share, piece);
    return piece;
}

static int may_be_shown_more(const seed_spread *spread, const seed_share *share, apr_time_t now)
{
    return share->id && !share->whole && (!seed_spread_yields(spread) || depends(spread, share, now));
}

static void widen(const seed_spread *spread, seed_share *share, apr_uint32_t factor)
{
    share->dried = 1;
    share->window = share->window < spread->pieces ? share->window * factor : spread->pieces;
}

void seed_spread_dry(seed_spread *spread, seed_share *share, apr_time_t now)
{
    if (may_be_shown_more(spread, share, now) && share->unsent * 2 <= spread->piece_length)
        widen(spread, share, 2);
}

void seed_spread_spare(seed_spread *spread, seed_share *share, apr_time_t now)
{
    if (may_be_shown_more(spread, share, now) && share->took)
        widen(spread, share, 2);
}

void seed_spread_idle(seed_spread *spread, seed_share *share)
{
    if (!share->id || share->whole || !share->offered || share->took)
        return;
    seed_spread_release(spread, share);
    widen(spread, share, UNWANTED_GROWTH);
}

int seed_spread_is_fast(const seed_spread *spread, const seed_share *share)
{
    return share->id && !share->whole && (share->window >= spread->pieces / 2 || spread->leechers == 1);
}

void seed_spread_whole(seed_spread *spread, seed_share *share)
{
    seed_spread_release(spread, share);
    spread->told_bit_by_bit -= share->id && !share->whole;
    share->whole = 1;
    share->waiting = 0;
}

/* --- the rates --- */

void seed_spread_sent(seed_spread *spread, seed_share *share, apr_size_t bytes, apr_time_t now)
{
    if (!share->id)
        return;
    share->took = 1;
    share->unsent -= (apr_int64_t)bytes < share->unsent ? (apr_int64_t)bytes : share->unsent;
    share->sent += (apr_int64_t)bytes;
    spread->sent += (apr_int64_t)bytes;
    if (seed_spread_yields(spread) && share->whole && !depends(spread, share, now))
        spread->budget -= (apr_int64_t)bytes;
    share->progress = now;
}

static void average(apr_int64_t *rate, apr_int64_t *bytes, apr_interval_time_t passed)
{
    *rate += (*bytes * APR_USEC_PER_SEC / passed - *rate) / SMOOTH;
    *bytes = 0;
}

/* It shrinks slowly to what a peer takes in some time at its rate of late: so much that news never comes too late. */
static void set_window(const seed_spread *spread, seed_share *share, apr_int64_t rate)
{
    apr_uint32_t least = (apr_uint32_t)(rate / spread->piece_length < spread->pieces ? rate / spread->piece_length : spread->pieces);

    least *= WINDOW_SECONDS;
    if (least < spread->window_min)
        least = spread->window_min;
    if (!share->dried && share->window > least)
        share->window -= (share->window - least + 7) / 8;
    if (share->window < least)
        share->window = least;
}

static void tick_share(seed_spread *spread, seed_share *share, apr_interval_time_t passed, apr_time_t now)
{
    set_window(spread, share, share->sent * APR_USEC_PER_SEC / passed > share->sending ? share->sent * APR_USEC_PER_SEC / passed
                                                                                       : share->sending);
    average(&share->gaining, &share->gained, passed);
    average(&share->sending, &share->sent, passed);
    share->passed -= share->passed / PASSED_DECAY;
    share->dried = share->took = 0;
    share->offered = share->waiting > 0;
    share->known = 1;
    if (share->waiting && now - share->progress > STALLED * APR_USEC_PER_SEC)
        seed_spread_release(spread, share);
}

/* Do they get from each other about as much as ever? Less means that what most of them lack is with few, who do not pass it
 * on: a rare piece from the seed is then worth many. */
static int feed_each_other(seed_spread *spread, apr_int64_t exchange)
{
    apr_int64_t each = spread->leechers ? exchange / spread->leechers : 0;

    spread->usual -= spread->usual / PEAK_DECAY;
    if (each > spread->usual)
        spread->usual = each;
    return spread->leechers == 0 || each > spread->usual / 8 * 7;
}

/* How much the seed sends while it yields is chosen so that the swarm keeps nearly all of its speed. */
static void measure(seed_spread *spread, apr_interval_time_t passed)
{
    apr_int64_t exchange = spread->gaining > spread->sending ? spread->gaining - spread->sending : 0;
    apr_int64_t allowed = spread->peak - (exchange + spread->peak) / COST_PARTS, most;

    if (allowed < spread->peak / LEAST_PARTS)
        allowed = spread->peak / LEAST_PARTS;
    spread->fed = feed_each_other(spread, exchange) && spread->shares >= SEED_SPREAD_FEW && allowed < spread->peak / 4 * 3;
    if (!seed_spread_yields(spread)) {
        spread->peak -= spread->peak / PEAK_DECAY;
        spread->peak = spread->sending > spread->peak ? spread->sending : spread->peak;
        spread->budget = 0;
        return;
    }
    most = 2 * allowed > 2 * (apr_int64_t)spread->piece_length ? 2 * allowed : 2 * (apr_int64_t)spread->piece_length;
    spread->budget += allowed * passed / APR_USEC_PER_SEC;
    if (spread->budget > most)
        spread->budget = most;
}

/* Half-way between the average of those who are not done and the last of them. */
static void find_behind(seed_spread *spread)
{
    apr_uint32_t id, count = 0, least = spread->pieces;
    apr_uint64_t sum = 0;

    for (id = 1; id < spread->most; id++) {
        const seed_share *share = spread->by_id[id];
        if (!share || share->has == spread->pieces)
            continue;
        count++;
        sum += share->has;
        least = share->has < least ? share->has : least;
    }
    spread->leechers = count;
    spread->behind = count ? (apr_uint32_t)((sum / count + least) / 2) : 0;
}

void seed_spread_tick(seed_spread *spread, apr_time_t now)
{
    apr_interval_time_t passed = now - spread->ticked;
    apr_uint32_t id;

    if (passed < APR_USEC_PER_SEC / 4)
        return;
    spread->ticked = now;
    average(&spread->gaining, &spread->gained, passed);
    average(&spread->sending, &spread->sent, passed);
    find_behind(spread);
    measure(spread, passed);
    for (id = 1; id < spread->most; id++) {
        if (spread->by_id[id])
            tick_share(spread, spread->by_id[id], passed, now);
    }
}

int seed_spread_is_young(const seed_spread *spread)
{
    return spread->fresh > 0;
}

int seed_spread_is_lent(const seed_spread *spread, apr_uint32_t piece)
{
    return spread->lent[piece] != 0;
}

int seed_spread_yields(const seed_spread *spread)
{
    return spread->fed && !spread->fresh;
}

int seed_spread_may_serve(const seed_spread *spread, const seed_share *share, apr_time_t now)
{
    return !seed_spread_yields(spread) || !share->id || !share->whole || depends(spread, share, now) ||
           (spread->budget > 0 && share->has <= spread->behind);
}

int seed_share_merit(const seed_share *share)
{
    return (int)((apr_uint64_t)(share->passed + 1) * 100 / ((apr_uint64_t)share->passed + share->unpassed + 1));
}
