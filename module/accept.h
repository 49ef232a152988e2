/* The request header X-BT-Accept (docs/protocol.md): a pure parser, no httpd in it. */
#ifndef BTH_ACCEPT_H
#define BTH_ACCEPT_H

#include <apr_time.h>

#include "torrentgen/torrent.h"

enum { BTH_ACCEPT_MAX = 8 };

/* One form that the client takes. */
typedef struct {
    int versions;        /* bit set over tg_version: BTH_TAKES(v) */
    int quality;         /* thousandths */
    apr_time_t wait;     /* microseconds, or -1 if not said */
} bth_choice;

#define BTH_TAKES(version) (1 << (version))
#define BTH_TAKES_ANY (BTH_TAKES(TG_V1) | BTH_TAKES(TG_V2) | BTH_TAKES(TG_HYBRID))

/* What the client takes, best first; count 0 means "just the file". */
typedef struct {
    bth_choice choices[BTH_ACCEPT_MAX];
    int count;
} bth_accept;

/**
 * Parses a header value; repeated header lines are joined by commas before. Unknown forms and parameters are passed
 * over; a value that breaks the grammar counts as absent, so the file is sent.
 * @param value  NULL for no header
 */
void bth_accept_parse(const char *value, bth_accept *accept);

/** Can this client read that version under any of its choices? */
int bth_accept_takes(const bth_accept *accept, tg_version version);

/** The longest that it waits: the least of `limit` and what it said. Microseconds. */
apr_time_t bth_accept_wait(const bth_accept *accept, tg_version version, apr_time_t limit);

#endif
