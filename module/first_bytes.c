#include "module/first_bytes.h"

#include <string.h>

enum { PEER_FIRST_BYTE = 0x13, TLS_HANDSHAKE = 0x16, CLIENT_HELLO = 1, METHOD_MAX = 19, SURE_METHOD = 3 };

static int is_token_char(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static int is_capital(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || c == '-';
}

static int is_text(unsigned char c)
{
    return (c >= ' ' && c < 127) || c == '\t' || c == '\r' || c == '\n';
}

/* Blank lines, a method, a space. After a method as they all are (capitals, three at least) any bytes may follow, for paths
 * are sometimes sent raw; after a stranger one nothing but text. One random stream in 200,000 looks like that. */
static int may_be_http(const unsigned char *bytes, apr_size_t length)
{
    apr_size_t at = 0, method, capitals = 0;

    while (at < length && (bytes[at] == '\r' || bytes[at] == '\n'))
        at++;
    for (method = at; at < length && is_token_char(bytes[at]); at++)
        capitals += (apr_size_t)is_capital(bytes[at]);
    if (at == length || at - method > METHOD_MAX)
        return 1;
    if (at == method || bytes[at] != ' ')
        return 0;
    if (capitals == at - method && capitals >= SURE_METHOD)
        return 1;
    while (at < length && is_text(bytes[at]))
        at++;
    return at == length;
}

/* A record of TLS (or SSL 3.0) that carries a ClientHello: random bytes may begin with 0x16, but not go on like that. */
static int is_tls(const unsigned char *bytes)
{
    return bytes[0] == TLS_HANDSHAKE && bytes[1] == 3 && bytes[2] <= 4 && bytes[5] == CLIENT_HELLO;
}

/* A stream of random bytes is told by what it is not; a load balancer's PROXY header, first in its connection, is not for
 * us. What begins with 0x13 and is not the protocol may be encrypted as well: the seeder sees more of it. Clients send the
 * 96 bytes of their key at once, so fewer than BTH_FIRST_BYTES are no peer's. */
bth_speaks bth_who_speaks(const unsigned char *bytes, apr_size_t length)
{
    static const unsigned char proxy_v2[] = "\r\n\r\n\0\r\nQUIT\n";

    if (bytes[0] == PEER_FIRST_BYTE)
        return BTH_SPEAKS_PEER;
    if (length < BTH_FIRST_BYTES || is_tls(bytes) || !memcmp(bytes, proxy_v2, sizeof proxy_v2 - 1))
        return BTH_SPEAKS_OTHER;
    return may_be_http(bytes, BTH_FIRST_BYTES) ? BTH_SPEAKS_OTHER : BTH_SPEAKS_ENCRYPTED;
}
