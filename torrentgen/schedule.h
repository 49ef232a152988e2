/* Which job a worker takes next. Everything here is under the queue's lock, and touches no file. */
#ifndef TG_SCHEDULE_H
#define TG_SCHEDULE_H

#include "torrentgen/job.h"

/* In order of importance. */
typedef enum {
    TG_URGENT,  /* somebody waits: in turns, each by as many workers as there are */
    TG_DIGESTS, /* of files that somebody asked for: in order, each by one worker at a time */
    TG_OTHERS,  /* likewise */
    TG_RINGS
} tg_rank;

typedef enum {
    TG_NEW,      /* nobody has looked at the file */
    TG_STARTING, /* one worker is */
    TG_HASHING,  /* workers take runs of pieces */
    TG_CLOSING   /* one worker puts the torrent together and tells its owner */
} tg_phase;

/* One job. In its ring until it is closed; the worker that closes it frees it. */
typedef struct tg_entry {
    struct tg_entry *next, *before; /* ring */
    tg_rank rank;
    tg_job job;
    tg_progress_fn *progress;
    tg_done_fn *done;
    tg_digest_fn *digest_done; /* instead, of TG_DIGESTS */
    void *baton;
    tg_phase phase;
    apr_int64_t taken, hashed; /* pieces; taken: handed to workers */
    apr_int64_t bytes_left;    /* as far as is known */
    int workers;               /* that are at it just now */
    apr_status_t status;       /* the first failure */
    int cancel;                /* atomic; set when status is */
    int telling;               /* a worker is in progress(); it will tell what comes in meanwhile, too */
    int told;                  /* per cent */
} tg_entry;

typedef struct {
    tg_entry *turn[TG_RINGS]; /* whose turn it is: of TG_URGENT the next in the ring, else the oldest; NULL: empty */
    int count[TG_RINGS];
    int begun[TG_RINGS];      /* those that are no longer TG_NEW */
    apr_int64_t bytes_left;
} tg_schedule;

/** Last in line. */
void tg_schedule_add(tg_schedule *schedule, tg_entry *entry, tg_rank rank);
void tg_schedule_remove(tg_schedule *schedule, tg_entry *entry);

/** What a worker is to do next: start it, hash a run of it, or close it. The turn passes on. @return NULL: nothing */
tg_entry *tg_schedule_next(tg_schedule *schedule);

/** All pieces are hashed, or it failed, and nobody is at it. */
int tg_entry_is_complete(const tg_entry *entry);

/** Notes the first failure, and tells those that are at it to stop. */
void tg_entry_fail(tg_entry *entry, apr_status_t status);

/** Notes that a worker has begun it. */
void tg_schedule_begin(tg_schedule *schedule, tg_entry *entry);

/** Makes a job of TG_OTHERS urgent. @return NULL if there is none of that path */
tg_entry *tg_schedule_raise(tg_schedule *schedule, const char *path);

/** Notes how many bytes of a job are to be hashed yet. */
void tg_schedule_bytes(tg_schedule *schedule, tg_entry *entry, apr_int64_t left);

#endif
