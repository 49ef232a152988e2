/* Which peers an announce is told of: slices of the sets, spread over each and beginning at random, so that nobody is
 * served for its address, its id or its age. */
#include <string.h>

#include "tracker/address.h"
#include "tracker/shard.h"

enum { SLICE = 5 /* records that lie together and are taken together */ };

static int is_own_seed(const trk_asking *asking, const trk_peer *peer)
{
    apr_size_t ip_size = trk_wire_size(peer->is_v6) - 2;

    for (int i = 0; i < asking->seed_count; i++) {
        const trk_address *seed = &asking->seeds[i];

        if (seed->is_v6 == peer->is_v6 && memcmp(seed->ip, peer->wire, ip_size) == 0 &&
            seed->port == (peer->wire[ip_size] << 8 | peer->wire[ip_size + 1]))
            return 1;
    }
    return 0;
}

static int is_self(const trk_asking *asking, const trk_peer *peer)
{
    return peer->is_v6 == asking->self->is_v6 &&
           memcmp(peer->wire, asking->self->wire, trk_wire_size(peer->is_v6)) == 0;
}

static void name(const trk_peer *peer, trk_answer *answer)
{
    if (peer->is_v6)
        memcpy(answer->peers6 + 18 * answer->count6++, peer->wire, 18);
    else
        memcpy(answer->peers4 + 6 * answer->count4++, peer->wire, 6);
}

/* @return 1 if the peer was named */
static int name_if_fit(const trk_peer *peer, const trk_asking *asking, trk_answer *answer)
{
    if (is_self(asking, peer) || is_own_seed(asking, peer) || (asking->self->is_seed && peer->is_seed) ||
        trk_age(peer->seen, asking->now) > asking->limit ||
        (!asking->allow_private && trk_address_is_private(peer->wire, peer->is_v6)))
        return 0;
    name(peer, answer);
    return 1;
}

/* Cuts a set into as many strata as slices are wanted and takes one slice of each, from a random place in it. */
static void draw(const trk_swarms *view, const trk_swarm *swarm, trk_place place, uint32_t want, trk_asking *asking,
                 trk_answer *answer)
{
    uint64_t count = trk_place_count(swarm, place), draws, slices, turn, drawn = 0, named = 0;

    if (want == 0 || count == 0)
        return;
    draws = want + (uint64_t)1; /* one may be the one that asks */
    if (draws > count)
        draws = count;
    slices = (draws + SLICE - 1) / SLICE;
    turn = trk_random(&asking->random) % count;
    for (uint64_t i = 0; i < slices; i++) {
        uint64_t start = count * i / slices, length = count * (i + 1) / slices - start;
        uint64_t take = draws * (i + 1) / slices - drawn;

        if (take > length)
            take = length; /* the next makes up for it */
        drawn += take;
        start += turn + trk_random(&asking->random) % (length - take + 1);
        for (uint64_t j = 0; j < take && named < want; j++) {
            trk_peer peer;

            trk_peer_read(view, swarm, place, (uint32_t)((start + j) % count), &peer);
            named += (uint64_t)name_if_fit(&peer, asking, answer);
        }
    }
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

void trk_select(const trk_swarms *view, const trk_swarm *swarm, trk_asking *asking, trk_answer *answer)
{
    int own = asking->self->is_v6;
    uint32_t want = (uint32_t)asking->want, part;

    for (int i = 0; i < asking->seed_count && want > 0 && !asking->self->is_seed; i++) {
        trk_peer seed = {{0}, (unsigned char)asking->seeds[i].is_v6, 1, 0, 0};
        apr_size_t ip_size = trk_wire_size(seed.is_v6) - 2;

        memcpy(seed.wire, asking->seeds[i].ip, ip_size);
        seed.wire[ip_size] = (unsigned char)(asking->seeds[i].port >> 8);
        seed.wire[ip_size + 1] = (unsigned char)(asking->seeds[i].port & 0xff);
        if (is_self(asking, &seed))
            continue;
        name(&seed, answer);
        want--;
    }
    if (!swarm || want == 0)
        return;
    if (!swarm->is_big) {
        draw(view, swarm, TRK_INSIDE, want, asking, answer);
        return;
    }
    part = share(want, family(swarm, own, asking), family(swarm, !own, asking));
    draw_family(view, swarm, own, part, asking, answer);
    draw_family(view, swarm, !own, want - part, asking, answer);
}
