/* Peers near the one that asks, by the start of their addresses: likely of one network, and fast for each other. */
#include <string.h>

#include "tracker/fits.h"

enum {
    LOOKS = 16,  /* records looked at for each that is wanted */
    NEAREST = 2, /* steps of nearness: 2: the same /24 or /48; 1: the same /16 or /32 */
    PARTS = 4,   /* of what is looked at: after each it is seen whether enough was met, */
    ENOUGH = 4,  /* that is so many near ones for each that is wanted */
    RUN = 4,     /* blocks in a row that are looked at together: their numbers are in one node */
    BLOCKS_MAX = TRK_NUMWANT_MAX * LOOKS / 5 + 2 * RUN,
    IN_BLOCK_BITS = 4, /* of the number of what is met; above them is the number of the block */
    MET_MAX = BLOCKS_MAX * 5 + 10
};
_Static_assert(TRK_FANOUT % RUN == 0, "a run never spans two nodes");
_Static_assert(BLOCKS_MAX << IN_BLOCK_BITS <= UINT16_MAX && TRK_PEERS_SPACE / TRK_RECORD4 <= 1 << IN_BLOCK_BITS,
               "what is met is numbered in 16 bits");

/* What is near, as nothing else is known of it: by the first 8 bytes of a record. */
typedef struct {
    uint64_t self, mask, nearest_mask;
} nearness;

/* What was looked at, and of that all that is so near. */
typedef struct {
    const unsigned char *blocks[BLOCKS_MAX]; /* the first record of each */
    uint32_t first[BLOCKS_MAX];              /* and its number */
    uint32_t counts[BLOCKS_MAX];             /* records in it */
    uint32_t block_count, size;              /* bytes of a record */
    uint32_t runs[BLOCKS_MAX / RUN], run_count;
    uint32_t met[NEAREST];
    uint16_t records[NEAREST][MET_MAX]; /* block * each + record */
} look;

static uint64_t load(const unsigned char *bytes)
{
    uint64_t word;

    memcpy(&word, bytes, sizeof word);
    return word;
}

static nearness nearness_to(const trk_peer *self)
{
    static const unsigned char same[2][2][8] = {{{255, 255}, {255, 255, 255}},
                                                {{255, 255, 255, 255}, {255, 255, 255, 255, 255, 255}}};
    nearness to = {load(self->wire), load(same[self->is_v6][0]), load(same[self->is_v6][1])};

    return to;
}

/* Every record costs the same few instructions, near or not: of thousands none can be told beforehand. */
static void look_at_block(look *at, uint32_t block, const nearness *to)
{
    const unsigned char *record = at->blocks[block];
    uint32_t met = at->met[0], met_nearest = at->met[1];

    for (uint32_t i = 0; i < at->counts[block]; i++, record += at->size) {
        uint64_t differs = load(record) ^ to->self;
        unsigned is_near = (differs & to->mask) == 0, is_nearest = (differs & to->nearest_mask) == 0;

        at->records[0][met] = at->records[1][met_nearest] = (uint16_t)(block << IN_BLOCK_BITS | i);
        met += is_near - is_nearest;
        met_nearest += is_nearest;
    }
    at->met[0] = met;
    at->met[1] = met_nearest;
}

/* Has a part of the runs, spread over all of them, fetched from memory side by side. */
static void fetch_part(look *at, const trk_swarms *view, const trk_set *set, trk_place place, uint32_t part)
{
    const uint32_t each = trk_set_per_block(place), blocks = trk_set_blocks(place, set->count);

    for (uint32_t i = part; i < at->run_count; i += PARTS) {
        uint32_t first = at->runs[i] * RUN, end = blocks - first < RUN ? blocks : first + RUN;
        const trk_ref *refs = trk_array_at(view, &set->root, blocks, first);

        for (uint32_t block = first; block < end; block++) {
            const trk_peers *peers = trk_block(view, refs[block - first]);

            at->blocks[at->block_count] = peers->records;
            at->first[at->block_count] = block * each;
            at->counts[at->block_count++] = block + 1 < blocks ? each : set->count - block * each;
            trk_fetch(peers->records);
        }
    }
}

/* A small set is looked at as a whole. Of a large one, parts are enough once enough was met; they begin anywhere, so that
 * everybody has the same chance. */
static void look_around(look *at, const trk_swarms *view, const trk_set *set, trk_place place, const trk_asking *asking,
                        uint32_t want, uint64_t *random)
{
    const uint32_t each = trk_set_per_block(place), runs = (trk_set_blocks(place, set->count) + RUN - 1) / RUN;
    const nearness to = nearness_to(asking->self);
    uint32_t begin, seen = 0, enough = want * ENOUGH;

    at->size = trk_record_size(place);
    at->met[0] = at->met[1] = at->block_count = 0;
    at->run_count = (want * LOOKS + each * RUN - 1) / (each * RUN);
    if (at->run_count >= runs) {
        at->run_count = runs;
        enough = UINT32_MAX;
    }
    trk_pick(runs, at->run_count, trk_random_below(random, runs), random, at->runs);
    begin = trk_random_below(random, PARTS);
    for (uint32_t part = 0; part < PARTS && at->met[0] + at->met[1] < enough; part++) {
        fetch_part(at, view, set, place, (begin + part) % PARTS);
        for (; seen < at->block_count; seen++)
            look_at_block(at, seen, &to);
    }
}

/* Of those that are equally near, each has the same chance. */
static void draw_near(look *at, int level, trk_place place, uint32_t want, trk_asking *asking, trk_near *near)
{
    uint32_t left = at->met[level];
    uint16_t *records = at->records[level];

    while (left > 0 && near->count < want) {
        uint32_t drawn = trk_random_below(&asking->random, left);
        unsigned number = records[drawn];
        uint32_t block = number >> IN_BLOCK_BITS, in_block = number & ((1 << IN_BLOCK_BITS) - 1);
        const unsigned char *record = at->blocks[block] + in_block * at->size;

        records[drawn] = records[--left];
        if (!trk_fits(record, trk_place_is_v6(place), trk_record_seen(record, place), asking))
            continue;
        trk_near_add(near, record, at->first[block] + in_block);
    }
}

void trk_near_find(const trk_swarms *view, const trk_swarm *swarm, trk_place place, uint32_t want, trk_asking *asking,
                   trk_near *near)
{
    const trk_set *set = &swarm->sets[place];
    look at;

    near->set_count = set->count;
    memset(near->marks, 0, sizeof near->marks);
    if (asking->atlas) {
        trk_near_by_atlas(view, swarm, place, want, asking, near);
        return;
    }
    look_around(&at, view, set, place, asking, want, &asking->random);
    for (int level = NEAREST - 1; level >= 0; level--)
        draw_near(&at, level, place, want, asking, near);
}
