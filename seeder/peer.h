/* One peer's state machine: bytes and time in, bytes and blocks to send out. No socket, no clock, no file. */
#ifndef SEED_PEER_H
#define SEED_PEER_H

#include "seeder/asks.h"
#include "seeder/counters.h"
#include "seeder/drip.h"
#include "seeder/limits.h"
#include "seeder/pex.h"
#include "seeder/pieces.h"
#include "seeder/requests.h"
#include "seeder/stream.h"
#include "seeder/wire.h"

/* What is seeded, as far as a peer is concerned. Made with its swarm, then read-only. */
typedef struct {
    apr_int64_t length;        /* bytes */
    apr_uint32_t piece_length; /* bytes */
    apr_uint32_t pieces;
    int v2;     /* it has a v2 info-hash */
    int padded; /* it has no other: see seed_content_has_block */
    bt_infohash v2_hash; /* truncated; zero if it has none */
    apr_uint32_t metadata_size; /* bytes of the infodict by which it is known; 0: it is not given away in parts */
} seed_content;

typedef enum {
    SEED_PEER_HANDSHAKE, /* its first 48 bytes are awaited */
    SEED_PEER_ASKING,    /* its info-hash is being looked up: seed_peer_admit is awaited */
    SEED_PEER_ID,        /* our handshake is out, its peer id is awaited */
    SEED_PEER_LIVE
} seed_peer_state;

/* The numbers are those of hand-over records. */
typedef enum {
    SEED_PEER_FAST = 1,
    SEED_PEER_V2 = 2,
    SEED_PEER_INTERESTED = 4,
    SEED_PEER_UNCHOKED = 8,
    SEED_PEER_SHOWING = 32,     /* it is being told of every piece not yet shown; 16 is the records' own */
    SEED_PEER_EXTENDED = 64,    /* both speak the extension protocol (BEP 10) */
    SEED_PEER_UPLOAD_ONLY = 128 /* it wants no more pieces, whatever it has (BEP 21) */
} seed_peer_flag;

/* What a peer is told of our pieces when it is admitted. */
typedef enum {
    SEED_SHOW_ALL, /* that we have all of them */
    SEED_SHOW_NONE /* nothing yet: see seed_peer_show */
} seed_show;

/* Who wants to know what a peer has; `baton` is the peer's. Called in the middle of its input: it must not be freed. */
typedef struct {
    void (*has)(void *baton, apr_uint32_t piece, int now_has); /* one more, or one less */
    void (*has_many)(void *baton);                             /* look at its `pieces` */
} seed_peer_events;

/* What a peer said by the extension protocol; all zero before. See extension.h. */
typedef struct {
    unsigned char metadata, pex; /* the numbers under which it takes ut_metadata and ut_pex; 0: it does not */
    apr_uint16_t port;           /* where it listens; 0: not said */
} seed_extension;

/* Owned by the seeder's thread. Some 500 bytes while idle: buffers hold memory only while they hold bytes. */
typedef struct {
    const seed_limits *limits;
    const seed_content *content; /* NULL before it is admitted */
    seed_peer_state state;
    unsigned flags;          /* of seed_peer_flag */
    seed_close_reason reason; /* after SEED_PEER_CLOSE */
    seed_crypt crypt;        /* how it speaks */
    seed_mse *mse;           /* its encrypted handshake, while that lasts; malloc'd */
    seed_stream *stream;     /* what it says and hears is encrypted; NULL: plain. malloc'd */
    pw_handshake theirs;
    bt_buf in;  /* the beginning of a message */
    bt_buf out; /* to be sent before the next block */
    apr_uint32_t out_sent; /* bytes of `out` that are sent */
    apr_uint32_t skip;     /* bytes of an ignored message to come */
    seed_requests requests;
    seed_block block;         /* being sent; length 0: none */
    apr_uint32_t block_sent;  /* bytes of it that are sent, header included */
    seed_pieces pieces;       /* that it has */
    unsigned char *shown;     /* bitfield of the pieces that it was told we have; NULL: all of them. malloc'd */
    apr_uint32_t shown_count; /* while `shown` is there */
    seed_extension extension;
    seed_pex_peer pex;
    seed_asks asks;           /* what it asked that is not a block */
    unsigned char ip[16];     /* its address, in network order; set by the owner before it is admitted */
    unsigned char ip_length;  /* bytes of it: 4, 16, or 0 if it is not known */
    const seed_peer_events *events; /* may be NULL */
    void *baton;                    /* of `events` */
    apr_uint32_t rejects;     /* written since the owner last looked (and cleared it) */
    apr_uint32_t turns;       /* how often it was unchoked */
    seed_rules rules;         /* how much it may still do that is of no use */
    seed_drip drip;           /* does it take what it asked for? */
    apr_time_t started;
    apr_time_t heard;         /* last message, or last progress with a block */
    apr_time_t spoken;        /* last byte sent */
    apr_time_t complete;      /* since when it has every piece, or wants no more; 0: neither */
    apr_time_t since;         /* last change of choking or interest, for the choker */
} seed_peer;

