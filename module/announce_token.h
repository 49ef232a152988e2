/* BTHTTPAnnounceToken: the token in the announce URLs of this server's torrents, and "Require bthttp-token", which lets
 * in whoever has one (tracker/token.h). */
#ifndef BTH_ANNOUNCE_TOKEN_H
#define BTH_ANNOUNCE_TOKEN_H

#include <httpd.h>
#include <util_filter.h>

#include "catalog/catalog.h"

/**
 * What stands behind ".../announce" in the announce URL of a torrent.
 * @param v1_alone  the torrent is the v1 half of a hybrid
 * @return "/TOKEN", of the pool, or "" without BTHTTPAnnounceToken
 */
const char *bth_token_path(apr_pool_t *pool, const cat_entry *entry, int v1_alone, apr_time_t now);

/** Since when torrents have had the token that they have now; 0 without BTHTTPAnnounceToken. */
apr_time_t bth_token_since(apr_time_t now);

/**
 * Looks at the URL by which an announce came over UDP, for which there is no "Require".
 * @return NULL if it is let in, as all are without BTHTTPAnnounceToken; else what the client is told, a constant
 */
const char *bth_token_refusal(const bt_infohash *hash, const char *url, apr_size_t length, apr_time_t now);

/** Makes "Require bthttp-token" known, and the filter of its refusals. */
void bth_token_register(apr_pool_t *pool);

/** Hook: whoever requires a token must have a secret to make them with. */
int bth_token_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s);

/** Hook: a client stops for good at 403, so that a refusal for want of a token is an answer of the tracker. */
void bth_token_insert_error_filter(request_rec *r);

#endif
