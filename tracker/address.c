#include "tracker/address.h"

#include <string.h>

#include "base/reach.h"

int trk_address_is_private(const unsigned char *ip, int is_v6)
{
    return bt_reach_of(ip, is_v6) != BT_REACH_GLOBAL;
}

trk_address trk_address_normal(const trk_address *address)
{
    trk_address normal = {{0}, address->port, address->is_v6 != 0};

    if (address->is_v6 && memcmp(address->ip, bt_v4_mapped, sizeof bt_v4_mapped) == 0) {
        memcpy(normal.ip, address->ip + sizeof bt_v4_mapped, 4);
        normal.is_v6 = 0;
    } else {
        memcpy(normal.ip, address->ip, address->is_v6 ? 16 : 4);
    }
    return normal;
}
