/* From the hashes of all pieces to the torrent. */
#include <errno.h>
#include <string.h>

#include "torrentgen/job.h"
#include "torrentgen/merkle.h"
#include "torrentgen/old_clients.h"

/* --- v2 roots and layers ----------------------------------------------------------------------------------------- */

static apr_status_t find_root(const tg_job *job, tg_worker *worker, const tg_place *place, unsigned char *root)
{
    const unsigned char *layer = job->layer + place->first * TG_SHA256_SIZE;

    if (place->pieces == 1)
        memcpy(root, layer, TG_SHA256_SIZE);
    if (place->pieces < 2)
        return APR_SUCCESS;
    return tg_merkle_file_root(worker->engine, worker->hasher, layer, (apr_size_t)place->pieces, job->layout.piece_length,
                               root);
}

static apr_status_t add_root(tg_job *job, tg_worker *worker, tg_torrent *torrent)
{
    if (job->one.pieces > 1) {
        torrent->layer = job->layer;
        torrent->layer_length = (apr_size_t)job->one.pieces * TG_SHA256_SIZE;
    }
    return find_root(job, worker, &job->one, torrent->root);
}

/* Moves the layers of files that are larger than a piece together: only those are kept. */
static void join_layers(tg_job *job, tg_torrent *torrent)
{
    unsigned char *to = job->layer;

    for (apr_size_t i = 0; i < job->layout.count; i++) {
        const tg_place *place = &job->layout.places[i];
        apr_size_t length = (apr_size_t)place->pieces * TG_SHA256_SIZE;

        if (place->pieces < 2)
            continue;
        memmove(to, job->layer + place->first * TG_SHA256_SIZE, length);
        to += length;
    }
    torrent->layer_length = (apr_size_t)(to - job->layer);
    torrent->layer = torrent->layer_length ? job->layer : NULL;
}

static apr_status_t add_members(tg_job *job, tg_worker *worker, tg_torrent *torrent)
{
    const tg_layout *layout = &job->layout;
    tg_member *members = apr_pcalloc(job->pool, layout->count * sizeof *members);
    apr_status_t status = APR_SUCCESS;

    for (apr_size_t i = 0; status == APR_SUCCESS && i < layout->count; i++) {
        const tg_place *place = &layout->places[i];
        tg_member *member = &members[torrent->member_count];

        if (!place->pieces)
            continue;
        member->path = place->name;
        member->stamp = place->stamp;
        member->offset = place->first * layout->piece_length;
        if (job->version & TG_V2)
            status = find_root(job, worker, place, member->root);
        torrent->member_count++;
    }
    torrent->members = members;
    if (status == APR_SUCCESS && job->version & TG_V2)
        join_layers(job, torrent);
    return status;
}

/* --- the infodict ------------------------------------------------------------------------------------------------ */

/* @param members  in the order of the layout, for their roots; NULL: roots are not known yet */
static const tg_infodict_file *list_files(const tg_job *job, const tg_member *members)
{
    static const unsigned char unknown[TG_SHA256_SIZE];
    tg_infodict_file *files = apr_palloc(job->pool, job->layout.count * sizeof *files);

    for (apr_size_t i = 0; i < job->layout.count; i++) {
        const tg_place *place = &job->layout.places[i];

        files[i] = (tg_infodict_file){place->name, place->stamp.size, unknown};
        if (place->pieces && members)
            files[i].root = members++->root;
    }
    return files;
}

static tg_infodict describe(const tg_job *job)
{
    return (tg_infodict){
        .version = job->version,
        .name = job->name,
        .length = job->layout.content,
        .piece_length = job->layout.piece_length,
        .pieces = job->sha1,
        .pieces_length = (apr_size_t)job->layout.pieces * TG_SHA1_SIZE,
    };
}

