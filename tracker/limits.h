/* How often one address, and one network, may ask: token buckets in shared memory of their own, for all wire forms and
 * all children. A table of fixed size: a bucket that is full again takes no room, and when there is none one of a few
 * is dropped, which one nobody can foresee. So a flood from very many addresses makes limits wider for a moment, and
 * costs no memory. */
#ifndef TRK_LIMITS_H
#define TRK_LIMITS_H

#include "tracker/announce.h"
#include "tracker/counters.h"

enum {
    TRK_RATE_DEFAULT = 10, /* requests a second of one address (v6: of one /64) */
    TRK_RATE_MAX = 10000,
    TRK_RATE_BURST = 100,  /* seconds for which requests may be saved up */
    TRK_RATE_NETWORK = 16, /* times as many of one network: v4 a /24, v6 a /48 */
    TRK_RATE_SCRAPED = 8   /* hashes of a scrape that count as one request */
};

typedef struct trk_limits trk_limits;

/** Bytes to allocate. */
apr_size_t trk_limits_size(void);

/**
 * Makes fresh memory a table of full buckets. Parent, before children.
 * @param key  16 random bytes for SipHash, so that nobody can aim at another's bucket
 */
void trk_limits_init(void *memory, const unsigned char key[16]);

/** Can this module use the table that an earlier one made? */
int trk_limits_usable(const void *memory, apr_size_t size);

/**
 * Takes `cost` requests from the bucket of an address and from that of its network; what is refused takes nothing from
 * the network's, so that one address cannot use up what its neighbours have. Any thread of any child, never blocks.
 * @param rate  requests a second of one address, 1 to TRK_RATE_MAX; 0: unlimited
 * @return TRK_RESULT_OK, TRK_RESULT_RATE_ADDRESS or TRK_RESULT_RATE_NETWORK
 */
trk_result trk_limits_take(trk_limits *limits, int rate, const trk_address *from, int cost, apr_time_t now);

/** What a scrape of so many hashes counts for, in requests. */
int trk_scrape_cost(int hashes);

#endif
