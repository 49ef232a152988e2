/* What hosts tell each other of a peer: bulletins, and members of sorted sets. */
#include "t/unit/swarms_kit.h"

#include <stdio.h>

#include "tracker/change.h"

static const unsigned char here[TRK_HOST_ID_SIZE] = "thishost", there[TRK_HOST_ID_SIZE] = "another.";

static trk_change change_of(uint32_t number)
{
    trk_change change = {.hash = kit_hash(number),
                         .peer = number & 1 ? kit_v6(number, (uint16_t)(number + 1)) : kit_v4(number, (uint16_t)(number + 1)),
                         .is_seed = number >> 1 & 1,
                         .completed = number >> 2 & 1,
                         .is_gone = number >> 3 & 1,
                         .is_host = number >> 4 & 1,
                         .paused = number >> 5 & 1};

    return change;
}

static void assert_same(const trk_change *a, const trk_change *b)
{
    assert_memory_equal(&a->hash, &b->hash, sizeof a->hash);
    assert_int_equal(a->peer.is_v6, b->peer.is_v6);
    assert_int_equal(a->peer.port, b->peer.port);
    assert_memory_equal(a->peer.ip, b->peer.ip, 16);
    assert_int_equal(a->is_seed, b->is_seed);
    assert_int_equal(a->completed, b->completed);
    assert_int_equal(a->paused, b->paused);
}

static void a_bulletin_is_read_as_it_was_written(void **state)
{
    trk_bulletin bulletin;
    trk_change change;
    bt_buf buf;

    (void)state;
    bt_buf_init(&buf, 1 << 20);
    trk_bulletin_begin(&buf, there);
    for (uint32_t i = 0; i < 1000; i++) {
        change = change_of(i);
        trk_bulletin_add(&buf, &change);
    }
    assert_false(trk_bulletin_open(&bulletin, buf.data, buf.length, there));
    assert_true(trk_bulletin_open(&bulletin, buf.data, buf.length, here));
    for (uint32_t i = 0; i < 1000; i++) {
        trk_change said = change_of(i);

        assert_true(trk_bulletin_next(&bulletin, &change));
        assert_same(&change, &said);
        assert_int_equal(change.is_gone, said.is_gone);
        assert_int_equal(change.is_host, said.is_host);
    }
    assert_false(trk_bulletin_next(&bulletin, &change));
    bt_buf_free(&buf);
}

/* Each way to cut it gives the changes that are whole. */
static void a_bulletin_cut_short_ends_early(void **state)
{
    enum { HEAD = 12, V4 = 27, V6 = 39 };
    trk_bulletin bulletin;
    trk_change change;
    bt_buf buf;

    (void)state;
    bt_buf_init(&buf, 1 << 20);
    trk_bulletin_begin(&buf, there);
    for (uint32_t i = 0; i < 2; i++) {
        change = change_of(i);
        trk_bulletin_add(&buf, &change);
    }
    assert_int_equal(buf.length, HEAD + V4 + V6);
    for (apr_size_t length = 0; length <= buf.length; length++) {
        unsigned char *exact = malloc(length + 1); /* the sanitizer sees what lies beyond */
        int count = 0;

        memcpy(exact, buf.data, length);
        exact = realloc(exact, length ? length : 1);
        assert_int_equal(trk_bulletin_open(&bulletin, exact, length, here), length >= HEAD);
        while (length >= HEAD && trk_bulletin_next(&bulletin, &change))
            count++;
        assert_int_equal(count, (length >= HEAD + V4) + (length == buf.length));
        free(exact);
    }
    bt_buf_free(&buf);
}

static void what_a_later_version_says_is_passed_over(void **state)
{
    trk_bulletin bulletin;
    trk_change change;
    bt_buf buf;

    (void)state;
    bt_buf_init(&buf, 1 << 20);
    trk_bulletin_begin(&buf, there);
    for (uint32_t i = 0; i < 3; i++) {
        change = change_of(2 * i);
        trk_bulletin_add(&buf, &change);
    }
    buf.data[12 + 20] |= 64;              /* a bit that is not known */
    memset(buf.data + 12 + 27 + 25, 0, 2); /* port 0 */
    assert_true(trk_bulletin_open(&bulletin, buf.data, buf.length, here));
    assert_true(trk_bulletin_next(&bulletin, &change));
    assert_int_equal(change.peer.port, 5);
    assert_false(trk_bulletin_next(&bulletin, &change));
    buf.data[3] = '2';
    assert_false(trk_bulletin_open(&bulletin, buf.data, buf.length, here));
    bt_buf_free(&buf);
}

static void a_member_is_read_as_it_was_written(void **state)
{
    (void)state;
    for (uint32_t i = 1; i < 64; i += i == 7 ? 26 : 1) {
        trk_change said = change_of(i), change = {.hash = said.hash};
        unsigned char member[TRK_MEMBER_MAX];
        apr_size_t length = trk_member_of(&said, member);
        apr_int64_t second;
        char score[32];

        snprintf(score, sizeof score, "%lld", (long long)trk_score_of(&said, 1700000000 + i));
        assert_int_equal(length, i & 1 ? 18 : 6);
        assert_true(trk_member_read(member, length, score, &change, &second));
        assert_int_equal(second, 1700000000 + i);
        assert_same(&change, &said);
        assert_false(change.is_gone || change.is_host);
    }
}

static void what_is_no_member_is_refused(void **state)
{
    static const char *const bad[] = {"", "x", "inf", "-inf", "nan", "-1", "1.5", "1e300", "9007199254740992", "13600000000x"};
    const unsigned char member[18] = {1, 2, 3, 4, 5, 6, 7, 8}, zero[6] = {1, 2, 3, 4};
    trk_change change;
    apr_int64_t second;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(trk_member_read(member, 6, bad[i], &change, &second));
    for (apr_size_t length = 0; length < 18; length++)
        assert_int_equal(trk_member_read(member, length, "13600000000", &change, &second), length == 6);
    assert_false(trk_member_read(zero, 6, "13600000000", &change, &second));
    assert_true(trk_member_read(member, 6, "1.36e10", &change, &second));
    assert_int_equal(second, 1700000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bulletin_is_read_as_it_was_written),
        cmocka_unit_test(a_bulletin_cut_short_ends_early),
        cmocka_unit_test(what_a_later_version_says_is_passed_over),
        cmocka_unit_test(a_member_is_read_as_it_was_written),
        cmocka_unit_test(what_is_no_member_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
