#include "torrentgen/job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DIGEST_RUN = 4 * 1024 * 1024 }; /* bytes of a file whose digest only is wanted, taken in one go */

/* --- before the start ------------------------------------------------------------------------------------------- */

static int can_be(const tg_request *request)
{
    return request->path && request->name && tg_name_is_good(request->name) && request->version >= TG_V1 &&
           request->version <= TG_HYBRID && (!request->piece_length || tg_piece_length_is_good(request->piece_length));
}

apr_status_t tg_job_init(tg_job *job, const tg_request *request)
{
    memset(job, 0, sizeof *job);
    if (!can_be(request))
        return APR_EINVAL;
    job->wanted_version = request->version;
    job->wanted_piece_length = request->piece_length;
    job->list = request->list;
    job->list_baton = request->list_baton;
    job->wants_digest = request->digest && !request->list;
    job->path = strdup(request->path);
    job->name = strdup(request->name);
    if (!request->list && request->sidecar && *request->sidecar && !(job->sidecar_path = strdup(request->sidecar)))
        return APR_ENOMEM;
    return job->path && job->name ? APR_SUCCESS : APR_ENOMEM;
}

apr_status_t tg_job_init_digest(tg_job *job, const char *path, const bt_stamp *stamp)
{
    memset(job, 0, sizeof *job);
    job->one.stamp = *stamp;
    job->wants_digest = 1;
    job->path = strdup(path);
    return job->path ? APR_SUCCESS : APR_ENOMEM;
}

void tg_job_free(tg_job *job)
{
    free(job->path);
    free(job->name);
    free(job->sidecar_path);
    free(job->sha1);
    free(job->layer);
    bt_buf_free(&job->infodict);
    tg_digest_free(&job->digest);
    if (job->pool)
        apr_pool_destroy(job->pool);
    memset(job, 0, sizeof *job);
}

/* --- the start ---------------------------------------------------------------------------------------------------- */

/* The kernel stamps files with a clock that steps every few milliseconds. A file that is changed twice in one step keeps
 * its stamp; so a stamp is only trusted once the clock has passed it. A file from the future is not waited for. */
static apr_status_t take_settled_stamp(const char *path, bt_stamp *stamp)
{
    const struct timespec tick = {0, 4000000};
    apr_status_t status = APR_SUCCESS;

    for (int tries = 0; tries < 8; tries++) {
        struct timespec now;

        clock_gettime(CLOCK_REALTIME_COARSE, &now);
        status = bt_stamp_path(path, stamp);
        if (status != APR_SUCCESS || (apr_int64_t)now.tv_sec * 1000000000 + now.tv_nsec > stamp->ctime_ns)
            break;
        nanosleep(&tick, NULL);
    }
    return status;
}

/* Of no parent, since jobs are on threads that know nothing of each other. */
static apr_status_t need_pool(tg_job *job)
{
    return job->pool ? APR_SUCCESS : apr_pool_create_unmanaged_ex(&job->pool, NULL, NULL);
}

static apr_status_t make_room(tg_job *job)
{
    apr_size_t room = job->layout.pieces ? (apr_size_t)job->layout.pieces : 1;

    if (job->layout.pieces > TG_PIECES_MAX)
        return EFBIG;
    free(job->sha1);
    free(job->layer);
    job->sha1 = job->layer = NULL;
    if (job->version & TG_V1 && !(job->sha1 = malloc(room * TG_SHA1_SIZE)))
        return APR_ENOMEM;
    if (job->version & TG_V2 && !(job->layer = malloc(room * TG_SHA256_SIZE)))
        return APR_ENOMEM;
    return APR_SUCCESS;
}

