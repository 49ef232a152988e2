/* Message stream encryption, the side that is called: the handshake as a state machine. Bytes in, bytes and questions out;
 * no socket, no clock, no chance (the dice are thrown by the caller). A peer has one only while its handshake lasts.
 * Source: the "Message Stream Encryption" page of the Vuze wiki, which every client follows.
 *
 *     1  they    Ya, PadA                              96 bytes, 0 to 512
 *     2  we      Yb, PadB                              likewise
 *     3  they    HASH('req1', S), HASH('req2', SKEY) xor HASH('req3', S),
 *                RC4(VC, crypto_provide, len(PadC), PadC, len(IA)), RC4(IA)
 *     4  we      RC4(VC, crypto_select, len(PadD), PadD), then the stream that was selected
 *     5  they    the stream that was selected */
#ifndef SEED_MSE_H
#define SEED_MSE_H

#include "base/buf.h"
#include "base/infohash.h"
#include "seeder/dh.h"
#include "seeder/rc4.h"

enum {
    SEED_MSE_PAD_MAX = 512, /* bytes of each padding */
    SEED_MSE_BUFFER = 1024  /* enough for the longest part: PadA, and two hashes */
};

/* Bits of crypto_provide and crypto_select. */
enum { SEED_MSE_PLAIN = 1, SEED_MSE_RC4 = 2 };

/* The numbers are those of hand-over records. */
typedef enum {
    SEED_MSE_KEY = 0,   /* Ya is awaited */
    SEED_MSE_SYNC = 1,  /* PadA is passed over, up to HASH('req1', S) */
    SEED_MSE_HASH = 2,  /* the hash that names the torrent is awaited, or being looked up */
    SEED_MSE_OFFER = 3, /* VC to len(PadC) */
    SEED_MSE_PAD = 4,   /* PadC and len(IA) */
    SEED_MSE_END = 5    /* all is said, or it is wrong */
} seed_mse_phase;

typedef struct {
    seed_mse_phase phase;
    unsigned choices;                     /* streams that we speak: SEED_MSE_PLAIN, SEED_MSE_RC4 */
    unsigned selected;                    /* one of them, once it is settled */
    apr_uint32_t initial;                 /* bytes of IA, once it is done */
    apr_uint32_t pad;                     /* bytes of PadC */
    apr_uint32_t pad_d;                   /* bytes of our PadD */
    unsigned char secret[SEED_DH_SIZE];   /* S */
    unsigned char obfuscated[BT_HASH_SIZE]; /* HASH('req2', SKEY) */
    seed_rc4 in, out;                     /* once the torrent is found */
    apr_uint32_t length;                  /* bytes in `bytes` */
    unsigned char bytes[SEED_MSE_BUFFER];
} seed_mse;

typedef enum {
    SEED_MSE_MORE,  /* more bytes are needed */
    SEED_MSE_AGREE, /* their key is there: call seed_mse_agree, which costs time */
    SEED_MSE_FIND,  /* look `obfuscated` up, and call seed_mse_found */
    SEED_MSE_DONE,  /* `selected`, `in`, `out` and `initial` are set, `bytes` is what follows the handshake */
    SEED_MSE_WRONG  /* no such handshake, or nothing that both speak */
} seed_mse_event;

/* What is drawn by lot for one handshake. */
typedef struct {
    unsigned char private_key[SEED_DH_PRIVATE_SIZE];
    unsigned char pad_b[SEED_MSE_PAD_MAX];
    apr_uint32_t pad_b_length, pad_d_length; /* at most SEED_MSE_PAD_MAX each */
} seed_mse_dice;

/** @param choices  streams that may be selected, at least one; plain is preferred if both sides take it */
void seed_mse_init(seed_mse *mse, unsigned choices);

/** The most bytes that seed_mse_step takes now; 0 only while its question is open. */
apr_size_t seed_mse_room(const seed_mse *mse);

/**
 * Takes what came, at most seed_mse_room bytes (none: goes on after a question was answered).
 * @param reply  our part is appended, to be sent as it is
 */
seed_mse_event seed_mse_step(seed_mse *mse, const unsigned char *bytes, apr_size_t length, bt_buf *reply);

/** Answers SEED_MSE_AGREE. @return APR_EINVAL if their key is none; APR_ENOMEM, reply->status */
apr_status_t seed_mse_agree(seed_mse *mse, const seed_mse_dice *dice, bt_buf *reply);

/** Answers SEED_MSE_FIND with the info-hash whose HASH('req2', SKEY) it is. */
void seed_mse_found(seed_mse *mse, const bt_infohash *key);

/** The SHA-1 of a word of four letters and further bytes, as the handshake has many. @param b  may be NULL */
void seed_mse_hash(unsigned char out[BT_HASH_SIZE], const char *word, const unsigned char *a, apr_size_t a_length,
                   const unsigned char *b, apr_size_t b_length);

/** Sets up one direction: 'keyA' is what the side encrypts with that calls, 'keyB' the other. */
void seed_mse_key(seed_rc4 *state, const char *word, const unsigned char secret[SEED_DH_SIZE], const bt_infohash *key);

#endif
