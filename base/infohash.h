/* Info-hashes: 20 bytes on the wire (SHA-1 of a v1 infodict, or SHA-256 of a v2 infodict cut to 20), 32 in full for v2. */
#ifndef BT_INFOHASH_H
#define BT_INFOHASH_H

#include <apr_general.h>

enum { BT_HASH_SIZE = 20, BT_HASH_V2_SIZE = 32 };

typedef struct {
    unsigned char b[BT_HASH_SIZE];
} bt_infohash;

typedef struct {
    unsigned char b[BT_HASH_V2_SIZE];
} bt_infohash_v2;

/** The 20 bytes by which trackers and handshakes know a v2 torrent (BEP 52). */
bt_infohash bt_infohash_truncate(const bt_infohash_v2 *full);

int bt_infohash_equal(const bt_infohash *a, const bt_infohash *b);

/** Is every byte zero? That is how "no hash of this kind" is stored. */
int bt_infohash_is_zero(const bt_infohash *hash);

/** Writes 2 * size lower-case hex digits and a NUL. */
void bt_hex(char *out, const unsigned char *bytes, apr_size_t size);

/**
 * Undoes percent-encoding of raw bytes: literal and %xx mixed, either case of hex, NULs allowed, "+" is a plus.
 * @param capacity  room in out, bytes
 * @return the number of bytes written, or -1 if an escape is broken or the result does not fit
 */
apr_ssize_t bt_percent_decode(unsigned char *out, apr_size_t capacity, const char *text, apr_size_t length);

#endif
