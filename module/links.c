#include "module/links.h"

#include "module/collection.h"

#include <http_core.h>
#include <http_protocol.h>
#include <apr_base64.h>
#include <apr_strings.h>

#include <limits.h>
#include <string.h>

#include "torrentgen/metalink.h"

unsigned bth_forms_here(void)
{
    return BTH_FORM_BIT(BTH_FORM_TORRENT) | BTH_FORM_BIT(BTH_FORM_MAGNET) |
           (tg_xml_is_there() ? BTH_FORM_BIT(BTH_FORM_METALINK) : 0);
}

const char *bth_own_url(request_rec *r, const char *path)
{
    return path ? ap_construct_url(r->pool, path, r) : NULL;
}

const char *bth_file_url(request_rec *r, const bth_subject *subject)
{
    return bth_own_url(r, apr_pstrcat(r->pool, subject->url_path, "?bthttp=file", NULL));
}

int bth_alias_bit(bth_form form)
{
    static const int bits[BTH_FORMS] = {[BTH_FORM_TORRENT] = BTH_ALIAS_IS_TORRENT,
                                        [BTH_FORM_MAGNET] = BTH_ALIAS_IS_MAGNET,
                                        [BTH_FORM_METALINK] = BTH_ALIAS_IS_META4};

    return bits[form];
}

/* httpd looks for a real file of the alias's name first, and a name that is too long for one is an error to it. */
static int suffix_fits(const bth_subject *subject, bth_form form)
{
    const char *slash = strrchr(subject->path, '/');

    return strlen(slash ? slash + 1 : subject->path) + strlen(bth_form_suffix(form)) <= NAME_MAX;
}

/* DIR.torrent, of "DIR/". */
static const char *collection_alias(apr_pool_t *pool, const bth_subject *subject, bth_form form)
{
    apr_size_t length = strlen(subject->url_path);

    if (length < 2 || form == BTH_FORM_METALINK || !(subject->dir->aliases & bth_alias_bit(form)))
        return NULL;
    return apr_pstrcat(pool, apr_pstrmemdup(pool, subject->url_path, length - 1), bth_form_suffix(form), NULL);
}

const char *bth_alias_path(apr_pool_t *pool, const bth_subject *subject, const cat_entry *entry, bth_form form)
{
    const bt_stamp none = {0};
    const char *url = subject->url_path;
    int has_name = url[strlen(url) - 1] != '/' && suffix_fits(subject, form); /* a directory's index has none of its own */
    int taken = form == BTH_FORM_TORRENT && entry && !bt_stamp_equal(&entry->sidecar, &none);

    if (has_name && (subject->dir->aliases & bth_alias_bit(form)) && !taken)
        return apr_pstrcat(pool, url, bth_form_suffix(form), NULL);
    if (form == BTH_FORM_TORRENT && (subject->dir->aliases & BTH_ALIAS_IS_QUERY))
        return apr_pstrcat(pool, url, "?torrent", NULL);
    if (bth_is_collection(subject->path))
        return collection_alias(pool, subject, form);
    /* The admin's own torrent, if it is the one that we would send. */
    return taken && has_name && entry->adopted ? apr_pstrcat(pool, url, bth_form_suffix(form), NULL) : NULL;
}

/* Control characters and backslashes make aria2 distrust Content-Disposition; "&" in the name of a Metalink's file it
 * reads as "&#38;". */
int bth_name_is_plain(apr_pool_t *pool, const bth_subject *subject)
{
    const char *slash = strrchr(subject->url_path, '/');
    char *asked = apr_pstrdup(pool, slash ? slash + 1 : subject->url_path);
    const char *name = bth_torrent_name(pool, subject->path);

    if (ap_unescape_url_keep2f(asked, 1) != OK || strcmp(asked, name))
        return 0;
    for (const char *at = name; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f || *at == '\\' || *at == '&')
            return 0;
    return 1;
}

