/* The request headers X-BT-Accept and Accept (docs/protocol.md): pure parsers, no httpd in them. */
#ifndef BTH_ACCEPT_H
#define BTH_ACCEPT_H

#include <apr_time.h>

#include "module/forms.h"
#include "torrentgen/torrent.h"

enum { BTH_ACCEPT_MAX = 8 };

/* One form that the client takes. */
typedef struct {
    bth_form form;
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
    int is_said; /* the header was there and could be read, whatever it asks for */
} bth_accept;

/**
 * Parses a header value; repeated header lines are joined by commas before. Unknown forms and parameters are passed
 * over; a value that breaks the grammar counts as absent, so the file is sent.
 * @param value  NULL for no header
 */
void bth_accept_parse(const char *value, bth_accept *accept);

/**
 * Parses the value of Accept (RFC 9110, 12.5.1) for clients that do not know our header: a Metalink is taken if its type
 * is named, with a weight that is not 0 and not less than that of any type at all. Wildcards never stand for it.
 * Elements that break the grammar are passed over.
 * @param value  NULL for no header
 */
void bth_accept_parse_types(const char *value, bth_accept *accept);

/**
 * The best choice that fits.
 * @param version  of the torrent that there is or would be made
 * @param forms    bit set over bth_form of what can be made
 * @return NULL: the client wants the file
 */
const bth_choice *bth_accept_choose(const bth_accept *accept, tg_version version, unsigned forms);

/** The longest that it waits: the least of `limit` and what it said. @param choice  may be NULL. Microseconds. */
apr_time_t bth_accept_wait(const bth_choice *choice, apr_time_t limit);

#endif
