/* The reading side of the mailbox, and the posting of live peers: for the seeder only. */
#ifndef SEED_MAIL_H
#define SEED_MAIL_H

#include "seeder/mailbox.h"

enum {
    SEED_MAIL_MAX = 64 * 1024,        /* bytes of one message */
    SEED_RECORD_MAX = 4 * 1024 * 1024 /* of a live peer's record: full buffers, and bitfields of 2^21 pieces */
};

/* The numbers are on the wire between builds of this module: never change one. */
typedef enum {
    SEED_MAIL_PEER = 1, /* 2 was another layout of MAKE */
    SEED_MAIL_WITHDRAW = 3,
    SEED_MAIL_LIVE = 4,
    SEED_MAIL_MAKE = 5, /* 6 is LIVE with its record in a file in memory, beside the socket */
    SEED_MAIL_HEIR = 7  /* somebody waits to seed under a newer configuration */
} seed_mail_kind;

typedef struct {
    seed_mail_kind kind;
    int socket;         /* PEER, LIVE: the receiver's to close; else -1 */
    seed_make make;     /* MAKE; its strings, `path` and `record` point into the reader's buffer */
    const char *path;   /* WITHDRAW */
    const unsigned char *record; /* LIVE: see handover.h */
    apr_size_t record_length;
    unsigned char *long_record; /* LIVE: where `record` is if it did not fit; see seed_mail_done */
} seed_mail;

/**
 * Takes one message.
 * @param buffer  SEED_MAIL_MAX bytes
 * @return APR_SUCCESS; APR_EAGAIN: none is there; APR_EINVAL: it was not understood, and is gone; APR_EMFILE: its
 *         descriptor could not be taken, and is gone; else an error of the socket
 */
apr_status_t seed_mail_read(const seed_mailbox *mailbox, unsigned char *buffer, seed_mail *mail);

/** Frees what a message holds beside the buffer. Only LIVE ones need it. */
void seed_mail_done(seed_mail *mail);

/** "Take this live peer with its state." The caller keeps (and closes) its copy. @return also APR_EAGAIN; APR_ENOSPC above
 *  SEED_RECORD_MAX; for a record above SEED_MAIL_MAX whatever making a file in memory ends with */
apr_status_t seed_post_live(const seed_mailbox *mailbox, int socket, const unsigned char *record, apr_size_t length);

/** "There is an heir": wakes a seeder whose configuration is outdated and that has nothing to do. @return also APR_EAGAIN */
apr_status_t seed_post_heir(const seed_mailbox *mailbox);

#endif
