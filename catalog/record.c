/* For SHA256_Init and its like, which OpenSSL 3 deprecates: see cat_path_key_of. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "catalog/record.h"

#include <string.h>

#include <apr_siphash.h>
#include <openssl/sha.h>

/* Fields are in host byte order, as all of an LMDB file is. */
typedef struct __attribute__((packed)) {
    apr_byte_t format;
    apr_byte_t published;
    apr_byte_t version;
    apr_byte_t zero;
    apr_uint32_t piece_length;
    apr_int64_t size, mtime_ns, ctime_ns;
    apr_uint64_t device, inode;
    apr_uint64_t grant;
    apr_int64_t created;
    apr_int64_t length;
    apr_uint64_t infodict_length, layer_length;
    apr_uint64_t infodict_sum, layer_sum;
    unsigned char v1[BT_HASH_SIZE];
    unsigned char v1_keyless[BT_HASH_SIZE];
    unsigned char v1_alone[BT_HASH_SIZE];
    unsigned char v2[BT_HASH_V2_SIZE];
    unsigned char root[BT_HASH_V2_SIZE];
    apr_uint32_t path_length, url_length; /* without their NULs */
} record_head;

_Static_assert(sizeof(record_head) == 236, "the layout of a record is fixed: a change needs a new CAT_RECORD_FORMAT");

/* Every request for a large file passes here. What is not deprecated fetches the algorithm, under locks, each time: with
 * eight threads that costs as much as the rest of the look-up (bench/plain). */
cat_path_key cat_path_key_of(const char *path)
{
    SHA256_CTX context;
    cat_path_key key;

    SHA256_Init(&context);
    SHA256_Update(&context, path, strlen(path));
    SHA256_Final(key.b, &context);
    return key;
}

apr_uint64_t cat_sum(const void *bytes, apr_size_t length)
{
    static const unsigned char key[APR_SIPHASH_KSIZE] = {'b', 't', 'h', 't', 't', 'p', ' ', 'c',
                                                         'a', 't', 'a', 'l', 'o', 'g', ' ', '1'};

    return apr_siphash24(bytes, length, key);
}

static void head_from(record_head *head, const cat_record *record, apr_size_t path_length, apr_size_t url_length)
{
    const cat_entry *entry = &record->entry;

    memset(head, 0, sizeof *head);
    head->format = CAT_RECORD_FORMAT;
    head->published = entry->published != 0;
    head->version = (apr_byte_t)entry->version;
    head->piece_length = entry->piece_length;
    head->size = entry->stamp.size;
    head->mtime_ns = entry->stamp.mtime_ns;
    head->ctime_ns = entry->stamp.ctime_ns;
    head->device = entry->stamp.device;
    head->inode = entry->stamp.inode;
    head->grant = entry->grant;
    head->created = entry->created;
    head->length = record->length;
    head->infodict_length = entry->infodict_length;
    head->layer_length = entry->layer_length;
    head->infodict_sum = record->infodict_sum;
    head->layer_sum = record->layer_sum;
    memcpy(head->v1, entry->v1.b, sizeof head->v1);
    memcpy(head->v1_keyless, entry->v1_keyless.b, sizeof head->v1_keyless);
    memcpy(head->v1_alone, entry->v1_alone.b, sizeof head->v1_alone);
    memcpy(head->v2, entry->v2.b, sizeof head->v2);
    memcpy(head->root, record->root, sizeof head->root);
    head->path_length = (apr_uint32_t)path_length;
    head->url_length = (apr_uint32_t)url_length;
}

