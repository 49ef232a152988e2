/* The stream after an encrypted handshake: RC4 both ways, or plain once the peer's first bytes (IA, which are always
 * encrypted) are read. A plain peer has none of this, and costs one comparison. */
#ifndef SEED_STREAM_H
#define SEED_STREAM_H

#include "seeder/mse.h"

/* How a peer speaks. The numbers are those of hand-over records. */
typedef enum {
    SEED_CRYPT_UNKNOWN = 0,   /* it has not said enough */
    SEED_CRYPT_NONE = 1,      /* it began in plain */
    SEED_CRYPT_HANDSHAKE = 2, /* its encrypted handshake is under way */
    SEED_CRYPT_PLAIN = 3,     /* encrypted handshake, plain stream */
    SEED_CRYPT_RC4 = 4        /* encrypted handshake, RC4 stream */
} seed_crypt;

/* malloc'd; of a plain stream only until its encrypted part is read. */
typedef struct {
    seed_rc4 in, out;
    int rc4;           /* the whole stream is encrypted, both ways */
    apr_uint32_t left; /* else: encrypted bytes that are still to come */
    apr_uint32_t raw;  /* bytes of the peer's `out` that are the handshake's, and go as they are */
} seed_stream;

/** @param mse  is done. @param raw  bytes of our answer that are not sent yet */
void seed_stream_init(seed_stream *stream, const seed_mse *mse, apr_size_t raw);

/** Decrypts what came, in place. */
void seed_stream_open(seed_stream *stream, unsigned char *bytes, apr_size_t length);

/** Is it of no more use, all that comes being plain? */
int seed_stream_is_over(const seed_stream *stream);

/** Is what goes out encrypted? */
int seed_stream_seals(const seed_stream *stream);

/** Encrypts what is to be sent, elsewhere or in place. */
void seed_stream_seal(seed_stream *stream, unsigned char *to, const unsigned char *from, apr_size_t length);

/** The last so many bytes that were sealed were not sent: they will be sealed again. */
void seed_stream_unseal(seed_stream *stream, apr_size_t length);

#endif
