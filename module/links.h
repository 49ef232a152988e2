/* Where a file, its torrent's forms and its mirrors are, and the headers that say so on the file's own responses. */
#ifndef BTH_LINKS_H
#define BTH_LINKS_H

#include <httpd.h>
#include <util_filter.h>

#include "catalog/catalog.h"
#include "module/forms.h"
#include "module/torrent_response.h"

/** The forms that this build can make: a bit set over bth_form. */
unsigned bth_forms_here(void);

/** The bit of BTHTTPAlias for the alias that ends in the form's suffix. */
int bth_alias_bit(bth_form form);

/** The file's own URL, of the form that is always the file whatever a client's headers say. Absolute. */
const char *bth_file_url(request_rec *r, const bth_subject *subject);

/**
 * The alias URL of a form.
 * @param entry  its sidecar matters: a real FILE.torrent takes that name. NULL if there is none
 * @return its path, percent-encoded, with a query if need be; NULL if BTHTTPAlias allows none
 */
const char *bth_alias_path(apr_pool_t *pool, const bth_subject *subject, const cat_entry *entry, bth_form form);

/** An absolute URL of this server as the client reached it. @param path  may be NULL: NULL then */
const char *bth_own_url(request_rec *r, const char *path);

/**
 * Would a client that downloads the URL save the file under the very name that the forms give it? Not if URL and file are
 * named differently, nor for names that clients take for an attack or read wrongly out of a Metalink.
 */
int bth_name_is_plain(apr_pool_t *pool, const bth_subject *subject);

/** The URLs of the file at BTHTTPMirror's mirrors: of const char *, empty if there are none. */
apr_array_header_t *bth_mirror_urls(apr_pool_t *pool, const bth_subject *subject);

/**
 * Web seeds of a collection, to which clients append "NAME/PATH" (BEP 19): the directory's parent, if the torrent's name is
 * that of the directory there, and BTHTTPMirror's prefixes. Of const char *.
 */
apr_array_header_t *bth_collection_seeds(request_rec *r, const bth_subject *subject, const cat_entry *entry);

/**
 * Tells of the torrent on the file's own response: Link headers (RFC 6249), and by a filter, once it is known that the
 * response is not coded, Repr-Digest (RFC 9530) and Digest (RFC 3230).
 */
void bth_add_links(request_rec *r, const bth_subject *subject, const cat_entry *entry);

/** Output filter: adds the digests unless the content is coded, and leaves. */
apr_status_t bth_digest_filter(ap_filter_t *filter, apr_bucket_brigade *bb);

#define BTH_DIGEST_FILTER "BTHTTP_DIGEST"

#endif
