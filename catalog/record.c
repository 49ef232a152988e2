/* For SHA256_Init and its like, which OpenSSL 3 deprecates: see cat_path_key_of. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "catalog/record.h"

#include <string.h>

#include <apr_siphash.h>
#include <openssl/sha.h>

/* What is in a record beside its head: flags of the head, in the order in which the parts lie. */
enum {
    FLAG_PUBLISHED = 0x01,
    FLAG_LISTED = 0x02,
    FLAG_ADOPTED = 0x04,
    FLAG_EVER = 0x08,
    FLAG_SIDECAR = 0x10, /* a stamp_part follows */
    FLAG_DIGEST = 0x20,  /* 32 bytes follow */
    FLAG_MEMBERS = 0x40, /* a collection_part follows */
    FLAG_ALL = 0x7F
};

/* Fields are in host byte order, as all of an LMDB file is. */
typedef struct __attribute__((packed)) {
    apr_int64_t size, mtime_ns, ctime_ns;
    apr_uint64_t device, inode;
} stamp_part;

typedef struct __attribute__((packed)) {
    apr_uint64_t members_length, members_sum;
    unsigned char previous_v1[BT_HASH_SIZE];
    unsigned char previous_v2[BT_HASH_V2_SIZE];
} collection_part;

typedef struct __attribute__((packed)) {
    apr_byte_t format;
    apr_byte_t flags;
    apr_byte_t version;
    apr_byte_t zero;
    apr_uint32_t piece_length;
    stamp_part stamp;
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

_Static_assert(sizeof(record_head) == 236 && sizeof(stamp_part) == 40 && sizeof(collection_part) == 68,
               "the layout of a record is fixed: a change needs a new CAT_RECORD_FORMAT");

/* Every request for a large file passes here. What is not deprecated fetches the algorithm, under locks, each time:
 * with eight threads that costs as much as the rest of the look-up (bench/plain). */
cat_path_key cat_key_of(const void *bytes, apr_size_t length)
{
    SHA256_CTX context;
    cat_path_key key;

    SHA256_Init(&context);
    SHA256_Update(&context, bytes, length);
    SHA256_Final(key.b, &context);
    return key;
}

cat_path_key cat_path_key_of(const char *path)
{
    return cat_key_of(path, strlen(path));
}

apr_uint64_t cat_sum(const void *bytes, apr_size_t length)
{
    static const unsigned char key[APR_SIPHASH_KSIZE] = {'b', 't', 'h', 't', 't', 'p', ' ', 'c',
                                                         'a', 't', 'a', 'l', 'o', 'g', ' ', '1'};

    return apr_siphash24(bytes, length, key);
}

static stamp_part stamp_to(const bt_stamp *stamp)
{
    stamp_part part = {stamp->size, stamp->mtime_ns, stamp->ctime_ns, stamp->device, stamp->inode};

    return part;
}

static bt_stamp stamp_from(const stamp_part *part)
{
    bt_stamp stamp = {part->size, part->mtime_ns, part->ctime_ns, part->device, part->inode};

    return stamp;
}

static int has_sidecar(const cat_entry *entry)
{
    static const bt_stamp none;

    return memcmp(&entry->sidecar, &none, sizeof none) != 0;
}

static apr_byte_t flags_of(const cat_record *record)
{
    const cat_entry *entry = &record->entry;

    return (apr_byte_t)((entry->published ? FLAG_PUBLISHED : 0) | (entry->listed ? FLAG_LISTED : 0) |
                        (entry->adopted ? FLAG_ADOPTED : 0) | (record->ever ? FLAG_EVER : 0) |
                        (has_sidecar(entry) ? FLAG_SIDECAR : 0) | (entry->has_digest ? FLAG_DIGEST : 0) |
                        (entry->members_length > 0 ? FLAG_MEMBERS : 0));
}

static void head_from(record_head *head, const cat_record *record, apr_size_t path_length, apr_size_t url_length)
{
    const cat_entry *entry = &record->entry;

    memset(head, 0, sizeof *head);
    head->format = CAT_RECORD_FORMAT;
    head->flags = flags_of(record);
    head->version = (apr_byte_t)entry->version;
    head->piece_length = entry->piece_length;
    head->stamp = stamp_to(&entry->stamp);
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

static void record_from(cat_record *record, const record_head *head)
{
    cat_entry *entry = &record->entry;

    memset(record, 0, sizeof *record);
    entry->stamp = stamp_from(&head->stamp);
    entry->grant = head->grant;
    entry->published = (head->flags & FLAG_PUBLISHED) != 0;
    entry->listed = (head->flags & FLAG_LISTED) != 0;
    entry->adopted = (head->flags & FLAG_ADOPTED) != 0;
    record->ever = (head->flags & FLAG_EVER) != 0;
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

static void add_parts(bt_buf *buf, const cat_record *record)
{
    const cat_entry *entry = &record->entry;
    int flags = flags_of(record);

    if (flags & FLAG_SIDECAR) {
        stamp_part part = stamp_to(&entry->sidecar);
        bt_buf_add(buf, &part, sizeof part);
    }
    if (flags & FLAG_DIGEST)
        bt_buf_add(buf, entry->digest, sizeof entry->digest);
    if (flags & FLAG_MEMBERS) {
        collection_part part = {.members_length = entry->members_length, .members_sum = record->members_sum};
        memcpy(part.previous_v1, entry->previous_v1.b, sizeof part.previous_v1);
        memcpy(part.previous_v2, entry->previous_v2.b, sizeof part.previous_v2);
        bt_buf_add(buf, &part, sizeof part);
    }
}

static apr_size_t parts_size(int flags)
{
    return (flags & FLAG_SIDECAR ? sizeof(stamp_part) : 0) + (flags & FLAG_DIGEST ? 32 : 0) +
           (flags & FLAG_MEMBERS ? sizeof(collection_part) : 0);
}

/* @return what follows the parts, or NULL if one cannot be */
static const unsigned char *read_parts(cat_record *record, int flags, const unsigned char *at)
{
    cat_entry *entry = &record->entry;
    collection_part collection;
    stamp_part sidecar;

    if (flags & FLAG_SIDECAR) {
        memcpy(&sidecar, at, sizeof sidecar);
        entry->sidecar = stamp_from(&sidecar);
        at += sizeof sidecar;
    }
    if (flags & FLAG_DIGEST) {
        entry->has_digest = 1;
        memcpy(entry->digest, at, sizeof entry->digest);
        at += sizeof entry->digest;
    }
    if (flags & FLAG_MEMBERS) {
        memcpy(&collection, at, sizeof collection);
        if (collection.members_length == 0 || collection.members_length > CAT_TORRENT_MAX)
            return NULL;
        entry->members_length = (apr_size_t)collection.members_length;
        record->members_sum = collection.members_sum;
        memcpy(entry->previous_v1.b, collection.previous_v1, sizeof collection.previous_v1);
        memcpy(entry->previous_v2.b, collection.previous_v2, sizeof collection.previous_v2);
        at += sizeof collection;
    }
    return at;
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
    add_parts(buf, record);
    bt_buf_add(buf, record->entry.path, path_length + 1);
    if (bt_buf_add(buf, record->entry.url, url_length + 1) != APR_SUCCESS)
        return buf->status;
    sum = cat_sum(buf->data + start, buf->length - start);
    return bt_buf_add(buf, &sum, sizeof sum);
}

static int head_is_sound(const record_head *head)
{
    return head->format == CAT_RECORD_FORMAT && head->flags <= FLAG_ALL && head->version >= TG_V1 &&
           head->version <= TG_HYBRID && head->path_length > 0 && head->path_length <= CAT_TEXT_MAX &&
           head->url_length <= CAT_TEXT_MAX && head->infodict_length <= CAT_TORRENT_MAX &&
           head->layer_length <= CAT_TORRENT_MAX;
}

int cat_record_read(const MDB_val *value, cat_record *record)
{
    const unsigned char *bytes = value->mv_data, *texts;
    record_head head;
    apr_uint64_t sum;
    apr_size_t body;

    if (value->mv_size < sizeof head + 2 + sizeof sum)
        return 0;
    memcpy(&head, bytes, sizeof head);
    if (!head_is_sound(&head))
        return 0;
    body = sizeof head + parts_size(head.flags) + head.path_length + 1 + head.url_length + 1;
    if (value->mv_size != body + sizeof sum)
        return 0;
    memcpy(&sum, bytes + body, sizeof sum);
    if (sum != cat_sum(bytes, body))
        return 0;
    record_from(record, &head);
    if ((texts = read_parts(record, head.flags, bytes + sizeof head)) == NULL)
        return 0;
    record->entry.path = (const char *)texts;
    record->entry.url = (const char *)texts + head.path_length + 1;
    return strnlen(record->entry.path, head.path_length + 1) == head.path_length &&
           strnlen(record->entry.url, head.url_length + 1) == head.url_length;
}

int cat_record_same_torrent(const cat_record *a, const cat_record *b)
{
    return a->entry.version == b->entry.version && bt_infohash_equal(&a->entry.v1, &b->entry.v1) &&
           memcmp(&a->entry.v2, &b->entry.v2, sizeof a->entry.v2) == 0;
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
