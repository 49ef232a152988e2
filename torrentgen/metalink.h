/* Metalink 4 (RFC 5854): one file with its size, hashes, mirrors and torrents, as XML. */
#ifndef TG_METALINK_H
#define TG_METALINK_H

#include <apr_pools.h>
#include <apr_time.h>

#include "base/buf.h"
#include "torrentgen/torrent.h"
#include "torrentgen/xml.h"

/* Pieces of a larger number are left out: a Metalink is read whole, each costs 54 bytes, and the torrent has them. */
enum { TG_METALINK_PIECES_MAX = 1 << 17, TG_METALINK_PRIORITY_MAX = 999999 };

/* A place to have the file from. */
typedef struct {
    const char *url;
    int priority;         /* 1 (first) to TG_METALINK_PRIORITY_MAX; 0: not said */
    const char *location; /* country of ISO 3166-1, two small letters; may be NULL */
} tg_metalink_url;

/* A torrent of the file. */
typedef struct {
    const char *url;
    int priority;     /* likewise; among the file's places and torrents alike */
    const char *name; /* of the file within a torrent of several; NULL in one of one */
} tg_metalink_torrent;

typedef struct {
    const char *name;            /* tg_name_is_good; what XML cannot hold is percent-encoded */
    apr_int64_t length;          /* bytes */
    const unsigned char *digest; /* SHA-256 of the whole file, 32 bytes; may be NULL */
    apr_uint32_t piece_length;   /* bytes */
    const unsigned char *pieces; /* SHA-1 of each piece, 20 bytes each; NULL if there are none */
    apr_size_t pieces_length;    /* bytes */
    const tg_metalink_url *urls;
    int url_count;
    const tg_metalink_torrent *torrents;
    int torrent_count;
    apr_time_t published;  /* when the torrent was made; 0: left out */
    const char *origin;    /* URL of this Metalink, where a newer one may be had ("dynamic"); may be NULL */
    const char *generator; /* NAME/VERSION; may be NULL */
} tg_metalink;

/**
 * Fills in what a torrent of one file knows: name, length, and the v1 pieces, which are the hashes of the file's pieces as
 * Metalink wants them (a v2-only torrent has none: its hashes are roots of trees). Other members are zeroed. Any thread.
 * @param pool  owns the name; the pieces lie in the torrent
 * @return APR_EINVAL if it is no torrent of one file
 */
apr_status_t tg_metalink_of(const tg_torrent *torrent, apr_pool_t *pool, tg_metalink *metalink);

/**
 * Writes the whole document. Any thread.
 * @return buf->status; APR_EINVAL if the name is no file's, a piece count or priority does not fit, or there is neither URL
 *         nor torrent; APR_ENOTIMPL without libxml2 (tg_xml_is_there)
 */
apr_status_t tg_metalink_write(bt_buf *buf, const tg_metalink *metalink);

#endif
