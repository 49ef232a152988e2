#include "torrentgen/atom.h"

static void add_time(tg_xml *xml, const char *element, apr_time_t time)
{
    char text[TG_XML_TIME_SIZE];

    tg_xml_time(text, time);
    tg_xml_element(xml, element, text);
}

/* A NULL href writes nothing. @param length  bytes; 0: not said */
static void add_link(tg_xml *xml, const char *rel, const char *type, const char *href, apr_int64_t length)
{
    if (!href)
        return;
    tg_xml_open(xml, "link", NULL);
    tg_xml_attribute(xml, "rel", rel);
    tg_xml_attribute(xml, "type", type);
    tg_xml_attribute(xml, "href", href);
    if (length > 0)
        tg_xml_attribute_number(xml, "length", length);
    tg_xml_close(xml);
}

apr_status_t tg_atom_begin(tg_atom *atom, bt_buf *out, const tg_atom_feed *feed)
{
    static const char type[] = "application/atom+xml";
    apr_status_t status = tg_xml_create(&atom->xml, out);
    tg_xml *xml = atom->xml;

    if (status != APR_SUCCESS)
        return status;
    tg_xml_open(xml, "feed", "http://www.w3.org/2005/Atom");
    tg_xml_element(xml, "id", feed->id);
    tg_xml_element(xml, "title", feed->title);
    add_time(xml, "updated", feed->updated);
    tg_xml_open(xml, "author", NULL);
    tg_xml_element(xml, "name", feed->author);
    tg_xml_close(xml);
    if (feed->generator) {
        tg_xml_open(xml, "generator", NULL);
        tg_xml_attribute(xml, "version", feed->version);
        tg_xml_text(xml, feed->generator);
        tg_xml_close(xml);
    }
    add_link(xml, "self", type, feed->self, 0);
    add_link(xml, "first", type, feed->first, 0);
    add_link(xml, "next", type, feed->next, 0);
    return APR_SUCCESS;
}

void tg_atom_add(tg_atom *atom, const tg_atom_entry *entry)
{
    tg_xml *xml = atom->xml;

    tg_xml_open(xml, "entry", NULL);
    tg_xml_element(xml, "id", entry->id);
    tg_xml_element(xml, "title", entry->title);
    add_time(xml, "updated", entry->updated);
    add_link(xml, "alternate", NULL, entry->file, 0);
    add_link(xml, "enclosure", "application/x-bittorrent", entry->torrent, entry->torrent_length);
    add_link(xml, "related", "application/x-magnet", entry->magnet, 0);
    tg_xml_element(xml, "summary", entry->summary);
    tg_xml_close(xml);
}

apr_status_t tg_atom_end(tg_atom *atom)
{
    tg_xml_close(atom->xml);
    return tg_xml_finish(atom->xml);
}
