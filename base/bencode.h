/* Bencoding (BEP 3). Reading is a walk over bytes that stay where they are: nothing is copied or allocated, depth is
 * bounded, and every value knows its own span, so that the infodict can be hashed as it stands. */
#ifndef BT_BENCODE_H
#define BT_BENCODE_H

#include "base/buf.h"

enum { BT_BENCODE_MAX_DEPTH = 32 };

typedef enum { BT_BEN_INTEGER, BT_BEN_STRING, BT_BEN_LIST, BT_BEN_DICT } bt_ben_type;

/* One value. `raw` is its whole encoding; points into the caller's bytes and lives as long as they do. */
typedef struct {
    bt_ben_type type;
    const unsigned char *raw;
    apr_size_t raw_length;
    apr_int64_t integer;         /* of an integer */
    const unsigned char *string; /* of a string: its bytes; of a list or dictionary: its contents without "l"/"d" and "e" */
    apr_size_t string_length;
} bt_ben;

/**
 * Reads the first value of `bytes` and checks all that is inside it: canonical integers, lengths within bounds, depth,
 * dictionary keys being strings, sorted and unique.
 * @return APR_SUCCESS; APR_EINVAL if it is no bencoding, APR_ENOSPC if nested too deep
 */
apr_status_t bt_ben_read(const unsigned char *bytes, apr_size_t length, bt_ben *value);

/** The same, but keys may be in any order, or repeated (the first counts): torrents in the wild. */
apr_status_t bt_ben_read_lenient(const unsigned char *bytes, apr_size_t length, bt_ben *value);

/** Finds a key of a checked dictionary. @return 1 if found and of that type, else 0 */
int bt_ben_get(const bt_ben *dict, const char *key, bt_ben_type type, bt_ben *value);

/* Steps through a checked list or dictionary. */
typedef struct {
    const unsigned char *at, *end;
    int is_dict;
} bt_ben_iter;

void bt_ben_iterate(const bt_ben *container, bt_ben_iter *iter);

/** @param key  filled for dictionaries, may be NULL. @return 1, or 0 at the end */
int bt_ben_next(bt_ben_iter *iter, bt_ben *key, bt_ben *value);

/* Writing: dictionaries and lists are opened with 'd' and 'l', closed with 'e'; the caller sorts keys. Failures stick
 * in buf->status. */
void bt_ben_add_string(bt_buf *buf, const void *bytes, apr_size_t length);
void bt_ben_add_text(bt_buf *buf, const char *text);
void bt_ben_add_integer(bt_buf *buf, apr_int64_t value);
void bt_ben_open(bt_buf *buf, char kind);
void bt_ben_close(bt_buf *buf);

#endif