static apr_status_t write_infodict(tg_job *job, const tg_torrent *torrent)
{
    tg_infodict info = describe(job);

    bt_buf_free(&job->infodict);
    bt_buf_init(&job->infodict, info.pieces_length + 4096);
    info.root = torrent->root;
    if (job->list) {
        info.files = list_files(job, torrent->members);
        info.file_count = job->layout.count;
        job->infodict.max += 2 * TG_INFODICT_MAX;
    }
    return tg_infodict_write(&job->infodict, &info);
}

/* Its length as it will be: hashes are as long whatever they are. */
static apr_status_t measure_infodict(const tg_job *job, const tg_infodict_file *files, apr_size_t *length)
{
    tg_infodict info = describe(job);
    bt_buf buf;
    apr_status_t status;

    info.files = files;
    info.file_count = job->layout.count;
    *length = info.version & TG_V1 ? info.pieces_length : 0;
    info.pieces = NULL;
    info.pieces_length = 0;
    bt_buf_init(&buf, TG_INFODICT_MAX);
    status = tg_infodict_write(&buf, &info);
    *length += buf.length + sizeof "12345678:"; /* the length of the pieces, in digits */
    bt_buf_free(&buf);
    return status == APR_ENOSPC ? EFBIG : status;
}

apr_status_t tg_job_lay_out_several(tg_job *job)
{
    const tg_infodict_file *files;
    apr_size_t length = 0;
    apr_status_t status;

    tg_layout_place(&job->layout, job->wanted_piece_length);
    if (job->layout.last == job->layout.count)
        return APR_NOTFOUND; /* nothing but empty files */
    if (job->version & TG_V2 && job->layout.count == 1 && strcmp(job->layout.places->name, job->name) == 0) {
        job->culprit = job->layout.places->path;
        return APR_EINVAL; /* the tree would be that of a file without a directory */
    }
    files = list_files(job, NULL);
    status = measure_infodict(job, files, &length);
    while (status == APR_SUCCESS && !job->wanted_piece_length &&
           (length > TG_INFODICT_MAX || job->layout.pieces > TG_PIECES_MAX)) {
        if (job->layout.piece_length == TG_PIECE_MAX)
            return EFBIG;
        tg_layout_place(&job->layout, job->layout.piece_length * 2);
        status = measure_infodict(job, files, &length);
    }
    return status;
}

/* --- the torrent -------------------------------------------------------------------------------------------------- */

static apr_status_t hash_infodict(tg_worker *worker, tg_torrent *torrent)
{
    const tg_engine *engine = worker->engine;
    apr_status_t status = APR_SUCCESS;

    if (torrent->version & TG_V1 && (status = engine->sha1_begin(worker->hasher, 1)) == APR_SUCCESS &&
        (status = engine->sha1_update(worker->hasher, 1, &torrent->infodict, torrent->infodict_length)) == APR_SUCCESS)
        status = engine->sha1_end(worker->hasher, 1, torrent->v1.b);
    if (status == APR_SUCCESS && torrent->version & TG_V2)
        status = engine->sha256_blocks(worker->hasher, torrent->infodict, torrent->infodict_length, 1, torrent->v2.b);
    if (status == APR_SUCCESS && torrent->version == TG_HYBRID)
        status = tg_hash_for_old_clients(torrent);
    return status;
}

apr_status_t tg_job_assemble(tg_job *job, tg_worker *worker, tg_torrent *torrent)
{
    apr_status_t status = APR_SUCCESS;

    torrent->version = job->version;
    torrent->length = job->layout.length;
    torrent->piece_length = job->layout.piece_length;
    if (job->list)
        status = add_members(job, worker, torrent);
    else if (job->version & TG_V2)
        status = add_root(job, worker, torrent);
    if (status == APR_SUCCESS)
        status = write_infodict(job, torrent);
    torrent->infodict = job->infodict.data;
    torrent->infodict_length = job->infodict.length;
    return status == APR_SUCCESS ? hash_infodict(worker, torrent) : status;
}
