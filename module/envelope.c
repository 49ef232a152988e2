#include "module/envelope.h"

#include <http_core.h>
#include <apr_strings.h>

#include "module/announce_token.h"
#include "module/collection.h"
#include "module/links.h"
#include "module/seed_address.h"
#include "module/sidecar.h"

enum { URLS_MAX = 64 };

static void push(apr_array_header_t *urls, const char *url)
{
    for (int i = 0; i < urls->nelts; i++)
        if (!strcmp(APR_ARRAY_IDX(urls, i, const char *), url))
            return;
    if (urls->nelts < URLS_MAX)
        APR_ARRAY_PUSH(urls, const char *) = url;
}

static void push_all(apr_array_header_t *urls, const apr_array_header_t *more)
{
    for (int i = 0; more && i < more->nelts; i++)
        push(urls, APR_ARRAY_IDX(more, i, const char *));
}

/* What its author wrote stays true; ours goes first. */
static void push_from_sidecar(request_rec *r, const bth_subject *subject, const cat_entry *entry,
                              apr_array_header_t *trackers, apr_array_header_t *seeds)
{
    tg_metainfo meta;

    if (!entry->adopted || !subject->sidecar || !bth_sidecar_read(subject->sidecar, entry, r->pool, &meta))
        return;
    for (int i = 0; i < meta.tracker_count; i++)
        push(trackers, meta.trackers[i]);
    for (int i = 0; i < meta.web_seed_count; i++)
        push(seeds, meta.web_seeds[i]);
}

/* The torrent that a directory had before: whoever has that one has most files of this one (BEP 38). */
static const tg_similar *previous_of(apr_pool_t *pool, const cat_entry *entry, int *count)
{
    tg_similar *similar = apr_pcalloc(pool, 2 * sizeof *similar);
    bt_infohash v2 = bt_infohash_truncate(&entry->previous_v2);

    *count = 0;
    if (!bt_infohash_is_zero(&entry->previous_v1)) {
        similar[*count].size = BT_HASH_SIZE;
        memcpy(similar[(*count)++].b, entry->previous_v1.b, BT_HASH_SIZE);
    }
    if (!bt_infohash_is_zero(&v2)) {
        similar[*count].size = BT_HASH_V2_SIZE;
        memcpy(similar[(*count)++].b, entry->previous_v2.b, BT_HASH_V2_SIZE);
    }
    return similar;
}

/* Is a port open to those who reached this server at `local`? One of a private address is not, to who came from outside. */
static int is_for(const bth_peer_port *port, const trk_address *local)
{
    return port->any_address || !bth_is_private(&port->address) || bth_is_private(local);
}

/* Each port once, whatever the number of its sockets: the name leads to the address that the client has a way to. */
static void push_udp(request_rec *r, const char *token, apr_array_header_t *trackers)
{
    const apr_array_header_t *ports = bth_udp_ports(r->pool);
    trk_address local;

    bth_wire_address(r->connection->local_addr, &local);
    for (int i = 0; i < ports->nelts; i++) {
        const bth_peer_port *port = &APR_ARRAY_IDX(ports, i, bth_peer_port);

        if (is_for(port, &local))
            push(trackers, apr_psprintf(r->pool, "udp://%s:%u/announce%s", ap_get_server_name_for_url(r),
                                        (unsigned)port->address.port, token));
    }
}

static void push_own_trackers(request_rec *r, const char *token, apr_array_header_t *trackers)
{
    push(trackers, bth_own_url(r, apr_pstrcat(r->pool, bth_server()->path, "/announce", token, NULL)));
    push_udp(r, token, trackers);
}

tg_envelope bth_envelope_of(request_rec *r, const bth_subject *subject, const cat_entry *entry)
{
    const bth_dir_config *dir = subject->dir;
    apr_array_header_t *trackers = apr_array_make(r->pool, 4, sizeof(const char *));
    apr_array_header_t *seeds = apr_array_make(r->pool, 4, sizeof(const char *));
    const char *collection = NULL;
    const tg_similar *similar = NULL;
    int similar_count = 0;

    if (bth_server()->tracker && dir->own_announce)
        push_own_trackers(r, bth_token_path(r->pool, entry, subject->v1_alone, r->request_time), trackers);
    push_all(trackers, dir->announces);
    if (dir->web_seed && bth_is_collection(subject->path)) {
        push_all(seeds, bth_collection_seeds(r, subject, entry));
    } else if (dir->web_seed) {
        push(seeds, bth_file_url(r, subject));
        push_all(seeds, bth_mirror_urls(r->pool, subject));
    }
    push_from_sidecar(r, subject, entry, trackers, seeds);
    if (bth_is_collection(subject->path)) {
        similar = previous_of(r->pool, entry, &similar_count);
        collection = bth_own_url(r, subject->url_path);
    }
    return (tg_envelope){.trackers = (const char *const *)trackers->elts,
                         .tracker_count = trackers->nelts,
                         .web_seeds = (const char *const *)seeds->elts,
                         .web_seed_count = seeds->nelts,
                         .created_by = "mod_bthttp/" BTH_VERSION,
                         .created = entry->created,
                         .similar = similar,
                         .similar_count = similar_count,
                         .collections = apr_pmemdup(r->pool, &collection, sizeof collection),
                         .collection_count = collection != NULL,
                         .update_url = bth_own_url(r, bth_alias_path(r->pool, subject, entry, BTH_FORM_TORRENT))};
}
