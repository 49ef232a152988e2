/* BTHTTPPath/feed.atom: the torrents of this host name, newest first (docs/protocol.md, "The feed"). */
#ifndef BTH_FEED_H
#define BTH_FEED_H

#include <httpd.h>

/** Handler "bthttp-feed". */
int bth_feed_handler(request_rec *r);

#endif
