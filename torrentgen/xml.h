/* Writing XML, for the Metalink and the feed: libxml2's writer into a bounded buffer. The library escapes; what XML 1.0
 * cannot hold at all (control characters, broken UTF-8) is percent-encoded, byte by byte. Without libxml2 (configure
 * says so) the same functions stand there and refuse. Only this room includes it; tg_xml_is_there is for all. */
#ifndef TG_XML_H
#define TG_XML_H

#include <apr_time.h>

#include "base/buf.h"

enum { TG_XML_TIME_SIZE = 21 }; /* bytes of a time as text, with its NUL */

/* A document on its way. Failures stick: what follows one does nothing, and tg_xml_finish tells. */
typedef struct tg_xml tg_xml;

/** Was libxml2 there when this was built? If not, Metalink and feed cannot be had. */
int tg_xml_is_there(void);

/**
 * Begins a document in `out`, which must outlive it.
 * @return APR_ENOMEM; APR_ENOTIMPL without libxml2. Ends with tg_xml_finish only if it is APR_SUCCESS
 */
apr_status_t tg_xml_create(tg_xml **xml, bt_buf *out);

/** Opens an element. @param name_space  its default namespace from here on, or NULL */
void tg_xml_open(tg_xml *xml, const char *element, const char *name_space);
void tg_xml_close(tg_xml *xml);

/** To the element just opened. A NULL text writes nothing. */
void tg_xml_attribute(tg_xml *xml, const char *name, const char *text);
void tg_xml_attribute_number(tg_xml *xml, const char *name, apr_int64_t value);
void tg_xml_text(tg_xml *xml, const char *text);

/** A whole element with nothing but text. A NULL text writes nothing. */
void tg_xml_element(tg_xml *xml, const char *element, const char *text);

/** A time as RFC 3339 has it, in UTC and whole seconds; years beyond 9999 become 9999. */
void tg_xml_time(char out[TG_XML_TIME_SIZE], apr_time_t time);

/** Closes what is open, frees the document. @return out->status, or APR_ENOMEM or APR_EGENERAL if libxml2 failed */
apr_status_t tg_xml_finish(tg_xml *xml);

#endif
