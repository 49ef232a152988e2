#include "t/unit/unit.h"

#include "module/agent.h"

static void test_old_clients(void **state)
{
    static const char *const old[] = {"Transmission/3.00", "Transmission/3.00 (bb6b5a062e)", "Transmission/2.94", "aria2/1.36.0",
                                      "aria2/1.18.10", "aria2/0.9"};

    (void)state;
    for (size_t i = 0; i < sizeof old / sizeof *old; i++)
        if (!bth_agent_needs_v1(old[i]))
            fail_msg("\"%s\" gets a hybrid", old[i]);
}

static void test_everybody_else(void **state)
{
    static const char *const others[] = {NULL, "", "Transmission/", "Transmission/4.0.0", "Transmission/10.1", "aria2/1.37.0",
                                         "aria2/2", "aria2/x", "aria2", "curl/7.88.1", "libtorrent/2.0.8.0",
                                         "Mozilla/5.0 aria2/1.36.0", "aria2/99999999999999999999.1"};

    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (bth_agent_needs_v1(others[i]))
            fail_msg("\"%s\" gets v1", others[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_old_clients), cmocka_unit_test(test_everybody_else)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
