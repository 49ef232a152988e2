#include "module/tracker_rules.h"

#include <string.h>

#include "module/child.h"
#include "module/geo.h"
#include "module/seed_address.h"
#include "tracker/client.h"

static int allows_private(const trk_address *local)
{
    switch (bth_server()->private_addresses) {
    case BTH_PRIVATE_ALLOW:
        return 1;
    case BTH_PRIVATE_DENY:
        return 0;
    case BTH_PRIVATE_AUTO:
        break;
    }
    return bth_is_private(local);
}

/* The first of BTHTTPPeerPorts that everybody connects to, and that is open on this address. */
static apr_uint16_t second_port(const trk_address *local)
{
    const apr_array_header_t *ports = bth_server()->peer_ports;

    for (int i = 0; i < ports->nelts; i++) {
        const bth_peer_port *port = &APR_ARRAY_IDX(ports, i, bth_peer_port);

        if (trk_is_http_port(port->address.port))
            continue;
        if (port->any_address || (port->address.is_v6 == local->is_v6 &&
                                  memcmp(port->address.ip, local->ip, local->is_v6 ? 16 : 4) == 0))
            return port->address.port;
    }
    return 0;
}

static apr_uint64_t load(const apr_uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* Without a seeder that measures, nothing is known of its load. */
static int is_saturated(const seed_counters *page)
{
    enum { RECENT = 3 * APR_USEC_PER_SEC };

    return load(&page->saturated) && seed_now() - (apr_time_t)load(&page->measured) < RECENT;
}

trk_policy bth_tracker_policy(const trk_address *local)
{
    const seed_counters *page = bth_this_child()->shared->counters;
    trk_policy policy = {.interval = bth_server()->tracker_interval,
                         .allow_private_peers = allows_private(local),
                         .second_port = second_port(local),
                         .nearness = TRK_NEARNESS_DEFAULT,
                         .atlas = bth_geo_atlas(),
                         .load = (int)load(&page->http_load),
                         .spare_origin = is_saturated(page)};

    return policy;
}

const char *bth_tracker_refusal(cat_standing standing)
{
    switch (standing) {
    case CAT_CHANGED:
        return "the file changed: get a new torrent from the same URL";
    case CAT_PROTECTED:
        return "this file is no longer public";
    case CAT_PUBLISHED:
    case CAT_UNKNOWN:
        break;
    }
    return "this server does not publish that torrent";
}

trk_result bth_tracker_result(cat_standing standing)
{
    switch (standing) {
    case CAT_PUBLISHED:
        return TRK_RESULT_OK;
    case CAT_CHANGED:
        return TRK_RESULT_CHANGED;
    case CAT_PROTECTED:
        return TRK_RESULT_PROTECTED;
    case CAT_UNKNOWN:
        break;
    }
    return TRK_RESULT_UNKNOWN;
}
