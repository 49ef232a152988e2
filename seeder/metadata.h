/* ut_metadata (BEP 9): a peer that came by a magnet link asks for the infodict in parts. Pure. */
#ifndef SEED_METADATA_H
#define SEED_METADATA_H

#include "seeder/peer.h"

enum {
    SEED_METADATA_PART = 16 * 1024,      /* bytes of each part but the last; that of an exact multiple has as many */
    SEED_METADATA_MAX = 8 * 1024 * 1024  /* bytes of an infodict that is given in parts: clients take no larger one */
};

/** How many parts an infodict of `size` bytes has. */
apr_uint32_t seed_metadata_parts(apr_uint32_t size);

/** Takes a message of ut_metadata. A request that can be answered joins the peer's asks, any other is rejected. */
seed_verdict seed_metadata_input(seed_peer *peer, const unsigned char *bytes, apr_size_t length, apr_time_t now);

/** Writes a part. @param infodict  all of it, `size` bytes. @param piece  which part; it must exist */
void seed_metadata_add_part(bt_buf *out, unsigned char id, apr_uint32_t piece, const unsigned char *infodict,
                            apr_uint32_t size);

/** Refuses to give a part. @param id  under which the peer takes ut_metadata */
void seed_metadata_add_reject(bt_buf *out, unsigned char id, apr_int64_t piece);

#endif
