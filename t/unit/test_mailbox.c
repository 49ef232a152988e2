/* The mailbox: whole messages, descriptors beside them, back-pressure. */
#include "t/unit/unit.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "seeder/mail.h"
#include "seeder/wire.h"

static unsigned char buffer[SEED_MAIL_MAX];

static int set_up(void **state)
{
    apr_pool_t *pool;
    seed_mailbox *mailbox;

    apr_pool_create(&pool, NULL);
    assert_int_equal(seed_mailbox_create(&mailbox, pool), APR_SUCCESS);
    *state = mailbox;
    return 0;
}

static int tear_down(void **state)
{
    seed_mailbox *mailbox = *state;

    close(mailbox->write_fd);
    close(mailbox->read_fd);
    return 0;
}

static void a_socket_goes_through(void **state)
{
    seed_mail mail;
    int pair[2];
    char byte = 0;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(seed_post_peer(*state, pair[0]), APR_SUCCESS);
    close(pair[0]);
    assert_int_equal(seed_mail_read(*state, buffer, &mail), APR_SUCCESS);
    assert_int_equal(mail.kind, SEED_MAIL_PEER);
    assert_true(mail.socket >= 0);
    assert_int_equal(write(mail.socket, "x", 1), 1);
    assert_int_equal(read(pair[1], &byte, 1), 1);
    assert_int_equal(byte, 'x');
    close(mail.socket);
    assert_int_equal(read(pair[1], &byte, 1), 0); /* no other copy is left */
    close(pair[1]);
    assert_true(APR_STATUS_IS_EAGAIN(seed_mail_read(*state, buffer, &mail)));
}

static void a_live_peer_goes_through(void **state)
{
    seed_mail mail;

    assert_int_equal(seed_post_live(*state, STDERR_FILENO, (const unsigned char *)"record", 6), APR_SUCCESS);
    assert_int_equal(seed_mail_read(*state, buffer, &mail), APR_SUCCESS);
    assert_int_equal(mail.kind, SEED_MAIL_LIVE);
    assert_int_equal(mail.record_length, 6);
    assert_memory_equal(mail.record, "record", 6);
    close(mail.socket);
}

/* One that does not fit into a message goes in a file in memory. */
static void a_long_record_goes_through(void **state)
{
    static unsigned char record[SEED_RECORD_MAX + 1];
    seed_mail mail;
    int pair[2];
    char byte;

    for (size_t i = 0; i < sizeof record; i++)
        record[i] = (unsigned char)(i * 31 >> 3);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    for (apr_size_t length = SEED_MAIL_MAX - 9; length <= SEED_MAIL_MAX; length += length == SEED_MAIL_MAX - 7 ? 7 : 1) {
        assert_int_equal(seed_post_live(*state, pair[0], record, length), APR_SUCCESS);
        assert_int_equal(seed_mail_read(*state, buffer, &mail), APR_SUCCESS);
        assert_int_equal(mail.kind, SEED_MAIL_LIVE);
        assert_int_equal(mail.record_length, length);
        assert_int_equal(mail.long_record != NULL, length > SEED_MAIL_MAX - 8);
        assert_memory_equal(mail.record, record, length);
        seed_mail_done(&mail);
        close(mail.socket);
    }
    assert_int_equal(seed_post_live(*state, pair[0], record, SEED_RECORD_MAX), APR_SUCCESS);
    assert_int_equal(seed_post_live(*state, pair[0], record, SEED_RECORD_MAX + 1), APR_ENOSPC);
    close(pair[0]);
    assert_int_equal(seed_mail_read(*state, buffer, &mail), APR_SUCCESS);
    assert_memory_equal(mail.record, record, SEED_RECORD_MAX);
    seed_mail_done(&mail);
    close(mail.socket);
    assert_int_equal(read(pair[1], &byte, 1), 0); /* no other copy is left */
    close(pair[1]);
}

