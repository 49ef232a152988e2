#include "module/config.h"

#include <http_core.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_uri.h>

#include <stddef.h>

#include "module/values.h"
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
    conf->tracker = 1;
    conf->tracker_udp = apr_array_make(pconf, 2, sizeof(bth_peer_port));
    conf->tracker_interval = apr_time_from_sec(30 * 60);
    conf->tracker_memory = 64 * 1024 * 1024;
    conf->private_addresses = BTH_PRIVATE_AUTO;
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

/* A message that names the directive and the value; httpd puts file and line in front. */
static const char *complain(cmd_parms *cmd, const char *value, const char *what)
{
    return apr_psprintf(cmd->pool, "%s: \"%s\" %s", cmd->cmd->name, value, what);
}

static const char *set_min_size(cmd_parms *cmd, void *dir, const char *value)
{
    const char *wrong = bth_read_size(value, &((bth_dir_config *)dir)->min_size);

    return wrong ? complain(cmd, value, wrong) : NULL;
}

static const char *set_max_size(cmd_parms *cmd, void *dir, const char *value)
{
    bth_dir_config *conf = dir;
    const char *wrong;

    if (!strcasecmp(value, "none")) {
        conf->max_size = BTH_NO_LIMIT;
        return NULL;
    }
    wrong = bth_read_size(value, &conf->max_size);
    return wrong ? complain(cmd, value, wrong) : NULL;
}

static const char *set_version(cmd_parms *cmd, void *dir, const char *value)
{
    bth_dir_config *conf = dir;

    if (!strcasecmp(value, "hybrid"))
        conf->version = TG_HYBRID;
    else if (!strcasecmp(value, "v1"))
        conf->version = TG_V1;
    else if (!strcasecmp(value, "v2"))
        conf->version = TG_V2;
    else
        return complain(cmd, value, "is not a metainfo version: hybrid, v1 or v2 expected");
    return NULL;
}

static const char *set_piece_size(cmd_parms *cmd, void *dir, const char *value)
{
    bth_dir_config *conf = dir;
    apr_int64_t size = 0;
    const char *wrong;

    if (strcasecmp(value, "auto")) {
        wrong = bth_read_size(value, &size);
        if (wrong)
            return complain(cmd, value, wrong);
        if (size < TG_PIECE_MIN || size > TG_PIECE_MAX || (size & (size - 1)))
            return complain(cmd, value, "is not a piece size: a power of two from 16K to 16M, or auto, expected");
    }
    conf->piece_length = size;
    return NULL;
}

static const char *read_time(cmd_parms *cmd, const char *value, apr_interval_time_t least, apr_interval_time_t most,
                             apr_interval_time_t *time)
{
    if (!apr_isdigit(*value) || ap_timeout_parameter_parse(value, time, "s") != APR_SUCCESS)
        return complain(cmd, value, "is not a time: a number with ms, s, min or h expected");
    if (*time < least || *time > most)
        return complain(cmd, value, "is out of range");
    return NULL;
}

static const char *set_wait(cmd_parms *cmd, void *dir, const char *value)
{
    return read_time(cmd, value, 0, apr_time_from_sec(600), &((bth_dir_config *)dir)->wait);
}

static int alias_bit(const char *word)
{
    return !strcasecmp(word, "torrent")  ? BTH_ALIAS_IS_TORRENT
           : !strcasecmp(word, "magnet") ? BTH_ALIAS_IS_MAGNET
           : !strcasecmp(word, "meta4")  ? BTH_ALIAS_IS_META4
           : !strcasecmp(word, "query")  ? BTH_ALIAS_IS_QUERY
                                         : 0;
}

