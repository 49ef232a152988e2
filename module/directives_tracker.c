/* Directives of the tracker. */
#include "module/directives.h"

#include <apr_strings.h>

#include "module/values.h"
#include "tracker/swarms.h"

const char *bth_set_tracker(cmd_parms *cmd, void *dir, const char *value)
{
    const char *wrong = bth_global_only(cmd);

    (void)dir;
    if (wrong)
        return wrong;
    if (!strcasecmp(value, "closed"))
        bth_server()->tracker = BTH_TRACKER_CLOSED;
    else if (!strcasecmp(value, "open"))
        bth_server()->tracker = BTH_TRACKER_OPEN;
    else if (!strcasecmp(value, "off"))
        bth_server()->tracker = BTH_TRACKER_OFF;
    else
        return bth_complain(cmd, value, "is unknown: closed, open or off expected");
    return NULL;
}

/* A port without an address is one of all IPv4 and one of all IPv6 addresses. */
static void add_udp_port(apr_array_header_t *ports, const trk_address *address, int has_ip)
{
    bth_peer_port port = {*address, !has_ip};

    APR_ARRAY_PUSH(ports, bth_peer_port) = port;
    port.address.is_v6 = 1;
    if (!has_ip)
        APR_ARRAY_PUSH(ports, bth_peer_port) = port;
}

const char *bth_set_tracker_udp(cmd_parms *cmd, void *dir, int argc, char *const argv[])
{
    bth_server_config *conf = bth_server();
    const char *wrong = bth_global_only(cmd);
    trk_address address;
    int has_ip;

    (void)dir;
    if (wrong)
        return wrong;
    if (argc == 0)
        return apr_psprintf(cmd->pool, "%s: off or ports expected", cmd->cmd->name);
    conf->tracker_udp_where = apr_psprintf(cmd->pool, "line %d of %s", cmd->directive->line_num, cmd->directive->filename);
    apr_array_clear(conf->tracker_udp);
    for (int i = 0; i < argc; i++) {
        if (!strcasecmp(argv[i], "off")) {
            if (argc > 1)
                return bth_complain(cmd, argv[i], "stands alone");
            continue;
        }
        wrong = bth_read_address(argv[i], &address, &has_ip);
        if (wrong || address.port == 0)
            return bth_complain(cmd, argv[i], wrong ? wrong : "has no port");
        add_udp_port(conf->tracker_udp, &address, has_ip);
    }
    return NULL;
}

const char *bth_set_tracker_interval(cmd_parms *cmd, void *dir, const char *value)
{
    const char *wrong = bth_global_only(cmd);

    (void)dir;
    return wrong ? wrong
                 : bth_read_span(cmd, value, apr_time_from_sec(10), apr_time_from_sec(24 * 3600), &bth_server()->tracker_interval);
}

const char *bth_set_tracker_memory(cmd_parms *cmd, void *dir, const char *value)
{
    const char *wrong = bth_global_only(cmd);

    (void)dir;
    if (wrong)
        return wrong;
    wrong = bth_read_size(value, &bth_server()->tracker_memory);
    if (!wrong && (bth_server()->tracker_memory < TRK_MEMORY_MIN || bth_server()->tracker_memory > 64LL << 30))
        wrong = "is out of range: 1M to 64G expected";
    return wrong ? bth_complain(cmd, value, wrong) : NULL;
}

const char *bth_set_private_addresses(cmd_parms *cmd, void *dir, const char *value)
{
    const char *wrong = bth_global_only(cmd);

    (void)dir;
    if (wrong)
        return wrong;
    if (!strcasecmp(value, "auto"))
        bth_server()->private_addresses = BTH_PRIVATE_AUTO;
    else if (!strcasecmp(value, "allow"))
        bth_server()->private_addresses = BTH_PRIVATE_ALLOW;
    else if (!strcasecmp(value, "deny"))
        bth_server()->private_addresses = BTH_PRIVATE_DENY;
    else
        return bth_complain(cmd, value, "is unknown: auto, allow or deny expected");
    return NULL;
}
