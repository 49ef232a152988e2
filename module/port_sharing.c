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
#include "module/first_bytes.h"

enum { FIRST_BYTES_WAIT_MS = 5000 };

/* Where the kernel defers accept the bytes are there already; else wait for them a little: a client that says nothing for
 * longer is no peer, and HTTP's own time-outs deal with it. */
static bth_speaks who_speaks(int fd)
{
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    unsigned char bytes[BTH_FIRST_BYTES];

    for (;;) {
        ssize_t got = recv(fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);

        if (got > 0)
            return bth_who_speaks(bytes, (apr_size_t)got);
        if (got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
            return BTH_SPEAKS_OTHER;
        if (errno != EINTR && poll(&waiting, 1, FIRST_BYTES_WAIT_MS) == 0)
            return BTH_SPEAKS_OTHER;
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
    if (!socket || apr_os_sock_get(&fd, socket) != APR_SUCCESS || who_speaks(fd) == BTH_SPEAKS_OTHER)
        return DECLINED;
    pass_on(c, fd);
    /* Encrypted peers go there even with BTHTTPEncryption off: it closes them without a word, whereupon clients come back
     * in plain; httpd's "400 Bad Request" they would take for the other half of the key exchange.
     * "Aborted" spares our copy the shutdown that would reach the seeder's as well. */
    c->aborted = 1;
    c->keepalive = AP_CONN_CLOSE;
    if (c->cs)
        c->cs->state = CONN_STATE_LINGER;
    return OK;
}
