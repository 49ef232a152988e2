/* In the place of xml.c where libxml2 is missing. */
#include "torrentgen/xml.h"

int tg_xml_is_there(void)
{
    return 0;
}

apr_status_t tg_xml_create(tg_xml **xml, bt_buf *out)
{
    *xml = NULL;
    return APR_ENOTIMPL;
}

void tg_xml_open(tg_xml *xml, const char *element, const char *name_space)
{
}

void tg_xml_close(tg_xml *xml)
{
}

void tg_xml_attribute(tg_xml *xml, const char *name, const char *text)
{
}

void tg_xml_attribute_number(tg_xml *xml, const char *name, apr_int64_t value)
{
}

void tg_xml_text(tg_xml *xml, const char *text)
{
}

void tg_xml_element(tg_xml *xml, const char *element, const char *text)
{
}

apr_status_t tg_xml_finish(tg_xml *xml)
{
    return APR_ENOTIMPL;
}
