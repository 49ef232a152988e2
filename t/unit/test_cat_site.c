/* One feed for one host name, however it was reached. */
#include "t/unit/cat_fixture.h"

#include <apr_strings.h>
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

/* All pages, as the names of their files. */
static const char *names_of(fixture *f, const char *const *sites, int count, apr_size_t page)
{
    char token[CAT_TOKEN_SIZE] = "", next[CAT_TOKEN_SIZE];
    const char *names = "";

    do {
        const cat_entry *entries;
        apr_size_t found;

        assert_int_equal(cat_newest(f->catalog, sites, count, token, page, f->pool, &entries, &found, next), APR_SUCCESS);
        for (apr_size_t i = 0; i < found; i++)
            names = apr_pstrcat(f->pool, names, strrchr(entries[i].path, '/') + 1, NULL);
        memcpy(token, next, sizeof token);
    } while (*token);
    return names;
}

static void test_one_list_for_all_ways_to_a_host(void **state)
{
    static const char *const host[] = {"example.com"}, *const www[] = {"www.example.com"}, *const none[] = {"example"};
    fixture *f = *state;

    fix_open(f);
    publish_at(f, "/d/a", "192.0.2.1 80 http Example.com /a", 1);
    publish_at(f, "/d/b", "2001:db8::1 8443 https example.com:8443 /b", 2);
    publish_at(f, "/d/c", "192.0.2.1 80 http www.example.com /c", 3);
    assert_string_equal(names_of(f, host, 1, 10), "ba");
    assert_string_equal(names_of(f, www, 1, 10), "c");
    assert_string_equal(names_of(f, none, 1, 10), "");
    assert_string_equal(names_of(f, none, 0, 10), "");
    fix_check(f->catalog);
}

static void test_names_of_one_host(void **state)
{
    static const char *const sites[] = {"a", "b", "none", "c", "a"};
    static const char names[] = "zyxwvutsrqponmlkji";
    fixture *f = *state;

    fix_open(f);
    for (unsigned i = 0; i < sizeof names - 1; i++) /* d is none of them */
        publish_at(f, apr_psprintf(f->pool, "/d/%c", names[sizeof names - 2 - i]),
                   apr_psprintf(f->pool, "192.0.2.1 80 http %c /x", "aabbcad"[i * 5 % 7]), i + 1);
    for (apr_size_t page = 1; page < 20; page++) {
        const char *all = names_of(f, sites, 5, page);

        for (const char *at = all; *at; at++)
            assert_true(at == all || at[-1] > *at); /* newest first, none twice */
        assert_int_equal(strlen(all), sizeof names - 1 - strlen(names_of(f, (const char *const[]){"d"}, 1, 10)));
    }
    fix_check(f->catalog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sites),
        cmocka_unit_test_setup_teardown(test_one_list_for_all_ways_to_a_host, fix_setup, fix_teardown),
        cmocka_unit_test_setup_teardown(test_names_of_one_host, fix_setup, fix_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
