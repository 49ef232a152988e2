/* Magnet links: a torrent named by its info-hashes alone (BEP 9, BEP 53; "urn:btmh:" by BEP 52). */
#ifndef TG_MAGNET_H
#define TG_MAGNET_H

#include "base/buf.h"
#include "torrentgen/torrent.h"

/* What a link says. Counts of 0 and NULL leave a part out. */
typedef struct {
    tg_version version;           /* which of the hashes are named: a hybrid has both */
    bt_infohash v1;
    bt_infohash_v2 v2;
    const char *name;             /* "dn": any bytes, escaped; may be NULL */
    apr_int64_t length;           /* "xl": bytes; below 0: left out */
    const char *const *trackers;  /* "tr": URLs, in order of preference */
    int tracker_count;
    const char *const *web_seeds; /* "ws": URLs (BEP 19) */
    int web_seed_count;
    const char *const *peers;     /* "x.pe": HOST:PORT, IPv6 in brackets */
    int peer_count;
} tg_magnet;

/**
 * Writes the link, without a line's end. Values are percent-encoded but for unreserved characters (RFC 3986); only a
 * peer's colon and brackets stay, since BEP 9 has them so and clients do not decode there. Any thread.
 * @return buf->status: APR_SUCCESS, APR_ENOSPC if the link is longer than buf->max; APR_EINVAL (nothing is written) if
 *         no hash is to be named or a peer is no HOST:PORT
 */
apr_status_t tg_magnet_write(bt_buf *buf, const tg_magnet *magnet);

#endif
