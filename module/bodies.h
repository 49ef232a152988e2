/* The bodies: a torrent written in each of its forms. */
#ifndef BTH_BODIES_H
#define BTH_BODIES_H

#include <httpd.h>

#include "base/buf.h"
#include "catalog/catalog.h"
#include "module/forms.h"
#include "module/torrent_response.h"

/**
 * Writes the torrent of an entry in a form, as this visitor is to have it.
 * @return APR_SUCCESS; APR_NOTFOUND if the entry went away in between; buf->status; APR_EINVAL if it has no such form
 */
apr_status_t bth_write_body(request_rec *r, const bth_subject *subject, const cat_entry *entry, bth_form form, bt_buf *body);

#endif
