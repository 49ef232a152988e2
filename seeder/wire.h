/* The peer wire codec (BEP 3, 6, 10, 52): bytes to messages and back. No I/O, no clock, no memory of its own. */
#ifndef PW_WIRE_H
#define PW_WIRE_H

#include "base/buf.h"
#include "base/infohash.h"

enum {
    PW_HANDSHAKE_SIZE = 68,
    PW_HANDSHAKE_HASH_END = 48, /* the bytes up to and with the info-hash */
    PW_PEER_ID_SIZE = 20,
    PW_PIECE_HEADER = 13,       /* length, id, piece, begin: what stands before a block */
    PW_BLOCK_MAX = 128 * 1024,  /* bytes of the largest request that is served */
    PW_IGNORED_MAX = 64 * 1024, /* bytes of the largest extension message that is passed over */
    PW_EXTENDED_MAX = 8 * 1024, /* bytes of the largest one that is read */
    PW_HASH_REQUEST_BODY = 48   /* root and four integers */
};

/* Reserved bits of the handshake. */
enum { PW_BYTE_EXTENDED = 5, PW_BIT_EXTENDED = 0x10, PW_BYTE_FAST = 7, PW_BIT_FAST = 0x04, PW_BYTE_V2 = 7, PW_BIT_V2 = 0x10 };

typedef enum {
    PW_CHOKE = 0,
    PW_UNCHOKE = 1,
    PW_INTERESTED = 2,
    PW_NOT_INTERESTED = 3,
    PW_HAVE = 4,
    PW_BITFIELD = 5,
    PW_REQUEST = 6,
    PW_PIECE = 7,
    PW_CANCEL = 8,
    PW_PORT = 9,
    PW_SUGGEST = 13,
    PW_HAVE_ALL = 14,
    PW_HAVE_NONE = 15,
    PW_REJECT = 16,
    PW_ALLOWED_FAST = 17,
    PW_EXTENDED = 20,
    PW_HASH_REQUEST = 21,
    PW_HASHES = 22,
    PW_HASH_REJECT = 23,
    PW_KEEP_ALIVE = 256 /* not on the wire: a message of length zero */
} pw_id;

typedef struct {
    unsigned char reserved[8];
    bt_infohash hash;
    unsigned char peer_id[PW_PEER_ID_SIZE];
} pw_handshake;

/** Can these first bytes (any number) become a handshake? */
int pw_handshake_plausible(const unsigned char *bytes, apr_size_t length);

/** Reads reserved bits and info-hash from PW_HANDSHAKE_HASH_END bytes, which pw_handshake_plausible() has passed. */
void pw_handshake_read(const unsigned char *bytes, pw_handshake *handshake);

void pw_handshake_write(unsigned char out[PW_HANDSHAKE_SIZE], const pw_handshake *handshake);

/* What this connection may send us, as far as the codec must know. */
typedef struct {
    apr_uint32_t bitfield; /* bytes of a bitfield of this torrent */
    int fast;              /* the fast extension was negotiated */
    int v2;                /* both sides speak v2: hash requests may come */
    int extended;          /* both sides speak the extension protocol; else its messages are passed over */
} pw_bounds;

typedef struct {
    pw_id id;
    apr_uint32_t piece, begin, length; /* of request and cancel; `piece` of have and suggest */
    const unsigned char *body;         /* after the id; points into the bytes that were given */
    apr_uint32_t body_length;
} pw_message;

typedef enum {
    PW_MORE,       /* the bytes end within a message */
    PW_READ,       /* one message was read */
    PW_SKIP,       /* *used bytes, then body_length more, are to be passed over: an extension nobody negotiated, or too long */
    PW_BAD_LENGTH, /* longer than anything allowed here, or wrong for its id */
    PW_BAD_ID      /* unknown, not negotiated, or of no use to a seed */
} pw_result;

/**
 * Reads the first message. Faults are found as soon as the length (4 bytes) and the id (5 bytes) are there, so that a
 * caller never keeps more than the largest good message.
 * @param used  bytes to drop from the front, for PW_READ and PW_SKIP
 */
pw_result pw_next(const unsigned char *bytes, apr_size_t length, const pw_bounds *bounds, pw_message *message,
                  apr_size_t *used);

/* Writing: each appends one message; failures stick in out->status. */

/** Choke, unchoke, have all and the like: no body. */
void pw_add_plain(bt_buf *out, pw_id id);
void pw_add_keep_alive(bt_buf *out);

/** A bitfield of `pieces` ones and zero spare bits. */
void pw_add_full_bitfield(bt_buf *out, apr_uint32_t pieces);
void pw_add_have(bt_buf *out, apr_uint32_t piece);
void pw_add_reject(bt_buf *out, apr_uint32_t piece, apr_uint32_t begin, apr_uint32_t length);

/** Refuses a hash request: the same fields come back. @param body  PW_HASH_REQUEST_BODY bytes */
void pw_add_hash_reject(bt_buf *out, const unsigned char *body);

/** Answers a hash request: the same fields come back, and hashes behind them. @return where these go, 32 bytes each, or NULL */
unsigned char *pw_add_hashes(bt_buf *out, const unsigned char *body, apr_uint32_t count);

/** Opens an extension message (BEP 10), whose bytes follow. @param id  under which the peer takes it
 *  @return what pw_end_extended takes */
apr_size_t pw_begin_extended(bt_buf *out, unsigned char id);

/** Closes it: its length is known now. */
void pw_end_extended(bt_buf *out, apr_size_t start);

/** Writes what stands before a block of `length` bytes. */
void pw_piece_header(unsigned char out[PW_PIECE_HEADER], apr_uint32_t piece, apr_uint32_t begin, apr_uint32_t length);

/* Big-endian integers. */
apr_uint32_t pw_get_u32(const unsigned char *bytes);
void pw_put_u32(unsigned char *out, apr_uint32_t value);

#endif
