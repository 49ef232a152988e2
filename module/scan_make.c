/* Files that a scan found: judged as the stranger, then made by the seeder, or published if their torrent is there. */
#include "module/scan_internal.h"

#include <apr_strings.h>

#include <openssl/sha.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "module/child.h"
#include "module/gate.h"
#include "module/sidecar.h"
#include "module/stranger.h"
#include "module/torrent_response.h"

enum { BYTES_AT_ONCE = 256 * 1024 * 1024, FILES_AT_LEAST = 4 };

/* After that long a file that the seeder does not have, or no longer, is looked for in the catalogue: its mail may have been
 * lost with a seeder, or it was made for a request. */
#define LOOK_AGAIN_AFTER apr_time_from_sec(2)

/* --- judging --------------------------------------------------------------- */

static int is_wanted(const bth_stranger_view *view, const char *path)
{
    return !view->transformed && view->dir.enabled && view->dir.scan && !strcmp(view->path, path) &&
           view->size >= view->dir.min_size && view->size <= view->dir.max_size;
}

/* @return the origin by which a stranger gets it, or NULL */
static const char *judge(bth_scan *scan, int root, const char *below, const char *path, bth_stranger_view *view)
{
    const bth_scan_root *from = &APR_ARRAY_IDX(scan->roots, root, bth_scan_root);

    for (int site = 0; site < from->sites->nelts; site++) {
        const char *origin = bth_scan_origin(from, site, below, scan->scratch);

        if (bth_stranger_look(origin, scan->scratch, NULL, view) && is_wanted(view, path))
            return origin;
    }
    return NULL;
}

void bth_scan_judge_again(bth_scan *scan, const cat_entry *entry)
{
    if (!bth_stranger_may(entry->url, entry->path, scan->scratch, NULL, NULL))
        bth_withdraw(entry, CAT_PROTECTED);
}

/* --- publishing ------------------------------------------------------------ */

void bth_scan_flush(bth_scan *scan)
{
    const bth_child *child = bth_this_child();
    apr_status_t status;

    if (scan->grant_count == 0)
        return;
    status = cat_grant_many(child->catalog, scan->grants, (apr_size_t)scan->grant_count, child->grant);
    if (status == APR_SUCCESS)
        bth_scan_figure(&scan->figures->made, scan->grant_count);
    else
        bth_scan_figure(&scan->figures->failed, scan->grant_count);
    scan->grant_count = 0;
    apr_pool_clear(scan->grant_pool);
}

static void grant(bth_scan *scan, const char *path, const char *origin)
{
    scan->grants[scan->grant_count++] =
        (cat_grant_item){.path = apr_pstrdup(scan->grant_pool, path), .url = apr_pstrdup(scan->grant_pool, origin), .listed = 1};
    if (scan->grant_count == BTH_SCAN_GRANTS)
        bth_scan_flush(scan);
}

/* --- failures -------------------------------------------------------------- */

/* Every walk tries again what failed. @return 1 the first time for this version of the file */
static int is_new_failure(bth_scan *scan, const char *path)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    apr_uint64_t hash, *place;
    bt_stamp stamp = {0};
    const char *what;

    bt_stamp_path(path, &stamp);
    what = apr_psprintf(scan->scratch,
                        "%" APR_INT64_T_FMT " %" APR_INT64_T_FMT " %" APR_INT64_T_FMT " %" APR_UINT64_T_FMT " %s", stamp.size,
                        stamp.mtime_ns, stamp.ctime_ns, stamp.inode, path);
    SHA256((const unsigned char *)what, strlen(what), digest);
    memcpy(&hash, digest, sizeof hash);
    place = &scan->failures[hash % BTH_SCAN_FAILURES];
    if (*place == hash)
        return 0;
    *place = hash;
    return 1;
}

static void fail(bth_scan *scan, const char *path, apr_status_t status)
{
    if (!is_new_failure(scan, path))
        return;
    bth_scan_figure(&scan->figures->failed, 1);
    bt_log(BT_LOG_INFO, 84, status, "scan: no torrent of %s", path);
}

/* --- flights --------------------------------------------------------------- */

int bth_scan_has_room(const bth_scan *scan, apr_int64_t size)
{
    if (scan->flight_count >= (scan->disk_full ? 1 : BTH_SCAN_FLIGHTS)) /* one will show whether there is room again */
        return 0;
    return scan->flight_count < FILES_AT_LEAST || scan->flight_bytes + size <= BYTES_AT_ONCE;
}

