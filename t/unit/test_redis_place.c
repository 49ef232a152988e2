/* Where a redis is. */
#include "t/unit/unit.h"

#include <string.h>

#include "tracker/redis_place.h"

static void assert_place(const char *url, const char *host, int port, const char *user, const char *password, int database)
{
    trk_redis_place place;
    const char *wrong = trk_redis_place_read(url, &place);

    if (wrong)
        fail_msg("%s: %s", url, wrong);
    assert_string_equal(place.host, host);
    assert_int_equal(place.port, port);
    assert_string_equal(place.user, user);
    assert_string_equal(place.password, password);
    assert_int_equal(place.database, database);
}

static void all_forms_are_read(void **state)
{
    (void)state;
    assert_place("redis://localhost", "localhost", 6379, "", "", 0);
    assert_place("REDIS://10.0.0.1:7000/", "10.0.0.1", 7000, "", "", 0);
    assert_place("redis://db_1.example-net.org/15", "db_1.example-net.org", 6379, "", "", 15);
    assert_place("redis://[2001:db8::1]:7000/2", "2001:db8::1", 7000, "", "", 2);
    assert_place("redis://[fe80::1%eth0]", "fe80::1%eth0", 6379, "", "", 0);
    assert_place("redis://:secret@host", "host", 6379, "", "secret", 0);
    assert_place("redis://me:a:b@c/d@host:1/3", "host", 1, "me", "a:b@c/d", 3);
    assert_place("redis://:%40%2F%3a%25@host", "host", 6379, "", "@/:%", 0);
}

static void what_makes_no_sense_is_refused(void **state)
{
    static const char *const bad[] = {
        "", "redis", "redis:", "redis:/h", "http://h", "rediss://h", "redis://", "redis:///1", "redis://:p@", "redis://p@h", "redis://:@h",
        "redis://:%4@h", "redis://:%00@h", "redis://h:", "redis://h:0", "redis://h:65536", "redis://h:6379x", "redis://h:-1", "redis://h/x",
        "redis://h/-1", "redis://h/1/", "redis://h/1000001", "redis://h/99999999999999999999", "redis://[::1", "redis://::1", "redis://[]",
        "redis://[::1]x", "redis://h h", "redis://h?x", "redis://h#x", "redis://h\n"};
    char long_one[1024];
    trk_redis_place place;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (!trk_redis_place_read(bad[i], &place))
            fail_msg("%s was taken", bad[i]);
    memset(long_one, 'h', sizeof long_one);
    memcpy(long_one, "redis://", 8);
    long_one[sizeof long_one - 1] = 0;
    assert_non_null(trk_redis_place_read(long_one, &place));
    memcpy(long_one, "redis://:", 9);
    memcpy(long_one + sizeof long_one - 3, "@h", 3);
    assert_non_null(trk_redis_place_read(long_one, &place));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_forms_are_read),
        cmocka_unit_test(what_makes_no_sense_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
