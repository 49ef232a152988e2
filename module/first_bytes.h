/* Who speaks on a new connection, by the first bytes it sends. Pure. */
#ifndef BTH_FIRST_BYTES_H
#define BTH_FIRST_BYTES_H

#include <apr_general.h>

enum { BTH_FIRST_BYTES = 24 };

typedef enum {
    BTH_SPEAKS_OTHER,     /* HTTP, TLS or whatever else httpd knows: not for us */
    BTH_SPEAKS_PEER,      /* the BitTorrent handshake (BEP 3), or encrypted and by chance like it */
    BTH_SPEAKS_ENCRYPTED  /* message stream encryption: 96 and more random bytes */
} bth_speaks;

/**
 * @param length  bytes that are there, at least 1; up to BTH_FIRST_BYTES are looked at
 */
bth_speaks bth_who_speaks(const unsigned char *bytes, apr_size_t length);

#endif
