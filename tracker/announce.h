/* One announce, whatever its wire form: parsed here, decided in swarms.h, answered by the encoder of its form. */
#ifndef TRK_ANNOUNCE_H
#define TRK_ANNOUNCE_H

#include <apr_errno.h>
#include <apr_time.h>

#include "base/infohash.h"

enum { TRK_NUMWANT_DEFAULT = 50, TRK_NUMWANT_MAX = 200 };

typedef enum { TRK_EVENT_NONE, TRK_EVENT_STARTED, TRK_EVENT_COMPLETED, TRK_EVENT_STOPPED, TRK_EVENT_PAUSED } trk_event;

/* An address as the wire has it: 4 or 16 bytes and a port in network order. A v4-mapped v6 address is v4. */
typedef struct {
    unsigned char ip[16];
    apr_uint16_t port; /* host order; 0: not known */
    int is_v6;
} trk_address;

/* What a client says of itself. */
typedef struct {
    bt_infohash hash;
    unsigned char peer_id[20];
    apr_uint16_t port; /* host order, 0 only if left out or with `stopped` */
    apr_int64_t left;  /* bytes; APR_INT64_MAX if unknown: a leecher */
    trk_event event;
    int numwant; /* 0..TRK_NUMWANT_MAX */
    int compact; /* 0 only if compact=0 was said */
    int no_peer_id;
    int one_family; /* only peers of its own family can be told: an answer by UDP has room for no others */
} trk_announce;

/**
 * Parses the undecoded query string of an announce (BEP 3, 7, 21, 23). No I/O, any thread.
 * @param query  without the "?", NUL-terminated not needed
 * @return APR_SUCCESS, or APR_EINVAL with *failure set to a constant text for the client
 */
apr_status_t trk_announce_parse(const char *query, apr_size_t length, trk_announce *announce, const char **failure);

/**
 * aria2 says that nothing is left before it has the infodict of a magnet link, as a seed does; but it has downloaded
 * nothing then, and a seed has, unless it began with the file in place: that one is taken for a leecher.
 * @param announce  with all but `left` as it is to be
 * @return what to take for `left`
 */
apr_int64_t trk_left_meant(const trk_announce *announce, apr_int64_t downloaded);

enum { TRK_SCRAPE_MAX = 100 };

/**
 * Parses the query of a scrape (BEP 48): every info_hash, at most TRK_SCRAPE_MAX (more are passed over).
 * @return the number of hashes, or -1 with *failure set
 */
int trk_scrape_parse(const char *query, apr_size_t length, bt_infohash hashes[TRK_SCRAPE_MAX], const char **failure);

#endif
