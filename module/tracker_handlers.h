/* Announce and scrape over HTTP: the glue between httpd's requests and the tracker room. */
#ifndef BTH_TRACKER_HANDLERS_H
#define BTH_TRACKER_HANDLERS_H

#include <httpd.h>

/** Handlers "bthttp-announce" and "bthttp-scrape". */
int bth_announce_handler(request_rec *r);
int bth_scrape_handler(request_rec *r);

#endif
