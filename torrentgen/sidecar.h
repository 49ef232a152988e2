/* A real .torrent beside a file: is it a torrent of that very file? */
#ifndef TG_SIDECAR_H
#define TG_SIDECAR_H

#include "torrentgen/metainfo.h"

enum { TG_SIDECAR_MAX = 32 * 1024 * 1024 }; /* bytes of one that is looked at */

typedef struct {
    bt_stamp stamp;   /* as it was looked at; zero: there is none */
    const char *why;  /* a phrase: why it is left alone; NULL if it was not */
    int fits;         /* it may be of that file, as far as can be said without hashes */
    tg_metainfo meta; /* if it fits */
} tg_sidecar;

/**
 * Reads it and compares all but the hashes. May block. What is no regular file, or not there, is no sidecar.
 * @param path      of the .torrent
 * @param of_path   of the file: its torrent may have the file's own name,
 * @param name      or the one that we would give it
 * @param length    of the file, bytes
 * @param pool      owns sidecar->meta
 */
void tg_sidecar_look(tg_sidecar *sidecar, const char *path, const char *of_path, const char *name, apr_int64_t length,
                     apr_pool_t *pool);

/**
 * Do its hashes say what the file's do, hashed with its version and piece length? If not, it no longer fits.
 * @param sha1  v1: 20 bytes a piece
 * @param root  v2: 32 bytes
 */
int tg_sidecar_compare(tg_sidecar *sidecar, const unsigned char *sha1, const unsigned char *root);

#endif
