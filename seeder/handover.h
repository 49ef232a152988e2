/* The record of a live peer, as it goes from a seeder that leaves to the next one, which may be of another build: it
 * carries its version, every field is checked, and it grows by sections that one who does not know them may pass over
 * unless they are marked critical. With it goes the socket. No byte is lost or sent twice. */
#ifndef SEED_HANDOVER_H
#define SEED_HANDOVER_H

#include "seeder/peer.h"

/**
 * Appends the record of a peer in any state, at most SEED_RECORD_MAX bytes (mail.h).
 * @return out->status
 */
apr_status_t seed_handover_write(bt_buf *out, const seed_peer *peer);

/**
 * Fills a peer (fresh from seed_peer_init) from a record. It has no content yet: find theirs.hash, compare with
 * `content`, then set it. A peer that was not yet admitted starts with its kept bytes in `in`.
 * @param content  what the record says of the torrent; zero before SEED_PEER_ID
 * @return APR_EINVAL if it cannot be understood or makes no sense; APR_ENOMEM
 */
apr_status_t seed_handover_read(const unsigned char *record, apr_size_t length, seed_peer *peer,
                                seed_content *content);

#endif
