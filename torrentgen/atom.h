/* A feed of torrents in Atom 1.0 (RFC 4287), one page of it (RFC 5005) at a time. Torrent clients subscribe to such feeds
 * and take the enclosures. */
#ifndef TG_ATOM_H
#define TG_ATOM_H

#include <apr_time.h>

#include "base/buf.h"
#include "torrentgen/xml.h"

typedef struct {
    const char *id;        /* IRI: the same for all pages, for good */
    const char *title;
    const char *author;    /* name: of the site */
    const char *self;      /* URL of this page */
    const char *first;     /* URL of the first page */
    const char *next;      /* URL of the page of older entries; NULL on the last one */
    apr_time_t updated;
    const char *generator; /* may be NULL */
    const char *version;   /* of the generator; may be NULL */
} tg_atom_feed;

typedef struct {
    const char *id;        /* IRI: of this version of the file */
    const char *title;
    apr_time_t updated;    /* when the torrent was made */
    const char *file;      /* URL of the file itself: the alternate link; may be NULL */
    const char *torrent;   /* URL of its torrent: the enclosure; NULL if it has none */
    apr_int64_t torrent_length; /* bytes, a hint; 0: not said */
    const char *magnet;    /* magnet link, a related one; may be NULL */
    const char *summary;   /* may be NULL */
} tg_atom_entry;

/* A page on its way. */
typedef struct {
    tg_xml *xml;
} tg_atom;

/**
 * Begins a page. Memory of `feed` is not kept. Any thread.
 * @return APR_ENOTIMPL without libxml2, APR_ENOMEM: nothing is to be ended then
 */
apr_status_t tg_atom_begin(tg_atom *atom, bt_buf *out, const tg_atom_feed *feed);

/** Failures stick and are told by tg_atom_end. */
void tg_atom_add(tg_atom *atom, const tg_atom_entry *entry);

/** @return out->status, or APR_ENOMEM or APR_EGENERAL if libxml2 failed */
apr_status_t tg_atom_end(tg_atom *atom);

#endif
