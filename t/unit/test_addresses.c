/* Peers per address: a whole IPv4 address, an IPv6 /64, and IPv4 within IPv6 as IPv4. */
#include "t/unit/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "seeder/addresses.h"

static seed_address parse(const char *text)
{
    struct sockaddr_in four = {.sin_family = AF_INET};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};

    if (inet_pton(AF_INET, text, &four.sin_addr) == 1)
        return seed_address_of((const struct sockaddr *)&four, sizeof four);
    assert_int_equal(inet_pton(AF_INET6, text, &six.sin6_addr), 1);
    return seed_address_of((const struct sockaddr *)&six, sizeof six);
}

static void who_counts_as_one(void **state)
{
    static const struct {
        const char *a, *b;
        int same;
    } pairs[] = {
        {"192.0.2.1", "192.0.2.1", 1},
        {"192.0.2.1", "192.0.2.2", 0},
        {"192.0.2.1", "::ffff:192.0.2.1", 1},
        {"2001:db8::1", "2001:db8::2", 1},
        {"2001:db8:0:1::1", "2001:db8:0:1:ffff::2", 1},
        {"2001:db8:0:1::1", "2001:db8:0:2::1", 0},
        {"0.0.0.0", "::", 0},
    };

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        seed_addresses *book = seed_addresses_make();
        seed_address a = parse(pairs[i].a), b = parse(pairs[i].b);
        assert_int_equal(seed_addresses_add(book, &a), 1);
        assert_int_equal(seed_addresses_add(book, &b), pairs[i].same ? 2 : 1);
        seed_addresses_remove(book, &a);
        assert_int_equal(seed_addresses_add(book, &b), pairs[i].same ? 2 : 2);
        seed_addresses_free(book);
    }
}

static void many(void **state)
{
    seed_addresses *book = seed_addresses_make();

    for (int round = 1; round <= 2; round++)
        for (apr_uint64_t i = 0; i < 20000; i++)
            assert_int_equal(seed_addresses_add(book, &(seed_address){i * 65537, AF_INET6}), round);
    for (int round = 0; round < 2; round++)
        for (apr_uint64_t i = 0; i < 20000; i++)
            seed_addresses_remove(book, &(seed_address){i * 65537, AF_INET6});
    assert_int_equal(seed_addresses_add(book, &(seed_address){65537, AF_INET6}), 1);
    seed_addresses_remove(book, &(seed_address){9, AF_INET}); /* was never there */
    seed_addresses_free(book);
}

static void no_address(void **state)
{
    struct sockaddr unix_socket = {.sa_family = AF_UNIX};
    seed_address none = seed_address_of(&unix_socket, sizeof unix_socket);
    seed_addresses *book = seed_addresses_make();

    assert_int_equal(seed_addresses_add(book, &none), 0);
    assert_int_equal(seed_addresses_add(book, &none), 0);
    seed_addresses_remove(book, &none);
    seed_addresses_free(book);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_counts_as_one),
        cmocka_unit_test(many),
        cmocka_unit_test(no_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
