#include "base/bencode.h"

#include <string.h>

#include "base/digits.h"

/* The bytes still to be read. */
typedef struct {
    const unsigned char *at, *end;
    int strict; /* keys must be sorted and unique */
} reader;

/* Digits up to `stop`, at most 19 of them; no leading zero. */
static apr_status_t read_number(reader *in, unsigned char stop, apr_int64_t *number)
{
    const unsigned char *start = in->at;
    apr_uint64_t value = 0;

    while (in->at < in->end && *in->at >= '0' && *in->at <= '9') {
        if (in->at - start == 19)
            return APR_EINVAL;
        value = value * 10 + (apr_uint64_t)(*in->at++ - '0');
    }
    if (in->at == start || in->at == in->end || *in->at != stop || value > APR_INT64_MAX)
        return APR_EINVAL;
    if (*start == '0' && in->at - start > 1)
        return APR_EINVAL;
    in->at++;
    *number = (apr_int64_t)value;
    return APR_SUCCESS;
}

static apr_status_t read_integer(reader *in, bt_ben *value)
{
    int negative;
    apr_status_t status;

    in->at++;
    negative = in->at < in->end && *in->at == '-';
    in->at += negative;
    status = read_number(in, 'e', &value->integer);
    if (status == APR_SUCCESS && negative) {
        if (value->integer == 0)
            return APR_EINVAL;
        value->integer = -value->integer;
    }
    value->type = BT_BEN_INTEGER;
    return status;
}

static apr_status_t read_string(reader *in, bt_ben *value)
{
    apr_int64_t length;
    apr_status_t status = read_number(in, ':', &length);

    if (status != APR_SUCCESS || length > in->end - in->at)
        return APR_EINVAL;
    value->type = BT_BEN_STRING;
    value->string = in->at;
    value->string_length = (apr_size_t)length;
    in->at += length;
    return APR_SUCCESS;
}

static int key_follows(const bt_ben *before, const bt_ben *key)
{
    apr_size_t shared = before->string_length < key->string_length ? before->string_length : key->string_length;
    int order = shared ? memcmp(before->string, key->string, shared) : 0;

    return order < 0 || (order == 0 && before->string_length < key->string_length);
}

static apr_status_t read_value(reader *in, int depth, bt_ben *value);

static apr_status_t read_key(reader *in, bt_ben *last)
{
    bt_ben key = {0};
    apr_status_t status;

    if (in->at < in->end && (*in->at < '0' || *in->at > '9'))
        return APR_EINVAL;
    status = read_string(in, &key);
    if (status == APR_SUCCESS && in->strict && last->string && !key_follows(last, &key))
        return APR_EINVAL;
    *last = key;
    return status;
}

static apr_status_t read_container(reader *in, int depth, bt_ben *value)
{
    bt_ben last_key = {0}, member;
    apr_status_t status;

    if (depth == BT_BENCODE_MAX_DEPTH)
        return APR_ENOSPC;
    value->type = *in->at == 'd' ? BT_BEN_DICT : BT_BEN_LIST;
    value->string = ++in->at;
    while (in->at < in->end && *in->at != 'e') {
        if (value->type == BT_BEN_DICT && (status = read_key(in, &last_key)) != APR_SUCCESS)
            return status;
        if ((status = read_value(in, depth + 1, &member)) != APR_SUCCESS)
            return status;
    }
    if (in->at == in->end)
        return APR_EINVAL;
    value->string_length = (apr_size_t)(in->at - value->string);
    in->at++;
    return APR_SUCCESS;
}

static apr_status_t read_value(reader *in, int depth, bt_ben *value)
{
    apr_status_t status;

    memset(value, 0, sizeof *value);
    if (in->at == in->end)
        return APR_EINVAL;
    value->raw = in->at;
    switch (*in->at) {
    case 'i':
        status = read_integer(in, value);
        break;
    case 'l':
    case 'd':
        status = read_container(in, depth, value);
        break;
    default:
        status = read_string(in, value);
    }
    value->raw_length = (apr_size_t)(in->at - value->raw);
    return status;
}

apr_status_t bt_ben_read(const unsigned char *bytes, apr_size_t length, bt_ben *value)
{
    reader in = {bytes, bytes + length, 1};

    return read_value(&in, 0, value);
}

apr_status_t bt_ben_read_lenient(const unsigned char *bytes, apr_size_t length, bt_ben *value)
{
    reader in = {bytes, bytes + length, 0};

    return read_value(&in, 0, value);
}

void bt_ben_iterate(const bt_ben *container, bt_ben_iter *iter)
{
    iter->at = container->string;
    iter->end = container->string + container->string_length;
    iter->is_dict = container->type == BT_BEN_DICT;
}

int bt_ben_next(bt_ben_iter *iter, bt_ben *key, bt_ben *value)
{
    reader in = {iter->at, iter->end, 0};
    bt_ben unused;

    if (in.at == in.end)
        return 0;
    if (iter->is_dict && read_value(&in, 0, key ? key : &unused) != APR_SUCCESS)
        return 0;
    if (read_value(&in, 0, value) != APR_SUCCESS)
        return 0;
    iter->at = in.at;
    return 1;
}

int bt_ben_get(const bt_ben *dict, const char *key, bt_ben_type type, bt_ben *value)
{
    apr_size_t key_length = strlen(key);
    bt_ben_iter iter;
    bt_ben name;

    if (dict->type != BT_BEN_DICT)
        return 0;
    bt_ben_iterate(dict, &iter);
    while (bt_ben_next(&iter, &name, value))
        if (name.string_length == key_length && memcmp(name.string, key, key_length) == 0)
            return value->type == type;
    return 0;
}

/* Digits between two characters, or before one. The tracker writes some ten of them an answer: printf is slow. */
static void add_digits(bt_buf *buf, const char *before, apr_uint64_t number, char behind)
{
    char text[BT_DIGITS_MAX + 3], *end = text + sizeof text, *start;
    apr_size_t length = strlen(before);

    *--end = behind;
    start = bt_write_digits(end, number) - length;
    memcpy(start, before, length);
    bt_buf_add(buf, start, (apr_size_t)(end + 1 - start));
}

void bt_ben_add_string(bt_buf *buf, const void *bytes, apr_size_t length)
{
    add_digits(buf, "", length, ':');
    bt_buf_add(buf, bytes, length);
}

void bt_ben_add_text(bt_buf *buf, const char *text)
{
    bt_ben_add_string(buf, text, strlen(text));
}

void bt_ben_add_integer(bt_buf *buf, apr_int64_t value)
{
    apr_uint64_t size = value < 0 ? -(apr_uint64_t)value : (apr_uint64_t)value;

    add_digits(buf, value < 0 ? "i-" : "i", size, 'e');
}

void bt_ben_open(bt_buf *buf, char kind)
{
    bt_buf_add(buf, &kind, 1);
}

void bt_ben_close(bt_buf *buf)
{
    bt_buf_add(buf, "e", 1);
}
