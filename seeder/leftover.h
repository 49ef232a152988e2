/* What HTTP leaves of a stated uplink (BTHTTPUplink). HTTP comes first: what it sends, smoothed over half a second, is
 * taken off. No clock: time comes in. */
#ifndef SEED_LEFTOVER_H
#define SEED_LEFTOVER_H

#include <apr_time.h>

enum { SEED_LEFTOVER_EVERY = 100000 /* microseconds between two looks that count */ };

typedef struct {
    apr_int64_t uplink; /* bytes a second; 0: none is stated */
    apr_int64_t most;   /* bytes a second for peers in any case; 0: as many as there are */
    apr_int64_t http;   /* bytes a second that HTTP sends, as reckoned */
    double queued;      /* bytes that HTTP has given to sockets, and that the uplink cannot have carried yet */
    apr_uint64_t seen;  /* bytes of HTTP at the last look */
    apr_time_t looked;
} seed_leftover;

/**
 * @param uplink  bytes a second; 0: none is stated
 * @param most    BTHTTPUploadRate; 0: unlimited
 * @param sent    bytes that HTTP has sent so far: a counter that only rises
 */
void seed_leftover_init(seed_leftover *leftover, apr_int64_t uplink, apr_int64_t most, apr_uint64_t sent,
                        apr_time_t now);

/** Is it time to look again? Never where no uplink is stated. */
int seed_leftover_is_due(const seed_leftover *leftover, apr_time_t now);

/** Looks at what HTTP has sent meanwhile. */
void seed_leftover_look(seed_leftover *leftover, apr_uint64_t sent, apr_time_t now);

/** Bytes a second for all peers together: never less than a twentieth of the uplink; 0: unlimited. */
apr_int64_t seed_leftover_rate(const seed_leftover *leftover);

#endif
