#include "module/figures.h"

#include <stddef.h>
#include <stdio.h>

#include <apr_time.h>

#include "seeder/seeder.h"

#define COUNT(member, label) {#member, label, offsetof(seed_counters, member), BTH_FIGURE_COUNT}

const bth_figure bth_figures[] = {
    COUNT(seeder_pid, "seeder's process"),
    COUNT(peers, "peers"),
    {"active_swarms", "torrents with peers", offsetof(seed_counters, swarms), BTH_FIGURE_COUNT},
    {"upload_rate", "upload, bytes a second", offsetof(seed_counters, upload_rate), BTH_FIGURE_RECENT},
    {"waiting", "peers that wait for their turn", offsetof(seed_counters, waiting), BTH_FIGURE_RECENT},
    {"saturated", "upload is at its limit", offsetof(seed_counters, saturated), BTH_FIGURE_RECENT},
    COUNT(http_load, "HTTP's load, percent"),
    {"cpu_seconds", "CPU seconds of the seeder", offsetof(seed_counters, cpu_time), BTH_FIGURE_SECONDS},
    COUNT(peers_taken, "peers taken"),
    COUNT(handshakes, "handshakes"),
    COUNT(encrypted_plain, "encrypted handshakes, plain streams"),
    COUNT(encrypted_rc4, "encrypted handshakes, RC4 streams"),
    COUNT(blocks_sent, "blocks sent"),
    COUNT(bytes_sent, "bytes sent"),
    COUNT(rejects_sent, "rejects sent"),
    COUNT(hashes_sent, "answers to hash requests"),
    COUNT(pex_sent, "messages of peer exchange"),
    COUNT(handovers, "peers handed over"),
    COUNT(reads, "reads from disk"),
    COUNT(reading, "reads under way"),
    COUNT(bans, "bans"),
    COUNT(hashed_files, "files hashed"),
    COUNT(hashed_bytes, "bytes hashed"),
    COUNT(hash_failures, "files that could not be hashed"),
    COUNT(mailbox_full, "mailbox full"),
    {NULL, NULL, 0, BTH_FIGURE_COUNT},
};

/* Longer than this without a new measurement: the seeder sleeps, for want of peers, or is gone. */
static const apr_interval_time_t RECENT = 3 * APR_USEC_PER_SEC;

static apr_uint64_t load(const apr_uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

apr_uint64_t bth_figure_value(const seed_counters *page, const bth_figure *figure)
{
    const char *at = (const char *)page + figure->offset;

    if (figure->kind == BTH_FIGURE_RECENT && seed_now() - (apr_time_t)load(&page->measured) > RECENT)
        return 0;
    return load((const apr_uint64_t *)(const void *)at);
}

const char *bth_figure_text(const seed_counters *page, const bth_figure *figure, char text[BTH_FIGURE_TEXT])
{
    apr_uint64_t value = bth_figure_value(page, figure);

    if (figure->kind == BTH_FIGURE_SECONDS)
        snprintf(text, BTH_FIGURE_TEXT, "%" APR_UINT64_T_FMT ".%03u", value / APR_USEC_PER_SEC,
                 (unsigned)(value % APR_USEC_PER_SEC / 1000));
    else
        snprintf(text, BTH_FIGURE_TEXT, "%" APR_UINT64_T_FMT, value);
    return text;
}
