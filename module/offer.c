#include "module/offer.h"

#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>
#include <apr_strings.h>

#include "module/child.h"
#include "module/client_certs.h"
#include "module/agent.h"
#include "module/decide.h"
#include "module/gate.h"
#include "module/stranger.h"
#include "module/torrent_response.h"

/* One request while it is decided. */
typedef struct {
    request_rec *r;
    bth_facts facts;
    bth_accept accept;
    bth_dir_config dir;
    bth_subject subject;
    const char *origin; /* see origin_of */
    cat_entry entry; /* valid while facts.torrent is READY */
    int percent;     /* of the hashing, while pending */
} offer;

static const char torrent_suffix[] = ".torrent";

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
    if (!o->origin)
        o->origin = bth_origin_of(o->r, o->subject.url_path);
    return o->origin;
}

/* --- what there is --------------------------------------------------------- */

static void look_into_catalogue(offer *o)
{
    const bth_child *child = bth_this_child();
    bth_gate gate;

    o->facts.torrent = BTH_TORRENT_NONE;
    if (cat_find_path(child->catalog, o->subject.path, o->r->pool, &o->entry) != APR_SUCCESS)
        return;
    gate = bth_gate_look(&o->entry);
    if (gate == BTH_GATE_CHANGED) {
        bth_withdraw(&o->entry, CAT_CHANGED);
        return;
    }
    if (gate != BTH_GATE_OPEN && o->facts.stranger == BTH_STRANGER_MAY) {
        /* The test was just passed: known, but not yet (or no longer) published. */
        if (cat_grant(child->catalog, o->subject.path, origin_of(o), child->grant, 1) != APR_SUCCESS)
            return;
        gate = BTH_GATE_OPEN;
    }
    if (gate == BTH_GATE_OPEN) {
        o->facts.torrent = BTH_TORRENT_READY;
        o->facts.version = o->entry.version;
    }
}

static void ask_torrent(offer *o)
{
    if (!bth_this_child()->catalog)
        o->facts.torrent = BTH_TORRENT_FAILED;
    else
        look_into_catalogue(o);
}

/* The file was published under this very URL and is no longer for strangers: withdraw it. */
static void withdraw_protected(offer *o)
{
    cat_catalog *catalog = bth_this_child()->catalog;

    if (catalog && cat_find_path(catalog, o->subject.path, o->r->pool, &o->entry) == APR_SUCCESS &&
        o->entry.published && !strcmp(o->entry.url, origin_of(o)))
        bth_withdraw(&o->entry, CAT_PROTECTED);
}

static void ask_stranger(offer *o)
{
    if (!bth_client_cert_given(o->r) &&
        bth_stranger_may(origin_of(o), o->subject.path, o->r->pool, o->r->connection->current_thread)) {
        o->facts.stranger = BTH_STRANGER_MAY;
    } else {
        o->facts.stranger = BTH_STRANGER_MAY_NOT;
        withdraw_protected(o);
    }
}

/* --- having it made -------------------------------------------------------- */

static apr_status_t post_make(offer *o)
{
    const bth_child *child = bth_this_child();
    seed_make make = {.path = o->subject.path,
                      .name = bth_torrent_name(o->r->pool, o->subject.path),
                      .url = origin_of(o),
                      .grant = child->grant,
                      .version = (tg_version)o->dir.version,
                      .piece_length = (apr_uint32_t)o->dir.piece_length,
                      .urgent = 1};

    return seed_post_make(child->shared->mailbox, &make);
}

static apr_time_t longest_wait(const offer *o)
{
    return o->facts.alias == BTH_ALIAS_NONE ? bth_accept_wait(&o->accept, o->facts.new_version, o->dir.wait) : o->dir.wait;
}

/* Waits for another process, so there is nothing to be woken by: short sleeps that grow to 20 ms. */
static void ask_make(offer *o)
{
    const seed_counters *counters = bth_this_child()->shared->counters;
    apr_time_t deadline = apr_time_now() + longest_wait(o);
    apr_interval_time_t nap = 1000;
    int progress = seed_job_progress(counters, o->subject.path);

    if (progress == -1)
        progress = post_make(o) == APR_ENAMETOOLONG ? -2 : 0;
    while (progress != -2) {
        look_into_catalogue(o);
        if (o->facts.torrent == BTH_TORRENT_READY)
            return;
        if (apr_time_now() >= deadline || o->r->connection->aborted)
            break;
        apr_sleep(nap);
        nap = nap < 20000 ? nap * 2 : nap;
        progress = seed_job_progress(counters, o->subject.path);
    }
    o->percent = progress > 0 ? progress : 0;
    o->facts.torrent = progress == -2 ? BTH_TORRENT_FAILED : BTH_TORRENT_PENDING;
}

