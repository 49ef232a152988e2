/* The .torrent around an infodict (BEP 3, 12, 19, 38, 39, 52): written for a visitor, and read back. */
#ifndef TG_METAINFO_H
#define TG_METAINFO_H

#include <apr_pools.h>
#include <apr_tables.h>
#include <apr_time.h>

#include "base/buf.h"
#include "torrentgen/torrent.h"

/* The info-hash of a torrent that may share files with this one. */
typedef struct {
    int size; /* BT_HASH_SIZE (v1) or BT_HASH_V2_SIZE */
    unsigned char b[BT_HASH_V2_SIZE];
} tg_similar;

/* What differs from visitor to visitor; nothing here changes the info-hash. */
typedef struct {
    const char *const *trackers;  /* in order of preference, own one first; the first is "announce" */
    int tracker_count;            /* 0: no announce key at all */
    const char *const *web_seeds; /* "url-list" */
    int web_seed_count;
    const char *created_by; /* may be NULL */
    apr_time_t created;     /* 0: left out */
    const tg_similar *similar; /* "similar" (BEP 38): torrents that may share files with this one */
    int similar_count;
    const char *const *collections; /* "collections" (BEP 38): names of what it is part of */
    int collection_count;
    const char *update_url; /* "update-url": where a newer torrent is to be had; may be NULL. See docs/internals/torrentgen.md */
    const char *comment;    /* may be NULL */
} tg_envelope;

/**
 * Writes a whole .torrent, keys sorted. Any thread.
 * @return buf->status: APR_SUCCESS, APR_ENOSPC if it is larger than buf->max
 */
apr_status_t tg_metainfo_write(bt_buf *buf, const tg_torrent *torrent, const tg_envelope *envelope);

/* One file of a torrent that was read. */
typedef struct {
    const char *path; /* elements joined by "/", NUL-terminated, no "..", no empty element */
    apr_int64_t length;
    apr_int64_t offset; /* among all bytes that pieces cover, padding included */
    unsigned char root[BT_HASH_V2_SIZE]; /* zero if v1 only or empty */
} tg_file;

typedef struct {
    tg_torrent torrent; /* as one that we made; stamps of members are zero but for their size */
    const char *name;
    int is_private;
    int is_directory;     /* the files lie in a directory that is called `name`, else it is one file of that name */
    const tg_file *files; /* padding files are left out, empty ones are not */
    int file_count;
    apr_int64_t covered; /* bytes that v1 pieces cover: some pad the end of the last file too; 0 if v2 only */
    const unsigned char *pieces; /* v1: 20 bytes a piece, NULL if v2 only */
    apr_size_t pieces_length;
    const char *const *trackers;
    int tracker_count;
    const char *const *web_seeds;
    int web_seed_count;
    const tg_similar *similar; /* BEP 38: inside the infodict and outside together */
    int similar_count;
    const char *const *collections; /* likewise */
    int collection_count;
    const char *update_url; /* BEP 39: that of the infodict, else that outside; NULL if there is none */
} tg_metainfo;

/**
 * Reads a .torrent of any version, one file or many, and checks that its parts fit each other (piece counts, sizes,
 * piece layers against roots).
 * @param pool  owns all that `meta` points to; the bytes are copied
 * @return APR_SUCCESS, or APR_EINVAL with *why set to a constant phrase
 */
apr_status_t tg_metainfo_read(const unsigned char *bytes, apr_size_t length, apr_pool_t *pool, tg_metainfo *meta,
                              const char **why);

#endif
