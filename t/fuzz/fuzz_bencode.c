/* Any bytes are either refused or can be walked to the end, every part inside the whole; what is accepted strictly is
 * accepted leniently, and means the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bencode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
    if (!holds)
        abort();
}

/* Writes `value` again from what was read; canonical bencoding has one form, so this must give the same bytes. */
static void rewrite(const bt_ben *value, bt_buf *out, int depth)
{
    bt_ben_iter iter;
    bt_ben key, member;

    must(depth < BT_BENCODE_MAX_DEPTH + 1);
    switch (value->type) {
    case BT_BEN_INTEGER:
        bt_ben_add_integer(out, value->integer);
        return;
    case BT_BEN_STRING:
        bt_ben_add_string(out, value->string, value->string_length);
        return;
    case BT_BEN_LIST:
    case BT_BEN_DICT:
        break;
    }
    bt_ben_open(out, value->type == BT_BEN_DICT ? 'd' : 'l');
    bt_ben_iterate(value, &iter);
    while (bt_ben_next(&iter, &key, &member)) {
        must(member.raw >= value->raw && member.raw + member.raw_length < value->raw + value->raw_length);
        if (value->type == BT_BEN_DICT)
            bt_ben_add_string(out, key.string, key.string_length);
        rewrite(&member, out, depth + 1);
    }
    must(iter.at == iter.end);
    bt_ben_close(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bt_ben strict, lenient, info;
    apr_status_t strict_status = bt_ben_read(data, size, &strict);
    apr_status_t lenient_status = bt_ben_read_lenient(data, size, &lenient);
    bt_buf out;

    must(strict_status != APR_SUCCESS || lenient_status == APR_SUCCESS);
    if (lenient_status != APR_SUCCESS)
        return 0;
    must(lenient.raw == data && lenient.raw_length <= size);
    must(strict_status != APR_SUCCESS || strict.raw_length == lenient.raw_length);
    bt_buf_init(&out, size);
    rewrite(&lenient, &out, 0);
    must(out.status == APR_SUCCESS && out.length == lenient.raw_length);
    must(memcmp(out.data, data, out.length) == 0);
    bt_buf_free(&out);
    bt_ben_get(&lenient, "info", BT_BEN_DICT, &info);
    return 0;
}
