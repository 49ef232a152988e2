/* Peers near the one that asks, by the start of their addresses and by what an atlas says of them. */
#include <string.h>

#include "tracker/fits.h"

enum {
    LOOKS = 16,  /* records looked at for each that is wanted */
    NEAREST = 4, /* steps of nearness: 4: the same /24 or /48; 3: network; 2: /16 or /32; 1: country */
    LOOKUPS = 128, /* of these, so many are looked up in an atlas, which takes longer: the same number of each block */
    BLOCKS_MAX = TRK_NUMWANT_MAX * LOOKS / 5 + 1
};

/* Of all that were met so near, each is held with the same chance (reservoir sampling). */
typedef struct {
    uint32_t met, count;
    const unsigned char *records[TRK_NUMWANT_MAX];
    uint32_t numbers[TRK_NUMWANT_MAX]; /* of the records, in their set */
} reservoir;

static trk_location locate(const trk_asking *asking, const unsigned char *ip)
{
    return asking->atlas->locate(asking->atlas->baton, ip, asking->self->is_v6);
}

static int nearness(const unsigned char *record, trk_asking *asking)
{
    const trk_peer *self = asking->self;
    apr_size_t step = self->is_v6 ? 4 : 2;
    int is_near = memcmp(record, self->wire, step) == 0;
    trk_location there = {0, 0};

    if (is_near && memcmp(record + step, self->wire + step, step / 2) == 0)
        return NEAREST;
    if (asking->lookups > 0) {
        asking->lookups--;
        there = locate(asking, record);
    }
    if (there.network && there.network == asking->here.network)
        return 3;
    return is_near ? 2 : there.country && there.country == asking->here.country;
}

static void hold(reservoir *of, const unsigned char *record, uint32_t number, uint32_t want, trk_asking *asking)
{
    uint32_t place = of->met++;

    if (place >= want)
        place = trk_random_below(&asking->random, of->met);
    else
        of->count++;
    if (place >= want)
        return;
    of->records[place] = record;
    of->numbers[place] = number;
}

/* Begins anywhere in it, so that the place in the block does not decide who is looked up. */
static void look_at_block(const unsigned char *block, uint32_t first, uint32_t count, trk_place place, uint32_t want,
                          trk_asking *asking, reservoir levels[NEAREST])
{
    uint32_t turn = trk_random_below(&asking->random, count);

    for (uint32_t i = 0; i < count; i++) {
        uint32_t nth = (turn + i) % count;
        const unsigned char *record = block + nth * trk_record_size(place);
        int how = nearness(record, asking);

        if (how > 0 && trk_fits(record, trk_place_is_v6(place), trk_record_seen(record, place), asking))
            hold(&levels[how - 1], record, first + nth, want, asking);
    }
}

/* Picks `picks` of the set's blocks, one of each of as many strata, and fetches them from memory side by side. */
static void pick_blocks(const trk_swarms *view, const trk_swarm *swarm, trk_place place, uint64_t blocks, uint64_t picks,
                        trk_asking *asking, const unsigned char *records[], uint32_t first[])
{
    for (uint64_t i = 0; i < picks; i++) {
        uint64_t start = blocks * i / picks, length = blocks * (i + 1) / picks - start;

        first[i] = (uint32_t)(start + trk_random_below(&asking->random, length)) * trk_set_per_block(place);
        records[i] = trk_set_record(view, swarm, place, first[i]);
        trk_fetch(records[i]);
    }
}

void trk_near_by_atlas(const trk_swarms *view, const trk_swarm *swarm, trk_place place, uint32_t want, trk_asking *asking,
                       trk_near *near)
{
    const uint32_t count = trk_place_count(swarm, place), each = trk_set_per_block(place);
    const unsigned char *records[BLOCKS_MAX];
    uint32_t first[BLOCKS_MAX];
    uint64_t blocks = trk_set_blocks(place, count), picks = ((uint64_t)want * LOOKS + each - 1) / each;
    reservoir levels[NEAREST];

    asking->here = locate(asking, asking->self->wire);
    for (int i = 0; i < NEAREST; i++)
        levels[i].met = levels[i].count = 0;
    if (picks > blocks)
        picks = blocks;
    pick_blocks(view, swarm, place, blocks, picks, asking, records, first);
    for (uint64_t i = 0; i < picks; i++) {
        asking->lookups = (int)((LOOKUPS + picks - 1) / picks);
        look_at_block(records[i], first[i], count - first[i] < each ? count - first[i] : each, place, want, asking, levels);
    }
    for (int level = NEAREST - 1; level >= 0; level--)
        for (uint32_t i = 0; i < levels[level].count && near->count < want; i++)
            trk_near_add(near, levels[level].records[i], levels[level].numbers[i]);
}
