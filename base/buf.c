#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void bt_buf_init(bt_buf *buf, apr_size_t max)
{
    memset(buf, 0, sizeof *buf);
    buf->max = max;
}

void bt_buf_free(bt_buf *buf)
{
    free(buf->data);
    bt_buf_init(buf, buf->max);
}

void bt_buf_reset(bt_buf *buf)
{
    buf->length = 0;
    buf->status = APR_SUCCESS;
}

static apr_status_t grow_to(bt_buf *buf, apr_size_t needed)
{
    apr_size_t capacity = buf->capacity ? buf->capacity : 64;
    unsigned char *data;

    while (capacity < needed && capacity <= buf->max / 2)
        capacity *= 2;
    if (capacity < needed || capacity > buf->max)
        capacity = buf->max;
    data = realloc(buf->data, capacity ? capacity : 1);
    if (!data)
        return APR_ENOMEM;
    buf->data = data;
    buf->capacity = capacity;
    return APR_SUCCESS;
}

apr_status_t bt_buf_reserve(bt_buf *buf, apr_size_t length)
{
    if (buf->status != APR_SUCCESS)
        return buf->status;
    if (length > buf->max - buf->length)
        return buf->status = APR_ENOSPC;
    if (buf->length + length > buf->capacity || !buf->data)
        buf->status = grow_to(buf, buf->length + length);
    return buf->status;
}

unsigned char *bt_buf_extend(bt_buf *buf, apr_size_t length)
{
    unsigned char *start;

    if (bt_buf_reserve(buf, length) != APR_SUCCESS)
        return NULL;
    start = buf->data + buf->length;
    buf->length += length;
    return start;
}

apr_status_t bt_buf_add(bt_buf *buf, const void *bytes, apr_size_t length)
{
    unsigned char *start = bt_buf_extend(buf, length);

    if (start && length)
        memcpy(start, bytes, length);
    return buf->status;
}

apr_status_t bt_buf_add_string(bt_buf *buf, const char *text)
{
    return bt_buf_add(buf, text, strlen(text));
}

apr_status_t bt_buf_printf(bt_buf *buf, const char *format, ...)
{
    char small[256];
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    if (length < 0)
        return buf->status = APR_EINVAL;
    if ((apr_size_t)length < sizeof small)
        return bt_buf_add(buf, small, (apr_size_t)length);
    if (buf->status == APR_SUCCESS && (apr_size_t)length > buf->max - buf->length)
        buf->status = APR_ENOSPC;
    if (buf->status != APR_SUCCESS)
        return buf->status;

    char *large = malloc((apr_size_t)length + 1);
    if (!large)
        return buf->status = APR_ENOMEM;
    va_start(args, format);
    vsnprintf(large, (apr_size_t)length + 1, format, args);
    va_end(args);
    bt_buf_add(buf, large, (apr_size_t)length);
    free(large);
    return buf->status;
}

void bt_buf_consume(bt_buf *buf, apr_size_t length)
{
    if (length > buf->length)
        length = buf->length;
    buf->length -= length;
    if (buf->length)
        memmove(buf->data, buf->data + length, buf->length);
}
