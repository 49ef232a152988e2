/* Putting files under their torrents, many in one transaction. */
#include <stdlib.h>
#include <string.h>

#include "catalog/handle.h"
#include "catalog/members.h"
#include "catalog/tables.h"

enum { GROUP_BYTES = 64 * 1024 * 1024 }; /* of torrents in one transaction */

/* One publication, ready to be written. */
typedef struct {
    cat_path_key key;
    cat_record record;
    const tg_torrent *torrent;
    bt_buf members;
} prepared;

typedef struct {
    const prepared *list;
    apr_size_t count;
    apr_time_t now;
} group;

/* --- in the transaction ------------------------------------------------------------------------------------------- */

static int put_value(const cat_txn *txn, cat_db db, const cat_path_key *key, const void *bytes, apr_size_t length)
{
    MDB_val id = {sizeof key->b, (void *)(apr_uintptr_t)key->b}, value = {length, (void *)(apr_uintptr_t)bytes};

    return length == 0 ? 0 : mdb_put(txn->txn, txn->db[db], &id, &value, 0);
}

/* What lasts when a path is published anew. */
static void inherit(cat_record *record, const cat_record *old)
{
    if (!cat_record_same_torrent(record, old)) {
        record->entry.previous_v1 = old->entry.v1;
        record->entry.previous_v2 = old->entry.v2;
        return;
    }
    if (old->ever)
        record->entry.created = old->entry.created;
    record->ever |= old->ever;
    record->entry.previous_v1 = old->entry.previous_v1;
    record->entry.previous_v2 = old->entry.previous_v2;
}

/* A collection that was withdrawn in between. */
static int recall_previous(const cat_txn *txn, const cat_path_key *key, cat_record *record)
{
    cat_previous previous;
    int rc = cat_get_previous(txn, key, &previous);

    if (rc != 0)
        return rc == MDB_NOTFOUND ? 0 : rc;
    if (!bt_infohash_equal(&previous.v1, &record->entry.v1) ||
        memcmp(&previous.v2, &record->entry.v2, sizeof previous.v2) != 0) {
        record->entry.previous_v1 = previous.v1;
        record->entry.previous_v2 = previous.v2;
    }
    return cat_del_previous(txn, key);
}

static int put_all(const cat_txn *txn, const prepared *p, const cat_record *record)
{
    const tg_torrent *torrent = p->torrent;
    int rc;

    if ((rc = cat_put_record(txn, &p->key, record)) != 0 ||
        (rc = put_value(txn, CAT_DB_TORRENT, &p->key, torrent->infodict, torrent->infodict_length)) != 0 ||
        (rc = put_value(txn, CAT_DB_LAYER, &p->key, torrent->layer, torrent->layer_length)) != 0)
        return rc;
    return put_value(txn, CAT_DB_MEMBERS, &p->key, p->members.data, p->members.length);
}

static int publish_one(const cat_txn *txn, const prepared *p, apr_time_t now)
{
    bt_infohash before[CAT_HASHES_MAX], after[CAT_HASHES_MAX];
    int before_count = 0, after_count = cat_record_hashes(&p->record, after);
    cat_record old, record = p->record;
    int rc = cat_get_record(txn, &p->key, &old);

    if (rc == 0) {
        before_count = cat_record_hashes(&old, before);
        inherit(&record, &old);
    } else if (rc != MDB_NOTFOUND) {
        return rc;
    }
    if (rc == MDB_NOTFOUND && p->members.length > 0 && (rc = recall_previous(txn, &p->key, &record)) != 0)
        return rc;
    if ((rc = cat_del_all(txn, &p->key)) != 0 || (rc = put_all(txn, p, &record)) != 0)
        return rc;
    for (int i = 0; rc == 0 && record.entry.published && i < after_count; i++)
        rc = cat_del_gone(txn, &after[i]);
    for (int i = 0; rc == 0 && i < before_count; i++) /* where no file has them now */
        rc = cat_put_gone(txn, &before[i], CAT_CHANGED, now);
    return rc;
}

static int publish_group(const cat_txn *txn, void *baton)
{
    const group *g = baton;
    int rc = 0;

    for (apr_size_t i = 0; rc == 0 && i < g->count; i++)
        rc = publish_one(txn, &g->list[i], g->now);
    return rc;
}

/* --- before it ---------------------------------------------------------------------------------------------------- */

