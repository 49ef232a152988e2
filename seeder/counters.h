/* A page of counters in shared memory: written by the seeder (and a few by other children), read by anybody for status.
 * Made once on the process pool; a new layout of it gets a new page. Every member is accessed with __atomic builtins,
 * relaxed, except where said. */
#ifndef SEED_COUNTERS_H
#define SEED_COUNTERS_H

#include <apr_general.h>

#include "seeder/bans.h"

/* Why a peer was closed: each rule has a name and a counter. Keep seed_close_name() in step. */
typedef enum {
    SEED_CLOSE_GONE,              /* the peer closed, or its connection broke */
    SEED_CLOSE_GARBAGE,           /* not a handshake */
    SEED_CLOSE_HANDSHAKE_TIMEOUT, /* half a handshake, then silence */
    SEED_CLOSE_UNKNOWN_HASH,      /* info-hash not published */
    SEED_CLOSE_WITHDRAWN,         /* its torrent was withdrawn */
    SEED_CLOSE_BAD_LENGTH,        /* length prefix above the bound, or wrong for the message */
    SEED_CLOSE_BAD_MESSAGE,       /* a message that was not negotiated, or that a seed never gets */
    SEED_CLOSE_BAD_REQUEST,       /* off the end, of length zero, of an unknown piece */
    SEED_CLOSE_FLOOD,             /* more requests or messages than a rule allows */
    SEED_CLOSE_SLOW_READER,       /* does not read what it asked for */
    SEED_CLOSE_IDLE,              /* silent for too long */
    SEED_CLOSE_FULL,              /* BTHTTPMaxPeers */
    SEED_CLOSE_FULL_ADDRESS,      /* BTHTTPMaxPeersPerIP */
    SEED_CLOSE_ALSO_SEED,         /* it has every piece: nothing to do for each other */
    SEED_CLOSE_READ_ERROR,        /* the file could not be read */
    SEED_CLOSE_SHUTDOWN,          /* httpd stops */
    SEED_CLOSE_HAVE_FLOOD,        /* these five, and flood: see rules.h */
    SEED_CLOSE_METADATA_FLOOD,
    SEED_CLOSE_PEX_FLOOD,
    SEED_CLOSE_HASH_FLOOD,
    SEED_CLOSE_REQUEST_FLOOD,
    SEED_CLOSE_FULL_SWARM,        /* its torrent has its share of all peers already */
    SEED_CLOSE_TRICKLE,           /* takes what it asked for by drops, to keep its place */
    SEED_CLOSE_BANNED,            /* its address broke rules before */
    SEED_CLOSE_NO_MEMORY,         /* none was left for what it needs */
    SEED_CLOSE_BAD_ENCRYPTION,    /* its encrypted handshake is none, or it offers no stream that we take */
    SEED_CLOSE_NOT_ENCRYPTED,     /* BTHTTPEncryption require */
    SEED_CLOSE_ENCRYPTED,         /* BTHTTPEncryption off */
    SEED_CLOSE_REASONS
} seed_close_reason;

enum { SEED_JOB_SLOTS = 512 };

typedef enum { SEED_JOB_FREE, SEED_JOB_RUNNING, SEED_JOB_FAILED } seed_job_state;

/* A file that is being hashed, or could not be: any child reads it to answer "pending". */
typedef struct {
    apr_uint64_t key; /* SipHash of the path */
    apr_uint32_t state;
    apr_uint32_t percent;
    apr_int64_t changed; /* apr_time_t of the last change of state */
} seed_job_slot;

/* The hashing queue, as it was within the last second: written by the seeder. */
typedef struct {
    apr_uint64_t urgent;     /* files and collections that wait, and somebody with them */
    apr_uint64_t waiting;    /* all others that wait, digests included */
    apr_uint64_t files;      /* that are being hashed */
    apr_uint64_t bytes_left; /* of all of them, as far as is known */
    apr_uint64_t rate;       /* bytes a second, lately */
} seed_hashing;

typedef enum { SEED_SCAN_OFF, SEED_SCAN_WALKING, SEED_SCAN_MAKING, SEED_SCAN_WATCHING } seed_scan_state;