static apr_status_t start_several(tg_job *job)
{
    const tg_source_file *files = NULL;
    apr_size_t count = 0;
    apr_status_t status = need_pool(job);

    if (status == APR_SUCCESS)
        status = job->list(job->list_baton, job->path, job->pool, &files, &count);
    if (status == APR_SUCCESS)
        status = tg_layout_list(&job->layout, files, count, job->pool, &job->culprit);
    for (apr_size_t i = 0; status == APR_SUCCESS && i < count; i++) {
        status = take_settled_stamp(job->layout.places[i].path, &job->layout.places[i].stamp);
        if (status != APR_SUCCESS)
            job->culprit = job->layout.places[i].path;
    }
    job->version = job->wanted_version;
    return status == APR_SUCCESS ? tg_job_lay_out_several(job) : status;
}

/* Hashed as the sidecar says, if it may be right; else as we would have it. */
static void lay_out_one(tg_job *job)
{
    int theirs = job->sidecar && job->sidecar->fits;

    job->layout.places = &job->one;
    job->layout.count = 1;
    job->version = theirs ? job->sidecar->meta.torrent.version : job->wanted_version;
    tg_layout_place(&job->layout, theirs ? job->sidecar->meta.torrent.piece_length : job->wanted_piece_length);
}

static apr_status_t start_one(tg_job *job)
{
    apr_status_t status = take_settled_stamp(job->path, &job->one.stamp);

    job->one.path = job->path;
    job->one.name = job->name;
    if (status == APR_SUCCESS && job->sidecar_path)
        status = need_pool(job);
    if (status != APR_SUCCESS)
        return status;
    if (job->sidecar_path) {
        job->sidecar = apr_palloc(job->pool, sizeof *job->sidecar);
        tg_sidecar_look(job->sidecar, job->sidecar_path, job->path, job->name, job->one.stamp.size, job->pool);
    }
    lay_out_one(job);
    return APR_SUCCESS;
}

static apr_status_t start_digest(tg_job *job)
{
    bt_stamp now;
    apr_status_t status = bt_stamp_path(job->path, &now);

    job->one.path = job->path;
    job->layout.places = &job->one;
    job->layout.count = 1;
    tg_layout_place(&job->layout, DIGEST_RUN);
    return status == APR_SUCCESS && !bt_stamp_equal(&now, &job->one.stamp) ? APR_EBUSY : status;
}

apr_status_t tg_job_start(tg_job *job)
{
    apr_status_t status = job->list ? start_several(job) : job->wanted_version ? start_one(job) : start_digest(job);

    if (status == APR_SUCCESS)
        status = make_room(job);
    if (status == APR_SUCCESS && job->wants_digest)
        status = tg_digest_begin(&job->digest);
    return status;
}

/* --- pieces ------------------------------------------------------------------------------------------------------- */

apr_int64_t tg_job_pieces(const tg_job *job)
{
    return job->layout.pieces;
}

static tg_part part_of(const tg_job *job, const tg_place *place)
{
    return (tg_part){
        .path = place->path,
        .stamp = place->stamp,
        .version = job->version,
        .piece_length = job->layout.piece_length,
        .padded = place < job->layout.places + job->layout.last,
        .sha1 = job->sha1 ? job->sha1 + place->first * TG_SHA1_SIZE : NULL,
        .layer = job->layer ? job->layer + place->first * TG_SHA256_SIZE : NULL,
    };
}

apr_int64_t tg_job_run(const tg_job *job, const tg_worker *worker)
{
    const tg_part part = part_of(job, job->layout.places);

    return job->version ? tg_part_run(&part, worker) : 1;
}

/* Pieces of one file; they are counted from its first one here. */
static apr_status_t hash_place(tg_job *job, const tg_place *place, tg_worker *worker, apr_int64_t first, apr_int64_t count,
                               int in_order, const int *cancel)
{
    tg_part part = part_of(job, place);
    apr_int64_t offset = first * job->layout.piece_length, bytes = count * job->layout.piece_length;
    apr_status_t status = APR_SUCCESS;

    if (in_order && job->digest.sha256 && !job->has_digest)
        part.digest = &job->digest;
    if (bytes > place->stamp.size - offset)
        bytes = place->stamp.size - offset;
    if (job->version)
        status = tg_part_hash(&part, worker, first, count, cancel);
    else if (part.digest)
        status = tg_digest_add_alone(part.digest, place->path, &place->stamp, offset, bytes, cancel);
    if (status != APR_SUCCESS && status != APR_EINTR)
        __atomic_store_n(&job->culprit, place->path, __ATOMIC_RELAXED);
    return status;
}

