#include "tracker/client.h"

#include <string.h>

int trk_is_http_port(apr_uint16_t port)
{
    return port == 80 || port == 443;
}

int trk_client_refuses_http_ports(const unsigned char peer_id[20])
{
    static const char clients[][4] = {"-UT", "-UM", "-BT"};

    for (size_t i = 0; i < sizeof clients / sizeof *clients; i++)
        if (memcmp(peer_id, clients[i], 3) == 0)
            return 1;
    return 0;
}
