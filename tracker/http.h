/* The HTTP wire form of the tracker (BEP 3, 7, 23, 24, 31, 48): bodies only, httpd makes the headers. */
#ifndef TRK_HTTP_H
#define TRK_HTTP_H

#include "base/buf.h"
#include "tracker/swarms.h"

/**
 * Encodes the answer to an announce, keys sorted: complete, downloaded?, external ip, incomplete, interval, min interval,
 * peers, peers6. `peers` is always there; as a list of dictionaries when announce->compact is 0 (then v6 peers are in it too).
 * @param from  the client's address, for "external ip" (BEP 24)
 */
void trk_http_answer(bt_buf *body, const trk_announce *announce, const trk_answer *answer, const trk_address *from);

/** Encodes a failure: "failure reason", "interval", "min interval", "retry in" (minutes, or "never" if 0). */
void trk_http_failure(bt_buf *body, const char *reason, int interval_seconds, int retry_minutes);

/** Encodes a scrape of `count` hashes. */
void trk_http_scrape(bt_buf *body, const bt_infohash *hashes, const trk_scrape *numbers, int count, int interval_seconds);

#endif
