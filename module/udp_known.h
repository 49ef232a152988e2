/* Which torrents may be announced just now: what the catalogue and the gate (gate.h) said of the info-hashes that were asked for
 * last. For a moment that is the answer; for longer it saves the look into the catalogue, while that stays the same, and only the
 * file is looked at. Bounded, and nothing is allocated once it was made; memory that is never used is never touched. Of one thread. */
#ifndef BTH_UDP_KNOWN_H
#define BTH_UDP_KNOWN_H

#include <apr_pools.h>

#include "catalog/catalog.h"

/* So long the file is not looked at again: a changed one is refused within a second. */
#define BTH_KNOWN_MOMENT apr_time_from_msec(800)

typedef struct bth_known bth_known;

/** @return NULL if there is no memory */
bth_known *bth_known_create(apr_pool_t *pool);

/**
 * What follows is of this time and this state of the catalogue.
 * @param version  cat_version, read before the look-ups whose outcome is noted
 */
void bth_known_at(bth_known *known, apr_time_t now, apr_uint64_t version);

/**
 * May this torrent be announced? Looks at its file if the last look is a moment ago; then it forgets what has changed.
 * @return 0: that is not known here, ask the catalogue
 */
int bth_known_is_open(bth_known *known, const bt_infohash *hash);

/** Notes an entry that passed the gate just now, in place of an older one if need be. */
void bth_known_note(bth_known *known, const bt_infohash *hash, const cat_entry *entry);

#endif
