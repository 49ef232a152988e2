#include "base/reach.h"

#include <string.h>

const unsigned char bt_v4_mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bt_reach reach_of_v4(const unsigned char *ip)
{
    switch (ip[0]) {
    case 0: /* "this network" */
        return BT_REACH_NOBODY;
    case 10: /* RFC 1918 */
        return BT_REACH_PRIVATE;
    case 127:
        return BT_REACH_LOOPBACK;
    case 100: /* RFC 6598: carriers' NAT */
        return (ip[1] & 0xc0) == 64 ? BT_REACH_PRIVATE : BT_REACH_GLOBAL;
    case 169: /* link-local */
        return ip[1] == 254 ? BT_REACH_NOBODY : BT_REACH_GLOBAL;
    case 172:
        return (ip[1] & 0xf0) == 16 ? BT_REACH_PRIVATE : BT_REACH_GLOBAL;
    case 192:
        return ip[1] == 168 ? BT_REACH_PRIVATE : BT_REACH_GLOBAL;
    default:
        return ip[0] >= 224 ? BT_REACH_NOBODY : BT_REACH_GLOBAL; /* multicast, reserved, broadcast */
    }
}

bt_reach bt_reach_of(const unsigned char *ip, int is_v6)
{
    static const unsigned char zeros[15] = {0};

    if (!is_v6)
        return reach_of_v4(ip);
    if (memcmp(ip, bt_v4_mapped, sizeof bt_v4_mapped) == 0)
        return reach_of_v4(ip + sizeof bt_v4_mapped);
    if (memcmp(ip, zeros, sizeof zeros) == 0 && ip[15] <= 1)
        return ip[15] ? BT_REACH_LOOPBACK : BT_REACH_NOBODY; /* ::1 and :: */
    if ((ip[0] & 0xfe) == 0xfc)
        return BT_REACH_PRIVATE; /* unique-local */
    if ((ip[0] == 0xfe && ip[1] >= 0x80) || ip[0] == 0xff) /* link-local, site-local; multicast */
        return BT_REACH_NOBODY;
    return BT_REACH_GLOBAL;
}
