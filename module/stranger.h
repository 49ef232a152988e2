/* The stranger test: would an anonymous stranger get this very file over HTTP? (interface, "Who may fetch")
 *
 * The stranger is a request of its own on a connection of its own, without credentials, cookies, query or certificate,
 * from a documentation address (192.0.2.1, 2001:db8::1). It goes through httpd's own request processing as a main
 * request, so that rewrite rules, aliases and every access checker decide about the stranger, not about the client. */
#ifndef BTH_STRANGER_H
#define BTH_STRANGER_H

#include <httpd.h>

#include "module/config.h"

/* What the stranger would get. Memory of the pool given. */
typedef struct {
    const char *path;    /* of the file */
    apr_int64_t size;    /* bytes */
    bth_dir_config dir;  /* the directives that hold for the file */
    int transformed;     /* a filter would change the bytes */
    int listed;          /* it could find the file: httpd lists the directory, or BTHTTPScan prepares it */
} bth_stranger_view;

/**
 * Where a file was asked for: "LOCAL-IP PORT SCHEME HOST PATH", enough to ask for it again after a reload.
 * @param path  percent-encoded as the client sent it, without query
 */
const char *bth_origin_of(request_rec *r, const char *path);

/** The path of the first request of a chain of internal redirects, percent-encoded, without query, "." and ".." resolved. */
const char *bth_asked_path(request_rec *r);

/**
 * Asks for an origin as the stranger. Blocks as long as httpd's own access checkers do.
 * @param pool    owns the view; the stranger's request lives as long
 * @param thread  the caller's, may be NULL
 * @return 1 if the stranger gets a plain file by the default handler, else 0
 */
int bth_stranger_look(const char *origin, apr_pool_t *pool, apr_thread_t *thread, bth_stranger_view *view);

/**
 * Asks for the origin of a directory. Whether there is an index page does not matter, nor what it is.
 * @return 1 if the stranger is let in and BTHTTPCollection is On there; view->size is 0 then
 */
int bth_stranger_look_collection(const char *origin, apr_pool_t *pool, apr_thread_t *thread, bth_stranger_view *view);

/** Does it get exactly this file, unchanged? @param listed  as in the view, set if it does; may be NULL */
int bth_stranger_may(const char *origin, const char *path, apr_pool_t *pool, apr_thread_t *thread, int *listed);

/**
 * Asks for a directory as the stranger.
 * @param origin  as bth_origin_of, of its URL, which ends with a slash
 * @param path    the directory that it must be, with or without a slash at the end
 * @param view    listed: its listing is shown; size and transformed say nothing
 * @return 0 if it may not be had, or is not what the URL leads to: an index file hides its directory
 */
int bth_stranger_look_directory(const char *origin, const char *path, apr_pool_t *pool, apr_thread_t *thread,
                                bth_stranger_view *view);

/**
 * Where a URL leads in the filesystem, as far as its name and the directories on the way decide: access is not checked,
 * but links that may not be followed are.
 * @param filename  of the pool; NULL if it leads to no file
 * @return OK, or the status that a stranger would get
 */
int bth_stranger_way(const char *origin, apr_pool_t *pool, const char **filename);

/** "https" or "http": what the virtual host of an origin speaks, whatever the origin says. */
const char *bth_stranger_scheme(const char *origin, apr_pool_t *pool);

/** Does a filter of this request change the bytes of the file? (stranger.c's view uses it as well) */
int bth_is_transformed(const request_rec *r);

/** Hook, where httpd has just set a request's log: the stranger's stays silent. */
int bth_stranger_is_quiet(request_rec *r);

/** Hook: the stranger of an https origin came by TLS. */
int bth_stranger_is_tls(conn_rec *c);

#endif
