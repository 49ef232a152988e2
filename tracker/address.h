/* What the tracker must know of addresses. */
#ifndef TRK_ADDRESS_H
#define TRK_ADDRESS_H

#include "tracker/announce.h"

/** Is it of a range that only means something near its host: private, loopback, link-local, shared (CGNAT), ULA, or none? */
int trk_address_is_private(const unsigned char *ip, int is_v6);

/** Makes a v4-mapped v6 address v4. */
trk_address trk_address_normal(const trk_address *address);

#endif
