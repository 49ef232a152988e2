#include "module/offer.h"

#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>
#include <apr_strings.h>

#include "module/child.h"
#include "module/collection.h"
#include "module/client_certs.h"
#include "module/agent.h"
#include "module/decide.h"
#include "module/fixed_urls.h"
#include "module/gate.h"
#include "module/links.h"
#include "module/obtain.h"
#include "module/stranger.h"
#include "module/torrent_response.h"

/* One request while it is decided. */
typedef struct {
    request_rec *r;
    bth_facts facts;
    bth_accept accept;
    bth_dir_config dir;
    bth_subject subject;
    bth_obtain want;
} offer;

static void note(request_rec *r, const char *status, const bt_infohash *hash)
{
    apr_table_setn(r->notes, "bthttp-status", status);
    if (hash) {
        char *hex = apr_palloc(r->pool, 2 * BT_HASH_SIZE + 1);

        bt_hex(hex, hash->b, BT_HASH_SIZE);
        apr_table_setn(r->notes, "bthttp-infohash", hex);
    }
}

static bt_infohash hash_of(const cat_entry *entry, int v1_alone)
{
    if (v1_alone && entry->version == TG_HYBRID)
        return entry->v1_alone;
    return bt_infohash_is_zero(&entry->v1) ? bt_infohash_truncate(&entry->v2) : entry->v1;
}

/* Is a word among the arguments of the query? */
static int query_has(const request_rec *r, const char *word)
{
    apr_size_t length = strlen(word);

    for (const char *at = r->args; at && *at;) {
        apr_size_t span = strcspn(at, "&;");

        if (span == length && !strncmp(at, word, length))
            return 1;
        at += span + (at[span] != '\0');
    }
    return 0;
}

/* Made when it is needed: an ordinary request never does. */
static const char *origin_of(offer *o)
{
    if (!o->want.origin)
        o->want.origin = bth_origin_of(o->r, o->subject.url_path);
    return o->want.origin;
}

/* The file was published under this very URL and is no longer for strangers: withdraw it. */
static void withdraw_protected(offer *o)
{
    cat_catalog *catalog = bth_this_child()->catalog;
    cat_entry entry;

    if (catalog && cat_find_path(catalog, o->subject.path, o->r->pool, &entry) == APR_SUCCESS && entry.published &&
        !strcmp(entry.url, origin_of(o)))
        bth_withdraw(&entry, bth_gate_look(&entry) == BTH_GATE_CHANGED ? CAT_CHANGED : CAT_PROTECTED);
}

/* The longest that the client and the configuration let it wait. */
static apr_interval_time_t wait_of(const offer *o)
{
    if (o->facts.alias != BTH_ALIAS_NONE)
        return o->dir.wait;
    return bth_accept_wait(bth_accept_choose(&o->accept, o->facts.new_version, o->facts.forms), o->dir.wait);
}

/* Is the directory a collection, and does it have files that a stranger may have? */
static void ask_stranger_of_all(offer *o)
{
    bth_collection_state state = {.status = APR_EACCES};

    o->want.until = apr_time_now() + wait_of(o);
    if (!bth_client_cert_given(o->r))
        bth_lister_look(origin_of(o), o->subject.path, BTH_LISTER_RECENT, bth_obtain_patience(&o->want), &state);
    o->facts.stranger = state.status == APR_EACCES ? BTH_STRANGER_MAY_NOT : BTH_STRANGER_MAY;
    o->want.listed = state.listed;
    if (state.status == APR_EACCES)
        withdraw_protected(o);
    else if (state.status == APR_ENOSPC)
        o->facts.max_size = 0;
    else if (APR_STATUS_IS_TIMEUP(state.status))
        o->facts.torrent = BTH_TORRENT_PENDING;
    else if (state.status != APR_SUCCESS)
        o->facts.torrent = BTH_TORRENT_FAILED;
}

static void ask_stranger(offer *o)
{
    if (bth_is_collection(o->subject.path)) {
        ask_stranger_of_all(o);
        return;
    }
    if (!bth_client_cert_given(o->r) && bth_stranger_may(origin_of(o), o->subject.path, o->r->pool,
                                                         o->r->connection->current_thread, &o->want.listed)) {
        o->facts.stranger = BTH_STRANGER_MAY;
    } else {
        o->facts.stranger = BTH_STRANGER_MAY_NOT;
        withdraw_protected(o);
    }
}

/* Only who asked for the torrent, and stood for a stranger, has sidecars looked at and files published. */
static void ask_torrent(offer *o)
{
    int asked = o->facts.stranger == BTH_STRANGER_MAY;

    o->facts.torrent = asked ? bth_obtain_look(&o->want) : bth_obtain_peek(&o->want);
    o->facts.version = o->want.entry.version;
}

