/* The UDP wire form of the tracker (BEP 15, 41): one datagram in, one out, or silence. No I/O, no clock, and nothing is
 * remembered of who asked: a connection id is a keyed hash of the address and the coarse time. */
#ifndef TRK_UDP_H
#define TRK_UDP_H

#include "tracker/swarms.h"

enum {
    TRK_UDP_ANSWER_MAX = 1200, /* bytes: one packet on every path */
    TRK_UDP_SCRAPE_MAX = 74,   /* hashes; of more, the first ones are answered */
    TRK_UDP_REQUEST_MAX =
        16 + TRK_UDP_SCRAPE_MAX * BT_HASH_SIZE, /* bytes; what follows is passed over, and may be cut off */
    TRK_UDP_SEEDS_MAX = 16
};

/* What the answers need of the server. Callbacks are called on the caller's thread. */
typedef struct {
    trk_swarms *swarms;
    const trk_policy *policy;    /* of the local address */
    const unsigned char *secret; /* 16 random bytes, the same in all processes of a server and over graceful restarts */

    /**
     * May the info-hash be announced?
     * @param client      who asks; port from the announce, 0 in a scrape
     * @param swarms      `swarms` of above before the call; set to another table if its peers are kept there
     * @param seeds       gets this server's own seeds for this client, at most TRK_UDP_SEEDS_MAX
     * @param seed_count  0 before the call
     * @return NULL if it may, else the failure text for the client
     */
    const char *(*find)(void *baton, const bt_infohash *hash, const trk_address *client, const trk_address *local,
                        trk_swarms **swarms, trk_address *seeds, int *seed_count);

    /**
     * Does the sender ask too often? Asked before anything is looked up, of those who have shown a connection id. NULL: never.
     * @param scraped  hashes of a scrape; 0: it is an announce
     * @return NULL if not, else the text for the client
     */
    const char *(*admit)(void *baton, const trk_address *client, int scraped, apr_time_t now);

    /** Is told what trk_swarms_announce said of an announce that was answered. May be NULL. */
    void (*decided)(void *baton, apr_status_t status);

    /**
     * May who asks by this URL (BEP 41: path and query; "" if it was not told, as in scrapes) be told of the info-hash? Called before
     * `find`, with the same baton. May be NULL: everybody may.
     * @return NULL, or the failure text for the client
     */
    const char *(*authorize)(void *baton, const bt_infohash *hash, const char *url, apr_size_t length, apr_time_t now);
    void *baton;
} trk_udp;

/* REFUSED: an announce that was not authorized; ERROR: one that was refused otherwise; SCRAPE also if it is refused. */
typedef enum { TRK_UDP_CONNECT, TRK_UDP_ANNOUNCE, TRK_UDP_SCRAPE, TRK_UDP_ERROR, TRK_UDP_REFUSED, TRK_UDP_SILENT } trk_udp_result;

/** Which info-hash an announce is for, as far as it looks like one. @return 0: it does not */
int trk_udp_hash(const void *packet, apr_size_t length, bt_infohash *hash);

/**
 * Answers one datagram. Who has not shown a connection id gets nothing but one, in an answer that is no longer than the
 * request; so a forged sender's address is worth nothing. An id is good for this address, whatever its port, for 128 to
 * 192 seconds. Any thread of any child.
 * @param from    the sender
 * @param local   the address that was asked, from which the answer is to be sent
 * @param random  64 fresh random bits
 * @return bytes of `answer`, 0: none
 */
apr_size_t trk_udp_answer(const trk_udp *tracker, const void *packet, apr_size_t length, const trk_address *from,
                          const trk_address *local, apr_time_t now, apr_uint64_t random,
                          unsigned char answer[TRK_UDP_ANSWER_MAX], trk_udp_result *result);

#endif
