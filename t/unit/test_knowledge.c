/* What is known of torrents beyond their pieces: infodicts for each info-hash, bounded, dropped when nobody asks. */
#include "t/unit/unit.h"

#include <string.h>

#include <openssl/evp.h>

#include "seeder/knowledge.h"
#include "t/unit/seed_world.h"

enum { FILES = 3 };

typedef struct {
    world *world;
    seed_library library;
    cat_entry entries[FILES];
    seed_knowledge *known[FILES];
} fixture;

static int set_up(void **state)
{
    static fixture f;
    static const char *const names[FILES] = {"a", "b", "c"};
    bt_infohash v1, v2;

    memset(&f, 0, sizeof f);
    f.world = world_make();
    seed_library_init(&f.library);
    for (int i = 0; i < FILES; i++) {
        const char *path = world_file(f.world, names[i], 5 * WORLD_PIECE + (apr_uint64_t)i, TG_HYBRID, &v1, &v2);
        assert_int_equal(cat_find_path(f.world->config.catalog, path, f.world->pool, &f.entries[i]), APR_SUCCESS);
    }
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;

    seed_library_free(&f->library);
    assert_int_equal(f->library.size, 0);
    for (int i = 0; i < FILES; i++)
        assert_null(f->known[i]);
    world_free(f->world);
    return 0;
}

static apr_status_t get(fixture *f, int i, apr_time_t now)
{
    return seed_knowledge_get(&f->library, f->world->config.catalog, &f->entries[i], &f->known[i], now);
}

/* The infodict that a peer gets has the hash by which it came. */
static void the_infodict_of_each_hash(void **state)
{
    fixture *f = *state;
    const bt_infohash *hashes[SEED_KNOWN_COUNT] = {&f->entries[0].v1, &f->entries[0].v1_keyless,
                                                   &f->entries[0].v1_alone};
    const unsigned char *infodict, *again;
    apr_size_t length, size;

    assert_int_equal(get(f, 0, 1), APR_SUCCESS);
    size = f->library.size;
    for (int round = 0; round < 2; round++) {
        for (int by = 0; by < SEED_KNOWN_COUNT; by++) {
            bt_infohash hash;
            assert_int_equal(seed_knowledge_infodict(&f->library, f->known[0], (seed_known_by)by, &infodict, &length),
                             APR_SUCCESS);
            EVP_Digest(infodict, length, hash.b, NULL, EVP_sha1(), NULL);
            if (by != SEED_KNOWN_FULL) /* this one is made up in this world */
                assert_true(bt_infohash_equal(&hash, hashes[by]));
            assert_int_equal(by == SEED_KNOWN_FULL, length == f->entries[0].infodict_length);
        }
        assert_true(f->library.size > size);
        if (round == 0)
            size = f->library.size - 1; /* the second time nothing is made */
    }
    assert_int_equal(f->library.size, size + 1);
    again = infodict;
    assert_int_equal(get(f, 0, 2), APR_SUCCESS);
    seed_knowledge_infodict(&f->library, f->known[0], SEED_KNOWN_ALONE, &infodict, &length);
    assert_ptr_equal(again, infodict);
    seed_knowledge_drop(&f->library, &f->known[0]);
    seed_knowledge_drop(&f->library, &f->known[0]);
    assert_int_equal(f->library.size, 0);
}

/* Where there is no room, those go that were not asked for longest. */
static void the_bound(void **state)
{
    fixture *f = *state;
    apr_size_t others;

    get(f, 0, 1);
    get(f, 1, 2);
    get(f, 0, 3);
    others = SEED_KNOWLEDGE_MAX - f->library.size;
    f->library.size += others; /* as if much else were known */
    assert_int_equal(get(f, 2, 4), APR_SUCCESS);
    assert_non_null(f->known[2]);
    assert_null(f->known[1]);
    f->library.size -= others;
    seed_knowledge_drop(&f->library, &f->known[0]);
    seed_knowledge_drop(&f->library, &f->known[2]);
    f->entries[0].layer_length = SEED_KNOWLEDGE_ONE;
    assert_int_equal(get(f, 0, 5), APR_ENOSPC);
}

/* Who comes and goes cannot have large ones read all the time. */
static void the_pace(void **state)
{
    fixture *f = *state;
    apr_time_t now = 1;
    int loads = 0;

    for (; get(f, 0, now) == APR_SUCCESS; loads++)
        seed_knowledge_drop(&f->library, &f->known[0]);
    assert_true(loads > 100);
    assert_int_equal(get(f, 0, now), APR_EAGAIN);
    assert_null(f->known[0]);
    f->entries[0].members_length += 20 * 1024 * 1024;
    assert_int_equal(get(f, 0, now + APR_USEC_PER_SEC), APR_SUCCESS);
    assert_int_equal(get(f, 1, now + APR_USEC_PER_SEC), APR_SUCCESS);
    seed_knowledge_drop(&f->library, &f->known[0]);
}

/* Making a reduced infodict may push out others, but not the one that it is of. */
static void the_bound_of_reduced_ones(void **state)
{
    fixture *f = *state;
    const unsigned char *infodict;
    apr_size_t length, others;

    get(f, 0, 1);
    get(f, 1, 2);
    others = SEED_KNOWLEDGE_MAX - f->library.size;
    f->library.size += others;
    assert_int_equal(seed_knowledge_infodict(&f->library, f->known[1], SEED_KNOWN_ALONE, &infodict, &length), APR_SUCCESS);
    assert_null(f->known[0]);
    assert_non_null(f->known[1]);
    f->library.size += SEED_KNOWLEDGE_MAX;
    assert_int_equal(seed_knowledge_infodict(&f->library, f->known[1], SEED_KNOWN_KEYLESS, &infodict, &length),
                     APR_SUCCESS);
    assert_non_null(f->known[1]);
    f->library.size -= others + SEED_KNOWLEDGE_MAX;
}

static void what_nobody_asks_for(void **state)
{
    const apr_time_t after = SEED_KNOWLEDGE_SECONDS * APR_USEC_PER_SEC;
    fixture *f = *state;

    get(f, 0, 1);
    get(f, 1, 5);
    seed_library_tick(&f->library, after);
    assert_non_null(f->known[0]);
    seed_library_tick(&f->library, after + 1);
    assert_null(f->known[0]);
    assert_non_null(f->known[1]);
    get(f, 1, after);
    seed_library_tick(&f->library, after + 5);
    assert_non_null(f->known[1]);
}

static void a_torrent_that_went_away(void **state)
{
    fixture *f = *state;

    cat_forget(f->world->config.catalog, f->entries[0].path);
    assert_int_equal(get(f, 0, 1), APR_NOTFOUND);
    assert_null(f->known[0]);
    assert_int_equal(f->library.size, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_infodict_of_each_hash), TEST(the_bound), TEST(the_pace),
        TEST(the_bound_of_reduced_ones), TEST(what_nobody_asks_for),
        TEST(a_torrent_that_went_away),
    };
    apr_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