/* --- what is said ---------------------------------------------------------- */

static void add_link(offer *o)
{
    const char *url = o->subject.url_path;
    int has_name = url[strlen(url) - 1] != '/'; /* a directory's index has none of its own */
    const char *form = has_name && (o->dir.aliases & BTH_ALIAS_IS_TORRENT) ? torrent_suffix
                       : o->dir.aliases & BTH_ALIAS_IS_QUERY ? "?torrent" : NULL;

    if (form)
        apr_table_addn(o->r->headers_out, "Link",
                       apr_psprintf(o->r->pool, "<%s%s>; rel=\"describedby\"; type=\"application/x-bittorrent\"",
                                    url, form));
}

static int pass(offer *o, const bth_verdict *verdict)
{
    request_rec *r = o->r;
    const char *status = verdict->status;

    apr_table_unset(r->headers_out, "X-BT-Status");
    if (verdict->action != BTH_PASS)
        apr_table_mergen(r->headers_out, "Vary", "X-BT-Accept");
    if (verdict->action == BTH_PASS_LINK)
        add_link(o);
    if (status && !strcmp(status, "pending"))
        apr_table_setn(r->headers_out, "X-BT-Status", apr_psprintf(r->pool, "pending; progress=%d", o->percent));
    else if (status)
        apr_table_setn(r->headers_out, "X-BT-Status", status);
    note(r, status ? status : "file", NULL);
    return DECLINED;
}

static int send_torrent(offer *o)
{
    bt_infohash hash = hash_of(&o->entry, o->subject.v1_alone);

    note(o->r, "torrent", &hash);
    return bth_send_torrent(o->r, &o->subject, &o->entry);
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
        case BTH_SEND_TORRENT:
            return send_torrent(o);
        case BTH_SEND_WAIT:
            note(o->r, "pending", NULL);
            return bth_send_wait(o->r, o->percent);
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

static void common_facts(offer *o, bth_alias alias, apr_int64_t size)
{
    bth_accept_parse(apr_table_get(o->r->headers_in, "X-BT-Accept"), &o->accept);
    o->facts.is_main_get = 1;
    o->facts.alias = alias;
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
    common_facts(&o, by_query ? BTH_ALIAS_QUERY : BTH_ALIAS_NONE, r->finfo.size);
    return decide_and_answer(&o);
}

/* FILE.torrent, where there is no such file. */
static int offer_alias(request_rec *r)
{
    const char *asked = bth_asked_path(r);
    apr_size_t length = strlen(asked), suffix = sizeof torrent_suffix - 1;
    offer o = {.r = r};
    bth_stranger_view view;

    if (length <= suffix || strcmp(asked + length - suffix, torrent_suffix) || asked[length - suffix - 1] == '/')
        return DECLINED;
    o.subject.url_path = apr_pstrmemdup(r->pool, asked, length - suffix);
    o.origin = bth_origin_of(r, o.subject.url_path);
    if (bth_client_cert_given(r) ||
        !bth_stranger_look(o.origin, r->pool, r->connection->current_thread, &view) ||
        !(view.dir.aliases & BTH_ALIAS_IS_TORRENT))
        return DECLINED;
    o.subject.path = view.path;
    o.dir = view.dir;
    o.facts.transformed = view.transformed;
    o.facts.stranger = BTH_STRANGER_MAY;
    common_facts(&o, BTH_ALIAS_SUFFIX, view.size);
    return decide_and_answer(&o);
}

static int is_main_get(const request_rec *r)
{
    return !r->main && r->method_number == M_GET && r->status == HTTP_OK && bth_this_child()->shared;
}

int bth_offer_handler(request_rec *r)
{
    if (!is_main_get(r) || !r->filename)
        return DECLINED;
    if (r->finfo.filetype == APR_REG)
        return offer_file(r);
    if (r->finfo.filetype == APR_NOFILE)
        return offer_alias(r);
    return DECLINED;
}

int bth_offer_fixup(request_rec *r)
{
    bth_accept accept;

    if (!is_main_get(r))
        return DECLINED;
    bth_accept_parse(apr_table_get(r->headers_in, "X-BT-Accept"), &accept);
    if (accept.count && bth_dir_of(r).enabled && !r->proxyreq)
        apr_table_setn(r->headers_out, "X-BT-Status", "transformed");
    return DECLINED;
}
