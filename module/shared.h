/* What the children share and what outlives a restart: made by the parent on the process pool, found again after the
 * module was loaded anew. Only the parent changes it, in post_config; children inherit it by fork. */
#ifndef BTH_SHARED_H
#define BTH_SHARED_H

#include <httpd.h>

#include "module/listeners.h"
#include "seeder/counters.h"
#include "seeder/mailbox.h"
#include "tracker/counters.h"
#include "tracker/limits.h"
#include "tracker/swarms.h"

enum { BTH_NAMES_MAX = 256, BTH_NAME_ADDRESSES = 4 };

/* Addresses that a virtual host's name resolves to. Written by the seeder's child alone, between two odd-even steps of
 * `version`; read by any child, which tries again if the version moved. */
typedef struct {
    apr_uint64_t name_key; /* SipHash of the name; 0: free */
    apr_uint32_t version;
    apr_uint32_t count;
    trk_address addresses[BTH_NAME_ADDRESSES];
} bth_name_slot;

typedef struct {
    bth_name_slot slots[BTH_NAMES_MAX];
} bth_names;

/* A table of swarms. */
typedef struct {
    void *memory; /* NULL: none was made */
    apr_size_t size; /* bytes */
    int is_fresh;    /* just made: saved swarms may be loaded */
} bth_table;

/* Plain data; a module with another layout makes a new one under another key. */
typedef struct {
    seed_mailbox *mailbox;
    seed_counters *counters;
    apr_size_t counters_size; /* bytes */
    trk_counters *announces;
    apr_size_t announces_size; /* bytes */
    trk_limits *limits;
    apr_size_t limits_size; /* bytes */
    bth_table swarms;
    bth_table unpublished; /* swarms of what this server does not publish, with BTHTTPTracker open */
    bth_names *names;
    bth_listeners listeners; /* of BTHTTPPeerPorts */
    bth_listeners udp;       /* of BTHTTPTrackerUDP */
    trk_outbox *outbox; /* NULL: swarms were never shared */
    apr_size_t outbox_size;
    unsigned char udp_secret[16]; /* signs connection ids, which therefore outlive restarts */
    int has_udp_secret;
} bth_shared;

/**
 * Finds or makes all of it; a segment of another size or layout is made anew and filled from the old one.
 * @param table_size  bytes of each table of swarms
 * @param is_open     is there to be one for what is not published? If not, one that there is is left alone
 * @return what went wrong first, logged
 */
apr_status_t bth_shared_prepare(bth_shared **shared, server_rec *s, apr_size_t table_size, int is_open);

/** Finds or makes the outbox of BTHTTPTrackerStore. */
apr_status_t bth_shared_outbox(bth_shared *shared, server_rec *s);
/** Has this server been started before, so that its configuration is being read again? Parent. */
int bth_shared_is_there(void);

/**
 * Opens the sockets of BTHTTPPeerPorts' own ports, keeps those that are open already, closes those no longer named.
 * Called by the parent, as root where it is root.
 */
apr_status_t bth_shared_listen(bth_shared *shared, server_rec *s, const apr_array_header_t *ports);

/**
 * The same for BTHTTPTrackerUDP.
 * @param where  file and line of the directive, for the message
 */
apr_status_t bth_shared_listen_udp(bth_shared *shared, server_rec *s, const apr_array_header_t *ports, const char *where);

#endif
