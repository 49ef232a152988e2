#include "t/unit/unit.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/bencode.h"
#include "seeder/pex.h"

static seed_pex_address address(const char *text, unsigned port)
{
    int is_v6 = strchr(text, ':') != NULL;
    unsigned char ip[16];
    seed_pex_address made;

    assert_int_equal(inet_pton(is_v6 ? AF_INET6 : AF_INET, text, ip), 1);
    seed_pex_address_set(&made, ip, is_v6 ? 16 : 4, (apr_uint16_t)port, SEED_PEX_V1);
    return made;
}

static seed_pex_address nth_address(unsigned nth)
{
    seed_pex_address made = address("8.0.0.1", 6000 + nth % 1000);

    made.ip[1] = (unsigned char)(nth >> 8);
    made.ip[2] = (unsigned char)nth;
    return made;
}

static void test_who_may_be_told_of_whom(void **state)
{
    static const struct {
        const char *to, *of;
        int may;
    } cases[] = {
        {"8.8.8.8", "9.9.9.9", 1},       {"8.8.8.8", "2001:db8::1", 1}, {"8.8.8.8", "10.0.0.1", 0},
        {"10.0.0.1", "8.8.8.8", 0},      {"10.0.0.1", "192.168.1.1", 1}, {"10.0.0.1", "fc00::1", 1},
        {"10.0.0.1", "127.0.0.1", 0},    {"127.0.0.1", "127.0.0.2", 1}, {"127.0.0.1", "8.8.8.8", 0},
        {"8.8.8.8", "127.0.0.1", 0},     {"::1", "127.0.0.1", 1},       {"169.254.1.1", "169.254.1.2", 0},
        {"fe80::1", "fe80::2", 0},       {"8.8.8.8", "::ffff:10.0.0.1", 0}, {"8.8.8.8", "::ffff:9.9.9.9", 1},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        seed_pex_address to = address(cases[i].to, 1000), of = address(cases[i].of, 2000);

        if (seed_pex_may_tell(&to, &of) != cases[i].may)
            fail_msg("%s of %s", cases[i].to, cases[i].of);
        of.port = 0;
        assert_false(seed_pex_may_tell(&to, &of));
    }
}

static void test_nobody_is_told_of_himself(void **state)
{
    seed_pex_address to = address("8.8.8.8", 1000), mapped = address("::ffff:8.8.8.8", 1000);

    assert_false(seed_pex_may_tell(&to, &to));
    assert_false(seed_pex_may_tell(&to, &mapped));
    mapped.port = 1001; /* another one behind the same address */
    assert_true(seed_pex_may_tell(&to, &mapped));
}

/* A client that knows only one of a hybrid's hashes cannot talk to one that knows only the other. */
static void test_only_by_a_common_hash(void **state)
{
    enum { V1 = SEED_PEX_V1, V2 = SEED_PEX_V2, BOTH = V1 | V2, KEYLESS = SEED_PEX_KEYLESS, ALONE = SEED_PEX_ALONE };
    static const struct {
        unsigned to, of;
        int may;
    } cases[] = {{V1, V1, 1}, {V1, V2, 0}, {V1, BOTH, 1}, {BOTH, V2, 1}, {BOTH, BOTH, 1},
                 {V2, V2, 1}, {V1, KEYLESS, 0}, {KEYLESS, KEYLESS, 1}, {ALONE, KEYLESS, 0}, {ALONE, ALONE, 1}};
    static const unsigned char a[] = {8, 8, 8, 8}, b[] = {9, 9, 9, 9};
    seed_pex_address to, of;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        seed_pex_address_set(&to, a, 4, 1, cases[i].to);
        seed_pex_address_set(&of, b, 4, 1, cases[i].of);
        assert_int_equal(seed_pex_may_tell(&to, &of), cases[i].may);
    }
    seed_pex_address_set(&of, b, 0, 1, V1); /* a socket without an address */
    assert_false(seed_pex_may_tell(&of, &of));
}