static void make_and_withdraw(void **state)
{
    seed_make make = {.path = "/srv/a file",
                      .name = "a file",
                      .url = "main http://x/a%20file",
                      .grant = APR_UINT64_C(0x1122334455667788),
                      .version = TG_HYBRID,
                      .piece_length = 65536,
                      .sidecar = "/srv/a file.torrent",
                      .collection = 1,
                      .listed = 1,
                      .size = APR_INT64_C(0x123456789a)};
    seed_make plain = {.path = "p", .name = "n", .version = TG_V1, .urgent = 1};
    seed_mail mail;

    assert_int_equal(seed_post_make(*state, &make), APR_SUCCESS);
    assert_int_equal(seed_post_make(*state, &plain), APR_SUCCESS);
    assert_int_equal(seed_post_withdraw(*state, "/srv/b"), APR_SUCCESS);
    assert_int_equal(seed_mail_read(*state, buffer, &mail), APR_SUCCESS);
    assert_int_equal(mail.kind, SEED_MAIL_MAKE);
    assert_string_equal(mail.make.path, make.path);
    assert_string_equal(mail.make.name, make.name);
    assert_string_equal(mail.make.url, make.url);
    assert_true(mail.make.grant == make.grant);
    assert_int_equal(mail.make.version, TG_HYBRID);
    assert_int_equal(mail.make.piece_length, 65536);
    assert_string_equal(mail.make.sidecar, make.sidecar);
    assert_true(mail.make.collection && !mail.make.urgent && mail.make.listed);
    assert_true(mail.make.size == make.size);
    assert_int_equal(seed_mail_read(*state, buffer, &mail), APR_SUCCESS);
    assert_string_equal(mail.make.sidecar, "");
    assert_true(!mail.make.collection && mail.make.urgent && !mail.make.listed);
    assert_int_equal(seed_mail_read(*state, buffer, &mail), APR_SUCCESS);
    assert_int_equal(mail.kind, SEED_MAIL_WITHDRAW);
    assert_string_equal(mail.path, "/srv/b");
}

static void too_long(void **state)
{
    static char text[13 * 1024];
    seed_make make = {.path = text, .name = "n", .url = "u", .version = TG_V1};

    memset(text, 'x', sizeof text - 1);
    assert_int_equal(seed_post_make(*state, &make), APR_ENAMETOOLONG);
    assert_int_equal(seed_post_withdraw(*state, text), APR_ENAMETOOLONG);
    text[12 * 1024 - 2] = 0;
    assert_int_equal(seed_post_make(*state, &make), APR_SUCCESS);
    make.name = "nn";
    assert_int_equal(seed_post_make(*state, &make), APR_ENAMETOOLONG);
}

static void full_is_back_pressure(void **state)
{
    apr_status_t status = APR_SUCCESS;
    seed_mail mail;
    int posted = 0, read = 0;

    while (posted < 1000000 && (status = seed_post_withdraw(*state, "/some/path")) == APR_SUCCESS)
        posted++;
    assert_true(APR_STATUS_IS_EAGAIN(status));
    assert_true(posted >= 100);
    while (seed_mail_read(*state, buffer, &mail) == APR_SUCCESS)
        read++;
    assert_int_equal(read, posted);
    assert_int_equal(seed_post_withdraw(*state, "/some/path"), APR_SUCCESS);
}

/* What another build may have written: anything at all is refused or understood, and no descriptor is leaked. */
static void nonsense_is_refused(void **state)
{
    const seed_mailbox *mailbox = *state;
    unsigned char bytes[200];
    unsigned seed = 1;
    seed_mail mail;

    for (int round = 0; round < 5000; round++) {
        size_t length = 1 + (seed = seed * 1103515245 + 12345) / 65536 % sizeof bytes;
        for (size_t i = 0; i < length; i++)
            bytes[i] = (unsigned char)((seed = seed * 1103515245 + 12345) >> 16);
        if (round % 2 && length >= 52) { /* nearly right */
            pw_put_u32(bytes, 0x42544d31);
            pw_put_u32(bytes + 4, (apr_uint32_t)round / 2 % 6);
            memset(bytes + 36, 0, 16);
            bytes[39] = (unsigned char)(round % 7);
            bytes[43] = (unsigned char)(round % 5);
        }
        assert_int_equal(write(mailbox->write_fd, bytes, length), length);
        seed_mail_read(mailbox, buffer, &mail);
        assert_int_equal(mail.socket, -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_socket_goes_through, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_live_peer_goes_through, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_long_record_goes_through, set_up, tear_down),
        cmocka_unit_test_setup_teardown(make_and_withdraw, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_long, set_up, tear_down),
        cmocka_unit_test_setup_teardown(full_is_back_pressure, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nonsense_is_refused, set_up, tear_down),
    };
    apr_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
