/* The mailbox: how any child reaches the one that seeds. A SOCK_SEQPACKET pair made once by the parent and kept over
 * restarts: whole messages, descriptors beside them, and a queue in the kernel that outlives any child. */
#ifndef SEED_MAILBOX_H
#define SEED_MAILBOX_H

#include <apr_errno.h>
#include <apr_pools.h>

#include "base/infohash.h"
#include "torrentgen/torrent.h"

/* Plain data on the process pool: a module loaded anew finds it as it was. */
typedef struct {
    int write_fd; /* any child, non-blocking, close-on-exec */
    int read_fd;  /* the seeder */
} seed_mailbox;

/** Parent, once. @param pool  the process pool; no clean-up is registered */
apr_status_t seed_mailbox_create(seed_mailbox **mailbox, apr_pool_t *pool);

/* Posting: any thread of any child. All return APR_EAGAIN when the mailbox is full: back-pressure, not an error. */

/**
 * "Take this peer": a connected socket from which nothing has been read. The caller keeps (and closes) its copy.
 */
apr_status_t seed_post_peer(const seed_mailbox *mailbox, int socket);

/* "Make this torrent." Strings are copied. */
typedef struct {
    const char *path; /* of the file; of a collection: its directory, with a "/" at the end */
    const char *name; /* for the infodict */
    const char *url;  /* "" if it is not known yet: then it is hashed, but not published */
    apr_uint64_t grant;
    tg_version version;
    apr_uint32_t piece_length; /* bytes, 0: by the table */
    const char *sidecar;       /* a .torrent that is used if it describes the file; NULL or "": none is looked for */
    int collection;            /* seed_config.list says of which files */
    int urgent;                /* somebody waits for it */
    int listed;                /* may be shown in the feed */
    apr_int64_t size;          /* bytes as far as is known, for the time left; may be 0 */
} seed_make;

/** @return also APR_ENAMETOOLONG when all strings together exceed 12 KiB */
apr_status_t seed_post_make(const seed_mailbox *mailbox, const seed_make *make);

/** "Withdraw": the catalogue has done so already; peers of this file are closed at once. */
apr_status_t seed_post_withdraw(const seed_mailbox *mailbox, const char *path);

#endif
