#include "module/status.h"

#include <http_protocol.h>
#include <http_request.h>
#include <apr_strings.h>

#include <string.h>

#include "module/child.h"
#include "module/figures.h"
#include "module/torrent_response.h"

enum { BODY_MAX = 64 * 1024 };

/* As "Require local" has it. */
static int is_local(const request_rec *r)
{
    return apr_sockaddr_equal(r->connection->local_addr, r->useragent_addr) ||
           !strncmp(r->useragent_ip, "127.", 4) || !strcmp(r->useragent_ip, "::1");
}

static void add_number(bt_buf *body, const char *name, apr_uint64_t value)
{
    bt_buf_printf(body, "  \"%s\": %" APR_UINT64_T_FMT ",\n", name, value);
}

static apr_uint64_t load(const apr_uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static void add_seeder(bt_buf *body, const seed_counters *page)
{
    const bth_figure *figure;
    char text[BTH_FIGURE_TEXT];

    for (figure = bth_figures; figure->name; figure++)
        bt_buf_printf(body, "  \"%s\": %s,\n", figure->name, bth_figure_text(page, figure, text));
    add_number(body, "banned", (apr_uint64_t)seed_bans_count(&page->banned, seed_now()));
    bt_buf_add_string(body, "  \"closed\": {");
    for (int i = 0; i < SEED_CLOSE_REASONS; i++)
        bt_buf_printf(body, "%s\"%s\": %" APR_UINT64_T_FMT, i ? ", " : "", seed_close_name((seed_close_reason)i),
                      load(&page->closed[i]));
    bt_buf_add_string(body, "},\n");
}

static void add_tracker(bt_buf *body)
{
    trk_totals totals = {0};

    if (bth_this_child()->swarms)
        trk_swarms_totals(bth_this_child()->swarms, &totals);
    add_number(body, "tracker_swarms", totals.swarms);
    add_number(body, "tracker_seeds", totals.seeds);
    add_number(body, "tracker_leechers", totals.leechers);
    add_number(body, "tracker_announces", totals.announces);
    add_number(body, "tracker_evictions", totals.evictions);
    add_number(body, "tracker_memory_used", totals.memory_used);
    add_number(body, "tracker_memory_size", totals.memory_size);
}

/* @return seconds; -1 if that cannot be said */
static apr_int64_t seconds_left(apr_uint64_t bytes, apr_uint64_t rate)
{
    return bytes == 0 ? 0 : rate == 0 ? -1 : (apr_int64_t)(bytes / rate);
}

static void add_hashing(bt_buf *body, const seed_hashing *hashing)
{
    apr_uint64_t left = load(&hashing->bytes_left), rate = load(&hashing->rate);

    bt_buf_printf(body,
                  "  \"hashing\": {\"urgent\": %" APR_UINT64_T_FMT ", \"waiting\": %" APR_UINT64_T_FMT
                  ", \"files\": %" APR_UINT64_T_FMT ", \"bytes_left\": %" APR_UINT64_T_FMT ", \"rate\": %" APR_UINT64_T_FMT
                  ", \"seconds_left\": %" APR_INT64_T_FMT "},\n",
                  load(&hashing->urgent), load(&hashing->waiting), load(&hashing->files), left, rate,
                  seconds_left(left, rate));
}

static void add_scan(bt_buf *body, const seed_scan_figures *scan)
{
    static const char *const states[] = {"off", "walking", "making", "watching"};
    apr_uint64_t state = load(&scan->state);
    const struct {
        const char *name;
        const apr_uint64_t *figure;
    } figures[] = {{"roots", &scan->roots},           {"found", &scan->found},     {"queued", &scan->queued},
                   {"made", &scan->made},             {"failed", &scan->failed},   {"bytes_left", &scan->bytes_left},
                   {"rate", &scan->rate},             {"watched", &scan->watched}, {"unwatched", &scan->unwatched},
                   {"walks", &scan->walks}};

    bt_buf_printf(body, "  \"scan\": {\"state\": \"%s\"", states[state <= SEED_SCAN_WATCHING ? state : 0]);
    for (apr_size_t i = 0; i < sizeof figures / sizeof *figures; i++)
        bt_buf_printf(body, ", \"%s\": %" APR_UINT64_T_FMT, figures[i].name, load(figures[i].figure));
    bt_buf_printf(body, ", \"seconds_left\": %" APR_INT64_T_FMT "},\n", seconds_left(load(&scan->bytes_left), load(&scan->rate)));
}

static apr_int64_t torrents(void)
{
    apr_int64_t count = 0;

    if (bth_this_child()->catalog)
        cat_count(bth_this_child()->catalog, &count);
    return count;
}

int bth_status_handler(request_rec *r)
{
    bt_buf body;
    char *copy;

    if (!r->handler || strcmp(r->handler, "bthttp-status"))
        return DECLINED;
    ap_allow_standard_methods(r, REPLACE_ALLOW, M_GET, -1);
    if (r->method_number != M_GET)
        return HTTP_METHOD_NOT_ALLOWED;
    if (!bth_this_child()->shared)
        return HTTP_NOT_FOUND;
    if (r->filename && !strncmp(r->filename, "bthttp:", 7) && !is_local(r))
        return HTTP_FORBIDDEN;
    bt_buf_init(&body, BODY_MAX);
    bt_buf_add_string(&body, "{\n");
    add_seeder(&body, bth_this_child()->shared->counters);
    add_tracker(&body);
    add_hashing(&body, &bth_this_child()->shared->counters->hashing);
    add_scan(&body, &bth_this_child()->shared->counters->scan);
    bt_buf_printf(&body, "  \"torrents\": %" APR_INT64_T_FMT "\n}\n", torrents());
    copy = apr_pstrmemdup(r->pool, (const char *)body.data, body.length);
    bt_buf_free(&body);
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    return bth_send_body(r, "application/json", copy, strlen(copy));
}
