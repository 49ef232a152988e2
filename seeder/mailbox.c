#include "seeder/mail.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "seeder/wire.h"

/* Each message begins with a magic number, which is also the layout's version, and its kind. */
enum { MAGIC = 0x42544d31, HEADER = 8, TEXT_MAX = 12 * 1024, QUEUE_BYTES = 4 * 1024 * 1024 };

apr_status_t seed_mailbox_create(seed_mailbox **mailbox, apr_pool_t *pool)
{
    int pair[2], size = QUEUE_BYTES;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0)
        return errno;
    /* As root a queue for thousands of peers, else as much as the system allows. */
    if (setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) != 0)
        setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    *mailbox = apr_palloc(pool, sizeof **mailbox);
    (*mailbox)->write_fd = pair[0];
    (*mailbox)->read_fd = pair[1];
    return APR_SUCCESS;
}

static void put_header(unsigned char *out, seed_mail_kind kind)
{
    pw_put_u32(out, MAGIC);
    pw_put_u32(out + 4, kind);
}

/* Sends head and body as one message, with a descriptor beside it unless -1. */
static apr_status_t post(const seed_mailbox *mailbox, seed_mail_kind kind, const unsigned char *body,
                         apr_size_t length, int fd)
{
    unsigned char head[HEADER];
    struct iovec parts[2] = {{head, HEADER}, {(void *)(apr_uintptr_t)body, length}};
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = length ? 2 : 1};
    ssize_t sent;

    put_header(head, kind);
    if (fd >= 0) {
        struct cmsghdr *beside = &control.align;
        memset(&control, 0, sizeof control);
        message.msg_control = &control;
        message.msg_controllen = sizeof control.bytes;
        beside->cmsg_level = SOL_SOCKET;
        beside->cmsg_type = SCM_RIGHTS;
        beside->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(beside), &fd, sizeof fd);
    }
    do {
        sent = sendmsg(mailbox->write_fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    if (sent >= 0)
        return APR_SUCCESS;
    /* Too many descriptors on their way, or no kernel memory: full just the same. */
    return errno == ETOOMANYREFS || errno == ENOBUFS || errno == ENOMEM ? APR_EAGAIN : errno;
}

apr_status_t seed_post_peer(const seed_mailbox *mailbox, int socket)
{
    return post(mailbox, SEED_MAIL_PEER, NULL, 0, socket);
}

apr_status_t seed_post_live(const seed_mailbox *mailbox, int socket, const unsigned char *record, apr_size_t length)
{
    if (length > SEED_MAIL_MAX - HEADER)
        return APR_ENOSPC;
    return post(mailbox, SEED_MAIL_LIVE, record, length, socket);
}

static void put_u64(unsigned char *out, apr_uint64_t value)
{
    pw_put_u32(out, (apr_uint32_t)(value >> 32));
    pw_put_u32(out + 4, (apr_uint32_t)value);
}

static apr_uint64_t get_u64(const unsigned char *bytes)
{
    return (apr_uint64_t)pw_get_u32(bytes) << 32 | pw_get_u32(bytes + 4);
}

/* --- "make": a fixed part (grant, size, version, piece length, flags, lengths of the strings), then the strings, each with
 *     its NUL ---------------------------------------------------------------------------------------------------------- */

enum { MAKE_TEXTS = 4, MAKE_FIXED = 28 + 4 * MAKE_TEXTS, IS_COLLECTION = 1, IS_URGENT = 2, IS_LISTED = 4 };

static void put_make(unsigned char *fixed, const seed_make *make)
{
    put_u64(fixed, make->grant);
    put_u64(fixed + 8, (apr_uint64_t)make->size);
    pw_put_u32(fixed + 16, make->version);
    pw_put_u32(fixed + 20, make->piece_length);
    pw_put_u32(fixed + 24, (make->collection ? IS_COLLECTION : 0u) | (make->urgent ? IS_URGENT : 0u) |
                               (make->listed ? IS_LISTED : 0u));
}

apr_status_t seed_post_make(const seed_mailbox *mailbox, const seed_make *make)
{
    const char *texts[MAKE_TEXTS] = {make->path, make->name, make->url ? make->url : "",
                                     make->sidecar ? make->sidecar : ""};
    unsigned char fixed[MAKE_FIXED];
    apr_size_t total = 0;
    apr_status_t status;
    bt_buf body;
    int i;

    put_make(fixed, make);
    for (i = 0; i < MAKE_TEXTS; i++) {
        apr_size_t length = strlen(texts[i]);
        if (length > TEXT_MAX || (total += length) > TEXT_MAX)
            return APR_ENAMETOOLONG;
        pw_put_u32(fixed + 28 + 4 * i, (apr_uint32_t)length);
    }
    bt_buf_init(&body, MAKE_FIXED + TEXT_MAX + MAKE_TEXTS);
    bt_buf_add(&body, fixed, sizeof fixed);
    for (i = 0; i < MAKE_TEXTS; i++)
        bt_buf_add(&body, texts[i], strlen(texts[i]) + 1);
    status = body.status;
    if (status == APR_SUCCESS)
        status = post(mailbox, SEED_MAIL_MAKE, body.data, body.length, -1);
    bt_buf_free(&body);
    return status;
}

apr_status_t seed_post_withdraw(const seed_mailbox *mailbox, const char *path)
{
    apr_size_t length = strlen(path) + 1;

    if (length > TEXT_MAX)
        return APR_ENAMETOOLONG;
    return post(mailbox, SEED_MAIL_WITHDRAW, (const unsigned char *)path, length, -1);
}

/* Takes a NUL-terminated string of exactly `length` characters from the front. @return NULL if it is not one */
static const char *take_text(const unsigned char **at, const unsigned char *end, apr_uint32_t length)
{
    const char *text = (const char *)*at;

    if ((apr_size_t)(end - *at) <= length || memchr(text, 0, (apr_size_t)length + 1) != text + length)
        return NULL;
    *at += (apr_size_t)length + 1;
    return text;
}

static apr_status_t read_make(const unsigned char *body, apr_size_t length, seed_make *make)
{
    const char **const texts[MAKE_TEXTS] = {&make->path, &make->name, &make->url, &make->sidecar};
    const unsigned char *at = body + MAKE_FIXED, *end = body + length;
    apr_uint32_t flags;

    if (length < MAKE_FIXED)
        return APR_EINVAL;
    make->grant = get_u64(body);
    make->size = (apr_int64_t)get_u64(body + 8);
    make->version = (tg_version)pw_get_u32(body + 16);
    make->piece_length = pw_get_u32(body + 20);
    flags = pw_get_u32(body + 24);
    make->collection = (flags & IS_COLLECTION) != 0;
    make->urgent = (flags & IS_URGENT) != 0;
    make->listed = (flags & IS_LISTED) != 0;
    for (int i = 0; i < MAKE_TEXTS; i++) {
        *texts[i] = take_text(&at, end, pw_get_u32(body + 28 + 4 * i));
        if (!*texts[i])
            return APR_EINVAL;
    }
    return at == end && make->size >= 0 ? APR_SUCCESS : APR_EINVAL;
}

static apr_status_t understand(const unsigned char *bytes, apr_size_t length, seed_mail *mail)
{
    const unsigned char *body = bytes + HEADER, *end = bytes + length;

    if (length < HEADER || pw_get_u32(bytes) != MAGIC)
        return APR_EINVAL;
    mail->kind = (seed_mail_kind)pw_get_u32(bytes + 4);
    switch (mail->kind) {
    case SEED_MAIL_PEER:
        return mail->socket < 0 ? APR_EMFILE : APR_SUCCESS;
    case SEED_MAIL_LIVE:
        mail->record = body;
        mail->record_length = (apr_size_t)(end - body);
        return mail->socket < 0 ? APR_EMFILE : APR_SUCCESS;
    case SEED_MAIL_MAKE:
        return read_make(body, (apr_size_t)(end - body), &mail->make);
    case SEED_MAIL_WITHDRAW:
        mail->path = (const char *)body;
        return end > body && memchr(body, 0, (apr_size_t)(end - body)) == end - 1 ? APR_SUCCESS : APR_EINVAL;
    default:
        return APR_EINVAL;
    }
}

static int descriptor_of(struct msghdr *message)
{
    struct cmsghdr *beside = CMSG_FIRSTHDR(message);
    int fd = -1;

    if (beside && beside->cmsg_level == SOL_SOCKET && beside->cmsg_type == SCM_RIGHTS &&
        beside->cmsg_len == CMSG_LEN(sizeof fd))
        memcpy(&fd, CMSG_DATA(beside), sizeof fd);
    return fd;
}

apr_status_t seed_mail_read(const seed_mailbox *mailbox, unsigned char *buffer, seed_mail *mail)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec part = {buffer, SEED_MAIL_MAX};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
                             .msg_controllen = sizeof control.bytes};
    apr_status_t status;
    ssize_t got;

    memset(mail, 0, sizeof *mail);
    mail->socket = -1;
    do {
        got = recvmsg(mailbox->read_fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return errno;
    if (got == 0)
        return APR_EOF; /* every writer is gone */
    mail->socket = descriptor_of(&message);
    status = message.msg_flags & MSG_TRUNC ? APR_EINVAL : understand(buffer, (apr_size_t)got, mail);
    if (status != APR_SUCCESS && mail->socket >= 0) {
        close(mail->socket);
        mail->socket = -1;
    }
    return status;
}
