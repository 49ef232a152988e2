#include "torrentgen/magnet.h"

#include <string.h>

/* Letters, digits and "-._~": what RFC 3986 calls unreserved. Not isalnum(), which a locale may widen. */
static int is_unreserved(unsigned char byte)
{
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-' ||
           byte == '.' || byte == '_' || byte == '~';
}

static void add_escaped(bt_buf *buf, const char *text)
{
    static const char digits[] = "0123456789ABCDEF";

    for (const unsigned char *at = (const unsigned char *)text; *at && buf->status == APR_SUCCESS; at++) {
        const char escape[] = {'%', digits[*at >> 4], digits[*at & 15]};

        if (is_unreserved(*at))
            bt_buf_add(buf, at, 1);
        else
            bt_buf_add(buf, escape, sizeof escape);
    }
}

static void add_each(bt_buf *buf, const char *key, const char *const *values, int count)
{
    for (int i = 0; i < count && buf->status == APR_SUCCESS; i++) {
        bt_buf_add_string(buf, key);
        add_escaped(buf, values[i]);
    }
}

static int port_is_good(const char *text)
{
    int port = 0;

    for (; *text >= '0' && *text <= '9' && port <= 65535; text++)
        port = port * 10 + (*text - '0');
    return !*text && port >= 1 && port <= 65535;
}

/* HOST:PORT with a name, an IPv4 address, or an IPv6 address in brackets. Its form only: nothing is looked up. */
static int peer_is_good(const char *peer)
{
    const char *colon = strrchr(peer, ':');
    int bracket = *peer == '[';
    apr_size_t length;

    if (!colon || colon == peer)
        return 0;
    length = (apr_size_t)(colon - peer);
    if (bracket && (length < 4 || peer[length - 1] != ']'))
        return 0;
    for (apr_size_t i = (apr_size_t)bracket; i < length - (apr_size_t)bracket; i++)
        if (!is_unreserved((unsigned char)peer[i]) && !(bracket && peer[i] == ':'))
            return 0;
    return port_is_good(colon + 1);
}

static void add_topics(bt_buf *buf, const tg_magnet *magnet)
{
    char hex[2 * BT_HASH_V2_SIZE + 1];

    bt_buf_add_string(buf, "magnet:");
    if (magnet->version & TG_V1) {
        bt_hex(hex, magnet->v1.b, sizeof magnet->v1.b);
        bt_buf_printf(buf, "?xt=urn:btih:%s", hex);
    }
    if (magnet->version & TG_V2) {
        bt_hex(hex, magnet->v2.b, sizeof magnet->v2.b); /* a multihash: 0x12 is SHA-256, 0x20 its length */
        bt_buf_printf(buf, "%sxt=urn:btmh:1220%s", magnet->version & TG_V1 ? "&" : "?", hex);
    }
}

apr_status_t tg_magnet_write(bt_buf *buf, const tg_magnet *magnet)
{
    if (!(magnet->version & TG_HYBRID))
        return APR_EINVAL;
    for (int i = 0; i < magnet->peer_count; i++)
        if (!peer_is_good(magnet->peers[i]))
            return APR_EINVAL;
    add_topics(buf, magnet);
    if (magnet->name)
        add_each(buf, "&dn=", &magnet->name, 1);
    if (magnet->length >= 0)
        bt_buf_printf(buf, "&xl=%" APR_INT64_T_FMT, magnet->length);
    add_each(buf, "&tr=", magnet->trackers, magnet->tracker_count);
    add_each(buf, "&ws=", magnet->web_seeds, magnet->web_seed_count);
    for (int i = 0; i < magnet->peer_count; i++)
        bt_buf_printf(buf, "&x.pe=%s", magnet->peers[i]);
    return buf->status;
}
