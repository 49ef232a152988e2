#include "base/digits.h"

#include <stddef.h>

const char *bt_read_digits(const char *text, apr_int64_t *value)
{
    const char *at = text;

    for (*value = 0; *at >= '0' && *at <= '9'; at++) {
        if (*value > (APR_INT64_MAX - (*at - '0')) / 10)
            return NULL;
        *value = *value * 10 + (*at - '0');
    }
    return at == text ? NULL : at;
}

char *bt_write_digits(char *end, apr_uint64_t value)
{
    do
        *--end = (char)('0' + value % 10);
    while (value /= 10);
    return end;
}
