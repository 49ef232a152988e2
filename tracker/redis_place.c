#include "tracker/redis_place.h"

#include <apr_lib.h>
#include <string.h>

#include "base/digits.h"
#include "base/infohash.h"

enum { DATABASES = 1000000 };

/* @return 0 if it is too long, or has a bad escape or a NUL */
static int unescape(const char *from, const char *end, char *to, apr_size_t size)
{
    apr_ssize_t length = bt_percent_decode((unsigned char *)to, size - 1, from, (apr_size_t)(end - from));

    if (length < 0 || memchr(to, 0, (apr_size_t)length))
        return 0;
    to[length] = 0;
    return 1;
}

static int is_host(const char *host, apr_size_t length, int is_v6)
{
    for (apr_size_t i = 0; i < length; i++)
        if (!apr_isalnum(host[i]) && !strchr(is_v6 ? ":.%" : "-._", host[i]))
            return 0;
    return length > 0;
}

/* @return what follows the host, or NULL */
static const char *read_host(const char *at, trk_redis_place *place)
{
    int is_v6 = *at == '[';
    const char *begin = at + is_v6, *end = is_v6 ? strchr(begin, ']') : begin + strcspn(begin, ":/");
    apr_size_t length = end ? (apr_size_t)(end - begin) : 0;

    if (!end || length >= sizeof place->host || !is_host(begin, length, is_v6))
        return NULL;
    memcpy(place->host, begin, length);
    place->host[length] = 0;
    return end + is_v6;
}

static int read_number(const char **at, apr_int64_t least, apr_int64_t most, int *number)
{
    apr_int64_t value;
    const char *end = bt_read_digits(*at, &value);

    if (!end || value < least || value > most)
        return 0;
    *number = (int)value;
    *at = end;
    return 1;
}

static const char *read_login(const char *begin, const char *end, trk_redis_place *place)
{
    const char *colon = memchr(begin, ':', (apr_size_t)(end - begin));

    if (!colon || !unescape(begin, colon, place->user, sizeof place->user) ||
        !unescape(colon + 1, end, place->password, sizeof place->password) || !place->password[0])
        return "has no password as in redis://:PASSWORD@HOST";
    return NULL;
}

const char *trk_redis_place_read(const char *url, trk_redis_place *place)
{
    static const char scheme[] = "redis://";
    const char *at = url + sizeof scheme - 1, *login_end, *wrong;

    memset(place, 0, sizeof *place);
    place->port = TRK_REDIS_PORT;
    if (strncasecmp(url, scheme, sizeof scheme - 1) != 0)
        return "is unknown: shm or redis://[:PASSWORD@]HOST[:PORT][/DB] expected";
    if ((login_end = strrchr(at, '@')) != NULL) {
        if ((wrong = read_login(at, login_end, place)) != NULL)
            return wrong;
        at = login_end + 1;
    }
    if (!(at = read_host(at, place)))
        return "has no host that could be one";
    if (*at == ':' && (++at, !read_number(&at, 1, 65535, &place->port)))
        return "has a port that is none";
    if (*at == '/' && *++at && !read_number(&at, 0, DATABASES, &place->database))
        return "has a database that is no number";
    return *at ? "has something after its end" : NULL;
}
