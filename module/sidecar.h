/* The sidecar: a real FILE.torrent beside FILE. If it describes the file, its torrent is the file's (docs/protocol.md). */
#ifndef BTH_SIDECAR_H
#define BTH_SIDECAR_H

#include <apr_pools.h>
#include <apr_thread_proc.h>

#include "catalog/catalog.h"
#include "torrentgen/metainfo.h"

/**
 * Looks for it. What a stranger may not have is as if it were not there. One stat(2) if there is none; else a stranger
 * test, which blocks as access checkers do. Any thread.
 * @param origin  of the file: bth_origin_of
 * @param path    of the file
 * @param stamp   of the sidecar; zero if there is none
 * @return its path, or NULL
 */
const char *bth_sidecar_find(const char *origin, const char *path, apr_pool_t *pool, apr_thread_t *thread, bt_stamp *stamp);

/**
 * Reads the sidecar that an entry's torrent was adopted from, for what is around its infodict. Blocks on the disk.
 * @param path  of the sidecar, as bth_sidecar_find has just said
 * @return 1; 0 if it is another one by now, too large, or not the entry's torrent: do without
 */
int bth_sidecar_read(const char *path, const cat_entry *entry, apr_pool_t *pool, tg_metainfo *meta);

#endif