static void ask_make(offer *o)
{
    apr_interval_time_t wait = o->want.until ? o->want.until - apr_time_now() : wait_of(o);

    o->facts.torrent = bth_obtain_make(&o->want, wait);
    o->facts.version = o->want.entry.version;
}

/* --- what is said ---------------------------------------------------------- */

static int pass(offer *o, const bth_verdict *verdict)
{
    request_rec *r = o->r;
    const char *status = verdict->status;

    apr_table_unset(r->headers_out, "X-BT-Status");
    if (verdict->action != BTH_PASS)
        apr_table_mergen(r->headers_out, "Vary", "X-BT-Accept");
    if (verdict->action == BTH_PASS_LINK)
        bth_add_links(r, &o->subject, &o->want.entry);
    if (status && !strcmp(status, "pending"))
        apr_table_setn(r->headers_out, "X-BT-Status", apr_psprintf(r->pool, "pending; progress=%d", o->want.percent));
    else if (status)
        apr_table_setn(r->headers_out, "X-BT-Status", status);
    note(r, status ? status : "file", NULL);
    return DECLINED;
}

static int send_form(offer *o, bth_form form)
{
    bt_infohash hash = hash_of(&o->want.entry, o->subject.v1_alone);
    int answer;

    note(o->r, bth_form_word(form), &hash);
    answer = bth_send_form(o->r, &o->subject, &o->want.entry, form);
    if (answer == DECLINED) /* it went away in between, or cannot be written in this form */
        return pass(o, &(bth_verdict){.action = BTH_PASS_STATUS, .status = "unavailable"});
    return answer;
}

static int decide_and_answer(offer *o)
{
    for (;;) {
        bth_verdict verdict = bth_decide(&o->facts);

        switch (verdict.action) {
        case BTH_ASK_STRANGER:
            ask_stranger(o);
            break;
        case BTH_ASK_TORRENT:
            ask_torrent(o);
            break;
        case BTH_ASK_MAKE:
            ask_make(o);
            break;
        case BTH_SEND_FORM:
            return send_form(o, verdict.form);
        case BTH_SEND_WAIT:
            note(o->r, "pending", NULL);
            return bth_send_wait(o->r, o->want.percent);
        case BTH_SEND_NOT_FOUND:
            return HTTP_NOT_FOUND;
        case BTH_PASS:
        case BTH_PASS_VARY:
        case BTH_PASS_LINK:
        case BTH_PASS_STATUS:
            return pass(o, &verdict);
        }
    }
}

/* --- what the request is --------------------------------------------------- */

/* X-BT-Accept, or, from a client that does not know it, Accept. */
static void read_accept(offer *o)
{
    const char *types;

    bth_accept_parse(apr_table_get(o->r->headers_in, "X-BT-Accept"), &o->accept);
    if (o->accept.is_said || !o->dir.accept_metalink)
        return;
    types = apr_table_get(o->r->headers_in, "Accept");
    if (types && ap_strcasestr(types, bth_form_type(BTH_FORM_METALINK)) && bth_name_is_plain(o->r->pool, &o->subject)) {
        bth_accept_parse_types(types, &o->accept);
        o->facts.by_type = 1;
    }
}

static void common_facts(offer *o, bth_alias alias, bth_form form, apr_int64_t size)
{
    read_accept(o);
    o->facts.is_main_get = 1;
    o->facts.alias = alias;
    o->facts.alias_form = form;
    o->facts.forms = bth_forms_here();
    o->facts.accept = &o->accept;
    o->facts.enabled = o->dir.enabled;
    o->facts.size = size;
    o->facts.min_size = o->dir.min_size;
    o->facts.max_size = o->dir.max_size == BTH_NO_LIMIT ? -1 : o->dir.max_size;
    o->facts.new_version = (tg_version)o->dir.version;
    o->facts.has_range = apr_table_get(o->r->headers_in, "Range") != NULL;
    o->facts.force_file = query_has(o->r, "bthttp=file");
    o->subject.dir = &o->dir;
    o->subject.v1_alone = bth_agent_needs_v1(apr_table_get(o->r->headers_in, "User-Agent"));
    o->subject.negotiated = alias == BTH_ALIAS_NONE;
    o->want.r = o->r;
    o->want.subject = &o->subject;
    o->want.size = size;
}

/* A directory of some files or other. */
static int offer_collection(offer *o, bth_alias alias, bth_form form)
{
    common_facts(o, alias, form, 1);
    o->facts.min_size = 0;
    o->facts.max_size = -1;
    o->facts.forms &= ~BTH_FORM_BIT(BTH_FORM_METALINK);
    return decide_and_answer(o);
}

