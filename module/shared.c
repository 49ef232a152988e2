#include "module/shared.h"

#include <http_log.h>
#include <apr_shm.h>
#include <apr_strings.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/rand.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "module/config.h"

/* The number rises when the layout of bth_shared changes. */
#define RETAINED_KEY "mod_bthttp-shared-2"

static apr_status_t make_segment(void **memory, apr_size_t size, apr_pool_t *pool)
{
    apr_shm_t *segment;
    apr_status_t status = apr_shm_create(&segment, size, NULL, pool);

    if (status == APR_SUCCESS)
        *memory = apr_shm_baseaddr_get(segment);
    return status;
}

static apr_status_t prepare_counters(bth_shared *shared, apr_pool_t *pool)
{
    apr_status_t status;
    void *memory;

    if (shared->counters && seed_counters_usable(shared->counters, shared->counters_size))
        return APR_SUCCESS;
    status = make_segment(&memory, seed_counters_size(), pool);
    if (status != APR_SUCCESS)
        return status;
    seed_counters_init(memory);
    shared->counters = memory;
    shared->counters_size = seed_counters_size();
    return APR_SUCCESS;
}

static apr_status_t prepare_announces(bth_shared *shared, apr_pool_t *pool)
{
    apr_status_t status;
    void *memory;

    if (shared->announces && trk_counters_usable(shared->announces, shared->announces_size))
        return APR_SUCCESS;
    if ((status = make_segment(&memory, trk_counters_size(), pool)) != APR_SUCCESS)
        return status;
    trk_counters_init(memory);
    shared->announces = memory;
    shared->announces_size = trk_counters_size();
    return APR_SUCCESS;
}

/* The old segment stays mapped: children of the last generation may still use it. */
static apr_status_t remake_swarms(bth_shared *shared, apr_size_t size, apr_pool_t *pool)
{
    trk_swarms *old = NULL, *new = NULL;
    unsigned char key[16];
    apr_status_t status;
    void *memory;

    if (RAND_bytes(key, sizeof key) != 1)
        return APR_EGENERAL;
    if ((status = make_segment(&memory, size, pool)) != APR_SUCCESS)
        return status;
    memset(memory, 0, size);
    if ((status = trk_swarms_format(memory, size, key)) != APR_SUCCESS)
        return status;
    if ((status = trk_swarms_attach(&new, memory, size)) != APR_SUCCESS)
        return status;
    if (shared->swarms && trk_swarms_attach(&old, shared->swarms, shared->swarms_size) == APR_SUCCESS) {
        trk_swarms_copy(new, old, apr_time_now());
        trk_swarms_detach(old);
    }
    trk_swarms_detach(new);
    shared->swarms_fresh = old == NULL;
    shared->swarms = memory;
    shared->swarms_size = size;
    return APR_SUCCESS;
}

static apr_status_t prepare_swarms(bth_shared *shared, apr_size_t size, apr_pool_t *pool)
{
    trk_swarms *view = NULL;

    if (shared->swarms && shared->swarms_size == size &&
        trk_swarms_attach(&view, shared->swarms, size) == APR_SUCCESS) {
        trk_swarms_detach(view);
        shared->swarms_fresh = 0;
        return APR_SUCCESS;
    }
    return remake_swarms(shared, size, pool);
}

apr_status_t bth_shared_prepare(bth_shared **result, server_rec *s, apr_size_t swarms_size)
{
    apr_pool_t *pool = s->process->pool;
    bth_shared *shared = ap_retained_data_get(RETAINED_KEY);
    apr_status_t status = APR_SUCCESS;
    void *memory;

    if (!shared)
        shared = ap_retained_data_create(RETAINED_KEY, sizeof *shared);
    if (!shared->mailbox)
        status = seed_mailbox_create(&shared->mailbox, pool);
    if (status == APR_SUCCESS)
        status = prepare_counters(shared, pool);
    if (status == APR_SUCCESS)
        status = prepare_announces(shared, pool);
    if (status == APR_SUCCESS)
        status = prepare_swarms(shared, swarms_size, pool);
    if (status == APR_SUCCESS && !shared->names && (status = make_segment(&memory, sizeof *shared->names, pool)) == APR_SUCCESS) {
        memset(memory, 0, sizeof *shared->names);
        shared->names = memory;
    }
    *result = shared;
    return status;
}

static socklen_t to_sockaddr(struct sockaddr_storage *storage, const bth_peer_port *port)
{
    memset(storage, 0, sizeof *storage);
    if (port->any_address || port->address.is_v6) {
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
    memcpy(&v4->sin_addr, port->address.ip, 4);
    return sizeof *v4;
}

/* "PORT" alone listens on all addresses of both families with one socket, or on IPv4 where there is no IPv6. */
static int open_listener(const bth_peer_port *port)
{
    struct sockaddr_storage storage;
    socklen_t length = to_sockaddr(&storage, port);
    int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1, off = 0;

    if (fd < 0 && port->any_address && errno == EAFNOSUPPORT) {
        bth_peer_port v4 = {.address = {.port = port->address.port}};

        return open_listener(&v4);
    }
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (storage.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, port->any_address ? &off : &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&storage, length) < 0 || listen(fd, 511) < 0) {
        int why = errno;

        close(fd);
        errno = why;
        return -1;
    }
    return fd;
}

static int same_port(const bth_listener *open, const bth_peer_port *wanted)
{
    return open->any_address == wanted->any_address && open->address.port == wanted->address.port &&
           open->address.is_v6 == wanted->address.is_v6 &&
           memcmp(open->address.ip, wanted->address.ip, sizeof open->address.ip) == 0;
}

static void close_unnamed(bth_shared *shared, const apr_array_header_t *ports)
{
    int kept = 0;

    for (int i = 0; i < shared->listener_count; i++) {
        int named = 0;

        for (int j = 0; j < ports->nelts; j++)
            named |= same_port(&shared->listeners[i], &APR_ARRAY_IDX(ports, j, bth_peer_port));
        if (named)
            shared->listeners[kept++] = shared->listeners[i];
        else
            close(shared->listeners[i].fd);
    }
    shared->listener_count = kept;
}

static int is_open(const bth_shared *shared, const bth_peer_port *port)
{
    for (int i = 0; i < shared->listener_count; i++)
        if (same_port(&shared->listeners[i], port))
            return 1;
    return 0;
}

apr_status_t bth_shared_listen(bth_shared *shared, server_rec *s, const apr_array_header_t *ports)
{
    close_unnamed(shared, ports);
    for (int i = 0; i < ports->nelts; i++) {
        const bth_peer_port *port = &APR_ARRAY_IDX(ports, i, bth_peer_port);
        bth_listener *listener = &shared->listeners[shared->listener_count];

        if (is_open(shared, port))
            continue;
        if (shared->listener_count == BTH_LISTENERS_MAX) {
            ap_log_error(APLOG_MARK, APLOG_ERR, 0, s, "BTH0005: BTHTTPPeerPorts: more than %d ports", BTH_LISTENERS_MAX);
            return APR_ENOSPC;
        }
        *listener = (bth_listener){port->address, port->any_address, open_listener(port)};
        if (listener->fd < 0) {
            apr_status_t status = errno;

            ap_log_error(APLOG_MARK, APLOG_ERR, status, s, "BTH0006: BTHTTPPeerPorts: cannot listen on port %u",
                         (unsigned)port->address.port);
            return status;
        }
        shared->listener_count++;
    }
    return APR_SUCCESS;
}
