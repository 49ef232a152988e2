/* Who is served now: a fair choker without clock or sockets. Interested leechers take turns; whoever has been served
 * for a whole turn, or takes nothing, makes room for whoever has waited longest. Time runs faster for those who pass on what they
 * get, up to three times as fast as for those who do not: everybody's turn comes. */
#ifndef SEED_CHOKER_H
#define SEED_CHOKER_H

#include <apr_time.h>

typedef struct {
    void *peer;       /* the caller's */
    apr_time_t since; /* when it was choked, unchoked, or became interested: whichever came last */
    apr_uint32_t turns; /* how often it was unchoked: among those choked in the same moment, fewest first */
    int interested, unchoked;
    int idle;  /* it is unchoked and asks for nothing */
    int merit; /* how well it passes on what it gets, 0 to 100 */
    apr_interval_time_t waited; /* the choker's own */
    int serve; /* out: is it to be unchoked? */
} seed_candidate;

/**
 * Decides for one swarm; sorts `candidates`.
 * @param slots  how many may be served at once, at least 1
 * @param turn   the shortest time that a peer is served before it makes room
 */
void seed_choker_decide(seed_candidate *candidates, int count, int slots, apr_time_t now, apr_interval_time_t turn);

/**
 * Slots of a swarm.
 * @param configured   BTHTTPUploadSlots, 0: auto
 * @param upload_rate  bytes a second of all peers together, 0: unlimited
 * @param uplink       bytes a second that were reached, which counts if the rate is unlimited: on a fast uplink everybody is
 *                     served
 */
int seed_choker_slots(int configured, apr_int64_t upload_rate, apr_int64_t uplink);

#endif
