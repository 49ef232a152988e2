#include "torrentgen/schedule.h"

#include <string.h>

void tg_schedule_add(tg_schedule *schedule, tg_entry *entry, tg_rank rank)
{
    tg_entry **turn = &schedule->turn[rank];

    if (!*turn) {
        entry->next = entry->before = entry;
        *turn = entry;
    } else { /* before the one whose turn it is */
        entry->next = *turn;
        entry->before = (*turn)->before;
        entry->before->next = entry->next->before = entry;
    }
    entry->rank = rank;
    schedule->count[rank]++;
    schedule->begun[rank] += entry->phase != TG_NEW;
    schedule->bytes_left += entry->bytes_left;
}

void tg_schedule_remove(tg_schedule *schedule, tg_entry *entry)
{
    tg_entry **turn = &schedule->turn[entry->rank];

    if (*turn == entry)
        *turn = entry->next == entry ? NULL : entry->next;
    entry->next->before = entry->before;
    entry->before->next = entry->next;
    schedule->count[entry->rank]--;
    schedule->begun[entry->rank] -= entry->phase != TG_NEW;
    schedule->bytes_left -= entry->bytes_left;
}

void tg_schedule_begin(tg_schedule *schedule, tg_entry *entry)
{
    schedule->begun[entry->rank] += entry->phase == TG_NEW;
    entry->phase = TG_STARTING;
}

void tg_schedule_bytes(tg_schedule *schedule, tg_entry *entry, apr_int64_t left)
{
    schedule->bytes_left += left - entry->bytes_left;
    entry->bytes_left = left;
}

void tg_entry_fail(tg_entry *entry, apr_status_t status)
{
    if (entry->status == APR_SUCCESS)
        entry->status = status;
    __atomic_store_n(&entry->cancel, 1, __ATOMIC_RELAXED);
}

int tg_entry_is_complete(const tg_entry *entry)
{
    if (entry->workers || entry->phase == TG_STARTING || entry->phase == TG_CLOSING)
        return 0;
    return entry->status != APR_SUCCESS || (entry->phase == TG_HASHING && entry->hashed == tg_job_pieces(&entry->job));
}

static int has_work(const tg_entry *entry)
{
    if (entry->phase == TG_NEW || tg_entry_is_complete(entry))
        return 1;
    return entry->phase == TG_HASHING && entry->status == APR_SUCCESS && entry->taken < tg_job_pieces(&entry->job) &&
           (entry->rank == TG_URGENT || !entry->workers);
}

/* Of those that are done in order, no more are passed over than there are workers. */
tg_entry *tg_schedule_next(tg_schedule *schedule)
{
    for (int rank = 0; rank < TG_RINGS; rank++) {
        tg_entry *entry = schedule->turn[rank];

        for (int i = 0; i < schedule->count[rank]; i++, entry = entry->next) {
            if (!has_work(entry))
                continue;
            if (rank == TG_URGENT)
                schedule->turn[rank] = entry->next;
            return entry;
        }
    }
    return NULL;
}

tg_entry *tg_schedule_raise(tg_schedule *schedule, const char *path)
{
    tg_entry *entry = schedule->turn[TG_OTHERS];

    for (int i = 0; i < schedule->count[TG_OTHERS]; i++, entry = entry->next) {
        if (entry->phase == TG_CLOSING || strcmp(entry->job.path, path) != 0)
            continue;
        tg_schedule_remove(schedule, entry);
        tg_schedule_add(schedule, entry, TG_URGENT);
        return entry;
    }
    return NULL;
}
