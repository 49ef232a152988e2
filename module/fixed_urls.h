/* The fixed URLs below BTHTTPPath: which handler answers which of them, on every virtual host. */
#ifndef BTH_FIXED_URLS_H
#define BTH_FIXED_URLS_H

#include <httpd.h>

/** Translate hook, first of all: no rewrite rule or proxy of a virtual host takes these URLs away. */
int bth_fixed_translate(request_rec *r);

/** Is it one of them? To be asked once the URL was translated. */
int bth_is_fixed(const request_rec *r);

/** Map-to-storage hook: they are not files, so no directory section applies to them, but locations do. */
int bth_fixed_map(request_rec *r);

/**
 * Is a request for a handler of ours, and a GET?
 * @return OK, else what the handler returns
 */
int bth_fixed_check(request_rec *r, const char *handler);

#endif