/* Takes path and file, both malloc'd, also when there is no room. */
static int begin_flight(bth_scan *scan, char *path, bth_candidate *file)
{
    bth_scan_flight *free_one = NULL;

    for (int i = 0; i < BTH_SCAN_FLIGHTS && path && !free_one; i++)
        if (!scan->flights[i].path)
            free_one = &scan->flights[i];
    if (!free_one) {
        free(path);
        free(file);
        return 0;
    }
    pthread_mutex_lock(&scan->mutex);
    *free_one = (bth_scan_flight){.path = path, .file = file, .posted = apr_time_now()};
    apr_hash_set(scan->by_path, path, APR_HASH_KEY_STRING, free_one);
    pthread_mutex_unlock(&scan->mutex);
    scan->flight_count++;
    scan->flight_bytes += file->size;
    return 1;
}

static bth_candidate *end_flight(bth_scan *scan, bth_scan_flight *ended)
{
    bth_candidate *file = ended->file;
    char *path = ended->path;

    pthread_mutex_lock(&scan->mutex);
    apr_hash_set(scan->by_path, path, APR_HASH_KEY_STRING, NULL);
    scan->done_count -= ended->done;
    ended->path = NULL;
    pthread_mutex_unlock(&scan->mutex);
    free(path);
    scan->flight_count--;
    scan->flight_bytes -= file->size;
    return file;
}

static bth_scan_flight *flight_of(bth_scan *scan, const char *path)
{
    return apr_hash_get(scan->by_path, path, APR_HASH_KEY_STRING);
}

/* Told by the seeder's threads. */
void bth_scan_made(bth_scan *scan, const char *path, apr_status_t status)
{
    bth_scan_flight *flight;
    apr_uint64_t one = 1;

    pthread_mutex_lock(&scan->mutex);
    flight = scan->by_path ? apr_hash_get(scan->by_path, path, APR_HASH_KEY_STRING) : NULL;
    if (flight && !flight->done) {
        flight->done = 1;
        flight->status = status;
        scan->done_count++;
    }
    pthread_mutex_unlock(&scan->mutex);
    if (flight && write(scan->wake, &one, sizeof one) < 0)
        return; /* it is awake already */
}

/* Nobody told of it: has it come into the catalogue all the same, or is somebody still at it?
 * @return APR_EAGAIN: still; else what came of it */
static apr_status_t look_again(bth_scan *scan, bth_scan_flight *flight)
{
    apr_status_t status = APR_EINTR;
    apr_time_t now = apr_time_now();
    bt_stamp stamp;
    cat_entry entry;

    if (now - flight->posted < LOOK_AGAIN_AFTER)
        return APR_EAGAIN;
    flight->posted = now;
    if (seed_job_progress(bth_this_child()->shared->counters, flight->path) >= 0)
        return APR_EAGAIN;
    if (bt_stamp_path(flight->path, &stamp) != APR_SUCCESS)
        status = APR_ENOENT;
    else if (cat_find_path(bth_this_child()->catalog, flight->path, scan->scratch, &entry) == APR_SUCCESS &&
             bt_stamp_equal(&entry.stamp, &stamp))
        status = APR_SUCCESS;
    apr_pool_clear(scan->scratch);
    return status;
}

static void finish(bth_scan *scan, bth_scan_flight *flight, apr_status_t status)
{
    int is_late = status == APR_EINTR || status == APR_EAGAIN || status == APR_ENOSPC;
    int counts = status != APR_SUCCESS && !is_late && !APR_STATUS_IS_ENOENT(status) && is_new_failure(scan, flight->path);
    bth_candidate *file = end_flight(scan, flight);

    if (is_late) { /* it was dropped, or its mail was lost, or nothing can be written */
        if (status == APR_EAGAIN)
            scan->mailbox_full = apr_time_now();
        else if (status == APR_ENOSPC)
            scan->disk_full = apr_time_now();
        bth_scan_add_late(scan, file);
        return;
    }
    if (status == APR_SUCCESS) {
        scan->disk_full = 0;
        bth_scan_figure(&scan->figures->made, 1);
        scan->bytes_made += file->size;
    }
    bth_scan_figure(&scan->figures->failed, counts);
    free(file);
}

/* @return 1 if there is reason to look at the flights: some are done, or it is a second since */
static int has_news(bth_scan *scan)
{
    apr_time_t now = apr_time_now();
    int done;

    pthread_mutex_lock(&scan->mutex);
    done = scan->done_count;
    pthread_mutex_unlock(&scan->mutex);
    if (!done && now - scan->looked_again < APR_USEC_PER_SEC)
        return 0;
    scan->looked_again = now;
    return 1;
}

