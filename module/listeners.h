/* Sockets that the parent opens, and keeps open over restarts that still name them. */
#ifndef BTH_LISTENERS_H
#define BTH_LISTENERS_H

#include <apr_tables.h>

#include "module/config.h"

enum { BTH_LISTENERS_MAX = 16 };

typedef struct {
    trk_address address;
    int any_address;
    int fd;
} bth_listener;

/* Plain data. */
typedef struct {
    bth_listener sockets[BTH_LISTENERS_MAX];
    int count;
} bth_listeners;

/**
 * Opens the ports that are not open yet, keeps those that are, closes those that are not among them. Sockets do not block and
 * are closed by exec. Parent, as root where it is root.
 *
 * Streams listen; a port for any address is one socket for both families. Datagram sockets are of one family each, and tell to
 * which address each datagram came (IP_PKTINFO) if bth_listener_is_told says so; one for any IPv6 address is left out where there is no IPv6.
 * @param type    SOCK_STREAM or SOCK_DGRAM
 * @param ports   of bth_peer_port
 * @param failed  the one that cannot be opened; NULL if there are too many (APR_ENOSPC)
 */
apr_status_t bth_listeners_set(bth_listeners *set, int type, const apr_array_header_t *ports, const bth_peer_port **failed);

/**
 * Does a datagram socket bound to this address tell to which one each datagram came? It does if it is for any address, or for one that
 * means something on an interface alone; else there is but this one.
 */
int bth_listener_is_told(int any_address, const trk_address *address);

#endif