/* What BTHTTPScan does: written by the scanner of the seeder's child. */
typedef struct {
    apr_uint64_t roots;      /* directories where it begins */
    apr_uint64_t state;      /* seed_scan_state */
    apr_uint64_t found;      /* files that the last walk saw */
    apr_uint64_t queued;     /* files that wait to be judged and made */
    apr_uint64_t made, failed; /* since the scanner began */
    apr_uint64_t bytes_left; /* of the files that wait */
    apr_uint64_t rate;       /* bytes a second, lately */
    apr_uint64_t watched, unwatched; /* directories */
    apr_uint64_t walks;      /* that came to their end */
} seed_scan_figures;

typedef struct {
    apr_uint32_t magic, layout;
    apr_uint64_t size;
    apr_uint64_t seeder_pid; /* 0: none now */
    apr_uint64_t generation; /* of the configuration: raised by the parent at each start and reload */
    apr_uint64_t configured; /* when it was last raised, by seed_now() */
    apr_uint64_t seeder_generation; /* the seeder's */
    apr_uint64_t retiring;   /* 1: the seeder goes as soon as another one waits for its place */
    apr_uint64_t peers;      /* connected now */
    apr_uint64_t swarms;     /* torrents with a peer now */
    apr_uint64_t peers_taken, handshakes, blocks_sent, bytes_sent, rejects_sent, handovers;
    apr_uint64_t encrypted_plain, encrypted_rc4; /* encrypted handshakes, by the stream that follows */
    apr_uint64_t hashes_sent; /* answers to hash requests */
    apr_uint64_t pex_sent;    /* messages of ut_pex */
    apr_uint64_t hashed_files, hashed_bytes, hash_failures;
    apr_uint64_t mailbox_full;
    apr_uint64_t closed[SEED_CLOSE_REASONS];
    apr_uint64_t bans;       /* imposed so far */
    apr_uint64_t upload_rate; /* bytes a second, lately */
    apr_uint64_t cpu_time;   /* microseconds that seeders' own threads have used so far; hashing is not among them */
    apr_uint64_t reads;      /* parts of files that had to be read from disk first */
    apr_uint64_t reading;    /* that are being read now, or wait for it */
    apr_uint64_t waiting;    /* peers that want something now and wait for their turn */
    apr_uint64_t saturated;  /* 1: peers wait, and the rate is at its limit */
    apr_uint64_t measured;   /* monotonic microseconds when rate and CPU time were brought up to date */
    apr_uint64_t http_load;  /* percent of httpd's workers that are busy, lately: written by the steward */
    apr_uint64_t http_sent;  /* bytes of HTTP, while BTHTTPUplink is set: written by every child */
    seed_hashing hashing;
    seed_scan_figures scan;
    seed_job_slot jobs[SEED_JOB_SLOTS];
    seed_bans banned;        /* by the seeder's own rules, see bans.h */
} seed_counters;

/** Bytes to allocate. */
apr_size_t seed_counters_size(void);

/** Makes fresh memory a page. Parent, before children. */
void seed_counters_init(void *memory);

/** Can this module use the page that an earlier one made? */
int seed_counters_usable(const void *memory, apr_size_t size);

void seed_count(apr_uint64_t *counter, apr_int64_t change);

const char *seed_close_name(seed_close_reason reason);

/** Does nobody do this by clumsiness, an old client or a bad line? Then it counts towards a ban. */
int seed_close_is_malice(seed_close_reason reason);

/* The jobs on the page. Any thread of any child. */

/** @return the percentage, -1 if the path is not being hashed, -2 if hashing it failed within the last 10 seconds */
int seed_job_progress(const seed_counters *page, const char *path);

/** Claims a slot for a path. @return 0 if it has one already (running), or none is free */
int seed_job_begin(seed_counters *page, const char *path);
void seed_job_percent(seed_counters *page, const char *path, int percent);
/** Frees the slot, or marks it failed. */
void seed_job_end(seed_counters *page, const char *path, int failed);
/** Frees all running slots: a seeder's child died, its jobs with it. Called by a new seeder. */
void seed_job_clear(seed_counters *page);

#endif