void bth_scan_reap(bth_scan *scan)
{
    if (scan->flight_count == 0 || !has_news(scan))
        return;
    for (int i = 0; i < BTH_SCAN_FLIGHTS && scan->flight_count > 0; i++) {
        bth_scan_flight *each = &scan->flights[i];
        apr_status_t status;
        int done;

        if (!each->path)
            continue;
        pthread_mutex_lock(&scan->mutex);
        done = each->done;
        status = each->status;
        pthread_mutex_unlock(&scan->mutex);
        if (!done && (status = look_again(scan, each)) == APR_EAGAIN)
            continue;
        finish(scan, each, status);
    }
}

/* --- one file -------------------------------------------------------------- */

/* What is known of a file already. */
typedef enum { NOTHING, TORRENT, PUBLISHED } knowledge;

static knowledge look_into_catalogue(bth_scan *scan, const char *path, const bt_stamp *stamp, cat_entry *entry)
{
    if (cat_find_path(bth_this_child()->catalog, path, scan->scratch, entry) != APR_SUCCESS)
        return NOTHING;
    if (!bt_stamp_equal(&entry->stamp, stamp)) {
        bth_withdraw(entry, CAT_CHANGED);
        return NOTHING;
    }
    return entry->published ? PUBLISHED : TORRENT; /* what is published is tested again by the steward */
}

static apr_status_t post(bth_scan *scan, const char *path, const char *origin, const char *sidecar,
                         const bth_stranger_view *view)
{
    const bth_child *child = bth_this_child();
    seed_make make = {.path = path,
                      .name = bth_torrent_name(scan->scratch, path),
                      .url = origin,
                      .grant = child->grant,
                      .version = (tg_version)view->dir.version,
                      .piece_length = (apr_uint32_t)view->dir.piece_length,
                      .sidecar = sidecar,
                      .listed = 1,
                      .size = view->size};

    return seed_post_make(child->shared->mailbox, &make);
}

/* @return 1 if the file is taken, 0 if it stays with the caller */
static int make(bth_scan *scan, const char *path, const char *origin, const char *sidecar, const bth_stranger_view *view,
                bth_candidate *file, bth_scan_outcome *outcome)
{
    apr_status_t status;

    *outcome = BTH_SCAN_DONE;
    if (access(path, R_OK) != 0) {
        fail(scan, path, errno);
        return 0;
    }
    if (!begin_flight(scan, strdup(path), file))
        return 1;
    status = post(scan, path, origin, sidecar, view);
    if (status == APR_SUCCESS)
        return 1;
    end_flight(scan, flight_of(scan, path));
    if (APR_STATUS_IS_EAGAIN(status)) {
        scan->mailbox_full = apr_time_now();
        *outcome = BTH_SCAN_WAIT;
    } else {
        fail(scan, path, status);
    }
    return 0;
}

static int take(bth_scan *scan, bth_candidate *file, bth_scan_outcome *outcome)
{
    const bth_scan_root *root = &APR_ARRAY_IDX(scan->roots, file->root, bth_scan_root);
    const char *path = bth_scan_path(root, file->path, scan->scratch), *origin;
    const char *sidecar;
    bth_stranger_view view;
    bt_stamp stamp, beside;
    cat_entry entry;
    knowledge known;

    *outcome = BTH_SCAN_DONE;
    if (bt_stamp_path(path, &stamp) != APR_SUCCESS || stamp.size == 0 || flight_of(scan, path) ||
        seed_job_progress(bth_this_child()->shared->counters, path) >= 0)
        return 0;
    known = look_into_catalogue(scan, path, &stamp, &entry);
    if (!(origin = judge(scan, file->root, file->path, path, &view)))
        return 0;
    sidecar = bth_sidecar_find(origin, path, scan->scratch, NULL, &beside);
    if (known != NOTHING && bt_stamp_equal(&entry.sidecar, &beside)) {
        if (known == TORRENT)
            grant(scan, path, origin);
        return 0;
    }
    file->size = stamp.size;
    return make(scan, path, origin, sidecar, &view, file, outcome);
}

bth_scan_outcome bth_scan_take(bth_scan *scan, bth_candidate *file)
{
    bth_scan_outcome outcome;

    if (!take(scan, file, &outcome) && outcome == BTH_SCAN_DONE)
        free(file);
    apr_pool_clear(scan->scratch);
    return outcome;
}
