/* The extension protocol (BEP 10): both sides name the messages that they take, and under which number. Pure. */
#ifndef SEED_EXTENSION_H
#define SEED_EXTENSION_H

#include "seeder/peer.h"
#include "seeder/record.h"

/* The numbers under which we take messages. They are in hand-over records in so far as peers know them: never change one. */
enum {
    SEED_EXT_HANDSHAKE = 0,
    SEED_EXT_METADATA = 1,    /* ut_metadata, BEP 9: if there is an infodict to give */
    SEED_EXT_PEX = 2,         /* ut_pex, BEP 11 */
    SEED_EXT_DONTHAVE = 3,    /* lt_donthave, BEP 54 */
    SEED_EXT_UPLOAD_ONLY = 4  /* upload_only: libtorrent's word for a change of what its handshake said of BEP 21 */
};

/** Writes our handshake of extensions. The peer has its content. */
void seed_extension_greet(seed_peer *peer);

/** Takes an extension message. @param body  what follows the message's id: the extension's number, then its bytes */
seed_verdict seed_extension_input(seed_peer *peer, const unsigned char *body, apr_size_t length, apr_time_t now);

/* Its section of hand-over records. */
void seed_extension_save(bt_buf *out, const seed_peer *peer);
apr_status_t seed_extension_restore(seed_record *in, const seed_content *content, seed_peer *peer);

#endif
