#include "t/unit/unit.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/reach.h"

static void test_ranges(void **state)
{
    static const struct {
        const char *address;
        bt_reach reach;
    } cases[] = {
        {"0.0.0.0", BT_REACH_NOBODY},       {"0.1.2.3", BT_REACH_NOBODY},        {"10.1.2.3", BT_REACH_PRIVATE},
        {"127.0.0.1", BT_REACH_LOOPBACK},   {"127.9.8.7", BT_REACH_LOOPBACK},    {"100.63.255.255", BT_REACH_GLOBAL},
        {"100.64.0.1", BT_REACH_PRIVATE},   {"100.127.0.1", BT_REACH_PRIVATE},   {"100.128.0.1", BT_REACH_GLOBAL},
        {"169.254.0.1", BT_REACH_NOBODY},   {"169.253.0.1", BT_REACH_GLOBAL},    {"172.15.0.1", BT_REACH_GLOBAL},
        {"172.16.0.1", BT_REACH_PRIVATE},   {"172.31.0.1", BT_REACH_PRIVATE},    {"172.32.0.1", BT_REACH_GLOBAL},
        {"192.168.0.1", BT_REACH_PRIVATE},  {"192.169.0.1", BT_REACH_GLOBAL},    {"8.8.8.8", BT_REACH_GLOBAL},
        {"224.0.0.1", BT_REACH_NOBODY},     {"255.255.255.255", BT_REACH_NOBODY}, {"::", BT_REACH_NOBODY},
        {"::1", BT_REACH_LOOPBACK},         {"::2", BT_REACH_GLOBAL},            {"::ffff:10.0.0.1", BT_REACH_PRIVATE},
        {"::ffff:8.8.8.8", BT_REACH_GLOBAL}, {"::ffff:127.0.0.1", BT_REACH_LOOPBACK}, {"fc00::1", BT_REACH_PRIVATE},
        {"fd12::1", BT_REACH_PRIVATE},      {"fe80::1", BT_REACH_NOBODY},        {"fec0::1", BT_REACH_NOBODY},
        {"ff02::1", BT_REACH_NOBODY},       {"2001:db8::1", BT_REACH_GLOBAL},    {"fe00::1", BT_REACH_GLOBAL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int is_v6 = strchr(cases[i].address, ':') != NULL;
        unsigned char ip[16];

        assert_int_equal(inet_pton(is_v6 ? AF_INET6 : AF_INET, cases[i].address, ip), 1);
        if (bt_reach_of(ip, is_v6) != cases[i].reach)
            fail_msg("%s", cases[i].address);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ranges)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
