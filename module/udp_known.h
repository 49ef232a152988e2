/* Which torrents may be announced just now: of the info-hashes that were asked for last, those that passed the gate (gate.h) a
 * moment ago, while the catalogue stays the same. Bounded, and nothing is allocated once it was made; memory that is never
 * used is never touched. Of one thread. */
#ifndef BTH_UDP_KNOWN_H
#define BTH_UDP_KNOWN_H

#include <apr_pools.h>

#include "catalog/catalog.h"

/* So long nothing is looked up again: a changed file is refused within a second. Where more torrents are asked for than may be
 * looked up in a second, it takes longer, up to BTH_KNOWN_LONGEST. */
#define BTH_KNOWN_MOMENT apr_time_from_msec(800)
#define BTH_KNOWN_LONGEST apr_time_from_sec(10)
enum { BTH_KNOWN_LOOKS = 10000 /* a second: some percent of a core */ };

typedef struct bth_known bth_known;

/** @return NULL if there is no memory */
bth_known *bth_known_create(apr_pool_t *pool);

/**
 * What follows is of this time and this state of the catalogue.
 * @param version  cat_version, read before the look-ups whose outcome is noted
 */
void bth_known_at(bth_known *known, apr_time_t now, apr_uint64_t version);

/** Brings what is known of an info-hash near, for a bth_known_is_open that follows soon. */
void bth_known_fetch(const bth_known *known, const bt_infohash *hash);

/**
 * May this torrent be announced?
 * @return 0: that is not known here, so it is looked up now
 */
int bth_known_is_open(bth_known *known, const bt_infohash *hash);

/** Notes that it passed the gate just now, in place of an older one if need be. */
void bth_known_note(bth_known *known, const bt_infohash *hash);

#endif