apr_status_t tg_job_hash(tg_job *job, tg_worker *worker, apr_int64_t first, apr_int64_t count, int in_order,
                         const int *cancel)
{
    apr_status_t status = APR_SUCCESS;

    while (status == APR_SUCCESS && count > 0) {
        const tg_place *place = tg_layout_find(&job->layout, first);
        apr_int64_t within = first - place->first;
        apr_int64_t here = place->pieces - within < count ? place->pieces - within : count;

        status = hash_place(job, place, worker, within, here, in_order, cancel);
        first += here;
        count -= here;
    }
    return status;
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

static apr_status_t check_unchanged(tg_job *job)
{
    for (apr_size_t i = 0; i < job->layout.count; i++) {
        const tg_place *place = &job->layout.places[i];
        bt_stamp now;

        if (bt_stamp_path(place->path, &now) == APR_SUCCESS && bt_stamp_equal(&now, &place->stamp))
            continue;
        job->culprit = place->path;
        return APR_EBUSY;
    }
    return APR_SUCCESS;
}

static apr_status_t end_digest(tg_job *job)
{
    apr_status_t status;

    if (!job->digest.sha256 || job->has_digest || job->digest.length != job->one.stamp.size)
        return APR_SUCCESS; /* not wanted, there already, or the order was broken */
    status = tg_digest_end(&job->digest, job->digest_value);
    job->has_digest = status == APR_SUCCESS;
    return status;
}

/* The torrent is the sidecar's, but for the layer, which it may lack. */
static void adopt(const tg_job *job, tg_torrent *torrent)
{
    tg_torrent ours = *torrent;

    *torrent = job->sidecar->meta.torrent;
    torrent->layer = ours.layer;
    torrent->layer_length = ours.layer_length;
}

/* It was wrong: what was hashed for it is of use if we would have hashed the same. */
static apr_status_t refuse_sidecar(tg_job *job)
{
    tg_version version = job->version;
    apr_uint32_t piece_length = job->layout.piece_length;
    apr_status_t status;

    lay_out_one(job);
    if (job->version == version && job->layout.piece_length == piece_length)
        return APR_SUCCESS;
    status = make_room(job);
    return status == APR_SUCCESS ? APR_INCOMPLETE : status;
}

static apr_status_t put_together(tg_job *job, tg_worker *worker, tg_result *result)
{
    apr_status_t status = check_unchanged(job);

    if (status == APR_SUCCESS)
        status = end_digest(job);
    if (status == APR_SUCCESS && job->version)
        status = tg_job_assemble(job, worker, &result->torrent);
    if (status != APR_SUCCESS || !job->sidecar || !job->sidecar->fits)
        return status;
    if (tg_sidecar_compare(job->sidecar, job->sha1, result->torrent.root)) {
        adopt(job, &result->torrent);
        result->adopted = 1;
        return APR_SUCCESS;
    }
    return refuse_sidecar(job);
}

apr_status_t tg_job_finish(tg_job *job, tg_worker *worker, apr_status_t status, tg_result *result)
{
    memset(result, 0, sizeof *result);
    if (status == APR_SUCCESS)
        status = put_together(job, worker, result);
    if (status != APR_SUCCESS) {
        memset(&result->torrent, 0, sizeof result->torrent);
        result->culprit = job->culprit ? job->culprit : job->path;
    }
    if (job->list)
        result->stamp.size = job->layout.content;
    else
        result->stamp = job->one.stamp;
    if (job->sidecar) {
        result->sidecar = job->sidecar->stamp;
        result->sidecar_why = job->sidecar->why;
    }
    result->has_digest = status == APR_SUCCESS && job->has_digest;
    memcpy(result->digest, job->digest_value, sizeof result->digest);
    return status;
}
