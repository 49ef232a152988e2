/* Which peers an announce is told of: a part that is near (near.c), and slices of the sets, spread over each and
 * beginning at random, so that nobody is served for its address, its id or its age. */
#include <string.h>

#include "tracker/fits.h"

enum { SLICE = 5 /* records that lie together in one block and are taken together */ };
_Static_assert(TRK_PEERS_SPACE / 24 == SLICE && TRK_PEERS_SPACE / 12 % SLICE == 0, "a slice never spans two blocks");

static void name(const unsigned char *wire, int is_v6, trk_answer *answer)
{
    if (is_v6)
        memcpy(answer->peers6 + 18 * answer->count6++, wire, 18);
    else
        memcpy(answer->peers4 + 6 * answer->count4++, wire, 6);
}

static void draw_small(const trk_swarms *view, const trk_swarm *swarm, trk_asking *asking, trk_answer *answer)
{
    uint32_t count = trk_place_count(swarm, TRK_INSIDE), turn = count ? trk_random_below(&asking->random, count) : 0;
    int named = 0;

    for (uint32_t i = 0; i < count && named < asking->want; i++) {
        trk_peer peer;

        trk_peer_read(view, swarm, TRK_INSIDE, turn + i < count ? turn + i : turn + i - count, &peer);
        if ((asking->self->is_seed && peer.is_seed) || !trk_fits(peer.wire, peer.is_v6, peer.seen, asking))
            continue;
        name(peer.wire, peer.is_v6, answer);
        named++;
    }
}

void trk_pick(uint32_t count, uint32_t picks, uint32_t turn, uint64_t *random, uint32_t picked[])
{
    const uint64_t stratum = picks ? ((uint64_t)count << 32) / picks : 0; /* in 32.32 bits */
    uint64_t at = 0;

    for (uint32_t i = 0; i < picks; i++, at += stratum) {
        uint32_t start = (uint32_t)(at >> 32), end = i + 1 < picks ? (uint32_t)((at + stratum) >> 32) : count;
        uint32_t pick = start + trk_random_below(random, end - start);

        picked[i] = pick < count - turn ? pick + turn : pick - (count - turn);
    }
}

/* Names those of `count` records in a row that fit, but for those that are near. Made for each family by the compiler.
 * @return how many were named, at most `want` */
static inline __attribute__((always_inline)) uint32_t name_slice(const unsigned char *record, uint32_t first, uint32_t count,
                                                                 uint32_t want, int is_v6, const trk_near *near,
                                                                 const trk_asking *asking, trk_answer *answer)
{
    const trk_place place = is_v6 ? TRK_LEECHERS6 : TRK_LEECHERS4; /* or seeds: records are alike */
    uint32_t named = 0;

    for (uint32_t i = 0; i < count && named < want; i++, record += trk_record_size(place)) {
        if (trk_near_has(near, first + i, record) || !trk_fits(record, is_v6, trk_record_seen(record, place), asking))
            continue;
        name(record, is_v6, answer);
        named++;
    }
    return named;
}

/* Draws from all of a set, passing over those that were named for being near. */
static void draw_far(const trk_swarms *view, const trk_swarm *swarm, trk_place place, uint32_t want,
                     const trk_near *near, trk_asking *asking, trk_answer *answer)
{
    enum { PICKS = TRK_NUMWANT_MAX / SLICE + 3 };
    const uint32_t count = trk_place_count(swarm, place);
    const int is_v6 = trk_place_is_v6(place);
    const unsigned char *records[PICKS];
    uint32_t first[PICKS], named = 0;
    uint32_t slices = (count + SLICE - 1) / SLICE, picks = (want + near->count + 1 + SLICE - 1) / SLICE + 1;

    /* So many that one peer may be the one that asks, and one slice, the last of the set, short. */
    if (picks > slices)
        picks = slices;
    trk_pick(slices, picks, trk_random_below(&asking->random, slices), &asking->random, first);
    for (uint32_t i = 0; i < picks; i++) {
        records[i] = trk_set_record(view, swarm, place, first[i] *= SLICE);
        trk_fetch(records[i]);
    }
    for (uint32_t i = 0; i < picks && named < want; i++) {
        uint32_t end = count - first[i] < SLICE ? count - first[i] : SLICE;

        named += is_v6 ? name_slice(records[i], first[i], end, want - named, 1, near, asking, answer)
                       : name_slice(records[i], first[i], end, want - named, 0, near, asking, answer);
    }
}

