/* What a torrent says to this visitor around its infodict: trackers, web seeds, where a newer one is. */
#ifndef BTH_ENVELOPE_H
#define BTH_ENVELOPE_H

#include <httpd.h>

#include "catalog/catalog.h"
#include "module/torrent_response.h"
#include "torrentgen/metainfo.h"

/**
 * Trackers: this virtual host's as the client reached it, by HTTP and by UDP, BTHTTPAnnounce, then those of an adopted sidecar. Web seeds: the
 * file's own URL, BTHTTPMirror, then the sidecar's. May read the sidecar. Memory of the request's pool.
 */
tg_envelope bth_envelope_of(request_rec *r, const bth_subject *subject, const cat_entry *entry);

#endif
