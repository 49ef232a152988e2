#include "module/figures.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <apr_strings.h>
#include <apr_time.h>

#include "seeder/seeder.h"

/* --- the list --- */

static const char *close_name(int reason)
{
    return seed_close_name((seed_close_reason)reason);
}

static const bth_label reasons = {"reason", SEED_CLOSE_REASONS, close_name};

static const char *form_name(int form)
{
    return trk_form_name((trk_form)form);
}

static const char *result_name(int result)
{
    return trk_result_name((trk_result)result);
}

static const bth_label forms = {"form", TRK_FORMS, form_name};
static const bth_label results = {"result", TRK_RESULTS, result_name};

static const char *const store_states[] = {"local", "away", "shared", NULL};
static const char *const scan_states[] = {"off", "walking", "making", "watching", NULL};

#define PAGE(name, member, kind, unit, label) {name, label, BTH_OF_PAGE, offsetof(seed_counters, member), kind, unit, NULL, {NULL}}
#define SNAPSHOT(name, member, kind, unit, label) \
    {name, label, BTH_OF_SNAPSHOT, offsetof(bth_snapshot, member), kind, unit, NULL, {NULL}}
#define COUNTER(member, label) PAGE(#member, member, BTH_COUNTER, BTH_PLAIN, label)
#define END {NULL, NULL, BTH_OF_PAGE, 0, BTH_GAUGE, BTH_PLAIN, NULL, {NULL}}

static const bth_figure seed[] = {
    SNAPSHOT("torrents", torrents, BTH_GAUGE, BTH_PLAIN, "torrents published"),
    PAGE("seeder_pid", seeder_pid, BTH_GAUGE, BTH_PLAIN, "seeder's process"),
    PAGE("peers", peers, BTH_GAUGE, BTH_PLAIN, "peers"),
    PAGE("active_swarms", swarms, BTH_GAUGE, BTH_PLAIN, "torrents with peers"),
    SNAPSHOT("upload_rate", upload_rate, BTH_GAUGE, BTH_BYTES_A_SECOND, "upload, bytes a second"),
    SNAPSHOT("waiting", waiting, BTH_GAUGE, BTH_PLAIN, "peers that wait for their turn"),
    SNAPSHOT("saturated", saturated, BTH_GAUGE, BTH_PLAIN, "upload is at its limit"),
    PAGE("http_load", http_load, BTH_GAUGE, BTH_PLAIN, "HTTP's load, percent"),
    PAGE("cpu_seconds", cpu_time, BTH_COUNTER, BTH_MILLIONTHS, "CPU seconds of the seeder"),
    COUNTER(peers_taken, "peers taken"),
    COUNTER(handshakes, "handshakes"),
    COUNTER(encrypted_plain, "encrypted handshakes, plain streams"),
    COUNTER(encrypted_rc4, "encrypted handshakes, RC4 streams"),
    COUNTER(blocks_sent, "blocks sent"),
    PAGE("bytes_sent", bytes_sent, BTH_COUNTER, BTH_BYTES, "bytes sent"),
    COUNTER(rejects_sent, "rejects sent"),
    COUNTER(hashes_sent, "answers to hash requests"),
    COUNTER(pex_sent, "messages of peer exchange"),
    COUNTER(handovers, "peers handed over"),
    COUNTER(reads, "reads from disk"),
    PAGE("reading", reading, BTH_GAUGE, BTH_PLAIN, "reads under way"),
    COUNTER(bans, "bans"),
    SNAPSHOT("banned", banned, BTH_GAUGE, BTH_PLAIN, "addresses banned now"),
    COUNTER(mailbox_full, "mailbox full"),
    {"closed", "peers closed", BTH_OF_PAGE, offsetof(seed_counters, closed), BTH_COUNTER, BTH_PLAIN, NULL, {&reasons}},
    END,
};

