/* Puts torrents that nobody waits for into the catalogue in groups: a transaction ends with the disk, which takes as long for
 * one torrent as for many. */
#ifndef SEED_PUBLISHER_H
#define SEED_PUBLISHER_H

#include "catalog/catalog.h"

typedef struct seed_publisher seed_publisher;

typedef struct {
    /* Is it still to be published? Asked just before. */
    int (*is_wanted)(void *job);
    /* What came of it: APR_EACCES if it was not wanted any more, else as cat_publish. */
    void (*done)(void *job, apr_status_t status);
} seed_publisher_seams;

/** Starts its thread. @param seams  called on that thread; outlive it */
apr_status_t seed_publisher_start(seed_publisher **publisher, cat_catalog *catalog, const seed_publisher_seams *seams,
                                  apr_pool_t *pool);

/**
 * Publishes within a tenth of a second or so, with others: 256 or 16 MiB of torrents at most. Waits while the group before
 * is being written and the present one is full. Any thread.
 * @param publication  its torrent is copied; its strings last until done() is called
 */
void seed_publisher_add(seed_publisher *publisher, const cat_publication *publication, void *job);

/** Publishes what there is, and ends. Nobody adds any more. */
void seed_publisher_stop(seed_publisher *publisher);

#endif