static void test_bytes(void **state)
{
    static const char expected[] = "d5:added12:\1\2\3\4\x1a\xe1\5\6\7\x08\0\x50"
                                   "7:added.f2:\2\0"
                                   "6:added6"
                                   "18:\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\xff\xff"
                                   "8:added6.f1:\1"
                                   "7:dropped6:\x09\x09\x09\x09\0\1"
                                   "8:dropped618:\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2\0\2"
                                   "e";
    seed_pex_address to = address("8.8.8.8", 1), a = address("1.2.3.4", 6881), b = address("2001:db8::1", 65535),
                     c = address("5.6.7.8", 80);
    seed_pex_news news;
    apr_uint32_t added, dropped;
    bt_buf out;

    memset(&news, 0, sizeof news);
    assert_true(seed_pex_add(&news, &to, &a, SEED_PEX_IS_SEED));
    assert_true(seed_pex_add(&news, &to, &b, SEED_PEX_ENCRYPTS));
    assert_true(seed_pex_add(&news, &to, &c, 0));
    assert_true(seed_pex_add(&news, &to, &a, 0)); /* once is enough */
    news.dropped[0] = address("9.9.9.9", 1);
    news.dropped[1] = address("2001:db8::2", 2);
    news.dropped_count = 2;
    bt_buf_init(&out, 4096);
    assert_int_equal(seed_pex_write(&out, &news), APR_SUCCESS);
    assert_int_equal(out.length, sizeof expected - 1);
    assert_memory_equal(out.data, expected, sizeof expected - 1);
    assert_int_equal(seed_pex_read(out.data, out.length, &added, &dropped), APR_SUCCESS);
    assert_int_equal(added, 3);
    assert_int_equal(dropped, 2);
    bt_buf_free(&out);
}

static void test_what_is_no_message(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
        apr_status_t status;
    } cases[] = {
        {"", 0, APR_EINVAL},
        {"de", 2, APR_SUCCESS},
        {"le", 2, APR_EINVAL},
        {"d5:added5:12345e", 16, APR_EINVAL},
        {"d5:added6:123456e", 17, APR_SUCCESS},
        {"d5:addedi1ee", 12, APR_SUCCESS}, /* passed over */
        {"d6:added66:123456e", 18, APR_EINVAL},
        {"d7:dropped7:1234567e", 20, APR_EINVAL},
        {"d5:added6:12345", 15, APR_EINVAL},
    };
    apr_uint32_t added, dropped;
    bt_buf large;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(seed_pex_read((const unsigned char *)cases[i].bytes, cases[i].length, &added, &dropped),
                         cases[i].status);
    bt_buf_init(&large, 65536);
    bt_buf_printf(&large, "d5:added%d:", 6 * (SEED_PEX_HEARD + 1));
    memset(bt_buf_extend(&large, 6 * (SEED_PEX_HEARD + 1)), 'x', 6 * (SEED_PEX_HEARD + 1));
    bt_buf_add_string(&large, "e");
    assert_int_equal(seed_pex_read(large.data, large.length, &added, &dropped), APR_EINVAL);
    bt_buf_free(&large);
}

static void test_most_in_one_message(void **state)
{
    seed_pex_address to = address("8.8.8.8", 1);
    seed_pex_journal *journal = NULL;
    seed_pex_news news;
    apr_uint32_t told = 0;
    int seen = 0, messages = 0;

    for (unsigned i = 0; i < 120; i++) {
        seed_pex_address who = nth_address(i);
        seed_pex_note(&journal, 120, &who, 0, 1);
    }
    while (told != seed_pex_end(journal)) {
        told = seed_pex_since(journal, told, &to, &news);
        assert_true(news.added_count <= SEED_PEX_MOST);
        seen += news.added_count;
        messages++;
    }
    assert_int_equal(seen, 120);
    assert_int_equal(messages, 3);
    for (unsigned i = 0; i < 120; i++) {
        seed_pex_address who = nth_address(i);
        seed_pex_note(&journal, 120, &who, 0, 0);
    }
    for (seen = 0; told != seed_pex_end(journal); seen += news.dropped_count) {
        told = seed_pex_since(journal, told, &to, &news);
        assert_true(news.dropped_count <= SEED_PEX_MOST);
        assert_int_equal(news.added_count, 0);
    }
    assert_int_equal(seen, 120);
    seed_pex_free(journal);
}

