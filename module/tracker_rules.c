#include "module/tracker_rules.h"

#include <httpd.h>
#include <http_config.h>
#include <http_log.h>

#include <arpa/inet.h>

#include "module/child.h"
#include "module/geo.h"
#include "module/seed_address.h"
#include "tracker/address.h"
#include "tracker/client.h"

APLOG_USE_MODULE(bthttp);

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
        if (port->any_address || trk_address_same_ip(&port->address, local))
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

/* Once in a while is enough: the counters tell the rest. */
static void say_too_many(const trk_address *from, apr_time_t now)
{
    static apr_time_t said;
    apr_time_t last = __atomic_load_n(&said, __ATOMIC_RELAXED);
    char text[INET6_ADDRSTRLEN] = "";

    if ((last && now - last < apr_time_from_sec(600)) ||
        !__atomic_compare_exchange_n(&said, &last, now, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        return;
    inet_ntop(from->is_v6 ? AF_INET6 : AF_INET, from->ip, text, sizeof text);
    ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, bth_this_child()->server,
                 "BTH0096: BTHTTPTrackerRate: %s or its network announces more often than it may, and is refused for a while", text);
}

trk_result bth_tracker_admit(const trk_address *from, int scraped, apr_time_t now)
{
    bth_shared *shared = bth_this_child()->shared;
    trk_result result = trk_limits_take(shared->limits, bth_server()->tracker_rate, from, trk_scrape_cost(scraped), now);

    if (result == TRK_RESULT_OK)
        return result;
    if (scraped > 0)
        trk_count_refused_scrape(shared->announces);
    say_too_many(from, now);
    return result;
}

const char *bth_tracker_too_many(trk_result result)
{
    return result == TRK_RESULT_RATE_ADDRESS ? "too many requests from your address: try again later"
                                             : "too many requests from your network: try again later";
}

trk_swarms *bth_tracker_table(cat_standing standing)
{
    const bth_child *child = bth_this_child();

    if (standing == CAT_PUBLISHED)
        return child->swarms;
    return standing == CAT_UNKNOWN ? child->unpublished : NULL;
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
