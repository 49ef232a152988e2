#include "module/tracker_handlers.h"

#include <http_protocol.h>
#include <http_request.h>
#include <apr_strings.h>

#include "module/child.h"
#include "module/fixed_urls.h"
#include "module/gate.h"
#include "module/random.h"
#include "module/seed_address.h"
#include "module/torrent_response.h"
#include "module/tracker_rules.h"
#include "tracker/counters.h"
#include "tracker/http.h"

/* 200 peers of either family and a scrape of 100 hashes fit many times. */
enum { BODY_MAX = 256 * 1024, RETRY_MINUTES = 30 };

static int interval_seconds(void)
{
    return (int)apr_time_sec(bth_server()->tracker_interval);
}

static int send_answer(request_rec *r, bt_buf *body)
{
    apr_table_setn(r->subprocess_env, "no-gzip", "1");
    apr_table_setn(r->subprocess_env, "no-brotli", "1");
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    return bth_send_buf(r, "text/plain", body);
}

/* Clients stop for good at any status but 200, so a refusal is a body. */
static int send_failure(request_rec *r, const char *reason, int retry_minutes)
{
    bt_buf body;

    bt_buf_init(&body, BODY_MAX);
    trk_http_failure(&body, reason, interval_seconds(), retry_minutes);
    return send_answer(r, &body);
}

/* @param scraped  hashes of a scrape; 0: it is an announce */
static trk_result admit(request_rec *r, int scraped)
{
    trk_address from;

    bth_wire_address(r->useragent_addr, &from);
    return bth_tracker_admit(&from, scraped, r->request_time);
}

/* It need not wait a whole interval: it may have done nothing but share its address. */
static int send_too_many(request_rec *r, trk_result result)
{
    bt_buf body;

    bt_buf_init(&body, BODY_MAX);
    trk_http_failure(&body, bth_tracker_too_many(result), BTH_TOO_MANY_MINUTES * 60, BTH_TOO_MANY_MINUTES);
    return send_answer(r, &body);
}

/* Every announce is counted once, as what came of it. */
static void count(const request_rec *r, trk_result result)
{
    trk_count_announce(bth_this_child()->shared->announces, TRK_FORM_HTTP, result, r->request_time);
}

/* This server is a seed of what it publishes, and of nothing else. */
static int answer_announce(request_rec *r, const trk_announce *announce, trk_swarms *table)
{
    trk_address from, local, seeds[BTH_SEEDS_MAX];
    trk_policy policy;
    int seed_count = table == bth_this_child()->swarms ? bth_seed_addresses(r, seeds) : 0;
    trk_answer answer; /* 5 KB, for which the request's pool would have to grow */
    apr_status_t status;
    bt_buf body;

    bth_wire_address(r->connection->local_addr, &local);
    policy = bth_tracker_policy(&local);
    bth_wire_address(r->useragent_addr, &from);
    from.port = announce->port;
    status = trk_swarms_announce(table, &policy, announce, &from, seeds, seed_count, r->request_time, bth_random(), &answer);
    count(r, trk_result_of(status));
    bt_buf_init(&body, BODY_MAX);
    trk_http_answer(&body, announce, &answer, &from);
    return send_answer(r, &body);
}

/* @return OK if this handler is to answer, else what it returns */
static int check_request(request_rec *r, const char *handler)
{
    int answer = bth_fixed_check(r, handler);

    if (answer != OK)
        return answer;
    return bth_this_child()->swarms ? OK : HTTP_NOT_FOUND;
}

int bth_announce_handler(request_rec *r)
{
    int answer = check_request(r, "bthttp-announce");
    trk_announce announce;
    const char *failure = NULL;
    cat_standing standing;
    trk_result admitted;
    trk_swarms *table;
    cat_entry entry;

    if (answer != OK)
        return answer;
    if ((admitted = admit(r, 0)) != TRK_RESULT_OK) {
        count(r, admitted);
        return send_too_many(r, admitted);
    }
    if (trk_announce_parse(r->args ? r->args : "", r->args ? strlen(r->args) : 0, &announce, &failure) != APR_SUCCESS) {
        count(r, TRK_RESULT_BAD_REQUEST);
        return send_failure(r, failure, 0);
    }
    standing = bth_gate_find(&announce.hash, r->pool, r->connection->current_thread, &entry);
    if ((table = bth_tracker_table(standing)) == NULL) {
        count(r, bth_tracker_result(standing));
        return send_failure(r, bth_tracker_refusal(standing), standing == CAT_UNKNOWN ? RETRY_MINUTES : 0);
    }
    return answer_announce(r, &announce, table);
}

/* Only what may be announced is told of. Scraping unknown hashes allocates nothing; where they may be announced they have zeros. */
static int scrape_tracked(request_rec *r, bt_infohash *hashes, trk_scrape *numbers, int count)
{
    trk_address seeds[BTH_SEEDS_MAX];
    int tracked = 0, seeding = bth_seed_addresses(r, seeds) > 0;
    cat_entry entry;

    for (int i = 0; i < count; i++) {
        cat_standing standing = bth_gate_find(&hashes[i], r->pool, r->connection->current_thread, &entry);
        trk_swarms *table = bth_tracker_table(standing);

        if (!table)
            continue;
        trk_swarms_scrape(table, &hashes[i], r->request_time, &numbers[tracked]);
        numbers[tracked].complete += standing == CAT_PUBLISHED && seeding; /* this server itself */
        hashes[tracked++] = hashes[i];
    }
    return tracked;
}

int bth_scrape_handler(request_rec *r)
{
    int answer = check_request(r, "bthttp-scrape");
    bt_infohash *hashes;
    trk_scrape *numbers;
    const char *failure = NULL;
    trk_result admitted;
    bt_buf body;
    int count;

    if (answer != OK)
        return answer;
    hashes = apr_palloc(r->pool, TRK_SCRAPE_MAX * sizeof *hashes);
    numbers = apr_palloc(r->pool, TRK_SCRAPE_MAX * sizeof *numbers);
    count = trk_scrape_parse(r->args ? r->args : "", r->args ? strlen(r->args) : 0, hashes, &failure);
    if (count < 0)
        return send_failure(r, failure, 0);
    if ((admitted = admit(r, count > 0 ? count : 1)) != TRK_RESULT_OK)
        return send_too_many(r, admitted);
    count = scrape_tracked(r, hashes, numbers, count);
    bt_buf_init(&body, BODY_MAX);
    trk_http_scrape(&body, hashes, numbers, count, interval_seconds());
    return send_answer(r, &body);
}