static void record_from(cat_record *record, const record_head *head, const char *texts)
{
    cat_entry *entry = &record->entry;

    entry->path = texts;
    entry->url = texts + head->path_length + 1;
    entry->stamp.size = head->size;
    entry->stamp.mtime_ns = head->mtime_ns;
    entry->stamp.ctime_ns = head->ctime_ns;
    entry->stamp.device = head->device;
    entry->stamp.inode = head->inode;
    entry->grant = head->grant;
    entry->published = head->published;
    entry->created = head->created;
    entry->version = (tg_version)head->version;
    memcpy(entry->v1.b, head->v1, sizeof head->v1);
    memcpy(entry->v1_keyless.b, head->v1_keyless, sizeof head->v1_keyless);
    memcpy(entry->v1_alone.b, head->v1_alone, sizeof head->v1_alone);
    memcpy(entry->v2.b, head->v2, sizeof head->v2);
    entry->piece_length = head->piece_length;
    entry->infodict_length = (apr_size_t)head->infodict_length;
    entry->layer_length = (apr_size_t)head->layer_length;
    record->length = head->length;
    memcpy(record->root, head->root, sizeof head->root);
    record->infodict_sum = head->infodict_sum;
    record->layer_sum = head->layer_sum;
}

apr_status_t cat_record_write(bt_buf *buf, const cat_record *record)
{
    apr_size_t path_length = strlen(record->entry.path), url_length = strlen(record->entry.url);
    apr_size_t start = buf->length;
    record_head head;
    apr_uint64_t sum;

    if (path_length == 0 || path_length > CAT_TEXT_MAX || url_length > CAT_TEXT_MAX)
        return APR_EINVAL;
    head_from(&head, record, path_length, url_length);
    bt_buf_add(buf, &head, sizeof head);
    bt_buf_add(buf, record->entry.path, path_length + 1);
    if (bt_buf_add(buf, record->entry.url, url_length + 1) != APR_SUCCESS)
        return buf->status;
    sum = cat_sum(buf->data + start, buf->length - start);
    return bt_buf_add(buf, &sum, sizeof sum);
}

int cat_record_read(const MDB_val *value, cat_record *record)
{
    const unsigned char *bytes = value->mv_data;
    record_head head;
    apr_uint64_t sum;
    apr_size_t body;

    if (value->mv_size < sizeof head + 2 + sizeof sum)
        return 0;
    memcpy(&head, bytes, sizeof head);
    if (head.format != CAT_RECORD_FORMAT || head.path_length > CAT_TEXT_MAX || head.url_length > CAT_TEXT_MAX)
        return 0;
    body = sizeof head + head.path_length + 1 + head.url_length + 1;
    if (value->mv_size != body + sizeof sum)
        return 0;
    memcpy(&sum, bytes + body, sizeof sum);
    if (sum != cat_sum(bytes, body))
        return 0;
    if (head.published > 1 || head.version < TG_V1 || head.version > TG_HYBRID || head.path_length == 0 ||
        head.infodict_length > CAT_TORRENT_MAX || head.layer_length > CAT_TORRENT_MAX)
        return 0;
    if (bytes[sizeof head + head.path_length] != '\0' || bytes[body - 1] != '\0')
        return 0;
    record_from(record, &head, (const char *)bytes + sizeof head);
    return 1;
}

int cat_record_hashes(const cat_record *record, bt_infohash hashes[CAT_HASHES_MAX])
{
    int count = 0;

    if (record->entry.version & TG_V1)
        hashes[count++] = record->entry.v1;
    if (record->entry.version & TG_V2)
        hashes[count++] = bt_infohash_truncate(&record->entry.v2);
    if (!bt_infohash_is_zero(&record->entry.v1_keyless))
        hashes[count++] = record->entry.v1_keyless;
    if (!bt_infohash_is_zero(&record->entry.v1_alone))
        hashes[count++] = record->entry.v1_alone;
    return count;
}

int cat_record_has(const cat_record *record, const bt_infohash *hash)
{
    bt_infohash hashes[CAT_HASHES_MAX];
    int count = cat_record_hashes(record, hashes);

    for (int i = 0; i < count; i++)
        if (bt_infohash_equal(&hashes[i], hash))
            return 1;
    return 0;
}
