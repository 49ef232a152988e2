/* One feed for one host name, however it was reached. */
#include "t/unit/cat_fixture.h"

#include <string.h>

static void test_sites(void **state)
{
    static const struct {
        const char *url, *site;
    } cases[] = {{"192.0.2.1 80 http example.com /a", "example.com"},
                 {"192.0.2.1 80 http Example.COM:8080 /a b", "example.com"},
                 {"2001:db8::1 443 https example.com. /", "example.com"},
                 {"192.0.2.1 80 http [2001:DB8::1]:8080 /a:b", "[2001:db8::1]"},
                 {"192.0.2.1 80 http [2001:db8::1] /a:b", "[2001:db8::1]"},
                 {"192.0.2.1 80 http 192.0.2.1:80 /", "192.0.2.1"},
                 {"192.0.2.1 80 http example.com", "example.com"},
                 {"192.0.2.1 80 http - /a", "-"},
                 {"192.0.2.1 80 http", NULL},
                 {"192.0.2.1 80 http ", NULL},
                 {"192.0.2.1 80 http  /a", NULL},
                 {"192.0.2.1 80 http :80 /a", NULL},
                 {"", NULL}};
    char site[CAT_SITE_SIZE];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(cat_site_of(cases[i].url, site), cases[i].site != NULL);
        if (cases[i].site)
            assert_string_equal(site, cases[i].site);
    }
}

static void publish_at(fixture *f, const char *path, const char *url, unsigned seed)
{
    tg_torrent torrent = fix_torrent(TG_HYBRID, seed, 100, 0);
    bt_stamp stamp = fix_stamp(seed);

    assert_int_equal(fix_put(f->catalog, path, url, 1, &stamp, &torrent), APR_SUCCESS);
    fix_free_torrent(&torrent);
}

static void test_one_list_for_all_ways_to_a_host(void **state)
{
    fixture *f = *state;
    const cat_entry *entries;
    char next[CAT_TOKEN_SIZE];
    apr_size_t count;

    fix_open(f);
    publish_at(f, "/d/a", "192.0.2.1 80 http Example.com /a", 1);
    publish_at(f, "/d/b", "2001:db8::1 8443 https example.com:8443 /b", 2);
    publish_at(f, "/d/c", "192.0.2.1 80 http www.example.com /c", 3);
    assert_int_equal(cat_newest(f->catalog, "example.com", NULL, 10, f->pool, &entries, &count, next), APR_SUCCESS);
    assert_int_equal(count, 2);
    assert_string_equal(entries[0].path, "/d/b");
    assert_string_equal(entries[1].path, "/d/a");
    assert_string_equal(next, "");
    assert_int_equal(cat_newest(f->catalog, "www.example.com", NULL, 10, f->pool, &entries, &count, next), APR_SUCCESS);
    assert_int_equal(count, 1);
    assert_int_equal(cat_newest(f->catalog, "example", NULL, 10, f->pool, &entries, &count, next), APR_SUCCESS);
    assert_int_equal(count, 0);
    fix_check(f->catalog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sites),
        cmocka_unit_test_setup_teardown(test_one_list_for_all_ways_to_a_host, fix_setup, fix_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
