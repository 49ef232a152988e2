#include "module/directives.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include <stddef.h>

#include "module/values.h"
#include "tracker/limits.h"

const char *bth_complain(cmd_parms *cmd, const char *value, const char *what)
{
    return apr_psprintf(cmd->pool, "%s: \"%s\" %s", cmd->cmd->name, value, what);
}

const char *bth_global_only(cmd_parms *cmd)
{
    return ap_check_cmd_context(cmd, GLOBAL_ONLY);
}

const char *bth_read_span(cmd_parms *cmd, const char *value, apr_interval_time_t least, apr_interval_time_t most,
                          apr_interval_time_t *span)
{
    if (!apr_isdigit(*value) || ap_timeout_parameter_parse(value, span, "s") != APR_SUCCESS)
        return bth_complain(cmd, value, "is not a time: a number with ms, s, min or h expected");
    if (*span < least || *span > most)
        return bth_complain(cmd, value, "is out of range");
    return NULL;
}

static const bth_number_rule max_peers_rule = {offsetof(bth_server_config, max_peers), 1, 1000000, NULL};
static const bth_number_rule per_ip_rule = {offsetof(bth_server_config, max_peers_per_ip), 1, 1000000, NULL};
static const bth_number_rule slots_rule = {offsetof(bth_server_config, upload_slots), 1, 100000, "auto"};
static const bth_number_rule tracker_rate_rule = {offsetof(bth_server_config, tracker_rate), 1, TRK_RATE_MAX, "unlimited"};
static const bth_number_rule threads_rule = {offsetof(bth_server_config, hash_threads), 1, 256, "auto"};

static const bth_choice_rule encryption_rule = {
    offsetof(bth_server_config, encryption),
    {{"allow", SEED_ENCRYPTION_ALLOW}, {"require", SEED_ENCRYPTION_REQUIRE}, {"off", SEED_ENCRYPTION_OFF}},
    "is unknown: allow, require or off expected"};
static const bth_choice_rule tracker_rule = {
    offsetof(bth_server_config, tracker),
    {{"closed", BTH_TRACKER_CLOSED}, {"open", BTH_TRACKER_OPEN}, {"off", BTH_TRACKER_OFF}},
    "is unknown: closed, open or off expected"};
static const bth_choice_rule private_rule = {
    offsetof(bth_server_config, private_addresses),
    {{"auto", BTH_PRIVATE_AUTO}, {"allow", BTH_PRIVATE_ALLOW}, {"deny", BTH_PRIVATE_DENY}},
    "is unknown: auto, allow or deny expected"};
_Static_assert(sizeof(seed_encryption) == sizeof(int) && sizeof(bth_tracker_mode) == sizeof(int) &&
                   sizeof(bth_private_policy) == sizeof(int), "a choice is as large as an int");

#define DIR_CTX (OR_FILEINFO)
#define DIR_MEMBER(member) (void *)offsetof(bth_dir_config, member)

