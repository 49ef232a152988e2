#include "tracker/address.h"

#include <string.h>

static const unsigned char mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static int is_private_v4(const unsigned char *ip)
{
    switch (ip[0]) {
    case 0:   /* "this network" */
    case 10:  /* RFC 1918 */
    case 127: /* loopback */
        return 1;
    case 100:
        return (ip[1] & 0xc0) == 64; /* RFC 6598: carriers' NAT */
    case 169:
        return ip[1] == 254; /* link-local */
    case 172:
        return (ip[1] & 0xf0) == 16;
    case 192:
        return ip[1] == 168;
    default:
        return ip[0] >= 224; /* multicast, reserved, broadcast: nobody's */
    }
}

int trk_address_is_private(const unsigned char *ip, int is_v6)
{
    static const unsigned char zeros[15] = {0};

    if (!is_v6)
        return is_private_v4(ip);
    if (memcmp(ip, mapped_prefix, sizeof mapped_prefix) == 0)
        return is_private_v4(ip + sizeof mapped_prefix);
    if (memcmp(ip, zeros, sizeof zeros) == 0)
        return ip[15] <= 1;         /* :: and ::1 */
    return (ip[0] & 0xfe) == 0xfc   /* ULA */
           || (ip[0] == 0xfe && ip[1] >= 0x80) /* link-local, site-local */
           || ip[0] == 0xff;        /* multicast */
}

trk_address trk_address_normal(const trk_address *address)
{
    trk_address normal = {{0}, address->port, address->is_v6 != 0};

    if (address->is_v6 && memcmp(address->ip, mapped_prefix, sizeof mapped_prefix) == 0) {
        memcpy(normal.ip, address->ip + sizeof mapped_prefix, 4);
        normal.is_v6 = 0;
    } else {
        memcpy(normal.ip, address->ip, address->is_v6 ? 16 : 4);
    }
    return normal;
}
