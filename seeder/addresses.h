/* How many peers each address has: BTHTTPMaxPeersPerIP. An IPv6 address counts by its /64, which one host may own. */
#ifndef SEED_ADDRESSES_H
#define SEED_ADDRESSES_H

#include <apr_general.h>
#include <sys/socket.h>

/* What is counted: a whole IPv4 address, or the upper half of an IPv6 one. */
typedef struct {
    apr_uint64_t bits;
    int family; /* AF_INET, AF_INET6, or 0 for a socket without an address: never counted */
} seed_address;

typedef struct seed_addresses seed_addresses;

seed_address seed_address_of(const struct sockaddr *peer, socklen_t length);

/** The address itself, in network order; of an IPv4-mapped one its last 4 bytes. @return bytes: 4, 16, or 0 for none */
unsigned char seed_address_bytes(const struct sockaddr *peer, socklen_t length, unsigned char bytes[16]);

enum { SEED_ADDRESS_TEXT = 56 };

/** "192.0.2.1", "2001:db8::/64", or "?" for none. @return `text` */
const char *seed_address_text(const seed_address *address, char text[SEED_ADDRESS_TEXT]);

/** @return NULL when memory is short */
seed_addresses *seed_addresses_make(void);
void seed_addresses_free(seed_addresses *book);

/** Counts one more. @return how many there are now, or 0 when memory is short (or for no address) */
int seed_addresses_add(seed_addresses *book, const seed_address *address);
void seed_addresses_remove(seed_addresses *book, const seed_address *address);

#endif
