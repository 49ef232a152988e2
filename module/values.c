#include "module/values.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/digits.h"

const char *bth_read_size(const char *text, apr_int64_t *bytes)
{
    const char *unit = bt_read_digits(text, bytes);
    int shift = 0;

    if (!unit)
        return "is not a size: a number with K, M or G expected";
    if (*unit) {
        const char *known = strchr("kKmMgG", *unit);

        if (!known || unit[1])
            return "has an unknown unit: K, M or G expected";
        shift = *unit == 'k' || *unit == 'K' ? 10 : *unit == 'm' || *unit == 'M' ? 20 : 30;
    }
    if (*bytes > APR_INT64_MAX >> shift)
        return "is too large";
    *bytes <<= shift;
    return NULL;
}

const char *bth_read_number(const char *text, int least, int most, int *number)
{
    apr_int64_t value;
    const char *end = bt_read_digits(text, &value);

    if (!end || *end)
        return "is not a number";
    if (value < least || value > most)
        return "is out of range";
    *number = (int)value;
    return NULL;
}

static const char *read_port(const char *text, trk_address *address)
{
    int port;

    if (bth_read_number(text, 1, 65535, &port))
        return "is not a port: 1 to 65535 expected";
    address->port = (apr_uint16_t)port;
    return NULL;
}

static int read_ip(const char *text, apr_size_t length, trk_address *address)
{
    char copy[INET6_ADDRSTRLEN];

    if (length >= sizeof copy)
        return 0;
    memcpy(copy, text, length);
    copy[length] = '\0';
    address->is_v6 = memchr(copy, ':', length) != NULL;
    return inet_pton(address->is_v6 ? AF_INET6 : AF_INET, copy, address->ip) == 1;
}

const char *bth_read_address(const char *text, trk_address *address, int *has_ip)
{
    const char *colon = strrchr(text, ':');
    const char *bracket = strchr(text, ']');
    apr_size_t length = strlen(text);

    memset(address, 0, sizeof *address);
    *has_ip = strspn(text, "0123456789") != length;
    if (!*has_ip)
        return read_port(text, address);
    if (*text == '[') {
        if (!bracket || !read_ip(text + 1, (apr_size_t)(bracket - text - 1), address) || !address->is_v6)
            return "is not a numeric address";
        if (!bracket[1])
            return NULL;
        return bracket[1] == ':' ? read_port(bracket + 2, address) : "is not a numeric address";
    }
    if (colon && strchr(text, ':') == colon) {
        if (!read_ip(text, (apr_size_t)(colon - text), address))
            return "is not a numeric address";
        return read_port(colon + 1, address);
    }
    return read_ip(text, length, address) ? NULL : "is not a numeric address";
}
