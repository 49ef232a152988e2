/* The torrent as an HTTP response, in each of its forms: headers, validators, conditions (docs/protocol.md). */
#ifndef BTH_TORRENT_RESPONSE_H
#define BTH_TORRENT_RESPONSE_H

#include <httpd.h>

#include "base/buf.h"
#include "catalog/catalog.h"
#include "module/config.h"
#include "module/forms.h"

/* The file, or directory, whose torrent is sent. */
typedef struct {
    const char *path;          /* in the file system; of a collection, with a "/" at the end */
    const char *url_path;      /* percent-encoded path of the file's own URL, without query */
    const bth_dir_config *dir;
    int v1_alone;              /* for a client that cannot read a hybrid: its v1 half as a torrent of its own */
    int negotiated;            /* under the file's own name by header: caches must not keep it */
    const char *sidecar;       /* path of a real FILE.torrent that a stranger may have, as just looked for, or NULL */
} bth_subject;

/**
 * Sends the torrent of a catalogue entry in one of its forms, with validators and conditions of its own.
 * @return OK, an HTTP status, or DECLINED if the entry went away in between or has no such form
 */
int bth_send_form(request_rec *r, const bth_subject *subject, const cat_entry *entry, bth_form form);

/** Sends 503 with Retry-After and one line of progress. */
int bth_send_wait(request_rec *r, int percent);

/** The last element of a file's path as a torrent's name: bytes that are not UTF-8 are percent-encoded. */
const char *bth_torrent_name(apr_pool_t *pool, const char *path);

/** The same for whatever is published; a collection has its name by its URL. @param origin  as an entry's url */
const char *bth_published_name(apr_pool_t *pool, const char *path, const char *origin);

/** A strong validator of a body: follows from its bytes. */
const char *bth_etag_of(apr_pool_t *pool, const bt_buf *body);

/** Sends a body in one brigade with its exact length. @param type  constant */
int bth_send_body(request_rec *r, const char *type, const void *body, apr_size_t length);

/** The same without a copy: what the buffer holds is httpd's from now on, and the buffer is empty. */
int bth_send_buf(request_rec *r, const char *type, bt_buf *body);

#endif
