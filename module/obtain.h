/* Obtaining a file's torrent: looking into the catalogue, and having it made. */
#ifndef BTH_OBTAIN_H
#define BTH_OBTAIN_H

#include <httpd.h>

#include "catalog/catalog.h"
#include "module/decide.h"
#include "module/torrent_response.h"

/* One request's wish. The caller zeroes it and fills in what stands first. */
typedef struct {
    request_rec *r;
    bth_subject *subject; /* its sidecar is filled in here */
    const char *origin;   /* bth_origin_of the file; needed but for bth_obtain_peek */
    int listed;           /* as the stranger saw it */
    apr_int64_t size;     /* of the file, bytes */
    apr_time_t until;     /* of a collection: who asks waits so long, looks at the directory included */

    cat_entry entry;      /* valid after BTH_TORRENT_READY */
    int percent;          /* of the hashing, after BTH_TORRENT_PENDING */
    int sidecar_sought;
    bt_stamp sidecar;     /* as it is now; zero: none */
} bth_obtain;

/** What there is, for a request that does not ask for it: one read, one stat(2). NONE, READY or FAILED. */
bth_torrent_fact bth_obtain_peek(bth_obtain *want);

/**
 * What there is, for a request that asks and whose stranger test was just passed: publishes what is known but was not
 * granted under this configuration, and counts as NONE what was made without regard to the sidecar that is there now.
 */
bth_torrent_fact bth_obtain_look(bth_obtain *want);

/** How long a look at a collection's directory may take now: until `until`, but a second at least. Microseconds. */
apr_interval_time_t bth_obtain_patience(const bth_obtain *want);

/** Has it made and waits at most so long (microseconds). READY, PENDING or FAILED. After bth_obtain_look. */
bth_torrent_fact bth_obtain_make(bth_obtain *want, apr_time_t wait);

#endif
