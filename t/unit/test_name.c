/* Whatever a file is called, its name in the torrent is a good one. */
#include <string.h>

#include <apr_pools.h>

#include "t/unit/unit.h"
#include "torrentgen/infodict.h"
#include "torrentgen/name.h"

static int make_pool(void **state)
{
    return apr_pool_create((apr_pool_t **)state, NULL) != APR_SUCCESS;
}

static int drop_pool(void **state)
{
    apr_pool_destroy(*state);
    return 0;
}

static void the_last_element_as_it_is(void **state)
{
    assert_string_equal(tg_name_of(*state, "/srv/a b.iso"), "a b.iso");
    assert_string_equal(tg_name_of(*state, "plain"), "plain");
    assert_string_equal(tg_name_of(*state, "/x/100% \xc3\xa4\n"), "100% \xc3\xa4\n");
}

static void other_bytes_are_encoded(void **state)
{
    assert_string_equal(tg_name_of(*state, "/x/a\xff\xe4.bin"), "a%FF%E4.bin");
    assert_string_equal(tg_name_of(*state, "/x/\xc3"), "%C3");
}

static void long_names_are_cut_between_characters(void **state)
{
    char path[300] = "/";

    memset(path + 1, 0xff, 255);
    assert_int_equal(strlen(tg_name_of(*state, path)), 255);
    memset(path + 1, 'x', 254);
    memcpy(path + 255, "\xc3\xa4", 3);
    assert_int_equal(strlen(tg_name_of(*state, path)), 254);
    assert_true(tg_name_is_good(tg_name_of(*state, path)));
}

static void any_bytes_give_a_good_name(void **state)
{
    uint64_t random = 7;

    for (int i = 0; i < 20000; i++) {
        char path[258] = "/";
        size_t length = 3 + unit_below(&random, 253);

        for (size_t j = 1; j <= length; j++)
            path[j] = (char)(1 + unit_below(&random, 255));
        for (char *at = path + 1; *at; at++)
            if (*at == '/')
                *at = 'x';
        assert_true(tg_name_is_good(tg_name_of(*state, path)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_element_as_it_is), cmocka_unit_test(other_bytes_are_encoded),
        cmocka_unit_test(long_names_are_cut_between_characters), cmocka_unit_test(any_bytes_give_a_good_name)};
    int failed;

    apr_initialize();
    failed = cmocka_run_group_tests(tests, make_pool, drop_pool);
    apr_terminate();
    return failed;
}
