#include "seeder/counters.h"

#include <string.h>

#include <apr_siphash.h>
#include <apr_time.h>

enum { MAGIC = 0x42544350, LAYOUT = 5 };

static const apr_time_t FAILED_FOR = 10 * APR_USEC_PER_SEC;

#define LOAD(where) __atomic_load_n(&(where), __ATOMIC_RELAXED)
#define STORE(where, value) __atomic_store_n(&(where), (value), __ATOMIC_RELAXED)

apr_size_t seed_counters_size(void)
{
    return sizeof(seed_counters);
}

void seed_counters_init(void *memory)
{
    seed_counters *page = memory;

    memset(page, 0, sizeof *page);
    page->magic = MAGIC;
    page->layout = LAYOUT;
    page->size = sizeof *page;
    seed_bans_init(&page->banned);
}

int seed_counters_usable(const void *memory, apr_size_t size)
{
    const seed_counters *page = memory;

    return size >= sizeof *page && page->magic == MAGIC && page->layout == LAYOUT && page->size == sizeof *page;
}

void seed_count(apr_uint64_t *counter, apr_int64_t change)
{
    __atomic_fetch_add(counter, (apr_uint64_t)change, __ATOMIC_RELAXED);
}

const char *seed_close_name(seed_close_reason reason)
{
    static const char *const names[SEED_CLOSE_REASONS] = {
        "gone",       "garbage",     "handshake-timeout", "unknown-hash", "withdrawn", "bad-length",
        "bad-message", "bad-request", "flood",             "slow-reader",  "idle",      "full",
        "full-address", "also-seed",   "read-error",        "shutdown",
        "have-flood",  "metadata-flood", "pex-flood",      "hash-flood",   "request-flood", "full-swarm",
        "trickle",     "banned",         "no-memory",         "bad-encryption", "not-encrypted", "encrypted",
    };

    return reason < SEED_CLOSE_REASONS ? names[reason] : "?";
}

int seed_close_is_malice(seed_close_reason reason)
{
    switch (reason) {
    case SEED_CLOSE_BAD_LENGTH:
    case SEED_CLOSE_BAD_MESSAGE:
    case SEED_CLOSE_BAD_REQUEST:
    case SEED_CLOSE_FLOOD:
    case SEED_CLOSE_HAVE_FLOOD:
    case SEED_CLOSE_METADATA_FLOOD:
    case SEED_CLOSE_PEX_FLOOD:
    case SEED_CLOSE_HASH_FLOOD:
    case SEED_CLOSE_REQUEST_FLOOD:
        return 1;
    default:
        return 0;
    }
}

/* Every process must come to the same key; paths are the server's own, so a fixed secret does. Never 0. */
static apr_uint64_t key_of(const char *path)
{
    static const unsigned char secret[APR_SIPHASH_KSIZE] = "bthttp job slot";
    apr_uint64_t key = apr_siphash24(path, strlen(path), secret);

    return key ? key : 1;
}

static seed_job_slot *find_job(const seed_counters *page, apr_uint64_t key)
{
    seed_job_slot *slots = (seed_job_slot *)(apr_uintptr_t)page->jobs;
    apr_uint64_t i;

    for (i = 0; i < SEED_JOB_SLOTS; i++) {
        seed_job_slot *slot = &slots[(key + i) % SEED_JOB_SLOTS];
        if (LOAD(slot->key) == key && LOAD(slot->state) != SEED_JOB_FREE)
            return slot;
    }
    return NULL;
}

int seed_job_progress(const seed_counters *page, const char *path)
{
    const seed_job_slot *slot = find_job(page, key_of(path));

    if (!slot)
        return -1;
    if (LOAD(slot->state) == SEED_JOB_RUNNING)
        return (int)LOAD(slot->percent);
    return apr_time_now() - LOAD(slot->changed) < FAILED_FOR ? -2 : -1;
}

/* Only one claimer wins a slot. A reader in between sees RUNNING with an old key or none: at worst a percentage of
 * another file for a moment. */
static int claim(seed_job_slot *slot, apr_uint32_t from, apr_uint64_t key)
{
    apr_uint32_t expected = from;

    if (!__atomic_compare_exchange_n(&slot->state, &expected, SEED_JOB_RUNNING, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        return 0;
    STORE(slot->percent, 0);
    STORE(slot->changed, apr_time_now());
    STORE(slot->key, key);
    return 1;
}

int seed_job_begin(seed_counters *page, const char *path)
{
    apr_uint64_t key = key_of(path), i;
    seed_job_slot *slot = find_job(page, key);
    apr_uint32_t state;

    if (slot)
        return LOAD(slot->state) == SEED_JOB_FAILED && claim(slot, SEED_JOB_FAILED, key);
    for (i = 0; i < SEED_JOB_SLOTS; i++) {
        slot = &page->jobs[(key + i) % SEED_JOB_SLOTS];
        if (LOAD(slot->state) == SEED_JOB_FREE && claim(slot, SEED_JOB_FREE, key))
            return 1;
    }
    for (i = 0; i < SEED_JOB_SLOTS; i++) { /* then one that only remembers a failure */
        slot = &page->jobs[(key + i) % SEED_JOB_SLOTS];
        state = LOAD(slot->state);
        if (state == SEED_JOB_FAILED && claim(slot, state, key))
            return 1;
    }
    return 0;
}

void seed_job_percent(seed_counters *page, const char *path, int percent)
{
    seed_job_slot *slot = find_job(page, key_of(path));

    if (slot)
        STORE(slot->percent, (apr_uint32_t)(percent < 0 ? 0 : percent > 100 ? 100 : percent));
}

static void release(seed_job_slot *slot)
{
    STORE(slot->key, 0);
    __atomic_store_n(&slot->state, SEED_JOB_FREE, __ATOMIC_RELEASE);
}

void seed_job_end(seed_counters *page, const char *path, int failed)
{
    seed_job_slot *slot = find_job(page, key_of(path));

    if (!slot)
        return;
    STORE(slot->changed, apr_time_now());
    if (failed)
        STORE(slot->state, SEED_JOB_FAILED);
    else
        release(slot);
}

void seed_job_clear(seed_counters *page)
{
    int i;

    for (i = 0; i < SEED_JOB_SLOTS; i++) {
        if (LOAD(page->jobs[i].state) == SEED_JOB_RUNNING)
            release(&page->jobs[i]);
    }
}
