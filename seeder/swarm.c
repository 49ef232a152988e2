#include "seeder/swarm.h"

#include <stdlib.h>
#include <string.h>

#include "seeder/loop.h"
#include "seeder/metadata.h"

/* Strings of a swarm lie behind it, in its own piece of memory. */
static char *put_string(char **at, const char *string)
{
    apr_size_t size = strlen(string) + 1;
    char *put = memcpy(*at, string, size);

    *at += size;
    return put;
}

/* One piece of memory for an array and its strings. */
static tg_member *copy_members(const tg_member *members, apr_size_t count)
{
    apr_size_t size = count * sizeof *members, i;
    tg_member *copy;
    char *at;

    for (i = 0; i < count; i++)
        size += strlen(members[i].path) + 1;
    copy = malloc(size);
    if (!copy)
        return NULL;
    memcpy(copy, members, count * sizeof *members);
    at = (char *)(copy + count);
    for (i = 0; i < count; i++)
        copy[i].path = put_string(&at, members[i].path);
    return copy;
}

static apr_status_t open_collection(seed_swarm *swarm, cat_catalog *catalog, seed_files *files,
                                    apr_interval_time_t interval, apr_time_t now, apr_pool_t *scratch)
{
    const tg_member *members;
    apr_size_t count;
    apr_status_t status = cat_read_members(catalog, &swarm->entry, scratch, &members, &count);

    if (status == APR_SUCCESS && count == 0)
        status = APR_EBUSY; /* published anew in between, as something else */
    if (status != APR_SUCCESS)
        return status;
    swarm->members = copy_members(members, count);
    return swarm->members ? seed_source_open_members(&swarm->source, files, swarm->entry.path, swarm->members, count,
                                                     interval, now)
                          : APR_ENOMEM;
}

static void describe(seed_swarm *swarm)
{
    seed_content *content = &swarm->content;
    int i;
    const cat_entry *entry = &swarm->entry;

    content->length = seed_source_length(swarm->source);
    content->piece_length = entry->piece_length;
    content->pieces = (apr_uint32_t)tg_piece_count(content->length, entry->piece_length);
    content->v2 = (entry->version & TG_V2) != 0;
    if (content->v2)
        content->v2_hash = bt_infohash_truncate(&entry->v2);
    content->padded = entry->version == TG_V2;
    for (i = 0; i < SEED_KNOWN_COUNT - 1; i++) {
        swarm->reduced[i] = *content;
        swarm->reduced[i].v2 = 0;
    }
    if (entry->infodict_length <= SEED_METADATA_MAX)
        content->metadata_size = (apr_uint32_t)entry->infodict_length;
}

int seed_entry_is_collection(const cat_entry *entry)
{
    apr_size_t length = strlen(entry->path);

    return length > 0 && entry->path[length - 1] == '/';
}

void seed_line_init(seed_line *line)
{
    seed_flow_init(&line->flow);
    APR_RING_INIT(&line->conns, seed_conn, line);
}

static seed_swarm *make(const cat_entry *entry)
{
    seed_swarm *made = calloc(1, sizeof *made + strlen(entry->path) + strlen(entry->url) + 2);
    char *at = (char *)(made + 1);

    if (!made)
        return NULL;
    made->entry = *entry;
    made->entry.path = put_string(&at, entry->path);
    made->entry.url = put_string(&at, entry->url);
    APR_RING_ELEM_INIT(made, due);
    APR_RING_ELEM_INIT(made, all);
    APR_RING_ELEM_INIT(made, active);
    APR_RING_ELEM_INIT(made, crowds);
    APR_RING_INIT(&made->mates, seed_conn, mates);
    seed_line_init(&made->line);
    return made;
}

apr_status_t seed_swarm_open(seed_swarm **swarm, cat_catalog *catalog, const cat_entry *entry, seed_files *files,
                             apr_interval_time_t interval, apr_time_t now, apr_pool_t *scratch)
{
    seed_swarm *made = make(entry);
    apr_status_t status;

    if (!made)
        return APR_ENOMEM;
    status = seed_entry_is_collection(entry)
                 ? open_collection(made, catalog, files, interval, now, scratch)
                 : seed_source_open_file(&made->source, files, made->entry.path, &made->entry.stamp, interval, now);
    if (status != APR_SUCCESS) {
        seed_swarm_close(made);
        return status;
    }
    describe(made);
    *swarm = made;
    return APR_SUCCESS;
}

int seed_swarm_is_of(const seed_swarm *swarm, const cat_entry *entry)
{
    const cat_entry *own = &swarm->entry;

    /* The same file may have another torrent now: one that somebody put beside it. */
    return bt_stamp_equal(&entry->stamp, &own->stamp) && bt_infohash_equal(&entry->v1, &own->v1) &&
           memcmp(entry->v2.b, own->v2.b, sizeof own->v2.b) == 0;
}

seed_known_by seed_swarm_known_by(const seed_swarm *swarm, const bt_infohash *hash)
{
    const cat_entry *entry = &swarm->entry;

    if (bt_infohash_equal(hash, &entry->v1_keyless))
        return SEED_KNOWN_KEYLESS;
    return bt_infohash_equal(hash, &entry->v1_alone) ? SEED_KNOWN_ALONE : SEED_KNOWN_FULL;
}

seed_content *seed_swarm_content(seed_swarm *swarm, seed_known_by by)
{
    return by == SEED_KNOWN_FULL ? &swarm->content : &swarm->reduced[by - 1];
}

void seed_swarm_close(seed_swarm *swarm)
{
    seed_source_close(swarm->source);
    seed_pex_free(swarm->journal);
    free(swarm->members);
    free(swarm);
}