apr_array_header_t *bth_mirror_urls(apr_pool_t *pool, const bth_subject *subject)
{
    const apr_array_header_t *prefixes = subject->dir->mirrors;
    apr_array_header_t *urls = apr_array_make(pool, prefixes ? prefixes->nelts : 1, sizeof(const char *));
    const char *slash = strrchr(subject->path, '/');

    for (int i = 0; prefixes && i < prefixes->nelts; i++) {
        const char *prefix = APR_ARRAY_IDX(prefixes, i, const char *);
        int has_slash = prefix[strlen(prefix) - 1] == '/';

        APR_ARRAY_PUSH(urls, const char *) =
            apr_pstrcat(pool, prefix, has_slash ? "" : "/",
                        ap_escape_path_segment(pool, slash ? slash + 1 : subject->path), NULL);
    }
    return urls;
}

apr_array_header_t *bth_collection_seeds(request_rec *r, const bth_subject *subject, const cat_entry *entry)
{
    const apr_array_header_t *mirrors = subject->dir->mirrors;
    apr_array_header_t *urls = apr_array_make(r->pool, 4, sizeof(const char *));
    const char *url = subject->url_path, *name = bth_collection_name(r->pool, entry->url);
    apr_size_t length = strlen(url);
    char *element;

    while (length > 1 && url[length - 2] != '/')
        length--;
    element = apr_pstrdup(r->pool, url + length - 1);
    if (*element)
        element[strlen(element) - 1] = '\0';
    if (length > 1 && ap_unescape_url(element) == OK && !strcmp(element, name))
        APR_ARRAY_PUSH(urls, const char *) = bth_own_url(r, apr_pstrmemdup(r->pool, url, length - 1));
    for (int i = 0; mirrors && i < mirrors->nelts; i++) {
        const char *prefix = APR_ARRAY_IDX(mirrors, i, const char *);

        APR_ARRAY_PUSH(urls, const char *) = apr_pstrcat(r->pool, prefix, prefix[strlen(prefix) - 1] == '/' ? "" : "/", NULL);
    }
    return urls;
}

/* --- on the file's own response -------------------------------------------- */

static void add_described_by(request_rec *r, const bth_subject *subject, const cat_entry *entry, bth_form form)
{
    const char *path = bth_alias_path(r->pool, subject, entry, form);

    if (path)
        apr_table_addn(r->headers_out, "Link", apr_pstrcat(r->pool, "<", path, ">; rel=\"describedby\"; type=\"",
                                                           bth_form_type(form), "\"", NULL));
}

static void add_duplicates(request_rec *r, const bth_subject *subject)
{
    const apr_array_header_t *mirrors = subject->dir->mirrors ? bth_mirror_urls(r->pool, subject) : NULL;

    for (int i = 0; mirrors && i < mirrors->nelts; i++)
        apr_table_addn(r->headers_out, "Link", apr_psprintf(r->pool, "<%s>; rel=\"duplicate\"; pri=%d",
                                                            APR_ARRAY_IDX(mirrors, i, const char *), i + 1));
}

static void add_digest_filter(request_rec *r, const cat_entry *entry)
{
    char *text = apr_palloc(r->pool, (apr_size_t)apr_base64_encode_len(sizeof entry->digest));

    apr_base64_encode_binary(text, entry->digest, sizeof entry->digest);
    ap_add_output_filter(BTH_DIGEST_FILTER, text, r, r->connection);
}

void bth_add_links(request_rec *r, const bth_subject *subject, const cat_entry *entry)
{
    add_described_by(r, subject, entry, BTH_FORM_TORRENT);
    if (bth_is_collection(subject->path)) /* the page itself is none of its files */
        return;
    if (bth_forms_here() & BTH_FORM_BIT(BTH_FORM_METALINK))
        add_described_by(r, subject, entry, BTH_FORM_METALINK);
    add_duplicates(r, subject);
    if (entry->has_digest)
        add_digest_filter(r, entry);
}

apr_status_t bth_digest_filter(ap_filter_t *filter, apr_bucket_brigade *bb)
{
    request_rec *r = filter->r;
    const char *digest = filter->ctx;

    /* A coding (mod_deflate has made up its mind by now) makes another representation of it. */
    if (!r->content_encoding && !apr_table_get(r->headers_out, "Content-Encoding")) {
        apr_table_setn(r->headers_out, "Repr-Digest", apr_pstrcat(r->pool, "sha-256=:", digest, ":", NULL));
        apr_table_setn(r->headers_out, "Digest", apr_pstrcat(r->pool, "SHA-256=", digest, NULL));
    }
    ap_remove_output_filter(filter);
    return ap_pass_brigade(filter->next, bb);
}
