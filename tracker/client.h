/* What the tracker must know of clients, by their peer ids. */
#ifndef TRK_CLIENT_H
#define TRK_CLIENT_H

#include <apr.h>

/** Is it one of those ports of HTTP that some clients refuse to connect to? */
int trk_is_http_port(apr_uint16_t port);

/** Does this client refuse them by default? uTorrent, uTorrent for macOS and BitTorrent do. */
int trk_client_refuses_http_ports(const unsigned char peer_id[20]);

#endif
