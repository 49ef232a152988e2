/* UTF-8 by RFC 3629: every code point has one form, and nothing else is one. */
#include <string.h>

#include "base/utf8.h"
#include "t/unit/unit.h"

static int write_naively(unsigned char *out, unsigned long code)
{
    if (code < 0x80)
        return out[0] = (unsigned char)code, 1;
    if (code < 0x800)
        return out[0] = (unsigned char)(0xc0 | code >> 6), out[1] = (unsigned char)(0x80 | (code & 0x3f)), 2;
    if (code < 0x10000)
        return out[0] = (unsigned char)(0xe0 | code >> 12), out[1] = (unsigned char)(0x80 | (code >> 6 & 0x3f)),
               out[2] = (unsigned char)(0x80 | (code & 0x3f)), 3;
    return out[0] = (unsigned char)(0xf0 | code >> 18), out[1] = (unsigned char)(0x80 | (code >> 12 & 0x3f)),
           out[2] = (unsigned char)(0x80 | (code >> 6 & 0x3f)), out[3] = (unsigned char)(0x80 | (code & 0x3f)), 4;
}

static void every_code_point(void **state)
{
    for (unsigned long code = 1; code < 0x200000; code++) {
        unsigned char bytes[5] = {0};
        int length = write_naively(bytes, code);

        if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
            assert_int_equal(bt_utf8_length(bytes), 0);
        } else {
            assert_int_equal(bt_utf8_length(bytes), length);
            assert_int_equal(bt_utf8_code(bytes, length), code);
        }
    }
}

static void what_is_none(void **state)
{
    static const char *const bad[] = {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf",
                                      "\xf5\x80\x80\x80", "\xff", "\xfe", "\xc3", "\xe2\x82", "\xf0\x9f\x98", "\xc3("};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(bt_utf8_length((const unsigned char *)bad[i]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_code_point), cmocka_unit_test(what_is_none)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
