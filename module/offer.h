/* The offer: the handler that sends a torrent in place of a file, and what it says beside a file. */
#ifndef BTH_OFFER_H
#define BTH_OFFER_H

#include <httpd.h>

/** Handler hook, last before httpd's own default handler: whoever else wanted the file has had it. */
int bth_offer_handler(request_rec *r);

/** Handler hook, before whoever makes index pages: a directory as one torrent. */
int bth_offer_directory(request_rec *r);

/** Fixup hook: what no other room of httpd sends from a file is "transformed" until bth_offer_handler knows better. */
int bth_offer_fixup(request_rec *r);

#endif
