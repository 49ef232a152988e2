#include "module/port_sharing.h"

#include <http_connection.h>
#include <http_core.h>
#include <http_log.h>
#include <apr_portable.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "module/child.h"

/* Never the start of HTTP (a letter) or TLS (0x16): the length of "BitTorrent protocol". */
enum { FIRST_BYTE = 0x13, FIRST_BYTE_WAIT_MS = 5000 };

/* Where the kernel defers accept the byte is there already; else wait for it a little: a client that says nothing for
 * longer is no peer, and HTTP's own time-outs deal with it. @return the byte, or -1 */
static int peek_first_byte(int fd)
{
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    unsigned char byte;

    for (;;) {
        ssize_t got = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

        if (got == 1)
            return byte;
        if (got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
            return -1;
        if (errno != EINTR && poll(&waiting, 1, FIRST_BYTE_WAIT_MS) == 0)
            return -1;
    }
}

static void pass_on(conn_rec *c, int fd)
{
    const bth_child *child = bth_this_child();
    apr_status_t status = seed_post_peer(child->shared->mailbox, fd);

    if (status != APR_SUCCESS) {
        seed_count(&child->shared->counters->mailbox_full, 1);
        ap_log_cerror(APLOG_MARK, APLOG_DEBUG, status, c, "BTH0007: no room for a peer");
    }
}

int bth_port_sharing(conn_rec *c)
{
    apr_socket_t *socket;
    int fd;

    if (c->master || !bth_this_child()->seeder || !bth_server()->peers_on_http)
        return DECLINED;
    /* MPMs run this hook again whenever a connection wakes: only its very first byte tells. */
    if (ap_get_module_config(c->conn_config, &bthttp_module))
        return DECLINED;
    ap_set_module_config(c->conn_config, &bthttp_module, c);
    socket = ap_get_conn_socket(c);
    if (!socket || apr_os_sock_get(&fd, socket) != APR_SUCCESS || peek_first_byte(fd) != FIRST_BYTE)
        return DECLINED;
    pass_on(c, fd);
    /* "Aborted" spares our copy the shutdown that would reach the seeder's as well. */
    c->aborted = 1;
    c->keepalive = AP_CONN_CLOSE;
    if (c->cs)
        c->cs->state = CONN_STATE_LINGER;
    return OK;
}
