#include "t/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "module/first_bytes.h"

static void expect(const char *bytes, size_t length, bth_speaks who)
{
    if (bth_who_speaks((const unsigned char *)bytes, length) != who)
        fail_msg("\"%.*s\" (%zu bytes) is not %d", (int)length, bytes, length, (int)who);
}

static void test_peers(void **state)
{
    (void)state;
    expect("\x13", 1, BTH_SPEAKS_PEER);
    expect("\x13" "BitTorrent protocol\0\0\0\0", 24, BTH_SPEAKS_PEER);
}

static void test_http_and_its_like(void **state)
{
    static const char *const texts[] = {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                                        "\r\n\r\nGET /index.html HTTP/1.0\r\n\r\n", "GET /\xc3\xa9\xff\x80\x81\x82\x83.html HTTP/1.1\r\n",
                                        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
                                        "VERSION-CONTROL-OF-SOMETHING / HTTP/1.1\r\n\r\n", "Q / HTTP/1.0\r\nHost: example\r\n\r\n",
                                        "get /index.html HTTP/1.0\r\n\r\n", "GET /\x01\x02\x03\x04 HTTP/1.1\r\nHost: x\r\n\r\n"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (size_t length = 1; length <= strlen(texts[i]); length++)
            expect(texts[i], length, BTH_SPEAKS_OTHER);
    expect("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\xaa\xbb\xcc\xdd\xee\xff\x11\x22\x33\x44\x55\x66\x77", 24, BTH_SPEAKS_OTHER);
    expect("\x16\x03\x01\x02\x00\x77\x00\x01\xfc\x03\x03\xaa\xbb\xcc\xdd\xee\xff\x11\x22\x33\x44\x55\x66\x77", 24, BTH_SPEAKS_ENCRYPTED);
    expect("\x16\x30\x01\x02\x00\x01\x00\x01\xfc\x03\x03\xaa\xbb\xcc\xdd\xee\xff\x11\x22\x33\x44\x55\x66\x77", 24, BTH_SPEAKS_ENCRYPTED);
    expect("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\1\x7f\0\0\1", 24, BTH_SPEAKS_OTHER);
}

/* Short beginnings tell nothing; whole ones are known but for a few that look like HTTP by chance. */
static void test_random_bytes(void **state)
{
    int unknown = 0;

    (void)state;
    srand(11);
    for (int round = 0; round < 1000000; round++) {
        unsigned char bytes[96];

        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (unsigned char)(rand() >> 7);
        bytes[0] = round % 50 == 0 ? 0x16 : round % 50 == 1 ? '\n' : bytes[0];
        unknown += bth_who_speaks(bytes, sizeof bytes) == BTH_SPEAKS_OTHER;
        if (bytes[0] != 0x13)
            assert_int_equal(bth_who_speaks(bytes, BTH_FIRST_BYTES - 1), BTH_SPEAKS_OTHER);
    }
    assert_in_range(unknown, 0, 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_peers), cmocka_unit_test(test_http_and_its_like),
                                       cmocka_unit_test(test_random_bytes)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
