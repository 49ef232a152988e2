/* The section of a hand-over record that says how a peer speaks. */
#ifndef SEED_CRYPT_RECORD_H
#define SEED_CRYPT_RECORD_H

#include "seeder/peer.h"
#include "seeder/record.h"

/** Appends the section's bytes: an encrypted handshake under way, or the stream after one; none for a plain peer. */
void seed_crypt_save(bt_buf *out, const seed_peer *peer);

/** @return APR_EINVAL if it makes no sense; APR_ENOMEM */
apr_status_t seed_crypt_restore(seed_record *in, const seed_content *content, seed_peer *peer);

/** Does it agree with the rest of the record, all of which has been read? A peer without the section is plain. */
int seed_crypt_concludes(seed_peer *peer);

#endif
