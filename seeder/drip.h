/* Does a peer take what it asked for? Judged by what it has acknowledged, since what a socket took may lie in the kernel
 * for minutes. No I/O, no clock. */
#ifndef SEED_DRIP_H
#define SEED_DRIP_H

#include <apr_time.h>

/* All zero while it owes us nothing. */
typedef struct {
    apr_time_t since;   /* of the stretch that is judged */
    apr_time_t moved;   /* last time that it took something */
    apr_uint64_t start; /* bytes that it had taken at the beginning of the stretch */
    apr_uint64_t last;  /* and when last looked */
} seed_drip;

typedef enum {
    SEED_DRIP_FINE,
    SEED_DRIP_NOTHING, /* it took nothing in a whole stretch */
    SEED_DRIP_TRICKLE  /* it took less than is due in a stretch: enough to keep its place, and no more */
} seed_drip_verdict;

/**
 * A look, once a tick.
 * @param waits    bytes wait for it, and its socket takes none
 * @param taken    bytes that it has acknowledged so far
 * @param stretch  how long it is judged at a time
 * @param least    bytes due in a stretch
 */
seed_drip_verdict seed_drip_look(seed_drip *drip, int waits, apr_uint64_t taken, apr_time_t now,
                                 apr_interval_time_t stretch, apr_uint64_t least);

#endif
