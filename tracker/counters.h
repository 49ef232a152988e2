/* How announces ended: counters in shared memory, written by whoever answers announces, read by anybody for status. Made once on the
 * process pool; a new layout of it gets a new page. Every member is accessed with __atomic builtins, relaxed. */
#ifndef TRK_COUNTERS_H
#define TRK_COUNTERS_H

#include <apr_errno.h>
#include <apr_time.h>

/* The wire form of an announce. Keep trk_form_name() in step. */
typedef enum { TRK_FORM_HTTP, TRK_FORM_UDP, TRK_FORMS } trk_form;

/* What came of it. Keep trk_result_name() in step. */
typedef enum {
    TRK_RESULT_OK,
    TRK_RESULT_BAD_REQUEST, /* it cannot be read */
    TRK_RESULT_UNKNOWN,     /* info-hash not published */
    TRK_RESULT_CHANGED,     /* its file changed, or is gone */
    TRK_RESULT_PROTECTED,   /* its file is no longer for strangers */
    TRK_RESULT_TOKEN,       /* its announce URL has no token that is good */
    TRK_RESULT_PRIVATE,     /* a private address that is not taken: answered, but not kept */
    TRK_RESULT_FULL,        /* no memory left: answered, but not kept */
    TRK_RESULT_FAILED,      /* its swarms cannot be locked any more */
    TRK_RESULT_RATE_ADDRESS, /* too many from its address */
    TRK_RESULT_RATE_NETWORK, /* too many from its network */
    TRK_RESULTS
} trk_result;

enum { TRK_RATE_SECONDS = 60, TRK_RATE_SLOTS = 64 };

typedef struct {
    apr_uint32_t magic, layout;
    apr_uint64_t size;
    apr_uint64_t results[TRK_FORMS][TRK_RESULTS];
    apr_uint64_t scrapes_refused; /* too many from their address or network */
    apr_uint64_t udp_silent;      /* datagrams that got no answer: mostly from who has no connection id */
    apr_uint64_t seconds[TRK_RATE_SLOTS]; /* a second (the upper half, its low 32 bits) and the announces in it, by its number */
} trk_counters;

/** Bytes to allocate. */
apr_size_t trk_counters_size(void);

/** Makes fresh memory a page. Parent, before children. */
void trk_counters_init(void *memory);

/** Can this module use the page that an earlier one made? */
int trk_counters_usable(const void *memory, apr_size_t size);

/** Counts one announce. Any thread of any child, never blocks. */
void trk_count_announce(trk_counters *page, trk_form form, trk_result result, apr_time_t now);

/** Counts a scrape that was too much for its address or network. Any thread of any child, never blocks. */
void trk_count_refused_scrape(trk_counters *page);

/** Counts a datagram that gets no answer. Any thread of any child, never blocks. */
void trk_count_silence(trk_counters *page);

/** Announces of every form and result in the last minute, in millionths a second; the second that `now` is in is not counted. */
apr_uint64_t trk_announce_rate(const trk_counters *page, apr_time_t now);

/** What trk_swarms_announce said, as a result. */
trk_result trk_result_of(apr_status_t status);

const char *trk_form_name(trk_form form);
const char *trk_result_name(trk_result result);

#endif