static int torrent_is_sound(const tg_torrent *torrent)
{
    static const bt_infohash_v2 no_hash;

    return torrent->version >= TG_V1 && torrent->version <= TG_HYBRID && torrent->infodict &&
           torrent->infodict_length > 0 && torrent->infodict_length <= CAT_TORRENT_MAX &&
           torrent->layer_length <= CAT_TORRENT_MAX && (torrent->layer || torrent->layer_length == 0) &&
           (torrent->members || torrent->member_count == 0) &&
           !((torrent->version & TG_V1) && bt_infohash_is_zero(&torrent->v1)) &&
           !((torrent->version & TG_V2) && memcmp(&torrent->v2, &no_hash, sizeof no_hash) == 0);
}

static int is_sound(const cat_publication *from)
{
    apr_size_t path = strlen(from->path);
    int is_directory = path > 0 && from->path[path - 1] == '/';

    return path > 0 && path <= CAT_TEXT_MAX && strlen(from->url) <= CAT_TEXT_MAX && torrent_is_sound(from->torrent) &&
           is_directory == (from->torrent->member_count > 0);
}

static void take_torrent(cat_record *record, const tg_torrent *torrent)
{
    cat_entry *entry = &record->entry;

    entry->version = torrent->version;
    if (torrent->version & TG_V1)
        entry->v1 = torrent->v1;
    if (torrent->version & TG_V2)
        entry->v2 = torrent->v2;
    entry->v1_keyless = torrent->v1_keyless;
    entry->v1_alone = torrent->v1_alone;
    entry->piece_length = torrent->piece_length;
    entry->infodict_length = torrent->infodict_length;
    entry->layer_length = torrent->layer_length;
    record->length = torrent->length;
    memcpy(record->root, torrent->root, sizeof record->root);
    record->infodict_sum = cat_sum(torrent->infodict, torrent->infodict_length);
    if (torrent->layer_length > 0)
        record->layer_sum = cat_sum(torrent->layer, torrent->layer_length);
}

static apr_status_t take_members(prepared *p, const tg_torrent *torrent)
{
    apr_status_t status;

    bt_buf_init(&p->members, CAT_TORRENT_MAX);
    if (torrent->member_count == 0)
        return APR_SUCCESS;
    if ((status = cat_members_write(&p->members, torrent->members, torrent->member_count)) != APR_SUCCESS)
        return status == APR_ENOSPC ? APR_EINVAL : status;
    p->record.entry.members_length = p->members.length;
    p->record.members_sum = cat_sum(p->members.data, p->members.length);
    p->record.entry.stamp.inode = p->record.members_sum;
    return APR_SUCCESS;
}

static apr_status_t prepare(prepared *p, const cat_publication *from, apr_time_t now)
{
    cat_entry *entry = &p->record.entry;

    if (!is_sound(from))
        return APR_EINVAL;
    p->key = cat_path_key_of(from->path);
    p->torrent = from->torrent;
    entry->path = from->path;
    entry->url = from->url;
    entry->stamp = from->stamp;
    entry->sidecar = from->sidecar;
    entry->grant = from->grant;
    entry->published = p->record.ever = from->published != 0;
    entry->listed = from->listed != 0;
    entry->adopted = from->adopted != 0;
    entry->has_digest = from->has_digest != 0;
    if (entry->has_digest)
        memcpy(entry->digest, from->digest, sizeof entry->digest);
    entry->created = now;
    take_torrent(&p->record, from->torrent);
    return take_members(p, from->torrent);
}

static apr_size_t bytes_of(const prepared *p)
{
    return p->torrent->infodict_length + p->torrent->layer_length + p->members.length;
}

/* How many of the first fit into one transaction: one at least. */
static apr_size_t group_size(const prepared *list, apr_size_t count)
{
    apr_size_t i = 1, bytes = bytes_of(&list[0]);

    while (i < count && (bytes += bytes_of(&list[i])) <= GROUP_BYTES)
        i++;
    return i;
}

apr_status_t cat_publish(cat_catalog *catalog, const cat_publication *list, apr_size_t count)
{
    prepared *all = calloc(count + 1, sizeof *all);
    apr_status_t status = all ? APR_SUCCESS : APR_ENOMEM;
    apr_size_t made = 0;
    group g = {.now = apr_time_now()};

    while (status == APR_SUCCESS && made < count) {
        status = prepare(&all[made], &list[made], g.now);
        made++;
    }
    for (apr_size_t done = 0; status == APR_SUCCESS && done < count; done += g.count) {
        g.list = &all[done];
        g.count = group_size(g.list, count - done);
        status = cat_env_write(catalog->env, publish_group, &g);
    }
    for (apr_size_t i = 0; i < made; i++)
        bt_buf_free(&all[i].members);
    free(all);
    return status;
}