static const char *set_alias(cmd_parms *cmd, void *dir, int argc, char *const argv[])
{
    bth_dir_config *conf = dir;

    conf->aliases = 0;
    if (argc == 0)
        return apr_psprintf(cmd->pool, "%s: torrent, magnet, meta4, query or none expected", cmd->cmd->name);
    for (int i = 0; i < argc; i++) {
        int bit = alias_bit(argv[i]);

        if (!bit && (strcasecmp(argv[i], "none") || argc > 1))
            return complain(cmd, argv[i], "is not an alias: torrent, magnet, meta4 and query, or none, expected");
        conf->aliases |= bit;
    }
    return NULL;
}

/* @return what is wrong with a URL of one of the schemes, or NULL */
static const char *check_url(cmd_parms *cmd, const char *url, int udp_too)
{
    apr_uri_t parts;

    if (apr_uri_parse(cmd->temp_pool, url, &parts) != APR_SUCCESS || !parts.scheme || !parts.hostname || !*parts.hostname)
        return complain(cmd, url, "is not a URL");
    if (!strcasecmp(parts.scheme, "http") || !strcasecmp(parts.scheme, "https"))
        return NULL;
    if (udp_too && (!strcasecmp(parts.scheme, "udp") || !strcasecmp(parts.scheme, "wss") || !strcasecmp(parts.scheme, "ws")))
        return NULL;
    return complain(cmd, url, "has a scheme that cannot be used here");
}

static const char *push_url(cmd_parms *cmd, apr_array_header_t **urls, const char *url, int udp_too)
{
    const char *wrong = check_url(cmd, url, udp_too);

    if (wrong)
        return wrong;
    if (!*urls)
        *urls = apr_array_make(cmd->pool, 4, sizeof(const char *));
    APR_ARRAY_PUSH(*urls, const char *) = apr_pstrdup(cmd->pool, url);
    return NULL;
}

static const char *add_mirror(cmd_parms *cmd, void *dir, const char *url)
{
    return push_url(cmd, &((bth_dir_config *)dir)->mirrors, url, 0);
}

static const char *add_announce(cmd_parms *cmd, void *dir, const char *url)
{
    bth_dir_config *conf = dir;

    if (!strcasecmp(url, "none")) {
        conf->own_announce = 0;
        return NULL;
    }
    return push_url(cmd, &conf->announces, url, 1);
}

/* --- the whole server ------------------------------------------------------ */

static const char *global_only(cmd_parms *cmd)
{
    return ap_check_cmd_context(cmd, GLOBAL_ONLY);
}

static const char *set_state_dir(cmd_parms *cmd, void *dir, const char *value)
{
    const char *wrong = global_only(cmd);

    (void)dir;
    if (wrong)
        return wrong;
    server_config->state_dir = ap_server_root_relative(cmd->pool, value);
    return server_config->state_dir && *value ? NULL : complain(cmd, value, "is not a path");
}

static const char *set_path(cmd_parms *cmd, void *dir, const char *value)
{
    const char *wrong = global_only(cmd);
    apr_size_t length = strlen(value);

    (void)dir;
    if (wrong)
        return wrong;
    while (length > 0 && value[length - 1] == '/')
        length--;
    if (*value != '/' || length == 0 || strpbrk(value, "?#% ") || strstr(value, "//") || strstr(value, "/../"))
        return complain(cmd, value, "is not a URL path: /NAME... expected");
    server_config->path = apr_pstrmemdup(cmd->pool, value, length);
    return NULL;
}

static const char *set_peer_ports(cmd_parms *cmd, void *dir, int argc, char *const argv[])
{
    bth_server_config *conf = server_config;
    const char *wrong = global_only(cmd);
    bth_peer_port port;
    int has_ip;

    (void)dir;
    if (wrong)
        return wrong;
    if (argc == 0)
        return apr_psprintf(cmd->pool, "%s: http, off or ports expected", cmd->cmd->name);
    conf->peers_on_http = 0;
    apr_array_clear(conf->peer_ports);
    for (int i = 0; i < argc; i++) {
        if (!strcasecmp(argv[i], "http")) {
            conf->peers_on_http = 1;
        } else if (!strcasecmp(argv[i], "off")) {
            if (argc > 1)
                return complain(cmd, argv[i], "stands alone");
        } else {
            wrong = bth_read_address(argv[i], &port.address, &has_ip);
            if (wrong || port.address.port == 0)
                return complain(cmd, argv[i], wrong ? wrong : "has no port");
            port.any_address = !has_ip;
            APR_ARRAY_PUSH(conf->peer_ports, bth_peer_port) = port;
        }
    }
    return NULL;
}

