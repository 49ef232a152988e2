/* A growing byte buffer whose greatest size is named at creation: nothing from the network can make it larger. */
#ifndef BT_BUF_H
#define BT_BUF_H

#include <apr_errno.h>
#include <apr_general.h>

/* Owned by one thread at a time. After the first failure `status` stays set and further writes do nothing, so that a
 * writer may check once at the end. */
typedef struct {
    unsigned char *data; /* malloc'd, NULL while empty */
    apr_size_t length;   /* bytes in use */
    apr_size_t capacity; /* bytes allocated, never above max */
    apr_size_t max;      /* bytes */
    apr_status_t status; /* APR_SUCCESS, APR_ENOMEM, or APR_ENOSPC when max was reached */
} bt_buf;

void bt_buf_init(bt_buf *buf, apr_size_t max);

/** Frees the memory; the buffer can be used again. */
void bt_buf_free(bt_buf *buf);

/** Forgets the contents and any failure, keeps the memory. */
void bt_buf_reset(bt_buf *buf);

/** @return APR_SUCCESS, APR_ENOSPC or APR_ENOMEM; on failure nothing was added */
apr_status_t bt_buf_add(bt_buf *buf, const void *bytes, apr_size_t length);
apr_status_t bt_buf_add_string(bt_buf *buf, const char *text);
apr_status_t bt_buf_printf(bt_buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Makes room for `length` more bytes at once, so that adding them allocates nothing. @return as bt_buf_add */
apr_status_t bt_buf_reserve(bt_buf *buf, apr_size_t length);

/** Makes room for `length` more bytes and returns where they go (length is added), or NULL on failure. */
unsigned char *bt_buf_extend(bt_buf *buf, apr_size_t length);

/** Drops `length` bytes (at most all) from the front. */
void bt_buf_consume(bt_buf *buf, apr_size_t length);

#endif