static void draw(const trk_swarms *view, const trk_swarm *swarm, trk_place place, uint32_t want, trk_asking *asking,
                 trk_answer *answer)
{
    uint32_t count = trk_place_count(swarm, place), near_want = want * (uint32_t)asking->nearness / 100;
    int is_own_family = place == trk_place_of(asking->self->is_v6, 0) || place == trk_place_of(asking->self->is_v6, 1);
    trk_near near;

    if (want == 0 || count == 0)
        return;
    near.count = 0;
    if (near_want > 0 && count > want && is_own_family)
        trk_near_find(view, swarm, place, near_want, asking, &near);
    for (uint32_t i = 0; i < near.count; i++)
        name(near.records[i], asking->self->is_v6, answer);
    draw_far(view, swarm, place, want - near.count, &near, asking, answer);
}

/* Splits `want` between two groups by their numbers, but leaves the first at least half if it has so many.
 * @return what the first gets */
static uint32_t share(uint32_t want, uint32_t first, uint32_t second)
{
    uint64_t all = (uint64_t)first + second;
    uint32_t part;

    if (all <= want)
        return first;
    part = (uint32_t)((uint64_t)want * first / all);
    if (part < (want + 1) / 2)
        part = (want + 1) / 2;
    if (part < want && want - part > second)
        part = want - second;
    return part < first ? part : first;
}

/* How many of a set may be named: not the one that asks. (It asks for seeds only if it is none.) */
static uint32_t candidates(const trk_swarm *swarm, trk_place place, const trk_asking *asking)
{
    int is_own = asking->self_kept && place == trk_place_of(asking->self->is_v6, asking->self->is_seed);

    return trk_place_count(swarm, place) - (uint32_t)is_own;
}

/* Leechers before seeds: they have use for each other, and the server itself is a seed. */
static void draw_family(const trk_swarms *view, const trk_swarm *swarm, int is_v6, uint32_t want, trk_asking *asking,
                        trk_answer *answer)
{
    trk_place leechers = trk_place_of(is_v6, 0), seeds = trk_place_of(is_v6, 1);
    uint32_t seed_count = asking->self->is_seed ? 0 : trk_place_count(swarm, seeds);
    uint32_t part = share(want, candidates(swarm, leechers, asking), seed_count);

    draw(view, swarm, leechers, part, asking, answer);
    if (seed_count)
        draw(view, swarm, seeds, want - part, asking, answer);
}

static uint32_t family(const trk_swarm *swarm, int is_v6, const trk_asking *asking)
{
    uint32_t count = candidates(swarm, trk_place_of(is_v6, 0), asking);

    return asking->self->is_seed ? count : count + trk_place_count(swarm, trk_place_of(is_v6, 1));
}

/* The port by which the client that asks is told of an own seed, or 0: it is not. */
static apr_uint16_t told_port(const trk_asking *asking, const trk_address *seed)
{
    if (asking->refuses_http_ports && trk_is_http_port(seed->port))
        return asking->second_port;
    return seed->port;
}

/* With the second port two seeds may have become the same. */
static int is_named(const trk_answer *answer, const trk_peer *peer)
{
    const unsigned char *wires = peer->is_v6 ? answer->peers6 : answer->peers4;
    int count = peer->is_v6 ? answer->count6 : answer->count4, size = (int)trk_wire_size(peer->is_v6);

    for (int i = 0; i < count; i++)
        if (memcmp(wires + i * size, peer->wire, (apr_size_t)size) == 0)
            return 1;
    return 0;
}

/* @return how many were named, at most `want` */
static uint32_t name_own_seeds(const trk_asking *asking, uint32_t want, trk_answer *answer)
{
    uint32_t named = 0;

    for (int i = 0; i < asking->seed_count && named < want; i++) {
        trk_peer seed = {.is_v6 = (unsigned char)asking->seeds[i].is_v6, .is_seed = 1};
        apr_size_t ip_size = trk_wire_size(seed.is_v6) - 2;
        apr_uint16_t port = told_port(asking, &asking->seeds[i]);

        memcpy(seed.wire, asking->seeds[i].ip, ip_size);
        seed.wire[ip_size] = (unsigned char)(port >> 8);
        seed.wire[ip_size + 1] = (unsigned char)(port & 0xff);
        if (port == 0 || !trk_can_be_told(asking, seed.wire, seed.is_v6) || is_named(answer, &seed))
            continue;
        name(seed.wire, seed.is_v6, answer);
        named++;
    }
    return named;
}

void trk_select(const trk_swarms *view, const trk_swarm *swarm, trk_asking *asking, trk_answer *answer)
{
    int own = asking->self->is_v6;
    uint32_t want = (uint32_t)asking->want, part;

    if (!asking->self->is_seed && !asking->spare_seeds)
        want -= name_own_seeds(asking, want, answer);
    if (!swarm || want == 0)
        return;
    if (!swarm->is_big) {
        asking->want = (int)want;
        draw_small(view, swarm, asking, answer);
        return;
    }
    part = asking->one_family ? want : share(want, family(swarm, own, asking), family(swarm, !own, asking));
    draw_family(view, swarm, own, part, asking, answer);
    draw_family(view, swarm, !own, want - part, asking, answer);
}
