#include "torrentgen/old_clients.h"

#include <string.h>

#include <openssl/evp.h>

#include "base/bencode.h"

/* Depth is bounded by the reader, which has checked the whole. */
static int hash_value(EVP_MD_CTX *sha1, const bt_ben *value)
{
    bt_ben_iter iter;
    bt_ben key, member;

    if (value->type != BT_BEN_DICT) /* no infodict has a file tree inside a list */
        return EVP_DigestUpdate(sha1, value->raw, value->raw_length);
    if (!EVP_DigestUpdate(sha1, "d", 1))
        return 0;
    bt_ben_iterate(value, &iter);
    while (bt_ben_next(&iter, &key, &member)) {
        if (key.string_length == 0)
            continue;
        if (!EVP_DigestUpdate(sha1, key.raw, key.raw_length) || !hash_value(sha1, &member))
            return 0;
    }
    return EVP_DigestUpdate(sha1, "e", 1);
}

apr_status_t tg_keyless_hash(const unsigned char *infodict, apr_size_t length, bt_infohash *hash)
{
    EVP_MD_CTX *sha1;
    bt_ben value;
    int done;

    if (bt_ben_read(infodict, length, &value) != APR_SUCCESS || value.type != BT_BEN_DICT)
        return APR_EINVAL;
    sha1 = EVP_MD_CTX_new();
    done = sha1 && EVP_DigestInit_ex(sha1, EVP_sha1(), NULL) && hash_value(sha1, &value) &&
           EVP_DigestFinal_ex(sha1, hash->b, NULL);
    EVP_MD_CTX_free(sha1);
    return done ? APR_SUCCESS : APR_EGENERAL;
}

/* As hash_value. */
static void write_value(bt_buf *buf, const bt_ben *value)
{
    bt_ben_iter iter;
    bt_ben key, member;

    if (value->type != BT_BEN_DICT) {
        bt_buf_add(buf, value->raw, value->raw_length);
        return;
    }
    bt_ben_open(buf, 'd');
    bt_ben_iterate(value, &iter);
    while (bt_ben_next(&iter, &key, &member)) {
        if (key.string_length == 0)
            continue;
        bt_buf_add(buf, key.raw, key.raw_length);
        write_value(buf, &member);
    }
    bt_ben_close(buf);
}

apr_status_t tg_keyless_write(bt_buf *buf, const unsigned char *infodict, apr_size_t length)
{
    bt_ben value;

    if (bt_ben_read(infodict, length, &value) != APR_SUCCESS || value.type != BT_BEN_DICT)
        return APR_EINVAL;
    write_value(buf, &value);
    return buf->status;
}

static int is_of_v2(const bt_ben *key)
{
    return (key->string_length == 9 && !memcmp(key->string, "file tree", 9)) ||
           (key->string_length == 12 && !memcmp(key->string, "meta version", 12));
}

apr_status_t tg_v1_alone_write(bt_buf *buf, const unsigned char *infodict, apr_size_t length)
{
    bt_ben value, key, member;
    bt_ben_iter iter;

    if (bt_ben_read(infodict, length, &value) != APR_SUCCESS || value.type != BT_BEN_DICT)
        return APR_EINVAL;
    bt_ben_open(buf, 'd');
    bt_ben_iterate(&value, &iter);
    while (bt_ben_next(&iter, &key, &member)) {
        if (is_of_v2(&key))
            continue;
        bt_buf_add(buf, key.raw, key.raw_length);
        bt_buf_add(buf, member.raw, member.raw_length);
    }
    bt_ben_close(buf);
    return buf->status;
}

apr_status_t tg_hash_for_old_clients(tg_torrent *hybrid)
{
    apr_status_t status = tg_keyless_hash(hybrid->infodict, hybrid->infodict_length, &hybrid->v1_keyless);
    bt_buf alone;

    if (status != APR_SUCCESS)
        return status;
    bt_buf_init(&alone, hybrid->infodict_length);
    status = tg_v1_alone_write(&alone, hybrid->infodict, hybrid->infodict_length);
    if (status == APR_SUCCESS && !EVP_Digest(alone.data, alone.length, hybrid->v1_alone.b, NULL, EVP_sha1(), NULL))
        status = APR_EGENERAL;
    bt_buf_free(&alone);
    return status;
}
