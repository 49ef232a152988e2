#include "module/config.h"

#include <http_core.h>

#include "module/values.h"
#include "tracker/limits.h"
#include "tracker/swarms.h"

static bth_server_config *server_config;

bth_server_config *bth_server(void)
{
    return server_config;
}

void bth_server_reset(apr_pool_t *pconf)
{
    bth_server_config *conf = apr_pcalloc(pconf, sizeof *conf);

    conf->state_dir = BTH_STATEDIR;
    conf->path = "/.well-known/bthttp";
    conf->peers_on_http = 1;
    conf->peer_ports = apr_array_make(pconf, 2, sizeof(bth_peer_port));
    conf->peer_addresses = apr_array_make(pconf, 2, sizeof(trk_address));
    conf->max_peers = 2000;
    conf->max_peers_per_ip = 8;
    conf->tracker = BTH_TRACKER_CLOSED;
    conf->tracker_udp = apr_array_make(pconf, 2, sizeof(bth_peer_port));
    conf->tracker_interval = apr_time_from_sec(30 * 60);
    conf->tracker_memory = 64 * 1024 * 1024;
    conf->tracker_rate = TRK_RATE_DEFAULT;
    conf->private_addresses = BTH_PRIVATE_AUTO;
    conf->token_secrets = apr_array_make(pconf, 2, sizeof(trk_secret));
    conf->token_time = apr_time_from_sec(7 * 24 * 3600);
    server_config = conf;
}

/* --- directories ----------------------------------------------------------- */

void *bth_create_dir_config(apr_pool_t *pool, char *dir)
{
    bth_dir_config *conf = apr_pcalloc(pool, sizeof *conf);

    (void)dir;
    conf->enabled = BTH_UNSET;
    conf->min_size = BTH_UNSET;
    conf->max_size = BTH_UNSET;
    conf->version = BTH_UNSET;
    conf->piece_length = BTH_UNSET;
    conf->wait = BTH_UNSET;
    conf->aliases = BTH_UNSET;
    conf->accept_metalink = BTH_UNSET;
    conf->collection = BTH_UNSET;
    conf->scan = BTH_UNSET;
    conf->web_seed = BTH_UNSET;
    conf->own_announce = BTH_UNSET;
    return conf;
}

#define INHERIT(member) merged->member = add->member != BTH_UNSET ? add->member : base->member

void *bth_merge_dir_config(apr_pool_t *pool, void *base_, void *add_)
{
    const bth_dir_config *base = base_, *add = add_;
    bth_dir_config *merged = apr_pcalloc(pool, sizeof *merged);

    INHERIT(enabled);
    INHERIT(min_size);
    INHERIT(max_size);
    INHERIT(version);
    INHERIT(piece_length);
    INHERIT(wait);
    INHERIT(aliases);
    INHERIT(accept_metalink);
    INHERIT(collection);
    INHERIT(scan);
    INHERIT(web_seed);
    INHERIT(own_announce);
    merged->mirrors = add->mirrors ? add->mirrors : base->mirrors;
    merged->announces = add->announces ? add->announces : base->announces;
    return merged;
}

#define DEFAULT(member, value)                                                                                         \
    if (conf.member == BTH_UNSET)                                                                                      \
    conf.member = value

bth_dir_config bth_dir_of(const request_rec *r)
{
    bth_dir_config conf = *(bth_dir_config *)ap_get_module_config(r->per_dir_config, &bthttp_module);

    DEFAULT(enabled, 1);
    DEFAULT(min_size, 1024 * 1024);
    DEFAULT(max_size, BTH_NO_LIMIT);
    DEFAULT(version, TG_HYBRID);
    DEFAULT(piece_length, 0);
    DEFAULT(wait, apr_time_from_sec(2));
    DEFAULT(aliases, BTH_ALIASES_ALL);
    DEFAULT(accept_metalink, 1);
    DEFAULT(collection, 0);
    DEFAULT(scan, 0);
    DEFAULT(web_seed, 1);
    DEFAULT(own_announce, 1);
    return conf;
}

const apr_array_header_t *bth_udp_ports(apr_pool_t *pool)
{
    return server_config->tracker ? server_config->tracker_udp : apr_array_make(pool, 1, sizeof(bth_peer_port));
}
