#include "torrentgen/name.h"

#include <string.h>

#include "base/utf8.h"

enum { NAME_MAX_BYTES = 255 };

const char *tg_name_of(apr_pool_t *pool, const char *path)
{
    static const char digits[] = "0123456789ABCDEF";
    const char *slash = strrchr(path, '/');
    const unsigned char *at = (const unsigned char *)(slash ? slash + 1 : path);
    char *name = apr_palloc(pool, NAME_MAX_BYTES + 1), *out = name, *end = name + NAME_MAX_BYTES;

    while (*at) {
        int length = bt_utf8_length(at);

        if (end - out < (length ? length : 3))
            break;
        if (length == 0) {
            *out++ = '%';
            *out++ = digits[*at >> 4];
            *out++ = digits[*at++ & 15];
        }
        while (length-- > 0)
            *out++ = (char)*at++;
    }
    *out = '\0';
    return name;
}
