#include "module/listeners.h"

#include <apr_time.h>

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tracker/address.h"

/* Datagrams wait here while one seeder's child takes over from another, or the machine is busy: some 5000 of them, half a second of
 * 10,000 a second. Where more come than can be answered, that is what each waits: some 30 ms. */
enum { RECEIVE_BUFFER = 2 * 1024 * 1024 };

/* Children of the last generation close a datagram socket as soon as they are told to end: so long a new one is tried. */
enum { TRIES = 200 };
#define TRY_AGAIN apr_time_from_msec(10)

static socklen_t to_sockaddr(struct sockaddr_storage *storage, const bth_peer_port *port, int is_v6)
{
    memset(storage, 0, sizeof *storage);
    if (is_v6) {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)storage;

        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port->address.port);
        if (!port->any_address)
            memcpy(&v6->sin6_addr, port->address.ip, 16);
        return sizeof *v6;
    }
    struct sockaddr_in *v4 = (struct sockaddr_in *)storage;

    v4->sin_family = AF_INET;
    v4->sin_port = htons(port->address.port);
    if (!port->any_address)
        memcpy(&v4->sin_addr, port->address.ip, 4);
    return sizeof *v4;
}

static int close_failed(int fd)
{
    int why = errno;

    close(fd);
    errno = why;
    return -1;
}

/* "PORT" alone listens on all addresses of both families with one socket, or on IPv4 where there is no IPv6. */
static int open_stream(const bth_peer_port *port)
{
    struct sockaddr_storage storage;
    int is_v6 = port->any_address || port->address.is_v6, on = 1, both = port->any_address ? 0 : 1;
    int fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0 && port->any_address && errno == EAFNOSUPPORT) {
        is_v6 = 0;
        fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    }
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (is_v6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &both, sizeof both);
    if (bind(fd, (struct sockaddr *)&storage, to_sockaddr(&storage, port, is_v6)) < 0 || listen(fd, 511) < 0)
        return close_failed(fd);
    return fd;
}

int bth_listener_is_told(int any_address, const trk_address *address)
{
    return any_address || (address->is_v6 && address->ip[0] == 0xfe && (address->ip[1] & 0xc0) == 0x80);
}

/* What is sent fits into a packet on every path, so it is never to be taken apart (as QUIC does): nor has the kernel to find
 * a number then for putting the parts together. @return 0 if something failed that is needed */
static int prepare_datagram(int fd, int is_v6, int is_told)
{
    int on = 1, whole = IP_PMTUDISC_PROBE;

    if (is_v6)
        return setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0 &&
               (!is_told || setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on) == 0);
    setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &whole, sizeof whole);
    return !is_told || setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on) == 0;
}

static int open_datagram(const bth_peer_port *port)
{
    struct sockaddr_storage storage;
    int is_v6 = port->address.is_v6, size = RECEIVE_BUFFER;
    int fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    if (!prepare_datagram(fd, is_v6, bth_listener_is_told(port->any_address, &port->address)) || bind(fd, (struct sockaddr *)&storage, to_sockaddr(&storage, port, is_v6)) < 0)
        return close_failed(fd);
    return fd;
}

static int same_port(const bth_listener *open, const bth_peer_port *wanted)
{
    return open->any_address == wanted->any_address && open->address.port == wanted->address.port &&
           trk_address_same_ip(&open->address, &wanted->address);
}

/* @return how many were closed */
static int close_unnamed(bth_listeners *set, const apr_array_header_t *ports)
{
    int kept = 0, closed;

    for (int i = 0; i < set->count; i++) {
        int named = 0;

        for (int j = 0; j < ports->nelts; j++)
            named |= same_port(&set->sockets[i], &APR_ARRAY_IDX(ports, j, bth_peer_port));
        if (named)
            set->sockets[kept++] = set->sockets[i];
        else
            close(set->sockets[i].fd);
    }
    closed = set->count - kept;
    set->count = kept;
    return closed;
}

static int is_open(const bth_listeners *set, const bth_peer_port *port)
{
    for (int i = 0; i < set->count; i++)
        if (same_port(&set->sockets[i], port))
            return 1;
    return 0;
}

static int open_port(int type, const bth_peer_port *port, int tries)
{
    int fd;

    if (type == SOCK_STREAM)
        return open_stream(port);
    while ((fd = open_datagram(port)) < 0 && errno == EADDRINUSE && --tries > 0)
        apr_sleep(TRY_AGAIN);
    return fd;
}

apr_status_t bth_listeners_set(bth_listeners *set, int type, const apr_array_header_t *ports, const bth_peer_port **failed)
{
    int tries = close_unnamed(set, ports) > 0 ? TRIES : 1;

    *failed = NULL;
    for (int i = 0; i < ports->nelts; i++) {
        const bth_peer_port *port = &APR_ARRAY_IDX(ports, i, bth_peer_port);
        int fd;

        if (is_open(set, port))
            continue;
        if (set->count == BTH_LISTENERS_MAX)
            return APR_ENOSPC;
        fd = open_port(type, port, tries);
        if (fd < 0 && type == SOCK_DGRAM && port->any_address && port->address.is_v6 && errno == EAFNOSUPPORT)
            continue;
        if (fd < 0) {
            *failed = port;
            return errno;
        }
        set->sockets[set->count++] = (bth_listener){port->address, port->any_address, fd};
    }
    return APR_SUCCESS;
}