static const bth_figure tracker[] = {
    SNAPSHOT("tracker_swarms", tracker.swarms, BTH_GAUGE, BTH_PLAIN, "torrents in the tracker"),
    SNAPSHOT("tracker_seeds", tracker.seeds, BTH_GAUGE, BTH_PLAIN, "seeds in the tracker"),
    SNAPSHOT("tracker_leechers", tracker.leechers, BTH_GAUGE, BTH_PLAIN, "leechers in the tracker"),
    SNAPSHOT("tracker_announces", tracker.announces, BTH_COUNTER, BTH_PLAIN, "announces to swarms"),
    SNAPSHOT("tracker_announce_rate", announce_rate, BTH_GAUGE, BTH_MILLIONTHS, "announces a second"),
    SNAPSHOT("tracker_evictions", tracker.evictions, BTH_COUNTER, BTH_PLAIN, "peers that made room for others"),
    SNAPSHOT("tracker_crowded", tracker.crowded, BTH_COUNTER, BTH_PLAIN, "peers that made room for others of their address"),
    SNAPSHOT("tracker_memory_used", tracker.memory_used, BTH_GAUGE, BTH_BYTES, "memory used, bytes"),
    SNAPSHOT("tracker_memory_size", tracker.memory_size, BTH_GAUGE, BTH_BYTES, "memory there is, bytes"),
    {"store.state", "swarms are shared with other hosts", BTH_OF_SNAPSHOT, offsetof(bth_snapshot, store.state), BTH_STATE, BTH_PLAIN,
     store_states, {NULL}},
    SNAPSHOT("store.sent", store.sent, BTH_COUNTER, BTH_PLAIN, "announces told to other hosts"),
    SNAPSHOT("store.learned", store.learned, BTH_COUNTER, BTH_PLAIN, "announces learned from other hosts"),
    SNAPSHOT("store.dropped", store.dropped, BTH_COUNTER, BTH_PLAIN, "announces never told, as redis was away or slow"),
    SNAPSHOT("store.lost", store.lost, BTH_COUNTER, BTH_PLAIN, "connections to redis lost"),
    SNAPSHOT("unpublished.swarms", unpublished.swarms, BTH_GAUGE, BTH_PLAIN, "unpublished torrents in the tracker"),
    SNAPSHOT("unpublished.seeds", unpublished.seeds, BTH_GAUGE, BTH_PLAIN, "seeds of unpublished torrents"),
    SNAPSHOT("unpublished.leechers", unpublished.leechers, BTH_GAUGE, BTH_PLAIN, "leechers of unpublished torrents"),
    SNAPSHOT("unpublished.announces", unpublished.announces, BTH_COUNTER, BTH_PLAIN, "announces to unpublished swarms"),
    SNAPSHOT("unpublished.evictions", unpublished.evictions, BTH_COUNTER, BTH_PLAIN, "peers of unpublished torrents that made room for others"),
    SNAPSHOT("unpublished.crowded", unpublished.crowded, BTH_COUNTER, BTH_PLAIN, "the same for others of their address"),
    SNAPSHOT("unpublished.memory_used", unpublished.memory_used, BTH_GAUGE, BTH_BYTES, "memory used for unpublished torrents, bytes"),
    SNAPSHOT("unpublished.memory_size", unpublished.memory_size, BTH_GAUGE, BTH_BYTES, "memory there is for unpublished torrents, bytes"),
    {"tracker_scrapes_refused", "scrapes refused, too many", BTH_OF_ANNOUNCES, offsetof(trk_counters, scrapes_refused), BTH_COUNTER, BTH_PLAIN, NULL, {NULL}},
    {"tracker_udp_silent", "datagrams without an answer", BTH_OF_ANNOUNCES, offsetof(trk_counters, udp_silent), BTH_COUNTER, BTH_PLAIN, NULL, {NULL}},
    {"announces", "announces", BTH_OF_ANNOUNCES, offsetof(trk_counters, results), BTH_COUNTER, BTH_PLAIN, NULL, {&forms, &results}},
    END,
};

