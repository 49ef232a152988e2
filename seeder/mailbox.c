#include "seeder/mail.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "seeder/wire.h"

/* Each message begins with a magic number, which is also the layout's version, and its kind. */
enum { MAGIC = 0x42544d31, HEADER = 8, TEXT_MAX = 12 * 1024, QUEUE_BYTES = 4 * 1024 * 1024 };

enum { LIVE_LONG = 6 }; /* a kind, see mail.h */

enum { DESCRIPTORS = 2 }; /* beside one message: a socket, and a record that is too long for it */

typedef union {
    char bytes[CMSG_SPACE(DESCRIPTORS * sizeof(int))];
    struct cmsghdr align;
} control_space;

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

static void put_header(unsigned char *out, apr_uint32_t kind)
{
    pw_put_u32(out, MAGIC);
    pw_put_u32(out + 4, kind);
}

/* Puts descriptors beside a message; `bytes` has room for DESCRIPTORS. */
static void attach(struct msghdr *message, char *bytes, const int *fds, int count)
{
    struct cmsghdr *beside = (struct cmsghdr *)(void *)bytes;
    apr_size_t size = (apr_size_t)count * sizeof *fds;

    memset(bytes, 0, CMSG_SPACE(DESCRIPTORS * sizeof *fds));
    message->msg_control = bytes;
    message->msg_controllen = CMSG_SPACE(size);
    beside->cmsg_level = SOL_SOCKET;
    beside->cmsg_type = SCM_RIGHTS;
    beside->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(beside), fds, size);
}

/* Sends head and body as one message, with `count` descriptors beside it. */
static apr_status_t post(const seed_mailbox *mailbox, apr_uint32_t kind, const unsigned char *body,
                         apr_size_t length, const int *fds, int count)
{
    unsigned char head[HEADER];
    struct iovec parts[2] = {{head, HEADER}, {(void *)(apr_uintptr_t)body, length}};
    control_space control;
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = length ? 2 : 1};
    ssize_t sent;

    put_header(head, kind);
    if (count > 0)
        attach(&message, control.bytes, fds, count);
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
    return post(mailbox, SEED_MAIL_PEER, NULL, 0, &socket, 1);
}

/* A file in memory with these bytes. @return -1, and errno says why */
static int make_file(const unsigned char *bytes, apr_size_t length)
{
    int fd = memfd_create("bthttp-peer", MFD_CLOEXEC);
    ssize_t n;

    for (; fd >= 0 && length; bytes += n, length -= (apr_size_t)n) {
        n = write(fd, bytes, length);
        if (n <= 0) {
            close(fd);
            return -1;
        }
    }
    return fd;
}

apr_status_t seed_post_live(const seed_mailbox *mailbox, int socket, const unsigned char *record, apr_size_t length)
{
    int fds[DESCRIPTORS] = {socket, -1};
    apr_status_t status;

    if (length <= SEED_MAIL_MAX - HEADER)
        return post(mailbox, SEED_MAIL_LIVE, record, length, fds, 1);
    if (length > SEED_RECORD_MAX)
        return APR_ENOSPC;
    fds[1] = make_file(record, length);
    if (fds[1] < 0)
        return errno;
    status = post(mailbox, LIVE_LONG, NULL, 0, fds, 2);
    close(fds[1]);
    return status;
}

/* Reads a file in memory from its beginning. */
static apr_status_t read_file(int fd, seed_mail *mail)
{
    struct stat info;

    if (fstat(fd, &info) != 0 || info.st_size <= 0 || info.st_size > SEED_RECORD_MAX)
        return APR_EINVAL;
    mail->record_length = (apr_size_t)info.st_size;
    mail->record = mail->long_record = malloc(mail->record_length);
    if (!mail->record)
        return APR_ENOMEM;
    if (pread(fd, mail->long_record, mail->record_length, 0) == (ssize_t)info.st_size)
        return APR_SUCCESS;
    seed_mail_done(mail);
    return APR_EINVAL;
}

void seed_mail_done(seed_mail *mail)
{
    free(mail->long_record);
    mail->long_record = NULL;
}

apr_status_t seed_post_heir(const seed_mailbox *mailbox)
{
    return post(mailbox, SEED_MAIL_HEIR, NULL, 0, NULL, 0);
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
        status = post(mailbox, SEED_MAIL_MAKE, body.data, body.length, NULL, 0);
    bt_buf_free(&body);
    return status;
}

apr_status_t seed_post_withdraw(const seed_mailbox *mailbox, const char *path)
{
    apr_size_t length = strlen(path) + 1;

    if (length > TEXT_MAX)
        return APR_ENAMETOOLONG;
    return post(mailbox, SEED_MAIL_WITHDRAW, (const unsigned char *)path, length, NULL, 0);
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

static apr_status_t understand(const unsigned char *bytes, apr_size_t length, int file, seed_mail *mail)
{
    const unsigned char *body = bytes + HEADER, *end = bytes + length;
    apr_uint32_t kind;

    if (length < HEADER || pw_get_u32(bytes) != MAGIC)
        return APR_EINVAL;
    kind = pw_get_u32(bytes + 4);
    mail->kind = kind == LIVE_LONG ? SEED_MAIL_LIVE : (seed_mail_kind)kind;
    switch (kind) {
    case SEED_MAIL_PEER:
        return mail->socket < 0 ? APR_EMFILE : APR_SUCCESS;
    case SEED_MAIL_LIVE:
        mail->record = body;
        mail->record_length = (apr_size_t)(end - body);
        return mail->socket < 0 ? APR_EMFILE : APR_SUCCESS;
    case LIVE_LONG:
        return mail->socket < 0 || file < 0 ? APR_EMFILE : read_file(file, mail);
    case SEED_MAIL_HEIR:
        return APR_SUCCESS;
    case SEED_MAIL_MAKE:
        return read_make(body, (apr_size_t)(end - body), &mail->make);
    case SEED_MAIL_WITHDRAW:
        mail->path = (const char *)body;
        return end > body && memchr(body, 0, (apr_size_t)(end - body)) == end - 1 ? APR_SUCCESS : APR_EINVAL;
    default:
        return APR_EINVAL;
    }
}

/* The descriptors beside a message; -1 for what is not there. */
static void take_descriptors(struct msghdr *message, int fds[DESCRIPTORS])
{
    struct cmsghdr *beside = CMSG_FIRSTHDR(message);

    fds[0] = fds[1] = -1;
    if (beside && beside->cmsg_level == SOL_SOCKET && beside->cmsg_type == SCM_RIGHTS &&
        (beside->cmsg_len == CMSG_LEN(sizeof *fds) || beside->cmsg_len == CMSG_LEN(DESCRIPTORS * sizeof *fds)))
        memcpy(fds, CMSG_DATA(beside), beside->cmsg_len - CMSG_LEN(0));
}

apr_status_t seed_mail_read(const seed_mailbox *mailbox, unsigned char *buffer, seed_mail *mail)
{
    control_space control;
    int fds[DESCRIPTORS];
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
    take_descriptors(&message, fds);
    mail->socket = fds[0];
    status = message.msg_flags & MSG_TRUNC ? APR_EINVAL : understand(buffer, (apr_size_t)got, fds[1], mail);
    if (fds[1] >= 0)
        close(fds[1]);
    if (status != APR_SUCCESS && mail->socket >= 0) {
        close(mail->socket);
        mail->socket = -1;
    }
    return status;
}
