/* Where the files of a torrent lie among its pieces: each file that is not empty begins with a piece of its own (padding,
 * BEP 47), so that its pieces are hashed by themselves, and are the same as in a torrent of it alone. */
#ifndef TG_LAYOUT_H
#define TG_LAYOUT_H

#include "torrentgen/queue.h"

/* One file. */
typedef struct {
    const char *path; /* absolute */
    const char *name; /* below the torrent's directory; of a torrent of one file, its name */
    bt_stamp stamp;
    apr_int64_t first;  /* piece, among all of the torrent */
    apr_int64_t pieces; /* 0: it is empty */
} tg_place;

typedef struct {
    tg_place *places; /* in the order of tg_path_compare */
    apr_size_t count;
    apr_uint32_t piece_length; /* bytes */
    apr_int64_t pieces;        /* of all files */
    apr_int64_t content;       /* bytes of all files */
    apr_int64_t length;        /* bytes to the end of the last file, padding included */
    apr_size_t last;           /* the last file that is not empty; `count` if all are */
} tg_layout;

/** The order of paths in a BEP 52 file tree: raw bytes, element by element. @return as strcmp */
int tg_path_compare(const char *a, const char *b);

/**
 * Takes over a list, sorted; strings are not copied. Stamps are zero yet.
 * @param culprit  set to the path of what cannot be, on APR_EINVAL
 * @return APR_EINVAL if a name is bad, occurs twice, or is a directory's too; EFBIG if there are more files than TG_FILES_MAX
 *         or their names are longer together than clients like; APR_NOTFOUND for an empty list
 */
apr_status_t tg_layout_list(tg_layout *layout, const tg_source_file *files, apr_size_t count, apr_pool_t *pool,
                            const char **culprit);

/** Lays the files out, now that their stamps are known. @param piece_length  0: as tg_piece_length_for the content */
void tg_layout_place(tg_layout *layout, apr_uint32_t piece_length);

/** The file that holds a piece. */
const tg_place *tg_layout_find(const tg_layout *layout, apr_int64_t piece);

/** Bytes of file that some pieces hold, without padding. */
apr_int64_t tg_layout_bytes(const tg_layout *layout, apr_int64_t first, apr_int64_t count);

#endif
