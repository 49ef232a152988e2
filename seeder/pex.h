/* Peer exchange (BEP 11): what our peers are told of each other, and what they tell us. A swarm has a journal of who came and
 * who left; each peer stands somewhere in it, so that nobody's list of what was told to whom is kept. No I/O, no clock. */
#ifndef SEED_PEX_H
#define SEED_PEX_H

#include <apr_time.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/reach.h"

enum {
    SEED_PEX_MOST = 50,      /* peers added in one message, and as many dropped */
    SEED_PEX_SECONDS = 60,   /* between two messages to a peer */
    SEED_PEX_FIRST = 2,      /* seconds until the first one: others may come meanwhile */
    SEED_PEX_JOURNAL = 1024, /* events of a large swarm; a small one has 16 */
    SEED_PEX_HEARD = 1000    /* peers that one peer may claim to know */
};

/* Flags of a peer that is told of. */
enum { SEED_PEX_ENCRYPTS = 1, SEED_PEX_IS_SEED = 2 };

/* Where a peer listens. */
typedef struct {
    unsigned char ip[16]; /* IPv4: the first four */
    apr_uint16_t port;    /* host order; 0: not known */
    unsigned char is_v6;
    unsigned char reach; /* bt_reach */
} seed_pex_address;

/* What is kept of one peer. */
typedef struct {
    seed_pex_address address;
    unsigned char flags; /* others are told */
    unsigned char begun; /* it was told of some, and stands at `told` in the journal */
    apr_uint16_t knows;  /* how many it says it is connected to */
    apr_uint32_t told;
    apr_time_t next; /* it is told nothing before */
} seed_pex_peer;

/* Who came and who left, the latest of them; malloc'd. */
typedef struct seed_pex_journal seed_pex_journal;

/* One message. */
typedef struct {
    seed_pex_address added[SEED_PEX_MOST], dropped[SEED_PEX_MOST];
    unsigned char flags[SEED_PEX_MOST]; /* of those added */
    int added_count, dropped_count;
} seed_pex_news;

/** Takes the address of a connected socket. The port stays 0. */
void seed_pex_address_of(seed_pex_address *address, const struct sockaddr *peer, socklen_t length);

/** May one be told of the other? Only within the same reach, and nobody of himself. */
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

/**
 * Reads a peer's message, for how many it has met and left.
 * @return APR_EINVAL if it is none, or larger than anybody needs
 */
apr_status_t seed_pex_read(const unsigned char *bytes, apr_size_t length, apr_uint32_t *added, apr_uint32_t *dropped);

#endif
