/* What hosts that share swarms tell each other of one peer, and its form on the wire. Pure. */
#ifndef TRK_CHANGE_H
#define TRK_CHANGE_H

#include "base/buf.h"
#include "tracker/announce.h"

/* An announce as other hosts need it. */
typedef struct {
    bt_infohash hash;
    trk_address peer; /* normal, with a port */
    unsigned char is_seed;
    unsigned char completed; /* it says that it has just completed */
    unsigned char is_gone;   /* it stopped */
    unsigned char is_host;   /* the seed of a host itself */
    unsigned char paused;    /* a leecher that downloads nothing (BEP 21) */
} trk_change;

enum { TRK_HOST_ID_SIZE = 8, TRK_MEMBER_MAX = 18 };

/* A bulletin is what one host says to the others at once:
 *
 *     bulletin = "BTH1", the host's id (8), change…
 *     change   = info-hash (20), bits (1: v6, 2: seed, 4: completed, 8: gone, 16: host, 32: paused), wire form (6 or 18)
 *
 * Changes with further bits, or of port 0, are passed over. */

/** Begins a bulletin in an empty buffer. */
void trk_bulletin_begin(bt_buf *bulletin, const unsigned char host[TRK_HOST_ID_SIZE]);
void trk_bulletin_add(bt_buf *bulletin, const trk_change *change);

/* A bulletin that is read. */
typedef struct {
    const unsigned char *at, *end;
} trk_bulletin;

/**
 * Begins to read one.
 * @return 0 if it is none, or of `self`
 */
int trk_bulletin_open(trk_bulletin *bulletin, const void *bytes, apr_size_t length, const unsigned char self[TRK_HOST_ID_SIZE]);

/** Reads on. @return 0 at its end, or where it cannot be understood any more */
int trk_bulletin_next(trk_bulletin *bulletin, trk_change *change);

/* In a sorted set a peer's wire form is the member, and its score is the second of its last announce, times eight, with 1 for a seed,
 * 2 for one that says that it completed, and 4 for a leecher that is paused. So a member is replaced by its own next announce, and all are in the order of their age. */

/** @return the member's length, 6 or 18 */
apr_size_t trk_member_of(const trk_change *change, unsigned char member[TRK_MEMBER_MAX]);
apr_int64_t trk_score_of(const trk_change *change, apr_int64_t second);

/**
 * Reads both; the hash is left alone.
 * @param score   as text, NUL-terminated
 * @param second  of its last announce
 * @return 0 if they are not of this form
 */
int trk_member_read(const void *member, apr_size_t length, const char *score, trk_change *change, apr_int64_t *second);

#endif