static const bth_figure hashing[] = {
    COUNTER(hashed_files, "files hashed"),
    PAGE("hashed_bytes", hashed_bytes, BTH_COUNTER, BTH_BYTES, "bytes hashed"),
    COUNTER(hash_failures, "files that could not be hashed"),
    PAGE("hashing.urgent", hashing.urgent, BTH_GAUGE, BTH_PLAIN, "files to hash that somebody waits for"),
    PAGE("hashing.waiting", hashing.waiting, BTH_GAUGE, BTH_PLAIN, "other files to hash"),
    PAGE("hashing.files", hashing.files, BTH_GAUGE, BTH_PLAIN, "files being hashed"),
    PAGE("hashing.bytes_left", hashing.bytes_left, BTH_GAUGE, BTH_BYTES, "bytes to hash"),
    PAGE("hashing.rate", hashing.rate, BTH_GAUGE, BTH_BYTES_A_SECOND, "hashing, bytes a second"),
    SNAPSHOT("hashing.seconds_left", hashing_left, BTH_GAUGE, BTH_SECONDS, "seconds until all is hashed"),
    END,
};

static const bth_figure scan[] = {
    {"scan.state", "what the scan does", BTH_OF_PAGE, offsetof(seed_counters, scan.state), BTH_STATE, BTH_PLAIN, scan_states, {NULL}},
    PAGE("scan.roots", scan.roots, BTH_GAUGE, BTH_PLAIN, "directories where it begins"),
    PAGE("scan.found", scan.found, BTH_GAUGE, BTH_PLAIN, "files that it found"),
    PAGE("scan.queued", scan.queued, BTH_GAUGE, BTH_PLAIN, "files that wait for it"),
    PAGE("scan.made", scan.made, BTH_COUNTER, BTH_PLAIN, "torrents that it had made"),
    PAGE("scan.failed", scan.failed, BTH_COUNTER, BTH_PLAIN, "files whose torrent could not be made"),
    PAGE("scan.bytes_left", scan.bytes_left, BTH_GAUGE, BTH_BYTES, "bytes of the files that wait"),
    PAGE("scan.rate", scan.rate, BTH_GAUGE, BTH_BYTES_A_SECOND, "scan, bytes a second"),
    PAGE("scan.watched", scan.watched, BTH_GAUGE, BTH_PLAIN, "directories watched for changes"),
    PAGE("scan.unwatched", scan.unwatched, BTH_GAUGE, BTH_PLAIN, "directories walked again instead"),
    PAGE("scan.walks", scan.walks, BTH_COUNTER, BTH_PLAIN, "walks that came to their end"),
    SNAPSHOT("scan.seconds_left", scan_left, BTH_GAUGE, BTH_SECONDS, "seconds until nothing waits for the scan"),
    END,
};

const bth_section bth_sections[] = {{"Seed", seed}, {"Tracker", tracker}, {"Hashing", hashing}, {"Scan", scan}, {NULL, NULL}};

/* --- one moment --- */