static const char *add_peer_address(cmd_parms *cmd, void *dir, const char *value)
{
    const char *wrong = global_only(cmd);
    trk_address address;
    int has_ip;

    (void)dir;
    if (wrong)
        return wrong;
    wrong = bth_read_address(value, &address, &has_ip);
    if (wrong || !has_ip)
        return complain(cmd, value, wrong ? wrong : "is not a numeric address");
    APR_ARRAY_PUSH(server_config->peer_addresses, trk_address) = address;
    return NULL;
}

/* Directives that are one number: where it goes and its bounds. */
typedef struct {
    apr_size_t offset;
    int least, most;
    const char *zero_word; /* stands for 0, or NULL */
} number_rule;

static const number_rule max_peers_rule = {offsetof(bth_server_config, max_peers), 1, 1000000, NULL};
static const number_rule per_ip_rule = {offsetof(bth_server_config, max_peers_per_ip), 1, 1000000, NULL};
static const number_rule slots_rule = {offsetof(bth_server_config, upload_slots), 1, 100000, "auto"};
static const number_rule threads_rule = {offsetof(bth_server_config, hash_threads), 1, 256, "auto"};

static const char *set_number(cmd_parms *cmd, void *dir, const char *value)
{
    const number_rule *rule = cmd->info;
    int *place = (int *)((char *)server_config + rule->offset);
    const char *wrong = global_only(cmd);

    (void)dir;
    if (wrong)
        return wrong;
    if (rule->zero_word && !strcasecmp(value, rule->zero_word)) {
        *place = 0;
        return NULL;
    }
    wrong = bth_read_number(value, rule->least, rule->most, place);
    return wrong ? complain(cmd, value, wrong) : NULL;
}

/* A rate of which a block a second is the least. @param none  the word for no limit; NULL: there is none */
static const char *set_rate(cmd_parms *cmd, const char *value, const char *none, apr_int64_t *rate)
{
    const char *wrong = global_only(cmd);

    if (wrong)
        return wrong;
    if (none && !strcasecmp(value, none)) {
        *rate = 0;
        return NULL;
    }
    wrong = bth_read_size(value, rate);
    if (!wrong && *rate < 16384)
        wrong = "is less than a block (16K) a second";
    return wrong ? complain(cmd, value, wrong) : NULL;
}

static const char *set_encryption(cmd_parms *cmd, void *dir, const char *value)
{
    const char *wrong = global_only(cmd);

    (void)dir;
    if (wrong)
        return wrong;
    if (!strcasecmp(value, "allow"))
        server_config->encryption = SEED_ENCRYPTION_ALLOW;
    else if (!strcasecmp(value, "require"))
        server_config->encryption = SEED_ENCRYPTION_REQUIRE;
    else if (!strcasecmp(value, "off"))
        server_config->encryption = SEED_ENCRYPTION_OFF;
    else
        return complain(cmd, value, "is unknown: allow, require or off expected");
    return NULL;
}

static const char *set_upload_rate(cmd_parms *cmd, void *dir, const char *value)
{
    (void)dir;
    return set_rate(cmd, value, "unlimited", &server_config->upload_rate);
}

static const char *set_uplink(cmd_parms *cmd, void *dir, const char *value)
{
    (void)dir;
    return set_rate(cmd, value, "none", &server_config->uplink);
}

