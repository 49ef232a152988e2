#include "tracker/counters.h"

#include <string.h>

enum { MAGIC = 0x42544854 /* "BTHT" */, LAYOUT = 2, SECOND_SHIFT = 32 };

apr_size_t trk_counters_size(void)
{
    return sizeof(trk_counters);
}

void trk_counters_init(void *memory)
{
    trk_counters *page = memory;

    memset(page, 0, sizeof *page);
    page->magic = MAGIC;
    page->layout = LAYOUT;
    page->size = sizeof *page;
}

int trk_counters_usable(const void *memory, apr_size_t size)
{
    const trk_counters *page = memory;

    return size >= sizeof *page && page->magic == MAGIC && page->layout == LAYOUT && page->size == sizeof *page;
}

static apr_uint64_t second_of(apr_time_t now)
{
    return (apr_uint64_t)apr_time_sec(now) & 0xffffffff;
}

/* A slot of another second, be it earlier or (the clock was put back) later, begins anew. */
static void count_second(trk_counters *page, apr_uint64_t second)
{
    apr_uint64_t *slot = &page->seconds[second % TRK_RATE_SLOTS], was = __atomic_load_n(slot, __ATOMIC_RELAXED), is;

    do
        is = was >> SECOND_SHIFT == second ? was + 1 : (second << SECOND_SHIFT) + 1;
    while (!__atomic_compare_exchange_n(slot, &was, is, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}

void trk_count_announce(trk_counters *page, trk_form form, trk_result result, apr_time_t now)
{
    __atomic_fetch_add(&page->results[form][result], 1, __ATOMIC_RELAXED);
    count_second(page, second_of(now));
}

void trk_count_refused_scrape(trk_counters *page)
{
    __atomic_fetch_add(&page->scrapes_refused, 1, __ATOMIC_RELAXED);
}

void trk_count_silence(trk_counters *page)
{
    __atomic_fetch_add(&page->udp_silent, 1, __ATOMIC_RELAXED);
}

apr_uint64_t trk_announce_rate(const trk_counters *page, apr_time_t now)
{
    apr_uint64_t announces = 0;

    for (int ago = 1; ago <= TRK_RATE_SECONDS; ago++) {
        apr_uint64_t second = second_of(now - apr_time_from_sec(ago));
        apr_uint64_t slot = __atomic_load_n(&page->seconds[second % TRK_RATE_SLOTS], __ATOMIC_RELAXED);

        if (slot >> SECOND_SHIFT == second)
            announces += slot & 0xffffffff;
    }
    return announces * 1000000 / TRK_RATE_SECONDS;
}

trk_result trk_result_of(apr_status_t status)
{
    if (status == APR_SUCCESS)
        return TRK_RESULT_OK;
    if (status == APR_EACCES)
        return TRK_RESULT_PRIVATE;
    return status == APR_ENOSPC ? TRK_RESULT_FULL : TRK_RESULT_FAILED;
}

const char *trk_form_name(trk_form form)
{
    static const char *const names[TRK_FORMS] = {[TRK_FORM_HTTP] = "http", [TRK_FORM_UDP] = "udp"};

    return names[form];
}

const char *trk_result_name(trk_result result)
{
    static const char *const names[TRK_RESULTS] = {
        [TRK_RESULT_OK] = "ok",
        [TRK_RESULT_BAD_REQUEST] = "bad-request",
        [TRK_RESULT_UNKNOWN] = "unknown",
        [TRK_RESULT_CHANGED] = "changed",
        [TRK_RESULT_PROTECTED] = "protected",
        [TRK_RESULT_TOKEN] = "token",
        [TRK_RESULT_PRIVATE] = "private-address",
        [TRK_RESULT_FULL] = "full",
        [TRK_RESULT_FAILED] = "failed",
        [TRK_RESULT_RATE_ADDRESS] = "rate-address",
        [TRK_RESULT_RATE_NETWORK] = "rate-network",
    };

    return names[result];
}