static void test_short_memory(void **state)
{
    seed_pex_address to = address("8.8.8.8", 1);
    seed_pex_journal *journal = NULL;
    seed_pex_news news;

    assert_int_equal(seed_pex_end(NULL), 0);
    assert_int_equal(seed_pex_since(NULL, 0, &to, &news), 0);
    for (unsigned i = 0; i < 1000; i++) { /* two peers come and go: the journal stays short */
        seed_pex_address who = nth_address(i / 2);
        seed_pex_note(&journal, 2, &who, 0, !(i & 1));
    }
    assert_int_equal(seed_pex_since(journal, 0, &to, &news), 1000);
    assert_int_equal(news.added_count, 0);
    seed_pex_free(journal);
}

/* Peers come and go by chance; some are told now and then. Whoever has heard everything knows exactly those who are there, but
 * himself and those that he may not be told of. */
static void test_model(void **state)
{
    enum { PEERS = 40, LISTENERS = 4 };
    uint64_t random = 0xbe9;
    int there[PEERS] = {0}, known[LISTENERS][PEERS] = {{0}};
    apr_uint32_t told[LISTENERS] = {0};
    seed_pex_journal *journal = NULL;
    seed_pex_address all[PEERS], listeners[LISTENERS];

    for (unsigned i = 0; i < PEERS; i++)
        all[i] = i % 5 ? nth_address(i) : address("10.1.1.1", 100 + i);
    for (unsigned i = 0; i < LISTENERS; i++)
        listeners[i] = all[i]; /* the first is private */
    for (int step = 0; step < 20000; step++) {
        size_t who = unit_below(&random, PEERS), listener = unit_below(&random, LISTENERS);
        seed_pex_news news;

        there[who] = !there[who];
        seed_pex_note(&journal, PEERS, &all[who], 0, there[who]);
        if (unit_below(&random, 20) && seed_pex_end(journal) - told[listener] < 60)
            continue;
        for (listener = 0; listener < LISTENERS; listener++) { /* nobody falls behind what the journal keeps */
            do {
                told[listener] = seed_pex_since(journal, told[listener], &listeners[listener], &news);
                for (int i = 0; i < news.added_count; i++)
                    for (size_t j = 0; j < PEERS; j++)
                        if (memcmp(&news.added[i], &all[j], sizeof all[j]) == 0) {
                            assert_false(known[listener][j]);
                            known[listener][j] = 1;
                        }
                for (int i = 0; i < news.dropped_count; i++)
                    for (size_t j = 0; j < PEERS; j++)
                        if (memcmp(&news.dropped[i], &all[j], sizeof all[j]) == 0) {
                            assert_true(known[listener][j]);
                            known[listener][j] = 0;
                        }
            } while (told[listener] != seed_pex_end(journal));
            for (size_t j = 0; j < PEERS; j++)
                assert_int_equal(known[listener][j], there[j] && seed_pex_may_tell(&listeners[listener], &all[j]));
        }
    }
    seed_pex_free(journal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_may_be_told_of_whom), cmocka_unit_test(test_nobody_is_told_of_himself),
        cmocka_unit_test(test_only_by_a_common_hash),
        cmocka_unit_test(test_bytes),                   cmocka_unit_test(test_what_is_no_message),
        cmocka_unit_test(test_most_in_one_message),     cmocka_unit_test(test_short_memory),
        cmocka_unit_test(test_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
