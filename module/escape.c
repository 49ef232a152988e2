#include "module/escape.h"

#include <string.h>

#include "base/utf8.h"

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

/* One character of `length` bytes, 1 or more. */
typedef void adder(bt_buf *body, const char *at, int length);

static void add_each(bt_buf *body, const char *text, adder *add)
{
    while (*text) {
        int length = bt_utf8_length((const unsigned char *)text);

        if (length > 0)
            add(body, text, length);
        else
            bt_buf_add_string(body, replacement);
        text += length > 0 ? length : 1;
    }
}

static void add_json(bt_buf *body, const char *at, int length)
{
    unsigned char first = (unsigned char)*at;

    if (first < 0x20 || first == 0x7f)
        bt_buf_printf(body, "\\u%04x", (unsigned)first);
    else if (first == '"' || first == '\\')
        bt_buf_printf(body, "\\%c", first);
    else
        bt_buf_add(body, at, (apr_size_t)length);
}

static void add_html(bt_buf *body, const char *at, int length)
{
    unsigned long code = bt_utf8_code((const unsigned char *)at, length);

    if (code < 0x20 || (code >= 0x7f && code < 0xa0))
        bt_buf_add_string(body, replacement);
    else if (code < 0x80 && strchr("&<>\"'", (int)code))
        bt_buf_printf(body, "&#%lu;", code);
    else
        bt_buf_add(body, at, (apr_size_t)length);
}

void bth_add_json(bt_buf *body, const char *text)
{
    add_each(body, text, add_json);
}

void bth_add_html(bt_buf *body, const char *text)
{
    add_each(body, text, add_html);
}