/* A real file under its own name. */
static int offer_file(request_rec *r)
{
    offer o = {.r = r, .dir = bth_dir_of(r)};
    int by_query = (o.dir.aliases & BTH_ALIAS_IS_QUERY) && query_has(r, "torrent");

    if (r->path_info && *r->path_info)
        return DECLINED;
    if (r->finfo.size < o.dir.min_size && !r->args && !apr_table_get(r->headers_in, "X-BT-Accept"))
        return DECLINED; /* what most requests are: a small file that nobody asks anything of */
    o.subject.path = r->filename;
    o.subject.url_path = bth_asked_path(r);
    o.facts.transformed = bth_is_transformed(r);
    common_facts(&o, by_query ? BTH_ALIAS_QUERY : BTH_ALIAS_NONE, BTH_FORM_TORRENT, r->finfo.size);
    return decide_and_answer(&o);
}

/* The file of an alias is not for strangers, if there is one at all: it may have been until now. */
static void withdraw_refused(offer *o)
{
    const char *path;

    if (bth_stranger_way(origin_of(o), o->r->pool, &path) != OK || !path)
        return;
    o->subject.path = path;
    withdraw_protected(o);
}

/* DIR.torrent, where DIR is no file. */
static int offer_alias_of_directory(offer *o, bth_form form)
{
    bth_stranger_view view;

    o->subject.url_path = apr_pstrcat(o->r->pool, o->subject.url_path, "/", NULL);
    o->want.origin = NULL;
    if (!bth_stranger_look_collection(origin_of(o), o->r->pool, o->r->connection->current_thread, &view) ||
        !(view.dir.aliases & bth_alias_bit(form)))
        return DECLINED;
    o->subject.path = view.path;
    o->dir = view.dir;
    o->dir.accept_metalink = 0;
    return offer_collection(o, BTH_ALIAS_SUFFIX, form);
}

/* Whose name FILE.torrent, FILE.magnet or FILE.meta4 is. @return FILE's URL path, or NULL if it is no such name */
static const char *file_of_alias(apr_pool_t *pool, const char *asked, bth_form *form)
{
    apr_size_t length = strlen(asked);

    for (int i = 0; i < BTH_FORMS; i++) {
        apr_size_t suffix = strlen(bth_form_suffix((bth_form)i));

        *form = (bth_form)i;
        if (length > suffix && !strcmp(asked + length - suffix, bth_form_suffix(*form)))
            return asked[length - suffix - 1] == '/' ? NULL : apr_pstrmemdup(pool, asked, length - suffix);
    }
    return NULL;
}

/* An alias, where there is no such file. */
static int offer_alias(request_rec *r)
{
    offer o = {.r = r};
    bth_stranger_view view;
    bth_form form;

    o.subject.url_path = file_of_alias(r->pool, bth_asked_path(r), &form);
    if (!o.subject.url_path || bth_client_cert_given(r))
        return DECLINED;
    if (!bth_stranger_look(origin_of(&o), r->pool, r->connection->current_thread, &view)) {
        withdraw_refused(&o);
        return offer_alias_of_directory(&o, form);
    }
    if (!(view.dir.aliases & bth_alias_bit(form)))
        return DECLINED;
    o.subject.path = view.path;
    o.dir = view.dir;
    o.facts.transformed = view.transformed;
    o.facts.stranger = BTH_STRANGER_MAY;
    o.want.listed = view.listed;
    common_facts(&o, BTH_ALIAS_SUFFIX, form, view.size);
    return decide_and_answer(&o);
}

static int is_main_get(const request_rec *r)
{
    return !r->main && r->method_number == M_GET && r->status == HTTP_OK && bth_this_child()->shared;
}

int bth_offer_handler(request_rec *r)
{
    if (!is_main_get(r) || !r->filename || bth_collection_of(r))
        return DECLINED;
    if (r->finfo.filetype == APR_REG)
        return offer_file(r);
    if (r->finfo.filetype == APR_NOFILE)
        return offer_alias(r);
    return DECLINED;
}

int bth_offer_directory(request_rec *r)
{
    const bth_directory *directory = bth_collection_of(r);
    offer o = {.r = r};
    int by_query;

    if (!directory || !is_main_get(r))
        return DECLINED;
    o.subject.path = directory->directory;
    o.subject.url_path = bth_asked_path(r);
    if (!bth_is_collection(o.subject.url_path))
        return DECLINED;
    o.dir = directory->dir;
    o.dir.accept_metalink = 0; /* whoever takes any Metalink takes the page */
    by_query = (o.dir.aliases & BTH_ALIAS_IS_QUERY) && query_has(r, "torrent");
    return offer_collection(&o, by_query ? BTH_ALIAS_QUERY : BTH_ALIAS_NONE, BTH_FORM_TORRENT);
}

int bth_offer_fixup(request_rec *r)
{
    bth_accept accept;

    if (!is_main_get(r) || bth_is_fixed(r))
        return DECLINED;
    bth_accept_parse(apr_table_get(r->headers_in, "X-BT-Accept"), &accept);
    if (accept.count && bth_dir_of(r).enabled && !r->proxyreq)
        apr_table_setn(r->headers_out, "X-BT-Status", "transformed");
    return DECLINED;
}
