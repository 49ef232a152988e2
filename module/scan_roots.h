/* Where BTHTTPScan begins: directories, and the URLs by which a stranger reaches them, found in the configuration. */
#ifndef BTH_SCAN_ROOTS_H
#define BTH_SCAN_ROOTS_H

#include <httpd.h>
#include <apr_tables.h>

typedef struct {
    const char *directory;      /* absolute, without a slash at the end: "" is "/" */
    const char *url;            /* its path: percent-encoded, with a slash at the end */
    apr_array_header_t *sites;  /* of const char *: "LOCAL-IP PORT SCHEME HOST" of each virtual host that has it there */
} bth_scan_root;

/**
 * Reads the configuration of all virtual hosts, and tells in the log which sections begin no scan and why. Child; any
 * thread, as bth_stranger_look.
 * @return of bth_scan_root; none lies in another
 */
apr_array_header_t *bth_scan_roots(server_rec *first, apr_pool_t *pool);

/** The origin (see stranger.h) of a file below a root at one of its sites. */
const char *bth_scan_origin(const bth_scan_root *root, int site, const char *below, apr_pool_t *pool);

/** A path below a root's directory; or the part of `path` that is below it, NULL if it is not. */
const char *bth_scan_path(const bth_scan_root *root, const char *below, apr_pool_t *pool);
const char *bth_scan_below(const bth_scan_root *root, const char *path);

#endif
