#include "module/bodies.h"

#include <apr_network_io.h>
#include <apr_strings.h>

#include <arpa/inet.h>

#include "module/child.h"
#include "module/envelope.h"
#include "module/links.h"
#include "module/seed_address.h"
#include "torrentgen/magnet.h"
#include "torrentgen/metainfo.h"
#include "torrentgen/metalink.h"
#include "torrentgen/old_clients.h"

/* A hybrid becomes the torrent of its v1 half. */
static apr_status_t reduce_to_v1(apr_pool_t *pool, tg_torrent *torrent)
{
    bt_buf infodict;
    apr_status_t status;

    bt_buf_init(&infodict, torrent->infodict_length);
    status = tg_v1_alone_write(&infodict, torrent->infodict, torrent->infodict_length);
    if (status == APR_SUCCESS) {
        torrent->infodict = apr_pmemdup(pool, infodict.data, infodict.length);
        torrent->infodict_length = infodict.length;
        torrent->version = TG_V1;
        torrent->layer = NULL;
        torrent->layer_length = 0;
    }
    bt_buf_free(&infodict);
    return status;
}

static apr_status_t write_torrent(request_rec *r, const bth_subject *subject, const cat_entry *entry, bt_buf *body)
{
    tg_envelope envelope = bth_envelope_of(r, subject, entry);
    tg_torrent torrent;
    apr_status_t status = cat_read_torrent(bth_this_child()->catalog, entry, r->pool, &torrent);

    if (status == APR_SUCCESS && subject->v1_alone && entry->version == TG_HYBRID)
        status = reduce_to_v1(r->pool, &torrent);
    return status == APR_SUCCESS ? tg_metainfo_write(body, &torrent, &envelope) : status;
}

/* This seed as "x.pe" has it: a client needs no tracker to find it. */
static int seed_peers(request_rec *r, const char *peers[BTH_SEEDS_MAX])
{
    trk_address seeds[BTH_SEEDS_MAX];
    int count = bth_seed_addresses(r, seeds);

    for (int i = 0; i < count; i++) {
        char ip[INET6_ADDRSTRLEN];

        inet_ntop(seeds[i].is_v6 ? AF_INET6 : AF_INET, seeds[i].ip, ip, sizeof ip);
        peers[i] = apr_psprintf(r->pool, seeds[i].is_v6 ? "[%s]:%u" : "%s:%u", ip, (unsigned)seeds[i].port);
    }
    return count;
}

static apr_status_t write_magnet(request_rec *r, const bth_subject *subject, const cat_entry *entry, bt_buf *body)
{
    tg_envelope envelope = bth_envelope_of(r, subject, entry);
    const char *peers[BTH_SEEDS_MAX];
    int reduced = subject->v1_alone && entry->version == TG_HYBRID;
    tg_magnet magnet = {.version = reduced ? TG_V1 : entry->version,
                        .v1 = reduced ? entry->v1_alone : entry->v1,
                        .v2 = entry->v2,
                        .name = bth_published_name(r->pool, subject->path, entry->url),
                        .length = entry->stamp.size,
                        .trackers = envelope.trackers,
                        .tracker_count = envelope.tracker_count,
                        .web_seeds = envelope.web_seeds,
                        .web_seed_count = envelope.web_seed_count,
                        .peers = peers,
                        .peer_count = seed_peers(r, peers)};
    apr_status_t status = tg_magnet_write(body, &magnet);

    return status == APR_SUCCESS ? bt_buf_add(body, "\n", 1) : status;
}

/* No magnets in there: aria2 stalls on them. */
static apr_status_t write_metalink(request_rec *r, const bth_subject *subject, const cat_entry *entry, bt_buf *body)
{
    const apr_array_header_t *mirrors = bth_mirror_urls(r->pool, subject);
    tg_metalink_url *urls = apr_pcalloc(r->pool, (apr_size_t)(mirrors->nelts + 1) * sizeof *urls);
    tg_metalink_torrent its_torrent = {
        .url = bth_own_url(r, bth_alias_path(r->pool, subject, entry, BTH_FORM_TORRENT)), .priority = 1};
    tg_metalink metalink;
    tg_torrent torrent;
    apr_status_t status = cat_read_torrent(bth_this_child()->catalog, entry, r->pool, &torrent);

    if (status == APR_SUCCESS)
        status = tg_metalink_of(&torrent, r->pool, &metalink);
    if (status != APR_SUCCESS)
        return status;
    /* Whoever asked for the file must get it, BTHTTPWebSeed or not: but then it is the last resort. */
    urls[0] = (tg_metalink_url){.url = bth_file_url(r, subject),
                                .priority = subject->dir->web_seed ? 1 : TG_METALINK_PRIORITY_MAX};
    for (int i = 0; i < mirrors->nelts; i++)
        urls[i + 1] = (tg_metalink_url){.url = APR_ARRAY_IDX(mirrors, i, const char *), .priority = i + 2};
    metalink.urls = urls;
    metalink.url_count = mirrors->nelts + 1;
    metalink.torrents = &its_torrent;
    metalink.torrent_count = its_torrent.url != NULL;
    metalink.digest = entry->has_digest ? entry->digest : NULL;
    metalink.published = entry->created;
    metalink.origin = bth_own_url(r, bth_alias_path(r->pool, subject, entry, BTH_FORM_METALINK));
    metalink.generator = "mod_bthttp/" BTH_VERSION;
    return tg_metalink_write(body, &metalink);
}

apr_status_t bth_write_body(request_rec *r, const bth_subject *subject, const cat_entry *entry, bth_form form, bt_buf *body)
{
    switch (form) {
    case BTH_FORM_TORRENT:
        return write_torrent(r, subject, entry, body);
    case BTH_FORM_MAGNET:
        return write_magnet(r, subject, entry, body);
    case BTH_FORM_METALINK:
        return write_metalink(r, subject, entry, body);
    }
    return APR_EINVAL;
}
