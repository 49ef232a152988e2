#include "seeder/bans.h"

#include <openssl/rand.h>

#define LOAD(where) __atomic_load_n(&(where), __ATOMIC_RELAXED)
#define STORE(where, value) __atomic_store_n(&(where), (value), __ATOMIC_RELAXED)

void seed_bans_init(seed_bans *bans)
{
    /* Without luck the key stays zero: places can then be foreseen, and all else holds. */
    RAND_bytes(bans->key, sizeof bans->key);
}

static const seed_ban *set_of(const seed_bans *bans, const seed_address *address)
{
    apr_uint64_t hash = apr_siphash24(&address->bits, sizeof address->bits, bans->key);

    return bans->places[(hash + (apr_uint64_t)address->family) % SEED_BAN_SETS];
}

static seed_ban *find(const seed_bans *bans, const seed_address *address)
{
    const seed_ban *set = set_of(bans, address);
    int i;

    for (i = 0; i < SEED_BAN_WAYS; i++) {
        if (LOAD(set[i].first) && LOAD(set[i].bits) == address->bits &&
            LOAD(set[i].family) == (apr_uint32_t)address->family)
            return (seed_ban *)(apr_uintptr_t)&set[i];
    }
    return NULL;
}

/* Whose place is given to a newcomer: a free one, else one that is not banned, else the ban that ends first; among equals
 * the one that has been quiet for longest. */
static int is_dearer(const seed_ban *a, const seed_ban *b, apr_time_t now)
{
    apr_int64_t a_until = LOAD(a->until) > now ? LOAD(a->until) : 0, b_until = LOAD(b->until) > now ? LOAD(b->until) : 0;

    return a_until != b_until ? a_until > b_until : LOAD(a->first) > LOAD(b->first);
}

static seed_ban *make_place(seed_bans *bans, const seed_address *address, apr_time_t now)
{
    seed_ban *set = (seed_ban *)(apr_uintptr_t)set_of(bans, address), *place = set;
    int i;

    for (i = 1; i < SEED_BAN_WAYS; i++) {
        if (is_dearer(place, &set[i], now))
            place = &set[i];
    }
    STORE(place->first, 0);
    STORE(place->bits, address->bits);
    STORE(place->family, (apr_uint32_t)address->family);
    STORE(place->until, 0);
    STORE(place->faults, 0);
    return place;
}

int seed_bans_note(seed_bans *bans, const seed_address *address, const seed_ban_bound *bound, apr_time_t now)
{
    seed_ban *place;

    if (!address->family)
        return 0;
    place = find(bans, address);
    if (!place)
        place = make_place(bans, address, now);
    if (LOAD(place->until) > now)
        return 0; /* it is banned: this is a connection from before */
    if (!LOAD(place->first) || now - LOAD(place->first) >= bound->within) {
        STORE(place->faults, 0);
        STORE(place->first, now ? now : 1);
    }
    STORE(place->faults, LOAD(place->faults) + 1);
    if (LOAD(place->faults) < bound->faults)
        return 0;
    STORE(place->faults, 0);
    STORE(place->until, now + bound->lasts);
    return 1;
}

int seed_bans_refuses(const seed_bans *bans, const seed_address *address, apr_time_t now)
{
    const seed_ban *place = address->family ? find(bans, address) : NULL;

    return place && LOAD(place->until) > now;
}

int seed_bans_count(const seed_bans *bans, apr_time_t now)
{
    const seed_ban *places = &bans->places[0][0];
    int i, count = 0;

    for (i = 0; i < SEED_BAN_SETS * SEED_BAN_WAYS; i++)
        count += LOAD(places[i].first) && LOAD(places[i].until) > now;
    return count;
}
