#include "module/seed_address.h"

#include <ap_listen.h>
#include <http_core.h>
#include <apr_network_io.h>
#include <apr_siphash.h>

#include <netinet/in.h>
#include <string.h>

#include "module/child.h"
#include "tracker/address.h"

void bth_wire_address(const apr_sockaddr_t *from, trk_address *to)
{
    trk_address_of_socket((const struct sockaddr *)(const void *)&from->sa, to);
    to->port = from->port;
    *to = trk_address_normal(to);
}

int bth_is_private(const trk_address *address)
{
    static const unsigned char loopback6[16] = {[15] = 1};
    const unsigned char *ip = address->ip;

    if (address->is_v6)
        return memcmp(ip, loopback6, 16) == 0 || (ip[0] & 0xfe) == 0xfc || (ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80);
    return ip[0] == 10 || ip[0] == 127 || (ip[0] == 172 && (ip[1] & 0xf0) == 16) || (ip[0] == 192 && ip[1] == 168) ||
           (ip[0] == 169 && ip[1] == 254) || (ip[0] == 100 && (ip[1] & 0xc0) == 64);
}

/* --- names ----------------------------------------------------------------- */

static apr_uint64_t name_key(const char *name)
{
    static const unsigned char no_secret[16];

    return apr_siphash24(name, strlen(name), no_secret) | 1;
}

static bth_name_slot *slot_of(bth_names *names, apr_uint64_t key, int may_claim)
{
    for (apr_size_t i = 0; i < BTH_NAMES_MAX; i++) {
        bth_name_slot *slot = &names->slots[(key + i) % BTH_NAMES_MAX];
        apr_uint64_t found = __atomic_load_n(&slot->name_key, __ATOMIC_ACQUIRE);

        if (found == key)
            return slot;
        if (!found) {
            if (may_claim)
                __atomic_store_n(&slot->name_key, key, __ATOMIC_RELEASE);
            return may_claim ? slot : NULL;
        }
    }
    return NULL;
}

static void write_slot(bth_name_slot *slot, const trk_address *addresses, apr_uint32_t count)
{
    apr_uint32_t version = (__atomic_load_n(&slot->version, __ATOMIC_RELAXED) + 1) | 1;

    __atomic_store_n(&slot->version, version, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    memcpy(slot->addresses, addresses, count * sizeof *addresses);
    slot->count = count;
    __atomic_store_n(&slot->version, version + 1, __ATOMIC_RELEASE);
}

static int read_slot(const bth_name_slot *slot, trk_address *addresses)
{
    for (int tries = 0; tries < 100; tries++) {
        apr_uint32_t before = __atomic_load_n(&slot->version, __ATOMIC_ACQUIRE);
        apr_uint32_t count = slot->count;

        if ((before & 1) || count > BTH_NAME_ADDRESSES)
            continue;
        memcpy(addresses, slot->addresses, count * sizeof *addresses);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (__atomic_load_n(&slot->version, __ATOMIC_RELAXED) == before)
            return (int)count;
    }
    return 0;
}

void bth_resolve_names(bth_names *names, server_rec *first, apr_pool_t *pool)
{
    for (server_rec *s = first; s; s = s->next) {
        trk_address addresses[BTH_NAME_ADDRESSES];
        apr_sockaddr_t *found = NULL;
        apr_uint32_t count = 0;
        bth_name_slot *slot;

        if (!s->server_hostname || !(slot = slot_of(names, name_key(s->server_hostname), 1)))
            continue;
        if (apr_sockaddr_info_get(&found, s->server_hostname, APR_UNSPEC, 0, 0, pool) != APR_SUCCESS)
            continue;
        for (; found && count < BTH_NAME_ADDRESSES; found = found->next)
            bth_wire_address(found, &addresses[count++]);
        write_slot(slot, addresses, count);
    }
}

/* --- what a client is told ------------------------------------------------- */

static apr_uint16_t seed_port(const trk_address *local)
{
    const bth_server_config *conf = bth_server();

    if (conf->peers_on_http || conf->peer_ports->nelts == 0)
        return local->port;
    return APR_ARRAY_IDX(conf->peer_ports, 0, bth_peer_port).address.port;
}

static int configured(trk_address seeds[BTH_SEEDS_MAX], apr_uint16_t port)
{
    const apr_array_header_t *named = bth_server()->peer_addresses;
    int count = 0;

    for (int i = 0; i < named->nelts && count < BTH_SEEDS_MAX; i++) {
        seeds[count] = APR_ARRAY_IDX(named, i, trk_address);
        if (!seeds[count].port)
            seeds[count].port = port;
        count += seeds[count].port != 0;
    }
    return count;
}

static int resolved(const server_rec *s, trk_address seeds[BTH_SEEDS_MAX], apr_uint16_t port, int want_private)
{
    trk_address addresses[BTH_NAME_ADDRESSES];
    bth_name_slot *slot = s->server_hostname ? slot_of(bth_this_child()->shared->names, name_key(s->server_hostname), 0) : NULL;
    int found = slot ? read_slot(slot, addresses) : 0, count = 0;

    for (int i = 0; i < found; i++) {
        if (bth_is_private(&addresses[i]) != want_private)
            continue;
        seeds[count] = addresses[i];
        seeds[count++].port = port;
    }
    return count;
}

/* Of no virtual host: all of them are on this machine, so the first one whose name leads to the client's side will do. */
static int resolved_any(trk_address seeds[BTH_SEEDS_MAX], apr_uint16_t port, int want_private)
{
    const server_rec *s = bth_this_child()->server;
    int count = 0;

    for (int i = 0; s && count == 0 && i < BTH_NAMES_MAX; s = s->next, i++)
        count = resolved(s, seeds, port, want_private);
    return count;
}

apr_uint16_t bth_http_port(const trk_address *local)
{
    static const unsigned char any[16];

    for (const ap_listen_rec *each = ap_listeners; each; each = each->next) {
        trk_address http;
        int is_any;

        if (!each->bind_addr)
            continue;
        bth_wire_address(each->bind_addr, &http);
        is_any = memcmp(http.ip, any, sizeof any) == 0;
        if (is_any ? http.is_v6 || !local->is_v6 : trk_address_same_ip(&http, local))
            return http.port;
    }
    return 0;
}

/* @param s  the virtual host that was asked; NULL: none in particular
 * @param local  with the port on which peers reach HTTP there, or 0: none */
static int seeds_for(const server_rec *s, const trk_address *local, const trk_address *client, trk_address seeds[BTH_SEEDS_MAX])
{
    const bth_server_config *conf = bth_server();
    apr_uint16_t port = seed_port(local);
    int count, want_private = bth_is_private(client);

    if (!conf->peers_on_http && conf->peer_ports->nelts == 0)
        return 0;
    if ((count = configured(seeds, port)) > 0)
        return count;
    if (!port)
        return 0;
    if (bth_is_private(local) == want_private) {
        seeds[0] = *local;
        seeds[0].port = port;
        return 1;
    }
    return s ? resolved(s, seeds, port, want_private) : resolved_any(seeds, port, want_private);
}

int bth_seed_addresses(request_rec *r, trk_address seeds[BTH_SEEDS_MAX])
{
    trk_address local, client;

    bth_wire_address(r->connection->local_addr, &local);
    bth_wire_address(r->useragent_addr, &client);
    return seeds_for(r->server, &local, &client, seeds);
}

int bth_seeds_at(const trk_address *local, const trk_address *client, trk_address seeds[BTH_SEEDS_MAX])
{
    trk_address reached = *local;

    reached.port = bth_http_port(local);
    return seeds_for(NULL, &reached, client, seeds);
}
