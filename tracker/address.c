#include "tracker/address.h"

#include <netinet/in.h>
#include <string.h>

#include "base/reach.h"

int trk_address_is_private(const unsigned char *ip, int is_v6)
{
    return bt_reach_of(ip, is_v6) != BT_REACH_GLOBAL;
}

int trk_address_same_ip(const trk_address *a, const trk_address *b)
{
    return a->is_v6 == b->is_v6 && memcmp(a->ip, b->ip, a->is_v6 ? 16 : 4) == 0;
}

void trk_address_of_socket(const struct sockaddr *from, trk_address *address)
{
    memset(address, 0, sizeof *address);
    address->is_v6 = from->sa_family == AF_INET6;
    if (address->is_v6) {
        const struct sockaddr_in6 *v6 = (const void *)from;

        memcpy(address->ip, &v6->sin6_addr, 16);
        address->port = ntohs(v6->sin6_port);
    } else {
        const struct sockaddr_in *v4 = (const void *)from;

        memcpy(address->ip, &v4->sin_addr, 4);
        address->port = ntohs(v4->sin_port);
    }
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
