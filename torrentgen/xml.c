#include "torrentgen/xml.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <libxml/chvalid.h>
#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/xmlwriter.h>

struct tg_xml {
    bt_buf *out;
    xmlTextWriterPtr writer;
    bt_buf clean; /* the text being written, without what XML cannot hold */
    apr_status_t status;
};

int tg_xml_is_there(void)
{
    return 1;
}

/* Its tables must be made before several threads look for them at once. */
static void prepare_library(void)
{
    xmlInitParser();
}

/* Never fails, since libxml2 would write about it to stderr: a full buffer says so itself. */
static int take_bytes(void *out, const char *bytes, int length)
{
    bt_buf_add(out, bytes, (apr_size_t)length);
    return length;
}

apr_status_t tg_xml_create(tg_xml **xml, bt_buf *out)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    xmlOutputBufferPtr channel;
    tg_xml *made;

    pthread_once(&once, prepare_library);
    made = calloc(1, sizeof *made);
    if (!made)
        return APR_ENOMEM;
    channel = xmlOutputBufferCreateIO(take_bytes, NULL, out, NULL);
    made->writer = channel ? xmlNewTextWriter(channel) : NULL; /* which owns the channel */
    if (!made->writer) {
        if (channel)
            xmlOutputBufferClose(channel);
        free(made);
        return APR_ENOMEM;
    }
    made->out = out;
    bt_buf_init(&made->clean, out->max);
    if (xmlTextWriterStartDocument(made->writer, NULL, "UTF-8", NULL) < 0)
        made->status = APR_EGENERAL;
    *xml = made;
    return APR_SUCCESS;
}

/* Length of the character that begins at `at` if XML can hold it, else 0: no UTF-8, a control character, or one of the
 * few that Unicode itself forbids. */
static int character_length(const unsigned char *at, apr_size_t left)
{
    xmlChar again[8];
    int length = left > 4 ? 4 : (int)left;
    int character = xmlGetUTF8Char(at, &length);

    if (character <= 0 || !xmlIsCharQ((unsigned)character))
        return 0;
    /* libxml2 also takes stray bytes and forms longer than need be for characters: written again, they differ. */
    return xmlCopyCharMultiByte(again, character) == length && memcmp(again, at, (apr_size_t)length) == 0 ? length : 0;
}

/* How many bytes from here on need no look: most text has no others. */
static apr_size_t plain_length(const unsigned char *at, const unsigned char *end)
{
    const unsigned char *start = at;

    while (at < end && *at >= 0x20 && *at < 0x7f)
        at++;
    return (apr_size_t)(at - start);
}

/* @return the text as XML can hold it, valid until the next call, or NULL */
static const xmlChar *clean(tg_xml *xml, const char *text)
{
    const unsigned char *at = (const unsigned char *)text, *end = at + strlen(text);

    if (xml->status != APR_SUCCESS)
        return NULL;
    bt_buf_reset(&xml->clean);
    while (at < end) {
        apr_size_t length = plain_length(at, end);

        if (length == 0)
            length = (apr_size_t)character_length(at, (apr_size_t)(end - at));
        if (length)
            bt_buf_add(&xml->clean, at, length);
        else
            bt_buf_printf(&xml->clean, "%%%02X", *at);
        at += length ? length : 1;
    }
    bt_buf_add(&xml->clean, "", 1);
    xml->status = xml->clean.status;
    return xml->status == APR_SUCCESS ? xml->clean.data : NULL;
}

static void note(tg_xml *xml, int written)
{
    if (xml->status == APR_SUCCESS)
        xml->status = xml->out->status;
    if (xml->status == APR_SUCCESS && written < 0)
        xml->status = APR_EGENERAL;
}

void tg_xml_open(tg_xml *xml, const char *element, const char *name_space)
{
    if (xml->status == APR_SUCCESS)
        note(xml, xmlTextWriterStartElementNS(xml->writer, NULL, BAD_CAST element, BAD_CAST name_space));
}

void tg_xml_close(tg_xml *xml)
{
    if (xml->status == APR_SUCCESS)
        note(xml, xmlTextWriterEndElement(xml->writer));
}

void tg_xml_attribute(tg_xml *xml, const char *name, const char *text)
{
    const xmlChar *held = text ? clean(xml, text) : NULL;

    if (held)
        note(xml, xmlTextWriterWriteAttribute(xml->writer, BAD_CAST name, held));
}

void tg_xml_attribute_number(tg_xml *xml, const char *name, apr_int64_t value)
{
    if (xml->status == APR_SUCCESS)
        note(xml, xmlTextWriterWriteFormatAttribute(xml->writer, BAD_CAST name, "%lld", (long long)value));
}

void tg_xml_text(tg_xml *xml, const char *text)
{
    const xmlChar *held = clean(xml, text);

    if (held)
        note(xml, xmlTextWriterWriteString(xml->writer, held));
}

void tg_xml_element(tg_xml *xml, const char *element, const char *text)
{
    if (!text)
        return;
    tg_xml_open(xml, element, NULL);
    tg_xml_text(xml, text);
    tg_xml_close(xml);
}

apr_status_t tg_xml_finish(tg_xml *xml)
{
    apr_status_t status;

    if (xml->status == APR_SUCCESS)
        note(xml, xmlTextWriterEndDocument(xml->writer));
    if (xml->status == APR_SUCCESS)
        note(xml, xmlTextWriterFlush(xml->writer));
    xmlFreeTextWriter(xml->writer);
    bt_buf_free(&xml->clean);
    status = xml->status != APR_SUCCESS ? xml->status : xml->out->status;
    free(xml);
    return status;
}