const command_rec bth_commands[] = {
    AP_INIT_FLAG("BTHTTP", ap_set_flag_slot, DIR_MEMBER(enabled), DIR_CTX, "On or Off: offer the files here as torrents"),
    AP_INIT_TAKE1("BTHTTPMinSize", bth_set_min_size, NULL, DIR_CTX, "smaller files are just sent"),
    AP_INIT_TAKE1("BTHTTPMaxSize", bth_set_max_size, NULL, DIR_CTX, "larger files are just sent, or none"),
    AP_INIT_TAKE1("BTHTTPTorrentVersion", bth_set_version, NULL, DIR_CTX, "hybrid, v1 or v2"),
    AP_INIT_TAKE1("BTHTTPPieceSize", bth_set_piece_size, NULL, DIR_CTX, "auto, or a power of two from 16K"),
    AP_INIT_TAKE1("BTHTTPWait", bth_set_wait, NULL, DIR_CTX, "the longest that a request waits for its torrent"),
    AP_INIT_TAKE_ARGV("BTHTTPAlias", bth_set_alias, NULL, DIR_CTX, "torrent, magnet, meta4 and query, or none: which alias URLs exist"),
    AP_INIT_FLAG("BTHTTPAcceptMetalink", ap_set_flag_slot, DIR_MEMBER(accept_metalink), DIR_CTX, "On or Off: Metalink also to clients whose Accept names its type"),
    AP_INIT_FLAG("BTHTTPCollection", ap_set_flag_slot, DIR_MEMBER(collection), DIR_CTX, "On or Off: offer directories as one torrent"),
    AP_INIT_FLAG("BTHTTPScan", ap_set_flag_slot, DIR_MEMBER(scan), DIR_CTX, "On or Off: make torrents ahead of the first request"),
    AP_INIT_FLAG("BTHTTPWebSeed", ap_set_flag_slot, DIR_MEMBER(web_seed), DIR_CTX, "On or Off: name the file's own URL as a web seed"),
    AP_INIT_ITERATE("BTHTTPMirror", bth_add_mirror, NULL, DIR_CTX, "URL prefixes of further web seeds"),
    AP_INIT_ITERATE("BTHTTPAnnounce", bth_add_announce, NULL, DIR_CTX, "URLs of further trackers; none leaves out our own"),
    AP_INIT_TAKE1("BTHTTPStateDir", bth_set_state_dir, NULL, RSRC_CONF, "where the catalogue and the locks live"),
    AP_INIT_TAKE1("BTHTTPPath", bth_set_path, NULL, RSRC_CONF, "where the fixed URLs live"),
    AP_INIT_TAKE_ARGV("BTHTTPPeerPorts", bth_set_peer_ports, NULL, RSRC_CONF, "http, off, or [ADDR:]PORT..."),
    AP_INIT_ITERATE("BTHTTPPeerAddress", bth_add_peer_address, NULL, RSRC_CONF, "ADDR[:PORT]... that the tracker names as this seed"),
    AP_INIT_TAKE1("BTHTTPMaxPeers", bth_set_number, (void *)&max_peers_rule, RSRC_CONF, "peers at once"),
    AP_INIT_TAKE1("BTHTTPMaxPeersPerIP", bth_set_number, (void *)&per_ip_rule, RSRC_CONF, "peers at once from one address"),
    AP_INIT_TAKE1("BTHTTPUplink", bth_set_uplink, NULL, RSRC_CONF, "bytes a second that the machine can send, HTTP first, or none"),
    AP_INIT_TAKE1("BTHTTPUploadRate", bth_set_upload_rate, NULL, RSRC_CONF, "bytes a second for all peers together, or unlimited"),
    AP_INIT_TAKE1("BTHTTPUploadSlots", bth_set_number, (void *)&slots_rule, RSRC_CONF, "peers served at once in one swarm, or auto"),
    AP_INIT_TAKE1("BTHTTPEncryption", bth_set_choice, (void *)&encryption_rule, RSRC_CONF, "allow, require or off: message stream encryption of peers"),
    AP_INIT_TAKE1("BTHTTPHashThreads", bth_set_number, (void *)&threads_rule, RSRC_CONF, "hashing workers, or auto"),
    AP_INIT_TAKE1("BTHTTPTracker", bth_set_choice, (void *)&tracker_rule, RSRC_CONF, "closed, open or off"),
    AP_INIT_TAKE1("BTHTTPTrackerInterval", bth_set_tracker_interval, NULL, RSRC_CONF, "how often peers announce"),
    AP_INIT_TAKE1("BTHTTPTrackerMemory", bth_set_tracker_memory, NULL, RSRC_CONF, "shared memory for swarms"),
    AP_INIT_TAKE_ARGV("BTHTTPTrackerUDP", bth_set_tracker_udp, NULL, RSRC_CONF, "off, or [ADDR:]PORT...: the tracker over UDP as well"),
    AP_INIT_TAKE1("BTHTTPTrackerStore", bth_set_tracker_store, NULL, RSRC_CONF, "shm, or redis://... for swarms that several hosts share"),
    AP_INIT_TAKE12("BTHTTPAnnounceToken", bth_set_announce_token, NULL, RSRC_CONF, "off, a secret, or file:PATH of one, and a time: announce URLs carry a token that expires"),
    AP_INIT_TAKE_ARGV("BTHTTPTrackerGeo", bth_set_tracker_geo, NULL, RSRC_CONF, "off, or MaxMind DB files: peers of the same country and network are near"),
    AP_INIT_TAKE1("BTHTTPTrackerRate", bth_set_number, (void *)&tracker_rate_rule, RSRC_CONF, "announces a second of one address, or unlimited"),
    AP_INIT_TAKE1("BTHTTPTrackerPrivateAddresses", bth_set_choice, (void *)&private_rule, RSRC_CONF, "auto, allow or deny"),
    {NULL, {NULL}, NULL, 0, RAW_ARGS, NULL}};
