/* What the tracker must know of addresses. */
#ifndef TRK_ADDRESS_H
#define TRK_ADDRESS_H

#include <sys/socket.h>

#include "tracker/announce.h"

/** Is it of a range that only means something near its host: private, loopback, link-local, shared (CGNAT), ULA, or none? */
int trk_address_is_private(const unsigned char *ip, int is_v6);

/** Do both have the same IP address? Ports are passed over. */
int trk_address_same_ip(const trk_address *a, const trk_address *b);

/** Reads the address of a socket, with its port. @param from  of IPv4 or IPv6; a v4-mapped one stays what it is */
void trk_address_of_socket(const struct sockaddr *from, trk_address *address);

/** Makes a v4-mapped v6 address v4. */
trk_address trk_address_normal(const trk_address *address);

#endif
