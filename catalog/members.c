#include "catalog/members.h"

#include <string.h>

#include <apr_strings.h>

#include "catalog/record.h"

/* In host byte order, as all of an LMDB file is. */
typedef struct __attribute__((packed)) {
    apr_int64_t size, mtime_ns, ctime_ns;
    apr_uint64_t device, inode;
    apr_int64_t offset;
    unsigned char root[BT_HASH_V2_SIZE];
    apr_uint32_t path_length; /* without its NUL */
} member_head;

_Static_assert(sizeof(member_head) == 84, "the layout of a member is fixed: a change needs a new CAT_RECORD_FORMAT");

/* A path that stays below the collection's directory. */
static int is_below(const char *path)
{
    for (const char *at = path;; at++) {
        apr_size_t element = strcspn(at, "/");

        if (element == 0 || (element == 1 && at[0] == '.') || (element == 2 && at[0] == '.' && at[1] == '.'))
            return 0;
        at += element;
        if (*at == '\0')
            return 1;
    }
}

/* May it follow a member that ends at `end`? */
static int may_follow(const tg_member *member, apr_int64_t end)
{
    return member->offset >= end && member->stamp.size > 0 && member->stamp.size <= APR_INT64_MAX - member->offset &&
           is_below(member->path);
}

apr_status_t cat_members_write(bt_buf *buf, const tg_member *members, apr_size_t count)
{
    apr_int64_t end = 0;

    for (apr_size_t i = 0; i < count; i++) {
        const tg_member *member = &members[i];
        apr_size_t length = strlen(member->path);
        member_head head = {member->stamp.size,
                            member->stamp.mtime_ns,
                            member->stamp.ctime_ns,
                            member->stamp.device,
                            member->stamp.inode,
                            member->offset,
                            {0},
                            (apr_uint32_t)length};

        if (length > CAT_TEXT_MAX || !may_follow(member, end))
            return APR_EINVAL;
        end = member->offset + member->stamp.size;
        memcpy(head.root, member->root, sizeof head.root);
        bt_buf_add(buf, &head, sizeof head);
        bt_buf_add(buf, member->path, length + 1);
    }
    return buf->status;
}

/* @return the bytes that the first member takes, 0 if there is none */
static apr_size_t read_head(const unsigned char *bytes, apr_size_t left, member_head *head)
{
    if (left < sizeof *head + 2)
        return 0;
    memcpy(head, bytes, sizeof *head);
    if (head->path_length == 0 || head->path_length > CAT_TEXT_MAX || head->path_length + 1 > left - sizeof *head)
        return 0;
    return sizeof *head + head->path_length + 1;
}

/* @return how many there are, 0 if what lies there is none */
static apr_size_t count_members(const unsigned char *bytes, apr_size_t length)
{
    apr_size_t count = 0, at = 0, step;
    member_head head;

    for (; at < length; at += step, count++)
        if ((step = read_head(bytes + at, length - at, &head)) == 0)
            return 0;
    return count;
}

int cat_members_read(const void *from, apr_size_t length, apr_pool_t *pool, const tg_member **members,
                     apr_size_t *count)
{
    const unsigned char *bytes = from;
    apr_size_t total = count_members(bytes, length);
    tg_member *made;
    member_head head = {0};
    apr_int64_t end = 0;
    char *texts;

    if (total == 0)
        return 0;
    made = apr_pcalloc(pool, total * sizeof *made);
    texts = apr_pmemdup(pool, bytes, length);
    for (apr_size_t i = 0, at = 0; i < total; i++) {
        apr_size_t step = read_head(bytes + at, length - at, &head);
        bt_stamp stamp = {head.size, head.mtime_ns, head.ctime_ns, head.device, head.inode};

        made[i].path = texts + at + sizeof head;
        made[i].stamp = stamp;
        made[i].offset = head.offset;
        memcpy(made[i].root, head.root, sizeof made[i].root);
        if (strnlen(made[i].path, head.path_length + 1) != head.path_length || !may_follow(&made[i], end))
            return 0;
        end = made[i].offset + made[i].stamp.size;
        at += step;
    }
    *members = made;
    *count = total;
    return 1;
}