typedef enum {
    SEED_PEER_GO_ON,
    SEED_PEER_ASK,  /* look up theirs.hash, then call seed_peer_admit */
    SEED_PEER_CLOSE /* see `reason` */
} seed_verdict;

void seed_peer_init(seed_peer *peer, const seed_limits *limits, apr_time_t now);
void seed_peer_free(seed_peer *peer);

/** Takes what the peer sent. Ends early at SEED_PEER_ASK, the rest being kept for seed_peer_admit. */
seed_verdict seed_peer_input(seed_peer *peer, const unsigned char *bytes, apr_size_t length, apr_time_t now);

/**
 * Its torrent is there: answers the handshake, says what we have, and goes on with what was kept.
 * @param content  outlives the peer
 * @param first    with SEED_SHOW_NONE it is told of no piece, and may request none, before seed_peer_show
 */
seed_verdict seed_peer_admit(seed_peer *peer, const seed_content *content, const unsigned char *own_id, seed_show first,
                             apr_time_t now);

/** Counts one unit by a rule, or several, and says to close if that is more than it allows. */
seed_verdict seed_peer_spend(seed_peer *peer, seed_rule rule, apr_time_t now);
seed_verdict seed_peer_spend_many(seed_peer *peer, seed_rule rule, apr_uint32_t units, apr_time_t now);

/** Tells it that we have one more piece, unless it knows. */
void seed_peer_show(seed_peer *peer, apr_uint32_t piece);

/** Tells it of every piece that it does not know of; of many by and by, as they are sent. */
void seed_peer_show_all(seed_peer *peer);

/** May it request this piece? */
int seed_peer_is_shown(const seed_peer *peer, apr_uint32_t piece);

/** How many of its requests may wait: `requests` of the limits, and without the fast extension what one reading brings. */
apr_uint32_t seed_peer_most_requests(const seed_peer *peer);

/** Does an ask wait that can be answered now? See answer.h. */
int seed_peer_wants_answer(const seed_peer *peer);

/** Reading stops while it is being asked about, while it does not take our answers, and while as many requests wait as may:
 *  without the fast extension it does not know how many those are, and cannot be told (rtorrent asks for what it takes in 3
 *  seconds, however many that be). */
int seed_peer_wants_input(const seed_peer *peer);

/** The most bytes that are worth reading now: a handshake is read to its end and no further. */
apr_size_t seed_peer_input_size(const seed_peer *peer, apr_size_t capacity);

/* The choker's word. Choking ends every waiting request, with rejects if the fast extension is spoken. */
void seed_peer_choke(seed_peer *peer, apr_time_t now);
void seed_peer_unchoke(seed_peer *peer, apr_time_t now);

/** Is anything to be sent: control bytes, a block begun, or a request waiting? */
int seed_peer_has_output(const seed_peer *peer);

/** Makes the oldest request the block to send, if none is begun. @return 0 when there is none */
int seed_peer_next_block(seed_peer *peer);

/** Where a block's bytes lie in the torrent. */
apr_int64_t seed_content_offset(const seed_content *content, const seed_block *block);

/** Could all that it is to be told be written down? If not, it must not be sent: messages may miss, or a part of one. */
seed_verdict seed_peer_check_output(seed_peer *peer);

/** Notes that bytes of `out` or of the block were sent; the block ends with its last byte. */
void seed_peer_sent_out(seed_peer *peer, apr_size_t bytes, apr_time_t now);
void seed_peer_sent_block(seed_peer *peer, apr_size_t bytes, apr_time_t now);

/** Its socket takes no bytes (of those that there are): does the peer read? Otherwise silence is ours (a rate limit). */
int seed_peer_is_waited_for(const seed_peer *peer, int writable);

/**
 * Time passes: keep-alive, time-outs.
 * @param writable  its socket takes bytes
 * @param taken     bytes that it has acknowledged so far; looked at only while it is waited for
 */
seed_verdict seed_peer_tick(seed_peer *peer, int writable, apr_uint64_t taken, apr_time_t now);

/** Bytes of a piece: the last one may be shorter. The piece must exist. */
apr_uint32_t seed_content_piece_size(const seed_content *content, apr_uint32_t piece);

/**
 * May a peer ask for this block? libtorrent 2.0 takes the last piece of a v2-only torrent for a full one and asks for its
 * last block in full: such a block may run past the end of the file, where it is zeros, as in the Merkle tree's leaves.
 */
int seed_content_has_block(const seed_content *content, const seed_block *block);

/** Bytes of a bitfield of this content. */
apr_uint32_t seed_content_bitfield(const seed_content *content);

#endif
