#include "base/infohash.h"

#include <string.h>

bt_infohash bt_infohash_truncate(const bt_infohash_v2 *full)
{
    bt_infohash cut;

    memcpy(cut.b, full->b, sizeof cut.b);
    return cut;
}

int bt_infohash_equal(const bt_infohash *a, const bt_infohash *b)
{
    return memcmp(a->b, b->b, sizeof a->b) == 0;
}

int bt_infohash_is_zero(const bt_infohash *hash)
{
    static const bt_infohash zero;

    return bt_infohash_equal(hash, &zero);
}

void bt_hex(char *out, const unsigned char *bytes, apr_size_t size)
{
    static const char digits[] = "0123456789abcdef";

    for (apr_size_t i = 0; i < size; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out = '\0';
}

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

apr_ssize_t bt_percent_decode(unsigned char *out, apr_size_t capacity, const char *text, apr_size_t length)
{
    apr_size_t used = 0;

    for (apr_size_t i = 0; i < length; i++) {
        int byte = (unsigned char)text[i];

        if (byte == '%') {
            int whole = length - i > 2;
            int high = whole ? hex_value(text[i + 1]) : -1;
            int low = whole ? hex_value(text[i + 2]) : -1;

            if (high < 0 || low < 0)
                return -1;
            byte = high * 16 + low;
            i += 2;
        }
        if (used == capacity)
            return -1;
        out[used++] = (unsigned char)byte;
    }
    return (apr_ssize_t)used;
}
