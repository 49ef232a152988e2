#include "module/first_bytes.h"

#include <string.h>

enum { PEER_FIRST_BYTE = 0x13, TLS_HANDSHAKE = 0x16, METHOD_MAX = 19 };

static int is_token_char(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("!#$%&'*+-.^_`|~", c));
}

/* Blank lines, a method, a space: what follows may be any bytes, for paths are sometimes sent raw. */
static int may_be_http(const unsigned char *bytes, apr_size_t length)
{
    apr_size_t at = 0, method;

    while (at < length && (bytes[at] == '\r' || bytes[at] == '\n'))
        at++;
    for (method = at; at < length && is_token_char(bytes[at]); at++)
        ;
    return at == length || at - method > METHOD_MAX || (at > method && bytes[at] == ' ');
}

/* A stream of random bytes is told from what is no HTTP either by what it is not; a load balancer's PROXY header, first
 * in its connection, is not for us. */
bth_speaks bth_who_speaks(const unsigned char *bytes, apr_size_t length)
{
    static const unsigned char proxy_v2[] = "\r\n\r\n\0\r\nQUIT\n";

    if (bytes[0] == PEER_FIRST_BYTE)
        return BTH_SPEAKS_PEER;
    if (length < BTH_FIRST_BYTES || bytes[0] == TLS_HANDSHAKE || !memcmp(bytes, proxy_v2, sizeof proxy_v2 - 1))
        return BTH_SPEAKS_OTHER;
    return may_be_http(bytes, BTH_FIRST_BYTES) ? BTH_SPEAKS_OTHER : BTH_SPEAKS_ENCRYPTED;
}