static const char *set_tracker(cmd_parms *cmd, void *dir, const char *value)
{
    const char *wrong = global_only(cmd);

    (void)dir;
    if (wrong)
        return wrong;
    if (strcasecmp(value, "closed") && strcasecmp(value, "off"))
        return complain(cmd, value, "is not a mode that can be had: closed or off expected");
    server_config->tracker = !strcasecmp(value, "closed");
    return NULL;
}

const apr_array_header_t *bth_udp_ports(apr_pool_t *pool)
{
    return server_config->tracker ? server_config->tracker_udp : apr_array_make(pool, 1, sizeof(bth_peer_port));
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

static const char *set_tracker_udp(cmd_parms *cmd, void *dir, int argc, char *const argv[])
{
    bth_server_config *conf = server_config;
    const char *wrong = global_only(cmd);
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
                return complain(cmd, argv[i], "stands alone");
            continue;
        }
        wrong = bth_read_address(argv[i], &address, &has_ip);
        if (wrong || address.port == 0)
            return complain(cmd, argv[i], wrong ? wrong : "has no port");
        add_udp_port(conf->tracker_udp, &address, has_ip);
    }
    return NULL;
}

static const char *set_tracker_interval(cmd_parms *cmd, void *dir, const char *value)
{
    const char *wrong = global_only(cmd);

    (void)dir;
    return wrong ? wrong
                 : read_time(cmd, value, apr_time_from_sec(10), apr_time_from_sec(24 * 3600), &server_config->tracker_interval);
}

static const char *set_tracker_memory(cmd_parms *cmd, void *dir, const char *value)
{
    const char *wrong = global_only(cmd);

    (void)dir;
    if (wrong)
        return wrong;
    wrong = bth_read_size(value, &server_config->tracker_memory);
    if (!wrong && (server_config->tracker_memory < TRK_MEMORY_MIN || server_config->tracker_memory > 64LL << 30))
        wrong = "is out of range: 1M to 64G expected";
    return wrong ? complain(cmd, value, wrong) : NULL;
}

static const char *set_private_addresses(cmd_parms *cmd, void *dir, const char *value)
{
    const char *wrong = global_only(cmd);

    (void)dir;
    if (wrong)
        return wrong;
    if (!strcasecmp(value, "auto"))
        server_config->private_addresses = BTH_PRIVATE_AUTO;
    else if (!strcasecmp(value, "allow"))
        server_config->private_addresses = BTH_PRIVATE_ALLOW;
    else if (!strcasecmp(value, "deny"))
        server_config->private_addresses = BTH_PRIVATE_DENY;
    else
        return complain(cmd, value, "is unknown: auto, allow or deny expected");
    return NULL;
}

#define DIR_CTX (OR_FILEINFO)
#define DIR_MEMBER(member) (void *)offsetof(bth_dir_config, member)

