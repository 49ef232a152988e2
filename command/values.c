#include "command/values.h"

#include <string.h>

#include "base/digits.h"
#include "torrentgen/infodict.h"

enum { THREADS_MAX = 256 };

const char *cmd_read_size(const char *text, apr_int64_t *bytes)
{
    static const char units[] = "KMGT";
    const char *unit = bt_read_digits(text, bytes), *known;
    int shift = 0;

    if (!unit)
        return "is not a size: a number with K, M, G or T expected";
    if (*unit) {
        char upper = *unit >= 'a' ? (char)(*unit - 'a' + 'A') : *unit;

        known = strchr(units, upper);
        if (!known || unit[1])
            return "has an unknown unit: K, M, G or T expected";
        shift = 10 * (int)(known - units + 1);
    }
    if (*bytes > APR_INT64_MAX >> shift)
        return "is too large";
    *bytes <<= shift;
    return NULL;
}

const char *cmd_read_piece_length(const char *text, apr_uint32_t *piece_length)
{
    apr_int64_t bytes;
    const char *wrong;

    *piece_length = 0;
    if (strcmp(text, "auto") == 0)
        return NULL;
    if ((wrong = cmd_read_size(text, &bytes)) != NULL)
        return wrong;
    if (bytes > TG_PIECE_MAX || !tg_piece_length_is_good((apr_uint32_t)bytes))
        return "is no piece size: a power of two from 16K to 16M expected";
    *piece_length = (apr_uint32_t)bytes;
    return NULL;
}

const char *cmd_read_version(const char *text, tg_version *version)
{
    if (strcmp(text, "v1") == 0 || strcmp(text, "1") == 0)
        *version = TG_V1;
    else if (strcmp(text, "v2") == 0 || strcmp(text, "2") == 0)
        *version = TG_V2;
    else if (strcmp(text, "hybrid") == 0)
        *version = TG_HYBRID;
    else
        return "is no version: v1, v2 or hybrid expected";
    return NULL;
}

const char *cmd_read_threads(const char *text, int *threads)
{
    apr_int64_t value;
    const char *end;

    *threads = 0;
    if (strcmp(text, "auto") == 0)
        return NULL;
    end = bt_read_digits(text, &value);
    if (!end || *end || value < 1 || value > THREADS_MAX)
        return "is no number of threads: auto, or 1 to 256 expected";
    *threads = (int)value;
    return NULL;
}

const char *cmd_read_url(const char *text)
{
    const char *colon = strstr(text, "://");

    if (!colon || colon == text || !colon[3])
        return "is no URL: SCHEME://HOST expected";
    for (const char *at = text; *at; at++)
        if (*at <= ' ' || *at > '~')
            return "is no URL: it has a character that must be percent-encoded";
    for (const char *at = text; at < colon; at++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.", *at))
            return "is no URL: SCHEME://HOST expected";
    return NULL;
}

const char *cmd_version_text(tg_version version)
{
    return version == TG_HYBRID ? "hybrid" : version == TG_V2 ? "v2" : "v1";
}
