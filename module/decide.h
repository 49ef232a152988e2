/* The decision: what a request gets. One pure function over facts; the caller finds out what it asks for. */
#ifndef BTH_DECIDE_H
#define BTH_DECIDE_H

#include "module/accept.h"

/* How the torrent was asked for, in one of its forms. */
typedef enum {
    BTH_ALIAS_NONE,   /* by header, if at all */
    BTH_ALIAS_SUFFIX, /* FILE.torrent, FILE.magnet, FILE.meta4 */
    BTH_ALIAS_QUERY   /* FILE?torrent */
} bth_alias;

/* Facts that cost something are found out only when the decision needs them. */
typedef enum { BTH_STRANGER_UNASKED, BTH_STRANGER_MAY, BTH_STRANGER_MAY_NOT } bth_stranger_fact;
typedef enum {
    BTH_TORRENT_UNASKED,
    BTH_TORRENT_NONE,    /* none yet, or only of an earlier version of the file */
    BTH_TORRENT_READY,   /* in the catalogue, for the file as it is now */
    BTH_TORRENT_PENDING, /* being made; the wait is over */
    BTH_TORRENT_FAILED   /* cannot be had: read error, full disk, no catalogue */
} bth_torrent_fact;

typedef struct {
    int is_main_get;  /* GET or HEAD, a main request, status 200 so far, a regular file that the default handler sends */
    int enabled;      /* BTHTTP */
    int transformed;  /* something changes the bytes on their way */
    int force_file;   /* ?bthttp=file */
    int has_range;
    bth_alias alias;
    bth_form alias_form;      /* what the alias is of */
    unsigned forms;           /* bit set over bth_form: those that can be made */
    const bth_accept *accept;
    int by_type;              /* `accept` is what Accept says: the client may never have heard of X-BT-Status */
    apr_int64_t size, min_size, max_size; /* bytes; max -1: none */
    tg_version new_version;               /* BTHTTPTorrentVersion */
    bth_stranger_fact stranger;
    bth_torrent_fact torrent;
    tg_version version;                   /* of the torrent that is ready */
} bth_facts;

typedef enum {
    BTH_PASS,           /* the file as without the module */
    BTH_PASS_VARY,      /* the file, with Vary */
    BTH_PASS_LINK,      /* the file, with Vary and Link to the torrent */
    BTH_PASS_STATUS,    /* the file, with Vary and X-BT-Status: bth_verdict.status */
    BTH_SEND_FORM,      /* the torrent in the form of bth_verdict.form */
    BTH_SEND_WAIT,      /* 503 with Retry-After */
    BTH_SEND_NOT_FOUND, /* 404 */
    BTH_ASK_STRANGER,   /* find out facts.stranger, then decide again */
    BTH_ASK_TORRENT,    /* look into the catalogue, then decide again */
    BTH_ASK_MAKE        /* have it made, wait, then decide again */
} bth_action;

typedef struct {
    bth_action action;
    const char *status; /* for BTH_PASS_STATUS; a constant */
    bth_form form;      /* for BTH_SEND_FORM */
} bth_verdict;

/** Decides. No I/O, no state; any thread. Each answer but BTH_ASK_* is final. */
bth_verdict bth_decide(const bth_facts *facts);

#endif