static apr_uint64_t load(const apr_uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* Longer than this without a new measurement: the seeder sleeps, for want of peers, or is gone. */
static const apr_interval_time_t RECENT = 3 * APR_USEC_PER_SEC;

static apr_uint64_t seconds_left(const apr_uint64_t *bytes_left, const apr_uint64_t *bytes_a_second)
{
    apr_uint64_t bytes = load(bytes_left), rate = load(bytes_a_second);

    return bytes == 0 ? 0 : rate == 0 ? BTH_UNKNOWN : bytes / rate;
}

void bth_snapshot_take(bth_snapshot *snapshot, const seed_counters *page, const trk_counters *announces, trk_swarms *swarms,
                       trk_swarms *unpublished, cat_catalog *catalog)
{
    apr_int64_t torrents = 0;
    apr_time_t now = seed_now();

    memset(snapshot, 0, sizeof *snapshot);
    snapshot->page = page;
    snapshot->announces = announces;
    snapshot->announce_rate = trk_announce_rate(announces, apr_time_now());
    if (swarms) {
        trk_swarms_totals(swarms, &snapshot->tracker);
        trk_swarms_shared(swarms, &snapshot->store);
    }
    if (unpublished)
        trk_swarms_totals(unpublished, &snapshot->unpublished);
    if (catalog && cat_count(catalog, &torrents) == APR_SUCCESS && torrents > 0)
        snapshot->torrents = (apr_uint64_t)torrents;
    snapshot->banned = (apr_uint64_t)seed_bans_count(&page->banned, now);
    if (now - (apr_time_t)load(&page->measured) <= RECENT) {
        snapshot->upload_rate = load(&page->upload_rate);
        snapshot->waiting = load(&page->waiting);
        snapshot->saturated = load(&page->saturated);
    }
    snapshot->hashing_left = seconds_left(&page->hashing.bytes_left, &page->hashing.rate);
    snapshot->scan_left = seconds_left(&page->scan.bytes_left, &page->scan.rate);
}

/* --- rows --- */

static int count_of(const bth_figure *figure, int from)
{
    int count = 1;

    for (int i = from; i < BTH_LABELS_MAX && figure->labels[i]; i++)
        count *= figure->labels[i]->count;
    return count;
}

static void fill(const bth_snapshot *snapshot, bth_row *row)
{
    const bth_figure *figure = row->figure;
    const void *const bases[] = {[BTH_OF_PAGE] = snapshot->page, [BTH_OF_ANNOUNCES] = snapshot->announces, [BTH_OF_SNAPSHOT] = snapshot};
    const char *at = (const char *)bases[figure->source] + figure->offset;

    for (int i = 0; i < BTH_LABELS_MAX; i++) {
        const bth_label *label = figure->labels[i];

        row->labels[i] = label ? label->value(row->at / count_of(figure, i + 1) % label->count) : NULL;
    }
    row->value = load((const apr_uint64_t *)(const void *)at + row->at);
}

int bth_row_next(const bth_snapshot *snapshot, bth_row *row)
{
    if (!row->section) {
        row->section = bth_sections;
        row->figure = row->section->figures;
        row->at = 0;
    } else if (++row->at == count_of(row->figure, 0)) {
        row->at = 0;
        row->figure++;
        if (!row->figure->name) {
            row->section++;
            row->figure = row->section->figures;
        }
    }
    if (!row->section->title)
        return 0;
    fill(snapshot, row);
    return 1;
}

static const char *join(const char *first, const char *separator, const bth_row *row, char text[BTH_ROW_TEXT])
{
    apr_cpystrn(text, first, BTH_ROW_TEXT);
    for (int i = 0; i < BTH_LABELS_MAX && row->labels[i]; i++) {
        apr_size_t length = strlen(text);

        snprintf(text + length, BTH_ROW_TEXT - length, "%s%s", separator, row->labels[i]);
    }
    return text;
}

const char *bth_row_name(const bth_row *row, char text[BTH_ROW_TEXT])
{
    return join(row->figure->name, ".", row, text);
}

const char *bth_row_label(const bth_row *row, char text[BTH_ROW_TEXT])
{
    return join(row->figure->label, ", ", row, text);
}

static const char *word_of(const bth_row *row)
{
    apr_uint64_t at = 0;

    while (at < row->value && row->figure->words[at + 1])
        at++;
    return row->figure->words[at];
}

const char *bth_row_text(const bth_row *row, char text[BTH_ROW_TEXT])
{
    if (row->figure->kind == BTH_STATE)
        apr_cpystrn(text, word_of(row), BTH_ROW_TEXT);
    else if (row->value == BTH_UNKNOWN)
        apr_cpystrn(text, "-1", BTH_ROW_TEXT);
    else if (row->figure->unit == BTH_MILLIONTHS)
        snprintf(text, BTH_ROW_TEXT, "%" APR_UINT64_T_FMT ".%03u", row->value / 1000000,
                 (unsigned)(row->value % 1000000 / 1000));
    else
        snprintf(text, BTH_ROW_TEXT, "%" APR_UINT64_T_FMT, row->value);
    return text;
}

int bth_row_is_idle(const bth_row *row)
{
    return row->labels[0] != NULL && row->value == 0;
}
