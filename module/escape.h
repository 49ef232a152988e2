/* Names that may be any bytes, in JSON and in HTML. Pure. */
#ifndef BTH_ESCAPE_H
#define BTH_ESCAPE_H

#include "base/buf.h"

/** Adds what belongs between the quotes of a JSON string (RFC 8259). Bytes that are no UTF-8 become U+FFFD. */
void bth_add_json(bt_buf *body, const char *text);

/** Adds text, or the value of a quoted attribute, of an HTML page in UTF-8. Likewise; so do control characters. */
void bth_add_html(bt_buf *body, const char *text);

#endif
