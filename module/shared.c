#include "module/shared.h"

#include <http_log.h>
#include <apr_shm.h>
#include <apr_strings.h>

#include <errno.h>
#include <openssl/rand.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "module/config.h"

/* The number rises when the layout of bth_shared changes. */
#define RETAINED_KEY "mod_bthttp-shared-3"

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

static apr_status_t prepare_limits(bth_shared *shared, apr_pool_t *pool)
{
    unsigned char key[16];
    apr_status_t status;
    void *memory;

    if (shared->limits && trk_limits_usable(shared->limits, shared->limits_size))
        return APR_SUCCESS;
    if (RAND_bytes(key, sizeof key) != 1)
        return APR_EGENERAL;
    if ((status = make_segment(&memory, trk_limits_size(), pool)) != APR_SUCCESS)
        return status;
    trk_limits_init(memory, key);
    shared->limits = memory;
    shared->limits_size = trk_limits_size();
    return APR_SUCCESS;
}

/* The old segment stays mapped: children of the last generation may still use it. A fresh one is zeroed by the kernel, and
 * what is never used of it never takes memory. */
static apr_status_t remake_table(bth_table *table, apr_size_t size, apr_pool_t *pool)
{
    trk_swarms *old = NULL, *new = NULL;
    unsigned char key[16];
    apr_status_t status;
    void *memory;

    if (RAND_bytes(key, sizeof key) != 1)
        return APR_EGENERAL;
    if ((status = make_segment(&memory, size, pool)) != APR_SUCCESS)
        return status;
    if ((status = trk_swarms_format(memory, size, key)) != APR_SUCCESS)
        return status;
    if ((status = trk_swarms_attach(&new, memory, size)) != APR_SUCCESS)
        return status;
    if (table->memory && trk_swarms_attach(&old, table->memory, table->size) == APR_SUCCESS) {
        trk_swarms_copy(new, old, apr_time_now());
        trk_swarms_detach(old);
    }
    trk_swarms_detach(new);
    *table = (bth_table){memory, size, old == NULL};
    return APR_SUCCESS;
}

static apr_status_t prepare_table(bth_table *table, apr_size_t size, apr_pool_t *pool)
{
    trk_swarms *view = NULL;

    if (table->memory && table->size == size && trk_swarms_attach(&view, table->memory, size) == APR_SUCCESS) {
        trk_swarms_detach(view);
        table->is_fresh = 0;
        return APR_SUCCESS;
    }
    return remake_table(table, size, pool);
}

apr_status_t bth_shared_prepare(bth_shared **result, server_rec *s, apr_size_t table_size, int is_open)
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
        status = prepare_limits(shared, pool);
    if (status == APR_SUCCESS)
        status = prepare_table(&shared->swarms, table_size, pool);
    if (status == APR_SUCCESS && is_open)
        status = prepare_table(&shared->unpublished, table_size, pool);
    if (status == APR_SUCCESS && !shared->names && (status = make_segment(&memory, sizeof *shared->names, pool)) == APR_SUCCESS) {
        memset(memory, 0, sizeof *shared->names);
        shared->names = memory;
    }
    if (status == APR_SUCCESS && !shared->has_udp_secret) {
        if (RAND_bytes(shared->udp_secret, sizeof shared->udp_secret) != 1)
            return APR_EGENERAL;
        shared->has_udp_secret = 1;
    }
    *result = shared;
    return status;
}

apr_status_t bth_shared_outbox(bth_shared *shared, server_rec *s)
{
    unsigned char host[TRK_HOST_ID_SIZE];
    apr_status_t status;
    void *memory;
    int wake;

    if (shared->outbox && trk_outbox_usable(shared->outbox, shared->outbox_size))
        return APR_SUCCESS;
    if (RAND_bytes(host, sizeof host) != 1)
        return APR_EGENERAL;
    if ((status = make_segment(&memory, trk_outbox_size(), s->process->pool)) != APR_SUCCESS)
        return status;
    if ((wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0)
        return errno;
    memset(memory, 0, trk_outbox_size());
    if ((status = trk_outbox_format(memory, wake, host)) != APR_SUCCESS) {
        close(wake);
        return status;
    }
    shared->outbox = memory;
    shared->outbox_size = trk_outbox_size();
    return APR_SUCCESS;
}

int bth_shared_is_there(void)
{
    return ap_retained_data_get(RETAINED_KEY) != NULL;
}

apr_status_t bth_shared_listen(bth_shared *shared, server_rec *s, const apr_array_header_t *ports)
{
    const bth_peer_port *failed = NULL;
    apr_status_t status = bth_listeners_set(&shared->listeners, SOCK_STREAM, ports, &failed);

    if (status != APR_SUCCESS && failed)
        ap_log_error(APLOG_MARK, APLOG_ERR, status, s, "BTH0006: BTHTTPPeerPorts: cannot listen on port %u",
                     (unsigned)failed->address.port);
    else if (status != APR_SUCCESS)
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, s, "BTH0005: BTHTTPPeerPorts: more than %d ports", BTH_LISTENERS_MAX);
    return status;
}

apr_status_t bth_shared_listen_udp(bth_shared *shared, server_rec *s, const apr_array_header_t *ports, const char *where)
{
    const bth_peer_port *failed = NULL;
    apr_status_t status = bth_listeners_set(&shared->udp, SOCK_DGRAM, ports, &failed);

    if (status != APR_SUCCESS && failed)
        ap_log_error(APLOG_MARK, APLOG_ERR, status, s, "BTH0091: BTHTTPTrackerUDP: cannot open port %u (%s)",
                     (unsigned)failed->address.port, where);
    else if (status != APR_SUCCESS)
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, s, "BTH0090: BTHTTPTrackerUDP: more than %d sockets (%s)", BTH_LISTENERS_MAX,
                     where);
    return status;
}
