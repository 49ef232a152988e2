/* JSON (RFC 8259), as far as the command writes it. */
#include <string.h>

#include "base/infohash.h"
#include "base/utf8.h"
#include "command/progress.h"
#include "command/text.h"

enum { DOCUMENT_MAX = 1024 * 1024 * 1024 };

/* @return 1 if nothing was lost */
static int add_string(bt_buf *buf, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    int whole = 1;

    bt_buf_add(buf, "\"", 1);
    while (*at) {
        int length = bt_utf8_length(at);

        if (!length) {
            bt_buf_add_string(buf, "\xef\xbf\xbd");
            length = 1;
            whole = 0;
        } else if (*at == '"' || *at == '\\') {
            bt_buf_printf(buf, "\\%c", *at);
        } else if (*at < ' ' || *at == 0x7f || (*at == 0xc2 && at[1] < 0xa0)) {
            bt_buf_printf(buf, "\\u%04lx", bt_utf8_code(at, length));
        } else {
            bt_buf_add(buf, at, (apr_size_t)length);
        }
        at += length;
    }
    bt_buf_add(buf, "\"", 1);
    return whole;
}

static void begin_value(cmd_json *json, const char *key)
{
    char before = json->buf.length ? (char)json->buf.data[json->buf.length - 1] : '{';

    if (before != '{' && before != '[')
        bt_buf_add(&json->buf, ",", 1);
    if (key) {
        add_string(&json->buf, key);
        bt_buf_add(&json->buf, ":", 1);
    }
}

void cmd_json_begin(cmd_json *json)
{
    bt_buf_init(&json->buf, DOCUMENT_MAX);
    bt_buf_add(&json->buf, "{", 1);
}

void cmd_json_open(cmd_json *json, const char *key, char bracket)
{
    begin_value(json, key);
    bt_buf_add(&json->buf, &bracket, 1);
}

void cmd_json_close(cmd_json *json, char bracket)
{
    bt_buf_add(&json->buf, &bracket, 1);
}

void cmd_json_number(cmd_json *json, const char *key, apr_int64_t value)
{
    begin_value(json, key);
    bt_buf_printf(&json->buf, "%" APR_INT64_T_FMT, value);
}

void cmd_json_bool(cmd_json *json, const char *key, int value)
{
    begin_value(json, key);
    bt_buf_add_string(&json->buf, value ? "true" : "false");
}

void cmd_json_text(cmd_json *json, const char *key, const char *value)
{
    begin_value(json, key);
    if (value)
        add_string(&json->buf, value);
    else
        bt_buf_add_string(&json->buf, "null");
}

void cmd_json_path(cmd_json *json, const char *key, const char *value)
{
    begin_value(json, key);
    if (add_string(&json->buf, value))
        return;
    bt_buf_printf(&json->buf, ",\"%s_hex\":\"", key);
    for (const unsigned char *at = (const unsigned char *)value; *at; at++)
        bt_buf_printf(&json->buf, "%02x", *at);
    bt_buf_add(&json->buf, "\"", 1);
}

void cmd_json_hash(cmd_json *json, const char *key, const unsigned char *bytes, apr_size_t size)
{
    char hex[2 * BT_HASH_V2_SIZE + 1];
    unsigned char any = 0;

    for (apr_size_t i = 0; i < size; i++)
        any |= bytes[i];
    if (!any || size > BT_HASH_V2_SIZE)
        return;
    bt_hex(hex, bytes, size);
    cmd_json_text(json, key, hex);
}

void cmd_json_print(cmd_json *json, FILE *to)
{
    bt_buf_add(&json->buf, "}\n", 2);
    cmd_progress_hide();
    if (json->buf.status == APR_SUCCESS)
        fwrite(json->buf.data, 1, json->buf.length, to);
    bt_buf_free(&json->buf);
}
