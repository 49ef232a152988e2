#include "torrentgen/metalink.h"

#include <apr_strings.h>
#include <string.h>

#include "base/bencode.h"
#include "torrentgen/infodict.h"

static const char name_space[] = "urn:ietf:params:xml:ns:metalink";

/* --- what a torrent knows ------------------------------------------------------------------------------------------ */

/* Is "file tree" one file, which is not in a directory? */
static int tree_is_one_file(const bt_ben *tree)
{
    bt_ben_iter iter;
    bt_ben name, node, more, file;

    bt_ben_iterate(tree, &iter);
    if (!bt_ben_next(&iter, &name, &node) || bt_ben_next(&iter, NULL, &more))
        return 0;
    return bt_ben_get(&node, "", BT_BEN_DICT, &file);
}

apr_status_t tg_metalink_of(const tg_torrent *torrent, apr_pool_t *pool, tg_metalink *metalink)
{
    bt_ben info, value;

    memset(metalink, 0, sizeof *metalink);
    if (bt_ben_read_lenient(torrent->infodict, torrent->infodict_length, &info) != APR_SUCCESS || info.type != BT_BEN_DICT)
        return APR_EINVAL;
    if (bt_ben_get(&info, "files", BT_BEN_LIST, &value) ||
        (bt_ben_get(&info, "file tree", BT_BEN_DICT, &value) && !tree_is_one_file(&value)))
        return APR_EINVAL;
    if (!bt_ben_get(&info, "name", BT_BEN_STRING, &value) || memchr(value.string, 0, value.string_length))
        return APR_EINVAL;
    metalink->name = apr_pstrmemdup(pool, (const char *)value.string, value.string_length);
    metalink->length = torrent->length;
    metalink->piece_length = torrent->piece_length;
    if (bt_ben_get(&info, "pieces", BT_BEN_STRING, &value)) {
        metalink->pieces = value.string;
        metalink->pieces_length = value.string_length;
    }
    return APR_SUCCESS;
}

/* --- writing ------------------------------------------------------------------------------------------------------- */

static int priority_is_good(int priority)
{
    return priority >= 0 && priority <= TG_METALINK_PRIORITY_MAX;
}

static int is_good(const tg_metalink *metalink)
{
    for (int i = 0; i < metalink->url_count; i++)
        if (!priority_is_good(metalink->urls[i].priority))
            return 0;
    for (int i = 0; i < metalink->torrent_count; i++)
        if (!priority_is_good(metalink->torrents[i].priority))
            return 0;
    if (metalink->pieces && (metalink->piece_length == 0 || metalink->pieces_length / BT_HASH_SIZE !=
                                 (apr_uint64_t)tg_piece_count(metalink->length, metalink->piece_length)))
        return 0;
    return metalink->url_count + metalink->torrent_count > 0 && metalink->length >= 0 && tg_name_is_good(metalink->name);
}

static void add_hash(tg_xml *xml, const char *type, const unsigned char *hash, apr_size_t size)
{
    char hex[2 * BT_HASH_V2_SIZE + 1];

    bt_hex(hex, hash, size);
    tg_xml_open(xml, "hash", NULL);
    tg_xml_attribute(xml, "type", type);
    tg_xml_text(xml, hex);
    tg_xml_close(xml);
}

static void add_pieces(tg_xml *xml, const tg_metalink *metalink)
{
    apr_size_t count = metalink->pieces ? metalink->pieces_length / BT_HASH_SIZE : 0;

    if (count == 0 || count > TG_METALINK_PIECES_MAX)
        return;
    tg_xml_open(xml, "pieces", NULL);
    tg_xml_attribute_number(xml, "length", metalink->piece_length);
    tg_xml_attribute(xml, "type", "sha-1");
    for (apr_size_t i = 0; i < count; i++)
        add_hash(xml, NULL, metalink->pieces + i * BT_HASH_SIZE, BT_HASH_SIZE);
    tg_xml_close(xml);
}

static void add_torrent(tg_xml *xml, const tg_metalink_torrent *torrent)
{
    tg_xml_open(xml, "metaurl", NULL);
    tg_xml_attribute(xml, "mediatype", "torrent");
    if (torrent->priority)
        tg_xml_attribute_number(xml, "priority", torrent->priority);
    tg_xml_attribute(xml, "name", torrent->name);
    tg_xml_text(xml, torrent->url);
    tg_xml_close(xml);
}

static void add_url(tg_xml *xml, const tg_metalink_url *url)
{
    tg_xml_open(xml, "url", NULL);
    tg_xml_attribute(xml, "location", url->location);
    if (url->priority)
        tg_xml_attribute_number(xml, "priority", url->priority);
    tg_xml_text(xml, url->url);
    tg_xml_close(xml);
}

static void add_file(tg_xml *xml, const tg_metalink *metalink)
{
    char size[24];

    apr_snprintf(size, sizeof size, "%" APR_INT64_T_FMT, metalink->length);
    tg_xml_open(xml, "file", NULL);
    tg_xml_attribute(xml, "name", metalink->name);
    tg_xml_element(xml, "size", size);
    if (metalink->digest)
        add_hash(xml, "sha-256", metalink->digest, BT_HASH_V2_SIZE);
    add_pieces(xml, metalink);
    for (int i = 0; i < metalink->torrent_count; i++)
        add_torrent(xml, &metalink->torrents[i]);
    for (int i = 0; i < metalink->url_count; i++)
        add_url(xml, &metalink->urls[i]);
    tg_xml_close(xml);
}

apr_status_t tg_metalink_write(bt_buf *buf, const tg_metalink *metalink)
{
    char published[TG_XML_TIME_SIZE];
    apr_status_t status;
    tg_xml *xml;

    if (!is_good(metalink))
        return APR_EINVAL;
    status = tg_xml_create(&xml, buf);
    if (status != APR_SUCCESS)
        return status;
    tg_xml_open(xml, "metalink", name_space);
    tg_xml_element(xml, "generator", metalink->generator);
    if (metalink->origin) {
        tg_xml_open(xml, "origin", NULL);
        tg_xml_attribute(xml, "dynamic", "true");
        tg_xml_text(xml, metalink->origin);
        tg_xml_close(xml);
    }
    tg_xml_time(published, metalink->published);
    tg_xml_element(xml, "published", metalink->published ? published : NULL);
    add_file(xml, metalink);
    tg_xml_close(xml);
    return tg_xml_finish(xml);
}
