/* The directives: what an admin may say (docs/directives.md). Built while the configuration is read, then read-only. */
#ifndef BTH_CONFIG_H
#define BTH_CONFIG_H

#include <httpd.h>
#include <http_config.h>

#include "seeder/seeder.h"
#include "tracker/announce.h"
#include "tracker/redis_place.h"
#include "tracker/token.h"
#include "torrentgen/torrent.h"

extern module AP_MODULE_DECLARE_DATA bthttp_module;

enum { BTH_UNSET = -1 };
/* Which alias URLs exist: FILE.torrent, FILE.magnet, FILE.meta4, FILE?torrent. */
enum {
    BTH_ALIAS_IS_TORRENT = 1,
    BTH_ALIAS_IS_MAGNET = 2,
    BTH_ALIAS_IS_META4 = 4,
    BTH_ALIAS_IS_QUERY = 8,
    BTH_ALIASES_ALL = 15
};

/* For directories: each member is BTH_UNSET or NULL until said, and inherited. */
typedef struct {
    int enabled;
    apr_int64_t min_size;     /* bytes */
    apr_int64_t max_size;     /* bytes; BTH_NO_LIMIT for none */
    int version;              /* tg_version */
    apr_int64_t piece_length; /* bytes; 0: by the table */
    apr_interval_time_t wait;
    int aliases;              /* bit set over BTH_ALIAS_IS_... */
    int accept_metalink;      /* Metalink also to clients whose Accept names its type */
    int collection;           /* a directory as one torrent */
    int scan;                 /* torrents are made ahead of the first request */
    int web_seed;
    apr_array_header_t *mirrors;   /* of const char *: URL prefixes */
    apr_array_header_t *announces; /* of const char *: further trackers */
    int own_announce;              /* 0: "none" was said */
} bth_dir_config;

#define BTH_NO_LIMIT APR_INT64_MAX

/* A port of BTHTTPPeerPorts or BTHTTPTrackerUDP. */
typedef struct {
    trk_address address;
    int any_address;
} bth_peer_port;

typedef enum { BTH_TRACKER_OFF, BTH_TRACKER_CLOSED, BTH_TRACKER_OPEN } bth_tracker_mode;
typedef enum { BTH_PRIVATE_AUTO, BTH_PRIVATE_ALLOW, BTH_PRIVATE_DENY } bth_private_policy;

/* For the whole server. One of it, on the configuration pool. */
typedef struct {
    const char *state_dir;
    const char *path; /* of the fixed URLs, without a slash at the end */
    int peers_on_http;
    apr_array_header_t *peer_ports;     /* of bth_peer_port */
    apr_array_header_t *peer_addresses; /* of trk_address, port 0: as reached */
    int max_peers, max_peers_per_ip;
    apr_int64_t upload_rate; /* bytes a second; 0: unlimited */
    apr_int64_t uplink;      /* bytes a second; 0: not stated */
    int upload_slots;        /* 0: auto */
    int hash_threads;        /* 0: auto */
    seed_encryption encryption;
    bth_tracker_mode tracker;
    apr_array_header_t *tracker_udp; /* of bth_peer_port, each of one family */
    const char *tracker_udp_where;   /* file and line that said so, or NULL */
    apr_interval_time_t tracker_interval;
    apr_int64_t tracker_memory; /* bytes */
    int tracker_rate;           /* requests a second of one address; 0: unlimited */
    bth_private_policy private_addresses;
    trk_redis_place *tracker_store; /* NULL: swarms are this host's alone */
    apr_array_header_t *token_secrets;   /* of trk_secret: the first makes tokens, all check them; empty: no tokens */
    apr_interval_time_t token_time;      /* how long a token is good at least */
    int geo_said;                        /* BTHTTPTrackerGeo was said */
    const char *token_required_where;    /* file and line of the first "Require bthttp-token", or NULL */
} bth_server_config;

/** The one server configuration of this load. */
bth_server_config *bth_server(void);

/** The ports of BTHTTPTrackerUDP that are to be open: none if there is no tracker. */
const apr_array_header_t *bth_udp_ports(apr_pool_t *pool);

/** Makes a fresh one with defaults: pre_config. */
void bth_server_reset(apr_pool_t *pconf);

void *bth_create_dir_config(apr_pool_t *pool, char *dir);
void *bth_merge_dir_config(apr_pool_t *pool, void *base, void *add);

/** The configuration of a request's directory with all defaults filled in. */
bth_dir_config bth_dir_of(const request_rec *r);

extern const command_rec bth_commands[];

#endif
