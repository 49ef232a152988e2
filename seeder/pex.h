/* Peer exchange (BEP 11): what our peers are told of each other, and what they tell us. A swarm has a journal of who came and
 * who left; each peer stands somewhere in it, so that nobody's list of what was told to whom is kept. No I/O, no clock. */
#ifndef SEED_PEX_H
#define SEED_PEX_H

#include <apr_time.h>

#include "base/buf.h"
#include "base/reach.h"
#include "seeder/record.h"

enum {
    SEED_PEX_MOST = 50,      /* peers added in one message, and as many dropped */
    SEED_PEX_JOURNAL = 1024, /* events of a large swarm; a small one has 16 */
    SEED_PEX_HEARD = 1000,   /* peers that one message may name */
    SEED_PEX_OUT = 16 * 1024 /* unsent bytes beyond which a peer is told later */
};

/* Flags of a peer that is told of. */
enum { SEED_PEX_ENCRYPTS = 1, SEED_PEX_IS_SEED = 2 };

/* By which info-hashes of a torrent a peer can be met, as bits: those that it came by, or has shown to know. */
enum { SEED_PEX_V1 = 1, SEED_PEX_V2 = 2, SEED_PEX_KEYLESS = 4, SEED_PEX_ALONE = 8 };

/* Where a peer listens, and who can talk to it there. */
typedef struct {
    unsigned char ip[16]; /* IPv4: the first four */
    apr_uint16_t port;    /* host order; 0: not known */
    unsigned char is_v6;
    unsigned char reach : 4; /* bt_reach */
    unsigned char hashes : 4;
} seed_pex_address;

/* What is kept of one peer. All zero before its handshake of extensions. */
typedef struct {
    apr_time_t next;         /* it is told nothing before; 0: nothing at all yet */
    apr_uint32_t told;       /* it knows what the journal says before this place */
    apr_uint16_t knows;      /* how many it says it is connected to */
    unsigned char named : 1; /* others are told of it */
    unsigned char begun : 1; /* it was told of who was there */
    unsigned char resume : 1; /* it was, by another seeder, whose journal is gone: who is there is said once more */
} seed_pex_peer;

/* Who came and who left, the latest of them; malloc'd. */
typedef struct seed_pex_journal seed_pex_journal;

/* One message. */
typedef struct {
    seed_pex_address added[SEED_PEX_MOST], dropped[SEED_PEX_MOST];
    unsigned char flags[SEED_PEX_MOST]; /* of those added */
    int added_count, dropped_count;
} seed_pex_news;

/**
 * Fills in where a peer listens.
 * @param ip      4 or 16 bytes, see `length`; a v4-mapped address becomes IPv4
 * @param length  0: not known, then nobody is told
 */
void seed_pex_address_set(seed_pex_address *address, const unsigned char *ip, int length, apr_uint16_t port, unsigned hashes);

/** May one be told of the other? Only within the same reach, by an info-hash that both know, and nobody of himself. */
int seed_pex_may_tell(const seed_pex_address *to, const seed_pex_address *of);

/**
 * Writes down that a peer came or left.
 * @param journal  NULL before the first; stays as it was when memory is short
 * @param peers    of the swarm: how long the journal should be
 */
void seed_pex_note(seed_pex_journal **journal, int peers, const seed_pex_address *who, unsigned char flags, int came);
void seed_pex_free(seed_pex_journal *journal);

/** Where the journal ends. */
apr_uint32_t seed_pex_end(const seed_pex_journal *journal);

/** Adds one to a message, if it may be told and there is room. @return 0 when the message is full */
int seed_pex_add(seed_pex_news *news, const seed_pex_address *to, const seed_pex_address *of, unsigned char flags);

/**
 * Fills a message with what happened since a place in the journal, without who came and left again.
 * @return the place up to which it goes: the next message begins there
 */
apr_uint32_t seed_pex_since(const seed_pex_journal *journal, apr_uint32_t since, const seed_pex_address *to,
                            seed_pex_news *news);

/** Appends a message's dictionary. @return out->status */
apr_status_t seed_pex_write(bt_buf *out, const seed_pex_news *news);

/** Counts whom a peer says that it met and left. What is no message counts nothing. */
void seed_pex_hear(seed_pex_peer *peer, const unsigned char *bytes, apr_size_t length);

/* Its section of hand-over records. */
void seed_pex_save(bt_buf *out, const seed_pex_peer *peer);
apr_status_t seed_pex_restore(seed_record *in, seed_pex_peer *peer);

/**
 * Reads a peer's message, for how many it has met and left.
 * @return APR_EINVAL if it is none, or larger than anybody needs
 */
apr_status_t seed_pex_read(const unsigned char *bytes, apr_size_t length, apr_uint32_t *added, apr_uint32_t *dropped);

#endif