const command_rec bth_commands[] = {
    AP_INIT_FLAG("BTHTTP", ap_set_flag_slot, DIR_MEMBER(enabled), DIR_CTX, "On or Off: offer the files here as torrents"),
    AP_INIT_TAKE1("BTHTTPMinSize", set_min_size, NULL, DIR_CTX, "smaller files are just sent"),
    AP_INIT_TAKE1("BTHTTPMaxSize", set_max_size, NULL, DIR_CTX, "larger files are just sent, or none"),
    AP_INIT_TAKE1("BTHTTPTorrentVersion", set_version, NULL, DIR_CTX, "hybrid, v1 or v2"),
    AP_INIT_TAKE1("BTHTTPPieceSize", set_piece_size, NULL, DIR_CTX, "auto, or a power of two from 16K"),
    AP_INIT_TAKE1("BTHTTPWait", set_wait, NULL, DIR_CTX, "the longest that a request waits for its torrent"),
    AP_INIT_TAKE_ARGV("BTHTTPAlias", set_alias, NULL, DIR_CTX, "torrent, magnet, meta4 and query, or none: which alias URLs exist"),
    AP_INIT_FLAG("BTHTTPAcceptMetalink", ap_set_flag_slot, DIR_MEMBER(accept_metalink), DIR_CTX, "On or Off: Metalink also to clients whose Accept names its type"),
    AP_INIT_FLAG("BTHTTPCollection", ap_set_flag_slot, DIR_MEMBER(collection), DIR_CTX, "On or Off: offer directories as one torrent"),
    AP_INIT_FLAG("BTHTTPScan", ap_set_flag_slot, DIR_MEMBER(scan), DIR_CTX, "On or Off: make torrents ahead of the first request"),
    AP_INIT_FLAG("BTHTTPWebSeed", ap_set_flag_slot, DIR_MEMBER(web_seed), DIR_CTX, "On or Off: name the file's own URL as a web seed"),
    AP_INIT_ITERATE("BTHTTPMirror", add_mirror, NULL, DIR_CTX, "URL prefixes of further web seeds"),
    AP_INIT_ITERATE("BTHTTPAnnounce", add_announce, NULL, DIR_CTX, "URLs of further trackers; none leaves out our own"),
    AP_INIT_TAKE1("BTHTTPStateDir", set_state_dir, NULL, RSRC_CONF, "where the catalogue and the locks live"),
    AP_INIT_TAKE1("BTHTTPPath", set_path, NULL, RSRC_CONF, "where the fixed URLs live"),
    AP_INIT_TAKE_ARGV("BTHTTPPeerPorts", set_peer_ports, NULL, RSRC_CONF, "http, off, or [ADDR:]PORT..."),
    AP_INIT_ITERATE("BTHTTPPeerAddress", add_peer_address, NULL, RSRC_CONF, "ADDR[:PORT]... that the tracker names as this seed"),
    AP_INIT_TAKE1("BTHTTPMaxPeers", set_number, (void *)&max_peers_rule, RSRC_CONF, "peers at once"),
    AP_INIT_TAKE1("BTHTTPMaxPeersPerIP", set_number, (void *)&per_ip_rule, RSRC_CONF, "peers at once from one address"),
    AP_INIT_TAKE1("BTHTTPUplink", set_uplink, NULL, RSRC_CONF, "bytes a second that the machine can send, HTTP first, or none"),
    AP_INIT_TAKE1("BTHTTPUploadRate", set_upload_rate, NULL, RSRC_CONF, "bytes a second for all peers together, or unlimited"),
    AP_INIT_TAKE1("BTHTTPUploadSlots", set_number, (void *)&slots_rule, RSRC_CONF, "peers served at once in one swarm, or auto"),
    AP_INIT_TAKE1("BTHTTPEncryption", set_encryption, NULL, RSRC_CONF, "allow, require or off: message stream encryption of peers"),
    AP_INIT_TAKE1("BTHTTPHashThreads", set_number, (void *)&threads_rule, RSRC_CONF, "hashing workers, or auto"),
    AP_INIT_TAKE1("BTHTTPTracker", set_tracker, NULL, RSRC_CONF, "closed or off"),
    AP_INIT_TAKE1("BTHTTPTrackerInterval", set_tracker_interval, NULL, RSRC_CONF, "how often peers announce"),
    AP_INIT_TAKE1("BTHTTPTrackerMemory", set_tracker_memory, NULL, RSRC_CONF, "shared memory for swarms"),
    AP_INIT_TAKE_ARGV("BTHTTPTrackerUDP", set_tracker_udp, NULL, RSRC_CONF, "off, or [ADDR:]PORT...: the tracker over UDP as well"),
    AP_INIT_TAKE1("BTHTTPTrackerPrivateAddresses", set_private_addresses, NULL, RSRC_CONF, "auto, allow or deny"),
    {NULL, {NULL}, NULL, 0, RAW_ARGS, NULL}};
