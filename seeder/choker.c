#include "seeder/choker.h"

#include <stdlib.h>

enum { AUTO_SLOTS_MIN = 4, AUTO_SLOTS_UNKNOWN = 64, AUTO_SLOTS_MAX = 1000000, AUTO_SLOT_RATE = 128 * 1024 };

int seed_choker_slots(int configured, apr_int64_t upload_rate, apr_int64_t uplink)
{
    apr_int64_t least = upload_rate > 0 ? AUTO_SLOTS_MIN : AUTO_SLOTS_UNKNOWN;
    apr_int64_t slots = (upload_rate > 0 ? upload_rate : uplink) / AUTO_SLOT_RATE;

    if (configured > 0)
        return configured;
    return slots < least ? (int)least : slots > AUTO_SLOTS_MAX ? AUTO_SLOTS_MAX : (int)slots;
}

/* How long it has waited, as far as it counts. */
static apr_int64_t waited(const seed_candidate *c)
{
    return c->waited * (100 + 2 * c->merit) / 100;
}

/* Those within their turn, then those who wait, longest first, then those whose turn is over, latest first. */
static int rank(const seed_candidate *c)
{
    return !c->interested ? 3 : c->serve ? 0 : c->unchoked ? 2 : 1;
}

static int by_claim(const void *left, const void *right)
{
    const seed_candidate *a = left, *b = right;
    int order = rank(a) - rank(b), longer = (waited(a) < waited(b)) - (waited(a) > waited(b));

    if (order)
        return order;
    if (rank(a) == 2 && a->idle != b->idle)
        return a->idle - b->idle;
    if (longer)
        return rank(a) == 2 ? -longer : longer;
    return (a->turns > b->turns) - (a->turns < b->turns);
}

void seed_choker_decide(seed_candidate *candidates, int count, int slots, apr_time_t now, apr_interval_time_t turn)
{
    int i;

    for (i = 0; i < count; i++) {
        seed_candidate *c = &candidates[i];
        c->serve = c->interested && c->unchoked && !c->idle && now - c->since < turn;
        c->waited = now - c->since;
    }
    qsort(candidates, (size_t)count, sizeof *candidates, by_claim);
    for (i = 0; i < count; i++)
        candidates[i].serve = i < slots && candidates[i].interested;
}
