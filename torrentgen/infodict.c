#include "torrentgen/infodict.h"

#include <string.h>

#include "base/bencode.h"
#include "base/utf8.h"

int tg_name_is_good(const char *name)
{
    const unsigned char *at = (const unsigned char *)name;
    apr_size_t length = strlen(name);

    if (length == 0 || length > 255 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strchr(name, '/'))
        return 0;
    while (*at) {
        int sequence = bt_utf8_length(at);

        if (!sequence)
            return 0;
        at += sequence;
    }
    return 1;
}

int tg_piece_length_is_good(apr_uint32_t piece_length)
{
    return piece_length >= TG_PIECE_MIN && piece_length <= TG_PIECE_MAX && (piece_length & (piece_length - 1)) == 0;
}

static void add_file_tree(bt_buf *buf, const tg_infodict *info)
{
    bt_ben_add_text(buf, "file tree");
    bt_ben_open(buf, 'd');
    bt_ben_add_text(buf, info->name);
    bt_ben_open(buf, 'd');
    bt_ben_add_text(buf, "");
    bt_ben_open(buf, 'd');
    bt_ben_add_text(buf, "length");
    bt_ben_add_integer(buf, info->length);
    if (info->length) {
        bt_ben_add_text(buf, "pieces root");
        bt_ben_add_string(buf, info->root, BT_HASH_V2_SIZE);
    }
    bt_ben_close(buf);
    bt_ben_close(buf);
    bt_ben_close(buf);
}

apr_status_t tg_infodict_write(bt_buf *buf, const tg_infodict *info)
{
    bt_ben_open(buf, 'd');
    if (info->version & TG_V2)
        add_file_tree(buf, info);
    if (info->version & TG_V1) {
        bt_ben_add_text(buf, "length");
        bt_ben_add_integer(buf, info->length);
    }
    if (info->version & TG_V2) {
        bt_ben_add_text(buf, "meta version");
        bt_ben_add_integer(buf, 2);
    }
    bt_ben_add_text(buf, "name");
    bt_ben_add_text(buf, info->name);
    bt_ben_add_text(buf, "piece length");
    bt_ben_add_integer(buf, info->piece_length);
    if (info->version & TG_V1) {
        bt_ben_add_text(buf, "pieces");
        bt_ben_add_string(buf, info->pieces, info->pieces_length);
    }
    bt_ben_close(buf);
    return buf->status;
}
